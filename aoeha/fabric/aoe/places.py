"""Queries a leg at each of its addresses, through every storage interface at once. The first answer counts."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aoeha.fabric.aoe.client import AoeClient, TargetAddress
from aoeha.fabric.aoe.frames import Target
from aoeha.fabric.aoe.port import AoeError

__all__ = ["Places", "Question", "ask_all", "first_answer", "first_of", "usable"]

Answer = TypeVar("Answer")
Question = asyncio.Task[tuple[TargetAddress, Answer] | None]


@dataclass(frozen=True, slots=True)
class Places:
    """One address of a leg, on every interface that may reach it."""

    leg: str
    mac: bytes
    interfaces: tuple[str, ...]

    def all(self) -> tuple[TargetAddress, ...]:
        """Return the address as seen through each interface."""
        return tuple(TargetAddress(Target.parse(self.leg), self.mac, name) for name in self.interfaces)


def usable(interfaces: tuple[str, ...]) -> tuple[str, ...]:
    """Return the interfaces that can be opened, or all of them when none can, so that the caller gets the error."""
    found = []
    for interface in interfaces:
        with contextlib.suppress(AoeError):
            AoeClient([interface]).close()
            found.append(interface)
    return tuple(found) or interfaces


async def first_answer(
    places: Places, ask: Callable[[TargetAddress], Awaitable[Answer]]
) -> tuple[TargetAddress, Answer] | None:
    """Ask one address through all interfaces at once. Return the first answer and its path."""
    questions = ask_all(places, ask)
    try:
        return await first_of(questions)
    finally:
        for question in questions:
            question.cancel()


def ask_all(places: Places, ask: Callable[[TargetAddress], Awaitable[Answer]]) -> list[Question[Answer]]:
    """Ask one address through all interfaces at once. Return the running queries, one for each interface."""
    return [asyncio.create_task(_ask(place, ask)) for place in places.all()]


async def first_of(questions: list[Question[Answer]]) -> tuple[TargetAddress, Answer] | None:
    """Return the first answer and its path, or None. The other queries keep running."""
    for answer in asyncio.as_completed(questions):
        found = await answer
        if found is not None:
            return found
    return None


async def _ask(
    place: TargetAddress, ask: Callable[[TargetAddress], Awaitable[Answer]]
) -> tuple[TargetAddress, Answer] | None:
    try:
        return place, await ask(place)
    except AoeError:
        return None
