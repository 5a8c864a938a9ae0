"""docs/rules.md is the law: rules, homes, functions, incidents and hazards are held against each other."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from aoeha.core.model.law import STOPPED_BY, Kind
from aoeha.core.rules import RULES as ORDER
from aoeha.core.rules import Decide

ROOT = Path(__file__).resolve().parents[2]
CORE, SCENARIOS = ROOT / "aoeha/core", ROOT / "tests/scenarios"
BOOK, MAP = ROOT / "docs/rules.md", ROOT / "ARCHITECTURE.md"
HOME = re.compile(r"\(home of (R\d+(?: and R\d+)*)(?:; also R\d+(?:, R\d+)*)?\)\.$")
FUNCTION = re.compile(r"`((?:aoeha|resources|fencing|tests)/[\w/]+\.py):(\w+)`")
INCIDENT = re.compile(r"`((?:rack/)?[a-z0-9-]+\.txt)`")
NUMBER = re.compile(r"\b(?:R[1-9]\d?|I[1-9])\b")
DOCUMENT = re.compile(r"[\w./-]*\w\.md\b")
FILE = re.compile(
    r"(?<![\w./-])((?:aoeha|docs|tests|etc|resources|fencing)/[\w./-]+\.(?:py|md|txt|toml|sh|j2|service|conf))\b"
)
MANUAL = re.compile(r"\bman:(aoeha[\w.-]*)\((\d)\)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FOREIGN = {
    "FenceAgentAPI.md",
    "resource-agent-api.md",
    "MQTT.md",
    "Commands.md",
    "Rules.md",
    "mqtt_topics_and_messages.md",
    "device-availability.md",
}
"""Documents of other projects, named as sources."""
FOREIGN_KEYS = {"two_node", "wait_for_all", "pcmk_delay_base"}
"""Keys of Corosync and Pacemaker, named for comparison."""
TEXT = {".py", ".md", ".toml", ".sh", ".txt", ".j2", ".service", ".conf", ".yml", ""}


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    named = [ROOT / name for name in listing.split("\0") if name] or list(ROOT.rglob("*"))
    return [path for path in named if path.is_file() and path.suffix in TEXT and ".venv" not in path.parts]


TRACKED = tracked()
PAGES = [path for path in TRACKED if path.suffix == ".md"]
MODULES = [path for path in TRACKED if CORE in path.parents and path.suffix == ".py"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rules_of(book: str) -> dict[str, str]:
    """Each rule in force with its section, up to the next heading of the same height."""
    parts = re.split(r"^## ", book, flags=re.MULTILINE)[1:]
    return {part.split()[0]: part for part in parts if re.match(r"R\d+ ", part)}


RULES = rules_of(BOOK.read_text())
PLANNED = set(re.findall(r"^- \*\*(R\d+)\*\*", BOOK.read_text(), flags=re.MULTILINE))
INVARIANTS = set(re.findall(r"^\| (I\d) \|", BOOK.read_text(), flags=re.MULTILINE))


@cache
def first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n", maxsplit=1)[0]


@cache
def homes() -> dict[str, list[str]]:
    """Each rule with the core's files whose first line calls them its home."""
    found: dict[str, list[str]] = {}
    for path in MODULES:
        home = HOME.search(first_line(path))
        for rule in home.group(1).split(" and ") if home else ():
            found.setdefault(rule, []).append(name_of(path))
    return found


@cache
def functions_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def anchors_in(path: Path) -> frozenset[str]:
    """The anchors of a page, made of its headings as forges make them."""
    headings = re.findall(r"^#+ +(.+)$", path.read_text(), flags=re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)


def test_the_rules_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(rule[1:]) for rule in RULES.keys() | PLANNED)
    assert numbers == list(range(1, numbers[-1] + 1))
    assert not RULES.keys() & PLANNED, "a rule is in force or it is planned"
    assert sorted(INVARIANTS) == [f"I{n}" for n in range(1, 9)]


def test_every_rule_has_exactly_one_home_and_its_section_links_there() -> None:
    found = homes()
    assert found.keys() == RULES.keys(), "a home names a rule that is not in force, or a rule has no home"
    for rule, files in found.items():
        assert len(files) == 1, f"{rule} is at home in {files}"
        assert f"Home: [{files[0]}](../{files[0]})" in RULES[rule], f"the section of {rule} does not link to its home"


def test_a_file_that_takes_part_in_a_rule_is_named_in_its_section() -> None:
    for path in MODULES:
        for rule in re.findall(r"\bR\d+\b", first_line(path)):
            assert f"{name_of(path)}:" in RULES[rule], f"{name_of(path)} cites {rule}, whose section does not name it"


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_its_reason_its_functions_and_its_incidents(rule: str) -> None:
    section = RULES[rule]
    home = homes()[rule][0]
    assert "**Why.**" in section
    assert "Decided in" in section
    assert any(file == home for file, _ in FUNCTION.findall(section)), f"no function of {home} is named"
    assert INCIDENT.findall(section.split("Shown by", maxsplit=1)[1]), "no incident shows it"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_function_that_a_page_names_exists(page: Path) -> None:
    for file, function in FUNCTION.findall(page.read_text()):
        assert (ROOT / file).is_file(), f"there is no {file}"
        assert function in functions_in(ROOT / file), f"there is no {function} in {file}"


