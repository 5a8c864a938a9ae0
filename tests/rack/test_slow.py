"""A group starts and stops on slow shelves, on kernels that have aoe, md and nfsd, and the loop never stands still."""

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
    pytest.mark.timeout(500),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the rack"),
    pytest.mark.skipif(shutil.which("linux.uml") is None, reason="needs linux.uml"),
]


def test_a_group_starts_and_stops_on_slow_shelves_and_the_loop_goes_on() -> None:
    shell = [sys.executable, "-m", "aoeha.rack.drills.shell", "--storage", "--deadline-s", "400", "alpha"]
    command = ["--", "python", "tests/rack/slow_in_guest.py"]
    done = subprocess.run([*shell, *command], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["slow shelves passed"], done.stdout + done.stderr
