"""Codes: each has one home that raises and ends it, and no alarm ends another one."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import generate_alarms
import pytest
from stories import played, state_of

from aoeha.core.model.code_book import BOOK
from aoeha.core.model.code_entry import Kind
from aoeha.core.model.conditions import Code, Condition, Subject
from aoeha.core.model.law import STOPPED_BY, Act
from aoeha.core.model.step_context import StepContext
from aoeha.core.operator import answers

ROOT = Path(__file__).resolve().parents[2] / "aoeha"
VERBS = {"alarm": Kind.ALARM, "panic": Kind.REBOOT, "refuse": Kind.REFUSAL, "say": Kind.DECISION}


@cache
def uses() -> dict[Code, set[str]]:
    """In which files of the core, the daemon and its sockets each code stands."""
    found: dict[Code, set[str]] = defaultdict(set)
    for path in (*ROOT.glob("core/**/*.py"), *ROOT.glob("daemon/*.py"), *ROOT.glob("io/*.py")):
        name = str(path.relative_to(ROOT))
        if name.startswith("core/model/"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            for code in named(node) if isinstance(node, ast.Attribute) else ():
                found[code].add(name)
    return found


def told_by(verb: str) -> set[Code]:
    """The codes that stand as the code of a call of this verb."""
    found = set()
    for path in ROOT.glob("core/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == verb:
                found |= {code for argument in node.args[:2] for code in named(argument)}
    return found


@pytest.mark.parametrize("code", Code, ids=lambda code: code.value)
def test_a_code_is_told_in_its_home_and_an_answer_elsewhere_too(code: Code) -> None:
    assert uses()[code] == {BOOK[code].home} | (uses()[code] if BOOK[code].kind is Kind.ANSWER else set())


@pytest.mark.parametrize(("verb", "kind"), VERBS.items())
def test_a_verb_tells_codes_of_its_kind(verb: str, kind: Kind) -> None:
    assert {BOOK[code].kind for code in told_by(verb)} == {kind}


def named(tree: ast.AST) -> set[Code]:
    words = [word for word in ast.walk(tree) if isinstance(word, ast.Attribute) and isinstance(word.value, ast.Name)]
    return {Code[word.attr] for word in words if isinstance(word.value, ast.Name) and word.value.id == "Code"}


@cache
def ended() -> set[Code]:
    """The codes that some call of clear_alarm names, or the table that the loop around it goes through."""
    found = told_by("clear_alarm")
    for path in ROOT.glob("core/**/*.py"):
        tree = ast.parse(path.read_text())
        for loop in ast.walk(tree):
            if not isinstance(loop, ast.For) or "clear_alarm(code" not in ast.unparse(loop):
                continue
            found |= named(loop.iter)
            table = ast.unparse(loop.iter).partition(".")[0]
            for place in ast.walk(tree):
                if isinstance(place, ast.Assign) and ast.unparse(place.targets[0]) == table:
                    found |= named(place)
    return found


@pytest.mark.parametrize("code", [code for code in Code if BOOK[code].kind is Kind.ALARM], ids=lambda code: code.value)
def test_an_alarm_can_end(code: Code) -> None:
    entry = BOOK[code]
    if entry.home.startswith("daemon/"):
        return  # What the daemon finds wrong is looked at anew for each status document.
    assert entry.acknowledged or code in ended(), f"{entry.home} never ends it, and no operator can acknowledge it"


def test_what_ends_was_raised() -> None:
    assert {BOOK[code].kind for code in ended()} == {Kind.ALARM}


def test_a_code_says_what_it_means_and_an_alarm_what_to_do() -> None:
    for code, entry in BOOK.items():
        assert entry.meaning.endswith("."), code
        assert (ROOT / entry.home).is_file(), code
        assert all(rule.startswith("R") for rule in entry.rules.split()), code
        assert entry.remedy or entry.kind in (Kind.DECISION, Kind.STATE) or code in SUCCESSES, code


SUCCESSES = {Code.COMMAND_DONE, Code.COMMAND_BEGUN}


def test_what_answers_a_command_is_an_answer_and_nothing_else_is() -> None:
    given, told = set(), set()
    for path in (*ROOT.glob("core/**/*.py"), *ROOT.glob("daemon/*.py"), *ROOT.glob("io/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Answer", "answers.give", "connection.done"):
                given |= named(node)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("step."):
                told |= {code for word in node.args if isinstance(word, ast.Attribute) for code in named(word)}
    assert {BOOK[code].kind for code in given} == {Kind.ANSWER}
    assert Kind.ANSWER not in {BOOK[code].kind for code in told}


@pytest.mark.parametrize("act", [Act.CONFIRM, Act.POWER_OFF])
def test_each_condition_that_stops_a_command_has_a_code_for_the_answer(act: Act) -> None:
    assert set(STOPPED_BY[act]) <= answers.REFUSED.keys()


def context() -> StepContext:
    return StepContext(state_of(played(), "alpha"))


def test_two_alarms_of_one_name_stand_beside_each_other_and_end_alone() -> None:
    step = context()
    of_one_name = [
        (Code.LINK_DOWN, Subject.link("disk")),
        (Code.RESOURCE_FAILED, Subject.resource("disk", "disk")),
        (Code.DISK_WRITE_FAILED, Subject.node("disk")),
        (Code.PEER_SILENT, Subject.node("disk")),
        (Code.DEVICE_UNREACHABLE, Subject.device("disk")),
        (Code.RESOURCE_FAILED, Subject.resource("other", "disk")),
    ]
    for code, subject in of_one_name:
        step.alarm(code, subject, "it is so")
    while of_one_name:
        assert {alarm.condition.identity for alarm in step.state.alarms} == set(of_one_name)
        assert step.clear_alarm(*of_one_name.pop(), "it is over")
    assert step.state.alarms == ()


def test_an_alarm_whose_words_change_is_the_same_alarm_since_it_was_raised() -> None:
    step, subject = context(), Subject.link("serial")
    step.alarm(Code.LINK_DOWN, subject, "for 2 s")
    began_ms = step.now_ms
    step.change(now_ms=began_ms + 5_000)
    step.alarm(Code.LINK_DOWN, subject, "for 7 s")
    (alarm,) = step.state.alarms
    assert (alarm.condition.sentence, alarm.since_ms) == ("for 7 s", began_ms)


def test_the_reason_of_a_reboot_is_the_first_one_whatever_alarms_stand() -> None:
    step = context()
    step.panic(Code.OWNERSHIP_FENCED, Subject.group("storage"), "it was fenced")
    step.panic(Code.GROUP_BLOCKED, Subject.group("storage"), "it is blocked")
    step.alarm(Code.GROUP_FAILING, Subject.group("storage"), "it fails")
    assert step.state.panic == Condition(Code.OWNERSHIP_FENCED, Subject.group("storage"), "it was fenced")


def test_cleanup_acknowledges_what_only_a_human_can_know_and_nothing_else() -> None:
    step = context()
    for code, entry in BOOK.items():
        if entry.kind is Kind.ALARM:
            step.alarm(code, Subject.pair("gw"), "it is so")
    step.acknowledge("root acknowledged it")
    assert {a.condition.code for a in step.state.alarms} == {
        code for code, entry in BOOK.items() if entry.kind is Kind.ALARM and not entry.acknowledged
    }


def test_the_list_of_codes_is_what_the_book_says() -> None:
    assert generate_alarms.WRITTEN.read_text() == generate_alarms.generated(), generate_alarms.__doc__
