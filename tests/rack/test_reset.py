"""A guest whose kernel says that it is being reset is reset, even if its own kernel fails to end."""

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
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the rack"),
    pytest.mark.skipif(shutil.which("linux.uml") is None, reason="needs linux.uml"),
]


def test_a_kernel_that_stands_still_in_its_own_reset_boots_again() -> None:
    script = [sys.executable, "tests/rack/reset_that_fails.py"]
    done = subprocess.run(script, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["booted again"], done.stdout + done.stderr
