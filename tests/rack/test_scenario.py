"""Drills as text are read whole or refused with their line."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from aoeha.core.model.conditions import Code
from aoeha.rack.drills.gateway_files import with_durable_legs, with_second_path, with_timings, with_watchdog
from aoeha.rack.drills.operator_input import answered
from aoeha.rack.drills.planted_faults import PLANTS
from aoeha.rack.drills.scenario import Ownership, ScenarioError, Statement, parse, read

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "rack"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_drill_can_be_read_and_says_what_it_shows(path: Path) -> None:
    scenario = read(path)
    assert scenario.about
    assert scenario.owners
    assert scenario.timings["deadtime"] == "2s"
    assert any(statement.kind == "mark" for statement in scenario.statements)


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_drill_waits_for_codes_that_exist(path: Path) -> None:
    for statement in read(path).statements:
        awaited = statement.kind in ("expect says", "expect logs", "expect alarm", "refused")
        found = re.fullmatch(r"\[?([a-z-]+(?:\.[a-z-]+)+)\]?", statement.code or statement.text) if awaited else None
        assert found is None or Code(found[1]), statement.source


def test_a_statement_is_read_with_its_words() -> None:
    scenario = parse("x", "owners alpha, beta by powered off\nexpect served storage by beta  within 1500ms # at last\n")
    assert scenario.owners == ((Ownership("alpha"), Ownership("beta", "powered off")),)
    source = "expect served storage by beta within 1500ms"
    expected = Statement(2, "expect served", node="beta", time_ms=1500, source=source, group="storage")
    assert scenario.statements == (expected,)


def test_a_drill_may_declare_legs_durable_and_change_numbers() -> None:
    text = (ROOT / "etc/aoeha.toml").read_text()
    changed = tomllib.loads(with_durable_legs(with_timings(text, {"deadsecs": "3600", "deadtime": "5s"})))
    (group,) = changed["group"]
    assert [leg["durable"] for leg in group["leg"]] == [True, True]
    assert group["resource"][0]["parameters"]["deadsecs"] == 3600
    assert changed["timing"]["deadtime"] == "5s"


def test_a_drill_may_give_every_shelf_a_second_path() -> None:
    text = (ROOT / "etc/aoeha.toml").read_text()
    changed = tomllib.loads(with_second_path(text))
    assert [node["storage"] for node in changed["node"]] == [
        {"eth1": f"02:77:01:00:00:{number}", "eth3": f"02:77:03:00:00:{number}"} for number in (11, 12)
    ]
    (group,) = changed["group"]
    assert [leg["address"] for leg in group["leg"]] == [
        [f"02:77:01:00:00:{number}", f"02:77:03:00:00:{number}"] for number in (31, 32)
    ]
    assert group["resource"][0]["parameters"]["interfaces"] == ["eth1", "eth3"]


def test_a_shelf_may_take_foreign_writes_for_a_moment() -> None:
    assert parse("x", "foreign shelf1 for 50ms\n").foreign == ("shelf1", 50)
    assert parse("x", "").foreign is None


def test_a_configuration_gets_the_racks_watchdog_or_none_whatever_it_had() -> None:
    own = (
        'cluster = "x"\n# [watchdog]\n[watchdog]\nmode = "automatic"\ndevice = "/dev/wd"\n\n[timing]\ndeadtime = "1s"\n'
    )
    without = tomllib.loads(with_watchdog(own, ""))
    assert without == {"cluster": "x", "timing": {"deadtime": "1s"}, "watchdog": {"mode": "off"}}
    table = {"mode": "required", "device": "/dev/watchdog1", "timeout": "6s"}
    assert tomllib.loads(with_watchdog(own, "6s"))["watchdog"] == table
    assert tomllib.loads(with_watchdog((ROOT / "etc/aoeha.toml").read_text(), "6s"))["watchdog"] == table


def test_of_several_histories_one_must_be_seen() -> None:
    scenario = parse("x", "owners alpha\nowners alpha, beta by storage-fenced\n")
    assert scenario.owners == ((Ownership("alpha"),), (Ownership("alpha"), Ownership("beta", "storage-fenced")))


def test_numbers_and_times_that_are_judged_are_read() -> None:
    scenario = parse("x", "power-offs 1\noutage at most 1500ms\n")
    assert (scenario.power_offs, scenario.outage_max_ms) == (1, 1_500)
    assert (parse("x", "").power_offs, parse("x", "").outage_max_ms) == (None, None)
    scenario = parse("x", "outage at most 8s after path-cut switch-cut\noutage at most 1s after kill\n")
    assert scenario.outage_limits_ms == (("path-cut", 8_000), ("switch-cut", 8_000), ("kill", 1_000))
    assert scenario.outage_max_ms is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("power off alpha shelf1", Statement(1, "power", "off", guests=("alpha", "shelf1"))),
        ("freeze alpha for 5s", Statement(1, "freeze", node="alpha", time_ms=5_000)),
        ("cut-san beta", Statement(1, "cut-san", node="beta")),
        ("heal-san beta", Statement(1, "heal-san", node="beta")),
        ("cut-san2 shelf1", Statement(1, "cut-san2", node="shelf1")),
        ('expect beta logs "full" within 1s', Statement(1, "expect logs", "full", "beta", time_ms=1_000)),
        ("split san", Statement(1, "split")),
        ("join san", Statement(1, "join")),
        ("crash alpha", Statement(1, "crash", node="alpha")),
        ("shelf shelf2 restarts", Statement(1, "shelf", "restarts", guests=("shelf2",))),
        ("operator alpha: mdadm --detail", Statement(1, "operator", "mdadm --detail", "alpha")),
        ("expect alpha holds within 1s", Statement(1, "expect holds", node="alpha", time_ms=1_000)),
        ("plug beta feeds bystander", Statement(1, "plug", "bystander", "beta")),
        ("plug alpha feeds nothing", Statement(1, "plug", "nothing", "alpha")),
        (
            "refused alpha order.failed: fence verify beta",
            Statement(1, "refused", "fence verify beta", "alpha", code="order.failed"),
        ),
        ("fatal alpha: fence verify beta", Statement(1, "fatal", "fence verify beta", "alpha")),
        ("expect beta lives on within 1s", Statement(1, "expect lives", node="beta", time_ms=1_000)),
        ("expect bystander boots within 1s", Statement(1, "expect boots", node="bystander", time_ms=1_000)),
        ("expect alpha boots within 1s", Statement(1, "expect boots", node="alpha", time_ms=1_000)),
    ],
)
def test_what_breaks_and_what_is_awaited_is_read(line: str, expected: Statement) -> None:
    assert parse("x", line).statements == (replace(expected, source=line),)


@pytest.mark.parametrize(
    "line",
    [
        "powr off alpha",
        "power off gamma",
        "wait 3",
        "boot shelf9",
        "lose serial1 30",
        "expect alpha runs",
        "expect served archive by alpha within 1s",
        "pause alpha for 5s",
        "cut serial1 from alpha",
        "device switch slow",
        "power-offs many",
        "outage 3",
        "end",
        "repeat often",
        "foreign alpha for 50ms",
        "plug beta feeds client",
        "refused alpha: fence verify beta",
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(ScenarioError, match="x:2: "):
        parse("x", f"wait 1s\n{line}\n")


@pytest.mark.parametrize(
    ("out", "code"),
    [
        ('{"kind": "say", "code": "x.y"}\n{"kind": "done", "code": "order.failed"}\n', "order.failed"),
        ('{"kind": "say", "code": "order.failed"}\n', ""),
        ("order.failed\n", ""),
        ("", ""),
    ],
)
def test_the_code_of_a_commands_answer_is_read(out: str, code: str) -> None:
    assert answered(out) == code


def test_what_is_repeated_is_played_so_often() -> None:
    scenario = parse("x", "wait 1s\nrepeat 2\nwait 2s\nwait 3s\nend\nwait 4s\n")
    assert [each.time_ms // 1000 for each in scenario.statements] == [1, 2, 3, 2, 3, 4]


def test_a_repetition_without_an_end_is_refused() -> None:
    with pytest.raises(ScenarioError, match='no "end"'):
        parse("x", "repeat 2\nwait 1s\n")


def test_the_storage_recipe_and_the_example_configuration_name_the_same_things() -> None:
    recipe = (ROOT / "etc" / "make-storage.sh").read_text()
    example = (ROOT / "etc" / "aoeha.toml").read_text()
    names = dict(re.findall(r'^([A-Z]+)="?([^"\n]+)"?$', recipe, re.MULTILINE))
    assert f'uuid = "{names["UUID"]}"' in example
    assert f'device = "{names["DEVICE"]}"' in example
    assert f'directory = "{names["DIRECTORY"]}"' in example
    assert f'interfaces = ["{names["INTERFACES"]}"]' in example
    legs = ", ".join(f'"{leg}"' for leg in names["LEGS"].split())
    assert f"legs = [{legs}]" in example


@pytest.mark.parametrize("plant", ["careless-mirror", "careless-resync"])
def test_a_careless_raid_agent_is_still_planted_into_the_one_as_it_is(plant: str) -> None:
    text, mode = PLANTS[plant].files({})["/etc/aoeha/resources.d/raid.py"]
    compile(text, "raid.py", "exec")
    assert mode == "644"
