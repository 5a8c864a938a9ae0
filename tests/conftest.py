"""What every test run says at its end."""

import os
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly what a run without root has not shown."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.geteuid() != 0 and skipped:
        terminalreporter.section("NOT ROOT", bold=True, red=True)
        terminalreporter.write_line(
            f"{len(skipped)} tests were skipped: those that make namespaces, raw sockets, mounts or boot the rack. "
            "Nothing is proved about real kernels by this run; run it as root."
        )
