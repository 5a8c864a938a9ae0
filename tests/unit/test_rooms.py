"""The plan of the house: no room is reached from itself, and in core and sim every arrow leads down."""

import pytest
from import_graph import Tree, arrows_between, described, modules, tree, up

CORE = (
    ("model",),
    ("peer",),
    ("storage",),
    ("ownership",),
    ("resources",),
    ("mirror", "fencing"),
    ("operator", "verdict"),
    ("beats", "memory", "status", "action_queue"),
    ("rules",),
    ("step",),
)
SIM = (("world", "exhaust", "replay"), ("judges",), ("stories",))
FLOORS_MAX = 10
STILL_IN_A_CIRCLE = {
    "aoeha.sim.world": ("daemon", "holds", "machine", "observer", "power", "storage", "work", "world"),
}
"""Nothing is added here."""


def packages() -> list[str]:
    return sorted(module for module, path in modules().items() if path.name == "__init__.py")


@pytest.mark.parametrize("package", packages())
def test_no_room_is_reached_from_itself(package: str) -> None:
    known = tree(package)
    expected = [STILL_IN_A_CIRCLE[package]] if package in STILL_IN_A_CIRCLE else []
    assert list(known.circles) == expected, described(known)


@pytest.mark.parametrize(("package", "order"), [("aoeha.core", CORE), ("aoeha.sim", SIM)])
def test_every_arrow_leads_down(package: str, order: tuple[tuple[str, ...], ...]) -> None:
    known = tree(package)
    assert sorted(room for floor in order for room in floor) == sorted(known.arrows)
    assert not [arrow for one, other in up(known.arrows, order) for arrow in arrows_between(package, one, other)]


def test_core_has_few_floors() -> None:
    known = tree("aoeha.core")
    assert len(known.floors) <= FLOORS_MAX, described(known)


def test_a_circle_and_an_arrow_up_are_seen() -> None:
    arrows = {"cellar": frozenset({"attic"}), "hall": frozenset({"cellar"}), "attic": frozenset({"hall"})}
    assert up(arrows, (("cellar",), ("hall",), ("attic",))) == [("cellar", "attic")]
    assert up(arrows, (("cellar", "hall"), ("attic",))) == [("cellar", "attic"), ("hall", "cellar")]


def test_an_import_for_the_type_checker_alone_is_an_arrow() -> None:
    known: Tree = tree("aoeha.sim.world")
    assert "machine" in known.arrows["observer"]
