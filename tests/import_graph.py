"""Who imports whom: rooms, floors, arrows and circles, read from the import statements of every module.

    python tests/import_graph.py [PACKAGE ...]

A room of a package is a package in it, or a module of its own. An arrow leads from a room to each room that it
imports, also where only a type checker does (`if TYPE_CHECKING`). A room stands one floor above the highest room that
it imports; rooms of a circle stand on one floor.
"""

import ast
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREES = ("aoeha", "aoeha.core", "aoeha.sim", "aoeha.cli", "aoeha.rack", "aoeha.agents")

Arrows = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Tree:
    """The rooms of one package. `arrows` lead from a room to those that it imports; the lowest floor comes first."""

    package: str
    arrows: Arrows
    floors: tuple[tuple[str, ...], ...]
    circles: tuple[tuple[str, ...], ...]


@cache
def modules() -> dict[str, Path]:
    """Every module of aoeha by its dotted name; a package by that of its `__init__`."""
    found = {}
    for path in sorted((ROOT / "aoeha").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of aoeha that a module imports, wherever in it that stands."""
    known, path = modules(), modules()[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join((*above, *([node.module] if node.module else [])))
            names = {f"{origin}.{alias.name}" for alias in node.names}
            found.update(name if name in known else origin for name in names)
    return frozenset(name for name in found if name in known and name != module)


def room_of(module: str, package: str) -> str:
    """The room of a package in which a module stands, empty where it stands elsewhere or is the package itself."""
    return module.removeprefix(f"{package}.").partition(".")[0] if module.startswith(f"{package}.") else ""


def tree(package: str) -> Tree:
    """The rooms of a package and how they hang together."""
    arrows: dict[str, set[str]] = {room_of(module, package): set() for module in modules()}
    for module in modules():
        arrows[room_of(module, package)].update(room_of(name, package) for name in imports(module))
    return _built(package, {room: others - {room, ""} for room, others in arrows.items() if room})


def files(package: str) -> Tree:
    """The same with every module of a package as a room of its own."""
    inside = [module for module in modules() if module.startswith(f"{package}.")]
    return _built(package, {module: {name for name in imports(module) if name in inside} for module in inside})


def arrows_between(package: str, room: str, other: str) -> list[str]:
    """The imports that make one arrow."""
    return [
        f"{module} imports {name}"
        for module in modules()
        if room_of(module, package) == room
        for name in sorted(imports(module))
        if room_of(name, package) == other
    ]


def up(arrows: Arrows, order: Iterable[Iterable[str]]) -> list[tuple[str, str]]:
    """The arrows that do not lead to a lower floor of `order`: the rooms of each floor, the lowest first."""
    height = {room: floor for floor, rooms in enumerate(order) for room in rooms}
    return sorted((room, other) for room, others in arrows.items() for other in others if height[other] >= height[room])


def _built(package: str, arrows: Mapping[str, Iterable[str]]) -> Tree:
    frozen = {room: frozenset(others) for room, others in sorted(arrows.items())}
    circles = _circles(frozen)
    circle_of = {room: circle for circle in circles for room in circle}

    @cache
    def floor(rooms: tuple[str, ...]) -> int:
        below = {circle_of.get(other, (other,)) for room in rooms for other in frozen[room]} - {rooms}
        return 1 + max((floor(other) for other in below), default=-1)

    heights = {room: floor(circle_of.get(room, (room,))) for room in frozen}
    top = max(heights.values(), default=-1)
    floors = tuple(tuple(room for room in frozen if heights[room] == level) for level in range(top + 1))
    return Tree(package, frozen, floors, circles)


def _circles(arrows: Arrows) -> tuple[tuple[str, ...], ...]:
    """The sets of rooms that all reach each other, those of one room left out."""
    reached = {room: _reached(arrows, room) for room in arrows}
    found = {tuple(sorted(other for other in reached[room] if room in reached[other])) for room in arrows}
    return tuple(sorted(circle for circle in found if len(circle) > 1))


def _reached(arrows: Arrows, room: str) -> set[str]:
    seen: set[str] = set()
    waiting = [*arrows[room]]
    while waiting:
        other = waiting.pop()
        if other not in seen:
            seen.add(other)
            waiting.extend(arrows[other])
    return seen


def described(known: Tree) -> str:
    """A tree as text, the highest floor first."""
    count = sum(len(others) for others in known.arrows.values())
    figures = f"{len(known.arrows)} rooms, {len(known.floors)} floors, {count} arrows, {len(known.circles)} circles"
    lines = [f"{known.package}: {figures}"]
    for number, rooms in reversed(list(enumerate(known.floors))):
        lines += [f"  {number:2} {room:<16} {' '.join(sorted(known.arrows[room]))}".rstrip() for room in rooms]
    return "\n".join((*lines, *(f"  circle: {' '.join(circle)}" for circle in known.circles)))


def described_by_file(package: str) -> str:
    """How the files of a package hang together, and which of them stand in a circle."""
    known = files(package)
    lines = [f"  by file: {len(known.arrows)} on {len(known.floors)} floors, {len(known.circles)} circles"]
    return "\n".join((*lines, *(f"    {' '.join(circle)}" for circle in known.circles)))


def main(packages: list[str]) -> int:
    """Print the rooms of packages, and how their files hang together."""
    for package in packages or TREES:
        sys.stdout.write(f"{described(tree(package))}\n{described_by_file(package)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
