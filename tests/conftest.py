"""What bounds every test, and what every run says at its end."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# What `make test` plays is the same each time, so that a change is judged by its own doing. Fresh ones: AOEHA_EXAMPLES.
EXAMPLES = int(os.environ.get("AOEHA_EXAMPLES", "0"))
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("fresh", settings.get_profile("patient"), derandomize=False, max_examples=EXAMPLES or 100)
settings.load_profile("fresh" if EXAMPLES else "patient")

SIMULATED = Path(__file__).with_name("sim")
PROCESSOR_S = 1_200
"""So much processor time may one test of the simulator use before it counts as endless."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lift the limit of wall-clock time where nothing but the processor is waited for: a slow machine is no fault."""
    for item in items:
        if SIMULATED in item.path.parents:
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(autouse=True)
def bounded_processor_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """End a test of the simulator that computes without end."""
    if SIMULATED not in request.path.parents:
        yield
        return

    def end(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail(f"it has used {PROCESSOR_S} s of processor time")

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, PROCESSOR_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly what a run without root has not shown."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.geteuid() != 0 and skipped:
        terminalreporter.section("NOT ROOT", bold=True, red=True)
        terminalreporter.write_line(
            f"{len(skipped)} tests were skipped: those that make namespaces, raw sockets, mounts or boot the rack. "
            "Nothing is proved about real kernels by this run; run it as root."
        )
