"""Many runs of many drills: plays them, judges each, shows how far it is, and counts how often each passes in a row."""

import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aoeha.rack.drills.drill import Drill
from aoeha.rack.drills.eta import Remaining
from aoeha.rack.drills.planted_faults import Plant
from aoeha.rack.drills.runner import Places, Run
from aoeha.rack.drills.scenario import Scenario
from aoeha.rack.drills.shell import INTERRUPTED, run_until_signal
from aoeha.rack.drills.tally import Played, Tally, state_of_checkout
from aoeha.rack.evidence.phases import stages
from aoeha.rack.evidence.timeline import Timeline
from aoeha.rack.judges.report import one_line, stages_line, table
from aoeha.rack.judges.verdict import Verdict, judge
from aoeha.rack.machines.host import RackError
from aoeha.rack.machines.prepared_legs import PreparedLegs

__all__ = ["FAILED", "Campaign", "Plan"]

TRIES_MAX = 3
PLAYED, FAILED, RACK_FAILED = 0, 1, 75


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each drill is played, how many side by side, and on what. `shown`: each event as it happens.

    `resume`: only what is missing to so many passes in a row.
    """

    configuration: Path
    evidence: Path
    plant: Plant
    runs: int = 1
    jobs: int = 1
    shown: bool = True
    resume: bool = False


class Campaign:
    """One invocation of `aoeha rehearse`. `tally` is None where runs are not of the drills as they are."""

    def __init__(self, plan: Plan, tally: Tally | None) -> None:
        self._plan = plan
        self._tally = tally
        self._name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        self._verdicts: dict[str, list[Verdict]] = defaultdict(list)
        self._remaining = Remaining([], plan.jobs)
        self._prepared: PreparedLegs | None = None
        self._not_green: list[Run] = []

    def play(self, scenarios: list[Scenario]) -> int:
        """Play them all; 0 when every verdict was green."""
        runs = list(self._runs(scenarios))
        self._remaining = Remaining(runs, self._plan.jobs)
        places = Places(self._plan.jobs, self._play, self._ended)
        with self._shared_legs(len(runs)):
            places.play_all(runs)
        if self._tally is not None and (self._plan.runs > 1 or len(scenarios) > 1):
            print(f"\non {self._tally.commit}:\n{self._tally.table()}")
        for run in self._not_green:
            print(f"not green: {run.scenario.name} {run.number}; evidence: {run.folder}")
        if places.was_told_to_end:
            return INTERRUPTED
        return FAILED if self._not_green else PLAYED

    def _runs(self, scenarios: list[Scenario]) -> Iterator[Run]:
        """Every drill once, then every drill again: what is broken shows early."""
        for number in range(1, self._plan.runs + 1):
            for scenario in scenarios:
                done = self._tally.in_a_row(scenario.name) if self._tally is not None and self._plan.resume else 0
                if number > done:
                    folder = self._plan.evidence / f"{scenario.name}-{self._name}-{number}"
                    yield Run(scenario, folder, number, alone=scenario.alone)

    @contextmanager
    def _shared_legs(self, runs: int) -> Iterator[None]:
        """Let the first of several runs make the storage for all."""
        if runs < 2:
            yield
            return
        with tempfile.TemporaryDirectory(prefix="aoeha-legs-") as folder:
            self._prepared = PreparedLegs(Path(folder))
            yield

    def _play(self, run: Run) -> int:
        """In a process of its own: play one run, and leave its evidence."""
        plan = self._plan
        drill = Drill(run.scenario, plan.configuration, run.folder, plan.plant, self._prepared)
        if plan.shown and plan.jobs == 1:
            timeline = Timeline()
            drill.progress = timeline.step
            drill.listen(timeline.take)

        async def play() -> int:
            await drill.run()
            return PLAYED

        try:
            return run_until_signal(play())
        except RackError as error:
            print(f"aoeha: {error}", file=sys.stderr)
            return RACK_FAILED

    def _ended(self, run: Run, code: int, took_ms: int) -> Run | None:
        """Judge a run. One that shows nothing, after stalls or a failure of the rack's own, is played again, alone."""
        verdict = judge(run.folder)
        if code == RACK_FAILED:
            verdict = replace(verdict, result="void")
        again = verdict.result == "void" and run.tried < TRIES_MAX
        tried = f" (try {run.tried} of {TRIES_MAX})" if verdict.result == "void" else ""
        name = f"{run.scenario.name} {run.number}/{self._plan.runs}"
        print(f"{name}: {one_line(verdict)}{tried}; evidence: {run.folder}")
        if not again:
            self._count(run, verdict, took_ms)
        how_far = self._remaining.sentence()
        print(f"  {stages_line(stages(run.folder), took_ms)}{how_far and '; '}{how_far}", flush=True)
        if not again:
            return None
        folder = run.folder.with_name(f"{run.scenario.name}-{self._name}-{run.number}-try{run.tried + 1}")
        return replace(run, folder=folder, tried=run.tried + 1, alone=True)

    def _count(self, run: Run, verdict: Verdict, took_ms: int) -> None:
        name = run.scenario.name
        verdicts = self._verdicts[name]
        verdicts.append(verdict)
        self._remaining.counted(name, took_ms)
        passed = verdict.result == "pass"
        if not passed:
            self._not_green.append(run)
        if self._tally is not None and verdict.result != "void":
            played = Played(state_of_checkout(), name, passed, took_ms, verdict.worst_ms, str(run.folder))
            self._tally.add(played)
        if self._plan.runs > 1 and not self._remaining.of(name):
            green = sum(each.result == "pass" for each in verdicts)
            print(f"{name}: {green} of {len(verdicts)} runs are green\n{table(verdicts)}")
