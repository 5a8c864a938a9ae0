"""A silent leg leaves a mirror under writes and is taken back, on kernels that have aoe and md."""

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
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the rack"),
    pytest.mark.skipif(shutil.which("linux.uml") is None, reason="needs linux.uml"),
]


def test_a_silent_leg_is_evicted_and_taken_back_and_a_split_mirror_is_refused() -> None:
    command = ["python", "tests/rack/leg_in_guest.py"]
    attempt = [
        sys.executable,
        "-m",
        "aoeha.rack.drills.shell",
        "--storage",
        "--deadline-s",
        "300",
        "alpha",
        "--",
        *command,
    ]
    done = subprocess.run(attempt, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["legs passed"], done.stdout + done.stderr
