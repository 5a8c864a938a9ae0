"""The journal on real files: everything comes back, and a disk in trouble costs records, never the loop's time."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from patience import PATIENCE_S

from aoeha.core.model.actions import Action, Panic, Persist, StartTask
from aoeha.core.model.conditions import Code, Condition, Subject
from aoeha.core.model.config import Identity, PairConfig
from aoeha.core.model.events import Tick
from aoeha.core.model.fence import DeviceState, FenceState
from aoeha.core.model.memory import GroupMemory, Memory
from aoeha.core.model.state import NodeState, PeerState
from aoeha.core.model.task import PowerPurpose, PowerTask, TaskKind
from aoeha.daemon.journal_file import JournalFile, JournalLimits
from aoeha.journal.part_names import order
from aoeha.journal.records import Header, Step, decode_line
from aoeha.sim.replay import parts_of

CONFIG = PairConfig("gw", "alpha", "beta", ("lan",), (), ())
IDENTITY = Identity("0" * 32, 1)
FIRST = Header("1", 1, 0, 1_700_000_000_000, CONFIG, IDENTITY, None, ())


def state(now_ms: int) -> NodeState:
    devices: tuple[DeviceState, ...] = ()
    return NodeState(CONFIG, IDENTITY, now_ms, 0, 0, cold=True, links=(), peer=PeerState(), groups=(),
                     devices=devices, fence=FenceState())  # fmt: skip


def parts(directory: Path) -> Iterator[list[Header | Step]]:
    for path in sorted(directory.glob("*.jsonl")):
        yield [decode_line(line) for line in path.read_bytes().splitlines()]


def test_every_step_is_there_in_order_after_the_header(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path / "journal", FIRST)
    for now_ms in range(500):
        journal.record(state(now_ms), Tick(now_ms), ())
    journal.close()
    (lines,) = parts(tmp_path / "journal")
    assert lines == [FIRST, *(Step(Tick(now_ms), ()) for now_ms in range(500))]
    assert journal.lost == 0
    assert journal.news() == []


def test_many_short_parts_push_out_nothing_but_the_oldest_beyond_their_number(tmp_path: Path) -> None:
    limits = JournalLimits(part_bytes=1 << 20, parts=3, files=20)
    for number in range(30):
        journal = JournalFile(tmp_path, replace(FIRST, wall_ms=FIRST.wall_ms + 1_000 * number), limits)
        journal.record(state(number), Tick(number), ())
        journal.close()
    kept = [part[1] for part in parts(tmp_path)]
    assert kept == [Step(Tick(number), ()) for number in range(10, 30)]


def test_parts_are_bounded_in_size_and_number_and_begin_with_the_state(tmp_path: Path) -> None:
    limits = JournalLimits(part_bytes=4_000, parts=3)
    journal = JournalFile(tmp_path, FIRST, limits)
    for now_ms in range(500):
        journal.record(state(now_ms), Tick(now_ms), ())
    journal.close()
    kept = list(parts(tmp_path))
    assert len(kept) == limits.parts
    assert all(path.stat().st_size <= limits.part_bytes for path in tmp_path.iterdir())
    ticks = [line.event.now_ms for part in kept for line in part[1:] if isinstance(line, Step)]
    assert ticks == list(range(ticks[0], 500))
    for header, first_step, *_ in kept:
        assert isinstance(header, Header)
        assert isinstance(first_step, Step)
        assert header.state == state(first_step.event.now_ms)
        assert header.lost == 0


def test_a_clock_that_was_ahead_costs_no_part(tmp_path: Path) -> None:
    limits = JournalLimits(part_bytes=1 << 20, parts=3, files=20)
    year_ms = 365 * 24 * 3_600_000
    for number in range(30):
        is_ahead = number < 15
        header = replace(FIRST, wall_ms=FIRST.wall_ms + 1_000 * number + is_ahead * 10 * year_ms)
        journal = JournalFile(tmp_path, header, limits)
        journal.record(state(number), Tick(number), ())
        journal.close()
        newest = max(tmp_path.iterdir(), key=lambda path: order(path.name))
        shift_s = 10 * year_ms // 1_000 if is_ahead else 0
        os.utime(newest, (FIRST.wall_ms // 1_000 + number + shift_s,) * 2)
    kept = [part[1] for part in parts(tmp_path)]
    assert kept == [Step(Tick(number), ()) for number in range(10, 30)]


def test_what_was_written_is_told_to_go_to_the_disk_within_seconds_and_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, sync = threading.Event(), os.fdatasync
    sizes: list[int] = []

    def note(descriptor: int) -> None:
        sync(descriptor)
        sizes.append(os.fstat(descriptor).st_size)
        synced.set()

    monkeypatch.setattr(os, "fdatasync", note)
    journal = JournalFile(tmp_path, FIRST)
    journal.record(state(1), Tick(1), ())
    assert synced.wait(PATIENCE_S), "nobody closed it, and nothing else was recorded"
    (path,) = tmp_path.iterdir()
    assert sizes[0] == path.stat().st_size
    journal.close()


def owning(epoch: int, *, holding: bool) -> Memory:
    group = GroupMemory("storage", epoch, 0, holding=holding, proof=None, grant=None, claims=0)
    return Memory(IDENTITY.boot_id, 1, "", peer_was_alive=True, standby=False, panicked=False, groups=(group,))


POWER_OFF = PowerTask(1, 10_000, "beta is silent", TaskKind.POWER_OFF, "strip", "beta", PowerPurpose.FENCE)
READING = replace(POWER_OFF, kind=TaskKind.POWER_STATUS, purpose=PowerPurpose.READING)


@pytest.mark.parametrize(
    ("action", "is_kept"),
    [
        (Persist(owning(4, holding=True)), True),
        (Persist(owning(4, holding=False)), True),
        (Persist(owning(3, holding=False)), False),
        (StartTask(POWER_OFF), True),
        (StartTask(READING), False),
        (Panic(Condition(Code.OWNERSHIP_LOST, Subject.node("alpha"), "fenced")), True),
    ],
)
def test_the_parts_around_what_people_ask_about_weeks_later_are_kept(
    tmp_path: Path, action: Action, is_kept: bool
) -> None:
    limits = JournalLimits(part_bytes=4_000, parts=3)
    journal = JournalFile(tmp_path, FIRST, limits)
    remembering = replace(state(0), remembered=owning(3, holding=False))
    for now_ms in range(1_000):
        actions = (action,) if now_ms == 200 else ()
        journal.record(replace(remembering, now_ms=now_ms), Tick(now_ms), actions)
    journal.close()
    kept = sorted((tmp_path / "kept").glob("*.jsonl"))
    assert len(kept) == (3 if is_kept else 0), "the part itself and those beside it"
    if not is_kept:
        return
    lines = [decode_line(line) for path in kept for line in path.read_bytes().splitlines()]
    assert Step(Tick(200), (action,)) in lines
    assert [path.name for path in parts_of(tmp_path)[:3]] == [path.name for path in kept], "they are replayed too"


def test_what_was_written_before_a_boot_that_did_not_leave_is_kept(tmp_path: Path) -> None:
    JournalFile(tmp_path, FIRST).close()
    memory = owning(4, holding=True)
    JournalFile(tmp_path, replace(FIRST, identity=Identity("1" * 32, 1), memory=memory)).close()
    assert len(list((tmp_path / "kept").iterdir())) == 2
    JournalFile(tmp_path, replace(FIRST, memory=memory)).close()
    assert len(list((tmp_path / "kept").iterdir())) == 2, "a daemon of the same boot keeps nothing more"


def test_what_is_kept_is_bounded_too(tmp_path: Path) -> None:
    limits = JournalLimits(part_bytes=4_000, parts=3)
    journal = JournalFile(tmp_path, FIRST, limits)
    panic = Panic(Condition(Code.OWNERSHIP_LOST, Subject.node("alpha"), "fenced"))
    for now_ms in range(1_000):
        journal.record(state(now_ms), Tick(now_ms), (panic,) if now_ms % 40 == 0 else ())
    journal.close()
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) <= 3 * limits.part_bytes


def test_the_file_is_for_root_alone(tmp_path: Path) -> None:
    JournalFile(tmp_path / "journal", FIRST).close()
    (path,) = (tmp_path / "journal").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def first_sentence(journal: JournalFile) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if sentences := journal.news():
            return sentences[0]
        time.sleep(0.005)
    return ""


def test_a_place_that_cannot_be_written_costs_records_and_gives_a_sentence_and_mends_itself(tmp_path: Path) -> None:
    place = tmp_path / "journal"
    place.write_text("a file where the directory should be")
    journal = JournalFile(place, FIRST)
    assert "cannot write the journal" in first_sentence(journal)
    for now_ms in range(10):
        journal.record(state(now_ms), Tick(now_ms), ())
    # The first of these tried a new part at once; the next try is ten seconds later.
    assert "cannot write the journal" in first_sentence(journal)
    place.unlink()
    journal.record(state(20_000), Tick(20_000), ())
    journal.close()
    (lines,) = parts(place)
    header = lines[0]
    assert isinstance(header, Header)
    assert header.state == state(20_000)
    assert header.lost >= 10
    assert lines[1:] == [Step(Tick(20_000), ())]


def test_a_disk_that_hangs_never_holds_the_loop_up(tmp_path: Path) -> None:
    limits = JournalLimits(waiting_bytes=10_000)
    journal = JournalFile(tmp_path, FIRST, limits)
    # A pipe that nobody reads is a disk that hangs: the writer's descriptor is replaced by its full end.
    reader, writer = os.pipe()
    deadline = time.monotonic() + PATIENCE_S
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.005)
    path = next(tmp_path.iterdir())
    descriptor = next(
        int(entry.name) for entry in Path("/proc/self/fd").iterdir() if entry.exists() and entry.readlink() == path
    )
    os.dup2(writer, descriptor)
    try:
        slowest_s = 0.0
        for now_ms in range(3_000):
            begun = time.perf_counter()
            journal.record(state(now_ms), Tick(now_ms), ())
            slowest_s = max(slowest_s, time.perf_counter() - begun)
        assert journal.lost > 0
        assert any("does not keep up" in sentence for sentence in journal.news())
        assert slowest_s < 0.5
    finally:
        os.close(reader)
        os.close(writer)
        journal.close()


@pytest.mark.parametrize("now_ms", [0, 2**40])
def test_a_record_that_cannot_be_written_is_counted_once(tmp_path: Path, now_ms: int) -> None:
    journal = JournalFile(tmp_path, FIRST, JournalLimits(waiting_bytes=0))
    journal.record(state(now_ms), Tick(now_ms), ())
    journal.close()
    assert journal.lost == 1
    assert len(journal.news()) == 1
