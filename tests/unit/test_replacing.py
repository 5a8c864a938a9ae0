"""A value that differs in a few fields is a value of its own; a field, a type or a name that is wrong is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aoeha.core.model.config import GroupConfig, Identity, PairConfig
from aoeha.core.model.replacing import replaced
from aoeha.core.model.state import LinkState
from aoeha.core.model.step_context import StepContext
from aoeha.core.step import initial

ROOT = Path(__file__).resolve().parents[2]
WRONG = """
from aoeha.core.model.replacing import replaced
from aoeha.core.model.state import LinkState
from aoeha.core.model.step_context import StepContext

def rule(step: StepContext) -> None:
    step.change_group("storage", blocked_since_ms=step.now_ms)
    step.change_group("storage", storage_lostt="no")
    step.change_group("storage", blocked_since_ms="never")
    step.change(paused="yes")
    step.change_order(failed=3)
    replaced(LinkState("ether-a"), heard_ms="then")
    replaced(LinkState("ether-a"), herd_ms=1)
"""
"""A rule of which only the first line is right."""


def test_the_first_value_stays_as_it_was() -> None:
    link = LinkState("ether-a", heard_ms=1_000)
    later = replaced(link, heard_ms=2_000)
    assert (link.heard_ms, later.heard_ms) == (1_000, 2_000)
    assert later == LinkState("ether-a", heard_ms=2_000)


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(AttributeError, match="LinkState has no field herd_ms"):
        replaced(LinkState("ether-a"), herd_ms=2_000)  # type: ignore[call-arg]


def test_a_name_that_does_not_exist_is_refused() -> None:
    config = PairConfig("gw", "alpha", "beta", ("link0",), (GroupConfig("storage", "alpha", ()),), ())
    state, _ = initial(config, Identity("a" * 32, 1), None, 1_000)
    step = StepContext(state)
    for change in (
        lambda: step.change_link("link7", fault="no carrier"),
        lambda: step.change_group("cellar", claims=1),
        lambda: step.change_resource("storage", "disk", reason="worn"),
        lambda: step.change_leg("storage", "leg0", copying=True),
        lambda: step.change_device("switch", reachable=True),
    ):
        with pytest.raises(KeyError):
            change()
    with pytest.raises(AssertionError):
        step.change_order(failed="it did not come back")
    assert step.state is state


def test_mypy_refuses_a_field_or_a_type_that_is_wrong(tmp_path: Path) -> None:
    rule = tmp_path / "rule.py"
    rule.write_text(WRONG)
    run = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(rule)]
    told = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    first = WRONG.splitlines().index("def rule(step: StepContext) -> None:") + 2
    refused = {int(line) for line in re.findall(r"rule\.py:(\d+): error: .*\[(?:call-arg|arg-type)\]", told)}
    assert refused == set(range(first + 1, len(WRONG.splitlines()) + 1)), told
