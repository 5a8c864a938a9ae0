"""Debian's ocf-tester passes for each of our agents, on kernels that have aoe, md and nfsd."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
TOOLS = ("linux.uml", "ocf-tester", "xmllint")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
AGENTS = ("address", "aoe", "filesystem", "nfs", "raid")

pytestmark = [
    pytest.mark.rack,
    pytest.mark.root,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the rack"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]


def test_ocf_tester_passes_for_each_agent() -> None:
    command = ["sh", "tests/rack/ocf_in_guest.sh"]
    attempt = [
        sys.executable,
        "-m",
        "aoeha.rack.drills.shell",
        "--storage",
        "--deadline-s",
        "500",
        "alpha",
        "--",
        *command,
    ]
    done = subprocess.run(attempt, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    passed = {kind for kind in AGENTS if f"/{kind} passed all tests" in done.stdout}
    assert passed == set(AGENTS), done.stdout + done.stderr