@pytest.mark.parametrize("page", [BOOK, MAP], ids=name_of)
def test_every_incident_that_the_book_names_exists(page: Path) -> None:
    named = INCIDENT.findall(page.read_text())
    assert named
    assert not [name for name in named if not (SCENARIOS / name).is_file()]


def test_every_hazard_is_answered_by_rules_in_force_and_every_hazard_that_is_cited_has_its_row() -> None:
    rows = [line.strip("|").split("|") for line in (ROOT / "docs/hazards.md").read_text().splitlines()]
    rows = [row for row in rows if re.match(r" (H|MF?)\d", row[0])]
    for row in rows:
        assert set(row[2].strip().split(", ")) <= RULES.keys(), row[0]
    listed = {row[0].strip() for row in rows}
    listed |= {re.sub(r"[a-d]$", "", name) for name in listed}
    for path in (BOOK, MAP):
        assert set(re.findall(r"\b(?:H|MF?)[1-9]\d?[a-d]?\b", path.read_text())) <= listed


def test_every_rule_that_is_cited_is_in_force() -> None:
    roots = tuple(ROOT / name for name in ("aoeha", "resources", "fencing", "docs"))
    cited = [path for path in TRACKED if path in (MAP, ROOT / "README.md") or any(r in path.parents for r in roots)]
    for path in cited:
        text = path.read_text()
        text = text.split("## Planned, not in force")[0] if path == BOOK else text
        strange = set(NUMBER.findall(text)) - RULES.keys() - INVARIANTS
        assert not strange, f"{name_of(path)} cites {sorted(strange)}"


def is_there(name: str, beside: Path) -> bool:
    return any((folder / name).is_file() for folder in (ROOT, beside, ROOT / "docs"))


def test_nothing_points_to_a_file_that_a_clone_lacks() -> None:
    for path in TRACKED:
        text = path.read_text(errors="replace")
        named = [name for name in DOCUMENT.findall(text) if name.rpartition("/")[2] not in FOREIGN]
        missing = [name for name in named if not is_there(name, path.parent)]
        if path.suffix == ".md" or CORE in path.parents:
            missing += [name for name in FILE.findall(text) if name == name.lower() and not (ROOT / name).exists()]
        missing += [name for name, part in MANUAL.findall(text) if not list((ROOT / "docs").rglob(f"{name}.{part}"))]
        assert not missing, f"{name_of(path)} points to {missing}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_to_a_heading_there(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"there is no {name}"
        assert not anchor or anchor in anchors_in(file), f"{target} leads to no heading"


def test_the_map_shows_every_folder_of_the_program() -> None:
    inside = [path.relative_to(ROOT) for path in TRACKED if path.name == "__init__.py"]
    folders = [str(path.parent) for path in inside if path.parts[0] == "aoeha" and len(path.parts) == 3]
    assert folders
    assert not [folder for folder in folders if f"`{folder}`" not in MAP.read_text()]
    rooms = {path.parent.name for path in MODULES if path.parent != CORE}
    assert not [room for room in rooms if f"`{room}`" not in MAP.read_text()]


def test_every_key_that_the_book_names_is_one() -> None:
    written = [path for path in TRACKED if path.suffix in {".py", ".toml"} and path != Path(__file__).resolve()]
    words = {word for path in written for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", path.read_text())}
    assert set(re.findall(r"`([a-z]+(?:_[a-z]+)+)\b", BOOK.read_text())) - FOREIGN_KEYS <= words


def named(decide: Decide) -> str:
    return f"{decide.__module__.rpartition('.')[2]}.{decide.__name__}"


def test_the_order_of_the_rules_is_that_of_the_step() -> None:
    rows = [
        f"| {number} | `{named(rule.decide)}` | {rule.numbers} | {rule.because} |"
        for number, rule in enumerate(ORDER, start=1)
    ]
    order = BOOK.read_text().split("## The order of the rules")[1].split("\n## ")[0]
    assert [line for line in order.splitlines() if re.match(r"\| \d", line)] == rows, "\n".join(rows)


def test_each_rule_stands_after_those_that_it_names() -> None:
    for number, rule in enumerate(ORDER):
        missing = {named(other) for other in rule.after} - {named(other.decide) for other in ORDER[:number]}
        assert not missing, f"{named(rule.decide)} stands before {missing}"


def test_what_stops_an_act_is_told_as_it_is() -> None:
    table = BOOK.read_text().split("## What stops an act")[1].split("\n## ")[0]
    told = re.findall(r"^\| `([\w-]+)` \| .+? \| .+? \| (.+?) \|$", table, flags=re.MULTILINE)
    acts = {kind: [act.value for act in STOPPED_BY if kind in STOPPED_BY[act]] for kind in Kind}
    assert [(kind, stopped.split(", ")) for kind, stopped in told] == [(kind.value, acts[kind]) for kind in Kind]
    assert all(re.search(rf"\*{re.escape(act.value)}\*", table) for act in STOPPED_BY), "an act is not explained"
