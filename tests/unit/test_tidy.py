"""The house stays in order: sizes, words and layers that no other tool watches."""

import ast
import re
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path

import generate_changes
import pytest

from aoeha.core.model.state import GroupState

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES_MAX, TEST_LINES_MAX, FUNCTION_LINES_MAX = 450, 700, 80
PURE = {"collections", "functools", "itertools", "operator", "dataclasses", "enum", "typing", "aoeha"}
PURE_WIRE = PURE | {"struct", "hmac", "hashlib", "zlib", "collections"}


def tracked(pattern: str) -> list[Path]:
    listing = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    names = listing.split() or [str(path.relative_to(ROOT)) for path in ROOT.rglob(pattern)]
    return [ROOT / name for name in names if ".venv" not in name and (ROOT / name).exists()]


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


SOURCES = tracked("*.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_small_and_finished(path: Path) -> None:
    text = path.read_text()
    most = TEST_LINES_MAX if "tests" in path.relative_to(ROOT).parts else MODULE_LINES_MAX
    assert text.count("\n") <= most, "is it two things?"
    unfinished = "TO" + "DO|FIX" + "ME|NotImplemented" + "Error"
    assert not re.search(rf"\b({unfinished})\b", text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or node.lineno) - node.lineno < FUNCTION_LINES_MAX, node.name


PURE_SOURCES = tracked("aoeha/core/*.py") + tracked("aoeha/wire/*.py")


@pytest.mark.parametrize("path", PURE_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_core_and_wire_import_nothing_that_could_surprise_them(path: Path) -> None:
    allowed = PURE if "core" in path.relative_to(ROOT).parts else PURE_WIRE
    assert {name.split(".")[0] for name in imported(path)} <= allowed


def test_core_says_what_everything_is() -> None:
    for path in tracked("aoeha/core/*.py"):
        assert not re.search(r"\bAny\b|type: ignore", path.read_text()), path


def test_what_a_step_may_change_follows_the_classes() -> None:
    assert generate_changes.WRITTEN.read_text() == generate_changes.generated(), generate_changes.__doc__


def test_a_term_of_ownership_is_made_and_dropped_in_one_place() -> None:
    """Besides that, a daemon goes on with the term that it remembers, or its legs; and a step changes fields of it."""
    made, set_by = [], []
    for path in tracked("aoeha/core/*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            made += [path.name] * (ast.unparse(call.func) == "Term")
            set_by += [f"{path.name} {ast.unparse(word.value)}" for word in call.keywords if word.arg == "term"]
    assert sorted(made) == ["claims.py", "claims.py", "step.py"]
    assert len(set_by) == 5, set_by
    assert [name for name in set_by if name.endswith(" None")] == ["claims.py None"]


HOMES = {
    "change_shelves": "reservations.py",
    "Confirmation": "power_fence.py",
    "Failures": "failures.py",
    "Leaving": "leave.py",
    "LegWork": "leg_membership.py",
    "Mark": "beats.py",
    "Revalidation": "own_stall.py",
}
"""What makes a value that is under way for a while, and the file that alone does so."""


@pytest.mark.parametrize("makes", HOMES)
def test_a_value_that_is_under_way_is_made_in_one_home(makes: str) -> None:
    made = set()
    for path in tracked("aoeha/core/*.py"):
        calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        if "model" not in path.parts and makes in {call.rpartition(".")[2] for call in calls}:
            made.add(path.name)
    assert made == {HOMES[makes]}


def test_every_field_of_a_group_says_whose_it_is() -> None:
    """The class lists them by room, and that room writes them."""
    rooms = re.findall(r"^ +- (\w+): (.+?)\.$", GroupState.__doc__ or "", flags=re.MULTILINE | re.DOTALL)
    owned = {(field, room) for room, text in rooms for field in re.findall(r"`(\w+)`", text)}
    assert sorted(field for field, _ in owned) == sorted(f.name for f in fields(GroupState) if f.name != "config")
    parts = {"change_resource": "resources", "change_leg": "legs", "end_refusal": "refusal"}
    parts |= {f"change_{part}": part for part in ("shelves", "storage_fence", "shelf_link", "term")}
    written = set()
    for path in tracked("aoeha/core/*.py"):
        room = path.stem if path.parent.name == "core" else path.parent.name
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            named = [word.arg for word in call.keywords] if called == "change_group" else [parts.get(called)]
            written |= {(field, room) for field in named}
    assert owned <= written, owned - written


def test_each_outside_library_has_one_door() -> None:
    doors = {
        "pyroute2": "netlink.py",
        "serial": "serial_port.py",
        "jinja2": "templates.py",
        "aiomqtt": "mqtt.py",
        "paho": "mqtt.py",
    }
    for path in tracked("aoeha/*.py") + tracked("resources/*.py") + tracked("fencing/*.py"):
        for name in {name.split(".")[0] for name in imported(path)} & doors.keys():
            assert path.name == doors[name], f"{path} imports {name}"


def test_agents_are_data_and_nobody_imports_one_by_name() -> None:
    assert not (ROOT / "resources/__init__.py").exists()
    assert not (ROOT / "fencing/__init__.py").exists()
    for path in tracked("aoeha/*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & {"resources", "fencing"}


def pinned(name: str) -> dict[str, frozenset[str]]:
    """Return the hashes of each `package==version` of a lock file."""
    blocks = re.findall(r"^([a-z0-9]\S*) \\\n((?:    --hash=\S+(?: \\)?\n)+)", (ROOT / name).read_text(), re.MULTILINE)
    return {package: frozenset(hashes.replace("\\", "").split()) for package, hashes in blocks}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-gateway.lock"])
def test_a_lock_file_pins_every_line_with_a_hash(name: str) -> None:
    begun = re.findall(r"^[^\s#].*", (ROOT / name).read_text(), re.MULTILINE)
    assert begun
    assert len(pinned(name)) == len(begun)
    assert all("==" in package for package in pinned(name))


def test_a_gateway_gets_what_was_tested_and_nothing_for_developers() -> None:
    gateway = pinned("requirements-gateway.lock")
    assert gateway.items() <= pinned("requirements.lock").items()
    installed = {package.partition("==")[0] for package in gateway}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *extras["mqtt"], *project["build-system"]["requires"]]
    named = {re.split(r"[<>=\[]", line)[0] for line in wanted}
    assert named <= installed
    assert not installed & ({re.split(r"[<>=\[]", line)[0] for line in extras["dev"]} - named)


def test_no_text_names_a_path_of_one_machine() -> None:
    for path in tracked("*"):
        if path.suffix in {".py", ".md", ".toml", ".sh", ".txt", ".j2", ""} and path.is_file():
            assert not re.search(r"(?<![\w.])/(work|home)/", path.read_text(errors="replace")), path
