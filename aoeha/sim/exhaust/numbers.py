"""Numbers for values: each value that was ever seen has one, so that states are small and quick to compare."""

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Numbers"]

T = TypeVar("T", bound=Hashable)


class Numbers(Generic[T]):
    """Values in the order in which they were first seen, from 0."""

    def __init__(self, *first: T) -> None:
        self._values: list[T] = list(first)
        self._numbers: dict[T, int] = {value: number for number, value in enumerate(first)}

    def of(self, value: T) -> int:
        """Return the number of a value, a new one if it was never seen."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self._values)
            self._values.append(value)
        return number

    def __getitem__(self, number: int) -> T:
        return self._values[number]

    def __len__(self) -> int:
        return len(self._values)
