"""Many runs: side by side and alone, ended cleanly, counted in a row; and where the time of each went."""

import argparse
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from aoeha.rack.command import SCENARIOS, add_arguments
from aoeha.rack.command import run as rehearse
from aoeha.rack.drills.eta import Remaining
from aoeha.rack.drills.planted_faults import PLANTS
from aoeha.rack.drills.runner import Places, Run
from aoeha.rack.drills.scenario import parse
from aoeha.rack.drills.shell import INTERRUPTED
from aoeha.rack.drills.tally import Played, Tally
from aoeha.rack.evidence.phases import stages
from aoeha.rack.judges.report import stages_line
from aoeha.rack.machines.prepared_legs import LEGS, PreparedLegs

RED = 1


class Logged:
    """Runs that write down when they begin and end."""

    def __init__(self, folder: Path, work: Callable[[Run], int] = lambda _: 0) -> None:
        self.folder = folder
        self.work = work
        self.codes: list[tuple[str, int]] = []

    def run(self, name: str, *, alone: bool = False) -> Run:
        return Run(parse(name, "owners alpha\n"), self.folder / name, alone=alone)

    def write(self, text: str) -> None:
        with (self.folder / "log").open("a") as log:
            log.write(text + "\n")

    def play(self, run: Run) -> int:
        self.write(f"begin {run.scenario.name}")
        code = self.work(run)
        self.write(f"end {run.scenario.name}")
        return code

    def ended(self, run: Run, code: int, _: int) -> Run | None:
        self.codes.append((run.scenario.name, code))
        return None

    def lines(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()


def meet(folder: Path) -> int:
    """Return when two processes have come here, each through its end of a pipe."""
    try:
        (folder / "first").mkdir()
    except FileExistsError:
        (folder / "pipe").write_text("here")
    else:
        (folder / "pipe").read_text()
    return 0


def test_as_many_runs_as_there_are_places_are_played_side_by_side_and_no_more(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    logged = Logged(tmp_path, lambda run: 0 if run.scenario.name == "c" else meet(tmp_path))
    Places(2, logged.play, logged.ended).play_all([logged.run(name) for name in "abc"])
    assert {line.partition(" ")[0] for line in logged.lines()[:2]} == {"begin"}
    assert logged.lines().index("begin c") > 2
    assert sorted(logged.codes) == [("a", 0), ("b", 0), ("c", 0)]


def test_a_run_that_wants_the_machine_for_itself_begins_when_all_others_have_ended(tmp_path: Path) -> None:
    logged = Logged(tmp_path)
    runs = [logged.run("p", alone=True), logged.run("q", alone=True), *(logged.run(name) for name in "abc")]
    Places(3, logged.play, logged.ended).play_all(runs)
    assert logged.lines()[-4:] == ["begin p", "end p", "begin q", "end q"]


def test_minutes_to_go_count_runs_side_by_side_together_and_those_alone_one_after_the_other(tmp_path: Path) -> None:
    logged = Logged(tmp_path)
    runs = [*(logged.run("quick") for _ in range(5)), *(logged.run("alone", alone=True) for _ in range(3))]
    remaining = Remaining(runs, jobs=2)
    assert not remaining.sentence()
    remaining.counted("quick", 60_000)
    assert remaining.sentence() == "1 of 8 played, about 5 min to go"
    remaining.counted("alone", 180_000)
    assert remaining.sentence() == "2 of 8 played, about 8 min to go"
    for _ in range(4):
        remaining.counted("quick", 60_000)
    remaining.counted("alone", 180_000)
    remaining.counted("alone", 180_000)
    assert not remaining.sentence()


def test_a_run_that_is_to_be_played_again_is(tmp_path: Path) -> None:
    logged = Logged(tmp_path, lambda run: RED if run.scenario.name == "a" else 0)

    def ended(run: Run, code: int, took_ms: int) -> Run | None:
        logged.ended(run, code, took_ms)
        return logged.run("again", alone=True) if code else None

    Places(1, logged.play, ended).play_all([logged.run("a"), logged.run("b")])
    assert logged.codes == [("a", RED), ("b", 0), ("again", 0)]


def test_told_to_end_every_run_is_told_and_no_other_begins(tmp_path: Path) -> None:
    def work(_: Run) -> int:
        os.kill(os.getppid(), signal.SIGTERM)
        signal.pause()
        return 0

    logged = Logged(tmp_path, work)
    places = Places(1, logged.play, logged.ended)
    before = signal.getsignal(signal.SIGTERM)
    places.play_all([logged.run("a"), logged.run("b")])
    assert (places.was_told_to_end, logged.lines(), logged.codes) == (True, ["begin a"], [])
    assert signal.getsignal(signal.SIGTERM) == before


def test_where_one_run_was_told_to_end_all_are(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def work(run: Run) -> int:
        meet(tmp_path)
        if run.scenario.name == "a":
            return INTERRUPTED
        signal.pause()
        return 0

    logged = Logged(tmp_path, work)
    places = Places(2, logged.play, logged.ended)
    places.play_all([logged.run(name) for name in "abc"])
    assert (places.was_told_to_end, logged.codes) == (True, [])
    assert "begin c" not in logged.lines()


def played(drill: str, *, passed: bool = True, commit: str = "c0ffee", outage_ms: int | None = 100) -> Played:
    return Played(commit, drill, passed, 20_000, outage_ms, "folder")


def test_passes_in_a_row_are_counted_over_invocations_and_a_failure_begins_anew(tmp_path: Path) -> None:
    first = Tally(tmp_path, "c0ffee")
    for passed in (True, False, True, True):
        first.add(played("demo", passed=passed))
    second = Tally(tmp_path, "c0ffee")
    second.add(played("demo", outage_ms=4_130))
    assert second.in_a_row("demo") == 3
    assert second.table().splitlines()[1].split() == ["demo", "3", "5", "20.0", "4.13"]


def test_runs_of_another_commit_count_for_nothing(tmp_path: Path) -> None:
    Tally(tmp_path, "c0ffee").add(played("demo"))
    assert Tally(tmp_path, "beef").in_a_row("demo") == 0
    Tally(tmp_path, "unknown").add(played("demo", commit="unknown"))
    assert Tally(tmp_path, "unknown").in_a_row("demo") == 0


def test_the_worst_outage_is_that_of_the_passes_in_a_row(tmp_path: Path) -> None:
    tally = Tally(tmp_path, "c0ffee")
    tally.add(played("demo", passed=False, outage_ms=60_000))
    tally.add(played("demo", outage_ms=200))
    assert tally.table().splitlines()[1].split()[-1] == "0.20"


def test_a_run_with_something_planted_is_not_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = ["demo", "--resume", "--plant", "lost-record", "--evidence", str(tmp_path)]
    assert rehearse(parser.parse_args(words)) == RED
    assert "cannot resume" in capsys.readouterr().err


def test_every_drill_is_listed_by_its_name_and_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert rehearse(parser.parse_args(["list"])) == 0
    listed = capsys.readouterr().out.splitlines()
    named = [line.split("  ")[0] for line in listed if line and not line.startswith(" ")]
    drills = sorted(path.stem for path in SCENARIOS.glob("*.txt"))
    assert named == [*drills, "for --plant:", *sorted(PLANTS)]
    assert max(map(len, listed)) <= 100


def test_the_time_of_a_run_is_told_by_stage(tmp_path: Path) -> None:
    statements = [
        (0, "boot alpha"),
        (3_000, "storage"),
        (3_500, "daemon alpha"),
        (9_000, "client"),
        (10_000, "mark cut"),
    ]
    events = [{"at_ms": at_ms, "kind": "play", "text": text} for at_ms, text in statements]
    events += [{"at_ms": 12_000, "kind": "play", "text": "boot beta"}, {"at_ms": 15_000, "kind": "played"}]
    events += [{"at_ms": 19_000, "kind": "read"}, {"at_ms": 20_000, "kind": "power"}]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    found = stages(tmp_path)
    assert found == {"boot": 3_000, "storage": 500, "start": 6_500, "drill": 5_000, "reading back": 4_000}
    assert stages_line(found, 20_500).endswith("around it 1.5")


def test_the_time_of_a_run_that_was_killed_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    assert stages(tmp_path) == {}
    events = [{"at_ms": 0, "kind": "play", "text": "boot alpha"}, {"at_ms": 3_000, "kind": "play", "text": "storage"}]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events) + '{"at_ms": 4')
    assert stages(tmp_path) == {"boot": 3_000}


def test_legs_are_made_once_and_copied_whole(tmp_path: Path) -> None:
    prepared = PreparedLegs(tmp_path)
    disks = [tmp_path / name for name in ("maker", "late", "taker")]
    for number, folder in enumerate(disks[:2]):
        folder.mkdir()
        for leg in LEGS:
            (folder / leg).write_bytes(bytes([number]) * 100)
    disks[2].mkdir()
    assert prepared.take(disks[2]) is False
    prepared.keep(disks[0])
    prepared.keep(disks[1])
    assert prepared.take(disks[2]) is True
    assert [(disks[2] / leg).read_bytes() for leg in LEGS] == [b"\0" * 100] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["late", "legs", "maker", "taker"]
