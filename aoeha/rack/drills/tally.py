"""How often each drill has passed in a row, collected over several invocations on the same commit.

`runs.jsonl` in the evidence folder has one line for each run that counts. Void runs show nothing and are not in it, nor
are runs with something planted or set differently. Lines of other commits stay there and count for nothing.
"""

import hashlib
import json
import subprocess
from collections import defaultdict
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from statistics import median

from aoeha.rack.machines.host import CHECKOUT

__all__ = ["Played", "Tally", "state_of_checkout"]

NAME = "runs.jsonl"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Played:
    """One run. `outage_ms` is the client's longest wait that had an end, None where none had."""

    commit: str
    drill: str
    passed: bool
    took_ms: int
    outage_ms: int | None
    evidence: str


def state_of_checkout() -> str:
    """The commit, and where tracked files differ from it a digest of the difference; `unknown` outside of git."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD").decode().strip()
        changed = _git("diff", "HEAD")
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return f"{commit}+{hashlib.sha256(changed).hexdigest()[:8]}" if changed else commit


def _git(*words: str) -> bytes:
    command = ["git", "-C", str(CHECKOUT), *words]
    return subprocess.run(command, capture_output=True, check=True, timeout=20).stdout


class Tally:
    """The runs of one commit, those of earlier invocations included."""

    def __init__(self, evidence: Path, commit: str) -> None:
        self.commit = commit
        self._file = evidence / NAME
        self._runs: dict[str, list[Played]] = defaultdict(list)
        # A checkout that cannot be named again cannot be resumed.
        lines = self._file.read_text().splitlines() if commit != UNKNOWN and self._file.exists() else []
        for line in lines:
            self._take(Played(**json.loads(line)))

    def _take(self, played: Played) -> None:
        if played.commit == self.commit:
            self._runs[played.drill].append(played)

    def add(self, played: Played) -> None:
        """Write a run down at once, and count it unless the checkout has become another one meanwhile."""
        self._take(played)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as file:
            file.write(json.dumps(asdict(played)) + "\n")

    def in_a_row(self, drill: str) -> int:
        """How often it has passed since it last failed."""
        return len(list(takewhile(lambda played: played.passed, reversed(self._runs.get(drill, [])))))

    def table(self) -> str:
        """For each drill: passes in a row, runs, median seconds of a run, the client's worst outage in those passes."""
        rows = [f"{'drill':<28}{'in a row':>9}{'runs':>6}{'median s':>10}{'worst outage s':>16}"]
        for drill, runs in sorted(self._runs.items()):
            good = runs[len(runs) - self.in_a_row(drill) :]
            worst = max((played.outage_ms for played in good if played.outage_ms is not None), default=None)
            told = "-" if worst is None else f"{worst / 1000:.2f}"
            seconds = median(played.took_ms for played in runs) / 1000
            rows.append(f"{drill:<28}{len(good):>9}{len(runs):>6}{seconds:>10.1f}{told:>16}")
        return "\n".join(rows)
