"""`make fuzz`: every fuzz test of a parser, with fresh examples, until DURATION is over.

python tests/fuzz [--duration 30m] [--only TEXT]

Each test has the same share of the time. Exit code 1: a test failed, and the report shows its smallest example.
"""

import argparse
import os
import sys
import time
from collections import Counter
from functools import wraps
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pytest
import table

from aoeha.agents.duration import parse_duration

EXAMPLES = 200
"""So many a test plays before it looks at the clock again."""
KEEP = """
Write the example above its test as @example(...), and see pytest fail: then `make test` keeps it.
`make fuzz` tries it first until it passes. docs/engineering/fuzzing.md says more."""


class Fuzz:
    """A plugin of pytest that plays fuzz tests alone, each again and again for its share of the time."""

    def __init__(self, duration_s: float, only: str) -> None:
        self.played = Counter[tuple[str, str]]()
        self._duration_s = duration_s
        self._only = only
        self._share_s = 0.0
        self._place = 0
        self._count = 0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what is no fuzz test."""
        known = set(table.fuzz_tests())
        items[:] = [item for item in items if (item.path.stem, item.name) in known and self._only in item.nodeid]
        for item in items:
            item.add_marker(pytest.mark.timeout(0))
        self._count = len(items)
        self._share_s = self._duration_s / max(1, len(items))

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Play one test until its share is over, and tell how many examples it had."""
        name = (pyfuncitem.path.stem, pyfuncitem.name)
        test: Any = pyfuncitem.obj
        inner = test.hypothesis.inner_test

        @wraps(inner)
        def counted(*words: Any, **named: Any) -> None:
            self.played[name] += 1
            inner(*words, **named)

        test.hypothesis.inner_test = counted
        given = {each: pyfuncitem.funcargs[each] for each in pyfuncitem._fixtureinfo.argnames}
        end = time.monotonic() + self._share_s
        try:
            while time.monotonic() < end:
                test(**given)
        finally:
            test.hypothesis.inner_test = inner
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell how many examples a test had."""
        if report.when == "call":
            self._place += 1
            name = (Path(report.fspath).stem, report.nodeid.rpartition("::")[2])
            _say(f"{self._place:3}/{self._count} {self.played[name]:9,} {report.outcome} {name[0]}: {name[1]}")

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show no dots."""
        return ("passed", "", "") if report.passed and report.when == "call" else None


def main() -> int:
    """Play all and tell the sum for each parser. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--duration", default="30m", help='in all, such as "30m"')
    parser.add_argument("--only", default="", metavar="TEXT", help="tests with this in their name")
    chosen = parser.parse_args()
    fuzz = Fuzz(parse_duration(chosen.duration) / 1_000, chosen.only)
    os.environ.setdefault("AOEHA_EXAMPLES", str(EXAMPLES))
    words = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:warnings", *map(str, table.FILES)]
    code = int(pytest.main(words, plugins=[fuzz]))
    _say(f"\nfuzz: {fuzz.played.total():,} examples within {chosen.duration}")
    for each in table.parsers():
        examples = sum(count for name, count in fuzz.played.items() if each.has(*name))
        if examples or not chosen.only:
            _say(f"{examples:11,}  {each.what}")
    if code:
        _say(KEEP)
    return code


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
