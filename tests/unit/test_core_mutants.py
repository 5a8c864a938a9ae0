"""The table of mutants (tests/mutants) follows the code."""

import subprocess
import sys
from pathlib import Path

MUTANTS = Path(__file__).resolve().parents[1] / "mutants"


def test_each_mutant_fits_the_code_and_each_file_that_decides_has_one() -> None:
    checked = subprocess.run([sys.executable, str(MUTANTS), "--check"], capture_output=True, text=True, check=False)
    assert not checked.returncode, checked.stderr
