"""Every wait of the core ends (R18): the table in the code and the one in the book say so alike."""

from pathlib import Path

import pytest

from aoeha.core.waits import WAITS, Wait
from aoeha.sim.stories.settings import Settings

ROOT = Path(__file__).parents[2]
DAY_MS = 86_400_000
PAIRS = (Settings(), Settings(reserve=1, keepalive_ms=20, warntime_ms=40, deadtime_ms=340), Settings(devices=""))


@pytest.mark.parametrize("wait", WAITS, ids=[wait.what for wait in WAITS])
def test_a_wait_has_a_bound_for_every_pair_and_a_function_that_ends_it(wait: Wait) -> None:
    for settings in PAIRS:
        for config in settings.configs().values():
            assert 0 <= wait.bound_ms(config) < DAY_MS
    path, _, function = wait.ends_in.partition(":")
    assert f"def {function}(" in (ROOT / "aoeha" / path).read_text()


def test_the_book_has_the_same_table() -> None:
    book = (ROOT / "docs" / "rules.md").read_text()
    for wait in WAITS:
        assert f"| {wait.what} | {wait.longest} | {wait.follows} | `aoeha/{wait.ends_in}` |" in book
