"""The plan of the house: no room is reached from itself, and in core, sim and its world every arrow leads down."""

import pytest
from import_graph import arrows_between, described, imports, modules, tree, up

CORE = (
    ("model",),
    ("peer",),
    ("storage",),
    ("ownership",),
    ("resources",),
    ("mirror", "fencing"),
    ("operator", "verdict"),
    ("beats", "memory", "status", "action_queue", "unserved"),
    ("waits",),
    ("rules",),
    ("step",),
)
SIM = (("asking", "exhaust", "replay"), ("world",), ("judges",), ("stories",))
WORLD = (
    ("timeline", "san", "shelf", "leg", "client", "memories", "violation", "test_key"),
    ("speech",),
    ("gateway", "link", "trace", "watchdog", "mirror"),
    ("observer", "clone"),
    ("stage",),
    ("exchange",),
    ("storage",),
    ("services", "power"),
    ("holds", "looks", "writes"),
    ("work",),
    ("daemon",),
    ("machine",),
    ("world",),
)
FLOORS_MAX = 10


def packages() -> list[str]:
    return sorted(module for module, path in modules().items() if path.name == "__init__.py")


@pytest.mark.parametrize("package", packages())
def test_no_room_is_reached_from_itself(package: str) -> None:
    known = tree(package)
    assert not known.circles, described(known)


@pytest.mark.parametrize(("package", "order"), [("aoeha.core", CORE), ("aoeha.sim", SIM), ("aoeha.sim.world", WORLD)])
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
    module = "aoeha.sim.stories.promises"
    type_checked = modules()[module].read_text().partition("if TYPE_CHECKING:\n")[2].partition("\n\n")[0]
    assert "    from aoeha.sim.world.mirror import" in type_checked
    assert "aoeha.sim.world.mirror" in imports(module)
