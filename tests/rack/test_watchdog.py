"""A real softdog does as aoeha.io.watchdog says, and a reset ends in a boot; the drill `watchdog` shows both in one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.rack,
    pytest.mark.root,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the rack"),
    pytest.mark.skipif(shutil.which("linux.uml") is None, reason="needs linux.uml: no watchdog of this machine's own"),
]


def test_a_softdog_is_opened_fed_and_stopped_and_survives_the_daemon_that_feeds_it() -> None:
    command = ["python", "tests/rack/watchdog_in_guest.py"]
    attempt = [sys.executable, "-m", "aoeha.rack.drills.shell", "alpha", "--", *command]
    done = subprocess.run(attempt, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["softdog passed"], done.stdout + done.stderr


def test_a_kernel_that_stands_still_in_its_own_reset_boots_again() -> None:
    script = [sys.executable, "tests/rack/reset_that_fails.py"]
    done = subprocess.run(script, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["booted again"], done.stdout + done.stderr
