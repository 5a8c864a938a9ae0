"""Numbers that remember which times they were computed from, so that a comparison tells for how long it holds.

Two kinds of times are followed: the present, which runs, and stamps, which are set anew again and again while nothing
happens, as the time of the last beat. A number is one of them, or one less the other, and a constant. Whatever else is
done with it uses its value as it is: then its like is another number as soon as a time that it is made of changes.

What this file does not know: who computes with the numbers (aoeha.sim.asking.watched).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["LATER_MS", "Bounds", "Followed", "Notes"]

LATER_MS = 1 << 60


@dataclass(slots=True)
class Bounds:
    """Between which values a stamp, and the time since then, may lie: not below the first, and below the second."""

    from_ms: int = -LATER_MS
    to_ms: int = LATER_MS
    age_from_ms: int = -LATER_MS
    age_to_ms: int = LATER_MS

    def hold(self, stamp_ms: int, now_ms: int) -> bool:
        """Whether a stamp lies within, and has the least age. The greatest age is a matter of time."""
        return self.from_ms <= stamp_ms < self.to_ms and stamp_ms <= now_ms - self.age_from_ms


class Notes:
    """What was read: fields by name, stamps with their bounds, and until when the comparisons with the present hold."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.begin()

    def begin(self) -> None:
        """Note anew."""
        self.read: set[str] = set()
        self.stamps: dict[str, Bounds] = {}
        self.values_ms: dict[str, int] = {}
        self.until_ms = LATER_MS

    def present(self) -> "Followed":
        """Return the present time."""
        return Followed.made(self.now_ms, self, 1, 0, "")

    def stamp(self, name: str, value_ms: int) -> "Followed":
        """Return a stamp."""
        self.stamps.setdefault(name, Bounds())
        self.values_ms[name] = value_ms
        return Followed.made(value_ms, self, 0, 1, name)

    def use(self, *numbers: Any) -> None:
        """Numbers are used as they are."""
        for number in numbers:
            if isinstance(number, Followed):
                if number.runs:
                    self.until_ms = min(self.until_ms, self.now_ms + 1)
                if number.name:
                    self.read.add(number.name)

    def compare(self, one: "Followed", other: int, *, extra: int = 0, equal: bool = False) -> None:
        """Note for how long it holds whether one number is less than another one and `extra`, or equal to it."""
        less = one.less(other)
        if less is None:
            self.use(one, other)
        elif less.runs or less.sign:
            way = less.runs or less.sign
            point = (extra - int(less)) * way
            # What grows is so far from the point at which both are equal.
            if equal:
                bounds = (0, 1) if point == 0 else (-LATER_MS, point) if point > 0 else (point + 1, LATER_MS)
            else:
                turn = point if way > 0 else point + 1
                bounds = (-LATER_MS, turn) if turn > 0 else (turn, LATER_MS)
            self._bind(less, *bounds)

    def _bind(self, number: "Followed", low: int, high: int) -> None:
        """What the number is made of must stay within these bounds, told from where it is now."""
        if not number.sign:
            self.until_ms = min(self.until_ms, self.now_ms + high)
            return
        known, stamp_ms = self.stamps[number.name], self.values_ms[number.name]
        if number.runs:
            age_ms = self.now_ms - stamp_ms
            known.age_from_ms = max(known.age_from_ms, age_ms + low)
            known.age_to_ms = min(known.age_to_ms, age_ms + high)
        else:
            known.from_ms = max(known.from_ms, stamp_ms + low)
            known.to_ms = min(known.to_ms, stamp_ms + high)


class Followed(int):
    """A number that is `runs` times the present, and `sign` times the stamp of a `name`, and a constant."""

    notes: Notes
    runs: int
    sign: int
    name: str

    @classmethod
    def made(cls, value: int, notes: Notes, runs: int, sign: int, name: str) -> "Followed":
        """Return such a number."""
        number = cls(value)
        number.notes, number.runs, number.sign, number.name = notes, runs, sign, name
        return number

    def less(self, other: int, sign: int = 1) -> "Followed | None":
        """Return this number less another one, or added to it with a `sign` of -1; None where that is not followed."""
        value = int(self) - sign * int(other)
        if not isinstance(other, Followed):
            return Followed.made(value, self.notes, self.runs, self.sign, self.name)
        runs, name = self.runs - sign * other.runs, self.name or other.name
        if other.name not in ("", name):
            return None
        signed = self.sign - sign * other.sign
        if abs(runs) > 1 or abs(signed) > 1 or runs * signed > 0:
            return None
        return Followed.made(value, self.notes, runs, signed, name)

    def __add__(self, other: int) -> int:
        """Add, or subtract below, and follow what comes of it."""
        total = self.less(other, -1)
        return self._used("__add__", other) if total is None else total

    __radd__ = __add__

    def __sub__(self, other: int) -> int:
        rest = self.less(other)
        return self._used("__sub__", other) if rest is None else rest

    def __rsub__(self, other: int) -> int:
        return Followed.made(other - int(self), self.notes, -self.runs, -self.sign, self.name)

    def __lt__(self, other: int) -> bool:
        """Compare, here and below, and note for how long that holds."""
        self.notes.compare(self, other)
        return int(self) < int(other)

    def __le__(self, other: int) -> bool:
        self.notes.compare(self, other, extra=1)
        return int(self) <= int(other)

    def __gt__(self, other: int) -> bool:
        return not self <= other

    def __ge__(self, other: int) -> bool:
        return not self < other

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int):
            self.notes.compare(self, other, equal=True)
        return int(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __bool__(self) -> bool:
        return self != 0

    def __hash__(self) -> int:
        return hash(int(self._used("__int__")))

    def _used(self, method: str, *others: Any) -> Any:
        self.notes.use(self, *others)
        return getattr(int(self), method)(*(int(other) if isinstance(other, Followed) else other for other in others))


def _using(method: str) -> Callable[..., Any]:
    def use(self: Followed, *others: Any) -> Any:
        return self._used(method, *others)

    return use


for _method in (
    *("__floordiv__", "__rfloordiv__", "__mod__", "__rmod__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__"),
    *("__divmod__", "__neg__", "__abs__", "__lshift__", "__rshift__", "__and__", "__or__", "__xor__", "__format__"),
    *("__str__", "__repr__", "__index__"),
):
    setattr(Followed, _method, _using(_method))
