"""Values that differ from a frozen one in a few fields.

`dataclasses.replace` gives every field to the constructor by name, and a frozen constructor sets each through
`object.__setattr__`: 10 us for a value of forty-five fields, and a step makes half a dozen of them. Where a value keeps
its fields in a dictionary, the dictionary can be copied at once (measured: 1 us; slots, one after the other, 5 us). So
a class whose values are replaced often has no slots.

For a type checker `replaced` is `dataclasses.replace`: mypy knows that function, and compares every field that is named
with the fields of the value's class.
"""

from typing import TYPE_CHECKING

__all__ = ["replaced"]

if TYPE_CHECKING:
    from dataclasses import replace as replaced
else:

    def replaced(value: object, /, **fields: object) -> object:
        """Return a copy of a frozen value with the named fields replaced. AttributeError for an unknown field."""
        known = value.__dict__
        if not fields.keys() <= known.keys():
            unknown = ", ".join(sorted(fields.keys() - known.keys()))
            raise AttributeError(f"{type(value).__name__} has no field {unknown}")
        new = object.__new__(type(value))
        new.__dict__.update(known)
        new.__dict__.update(fields)
        return new
