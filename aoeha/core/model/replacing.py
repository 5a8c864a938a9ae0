"""Values that differ from a frozen one in a few fields.

`dataclasses.replace` gives every field to the constructor by name, and a frozen constructor sets each through
`object.__setattr__`: 10 us for a value of forty-five fields, and a step makes half a dozen such. Where a value keeps
its fields in a dictionary, that can be copied at once (measured: 1 us; slots, one after the other, 5 us).
So what is replaced often has no slots.
"""

from typing import Any, TypeVar

Value = TypeVar("Value")


def replaced(value: Value, **fields: Any) -> Value:
    """Return a frozen value without slots like this one but for the fields named. AttributeError for an unknown one."""
    known = value.__dict__
    if not fields.keys() <= known.keys():
        raise AttributeError(f"{type(value).__name__} has no field {', '.join(sorted(fields.keys() - known.keys()))}")
    new: Value = object.__new__(type(value))
    new.__dict__.update(known)
    new.__dict__.update(fields)
    return new
