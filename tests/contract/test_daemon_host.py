"""What the daemon does to its host and learns from it: clock, service manager, priority, sentences, sysrq."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aoeha.core.model.conditions import Code, Condition, Level, Subject
from aoeha.core.model.events import PersistDone, Tick
from aoeha.daemon.event_log import RING_MAX, EventLog, Sentence
from aoeha.daemon.inbox import INBOX_MAX, Inbox
from aoeha.daemon.loop_lag import WINDOW_MS, LoopLag
from aoeha.io import clock, control_socket, sysrq
from aoeha.io.systemd import ServiceManager, journal_of


def test_the_clock_is_the_one_that_goes_on_in_sleep_and_the_boot_id_is_32_hex_digits() -> None:
    assert abs(clock.now_ms() - time.clock_gettime(time.CLOCK_BOOTTIME) * 1_000) < 1_000
    assert re.fullmatch(r"[0-9a-f]{32}", clock.boot_id())


def test_the_service_manager_hears_what_it_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"})
        assert manager.watchdog_ms == 3_000
        manager.ready()
        assert listener.recv(1_000) == f"READY=1\nMAINPID={os.getpid()}".encode()
        manager.status("alpha serves storage\nand more " + "x" * 2_000)
        told = listener.recv(4_000)
        assert told.startswith(b"STATUS=alpha serves storage and more x")
        assert b"\n" not in told
        assert len(told) <= 600
        manager.alive()
        assert listener.recv(1_000) == b"WATCHDOG=1"
        manager.stopping()
        assert listener.recv(1_000) == b"STOPPING=1"
        manager.close()


def test_a_service_manager_that_does_not_read_never_holds_us_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        begun = time.monotonic()
        for number in range(2_000):
            manager.status(str(number))
        assert time.monotonic() - begun < 2
    manager.status("and one that is gone is no error")
    manager.close()


def test_without_a_service_manager_nothing_happens() -> None:
    manager = ServiceManager({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
    assert manager.watchdog_ms == 0
    manager.ready()
    manager.alive()
    manager.close()


def test_panic_writes_the_one_letter_that_reboots(tmp_path: Path) -> None:
    trigger = tmp_path / "sysrq-trigger"
    trigger.touch()
    sysrq.reboot_at_once(trigger)
    assert trigger.read_bytes() == b"b"
    with pytest.raises(OSError, match="No such file"):
        sysrq.reboot_at_once(tmp_path / "none")


PUNCTUAL = """
import os, subprocess, sys, threading
from aoeha.io.scheduling import enable_realtime, freeze_garbage
warnings = enable_realtime()
freeze_garbage()
policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
child = subprocess.run([sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"], capture_output=True)
thread = []
worker = threading.Thread(target=lambda: thread.append(os.sched_getscheduler(0)))
worker.start()
worker.join()
locked = next(line for line in open("/proc/self/status") if line.startswith("VmLck")).split()[1]
print(policy == os.SCHED_RR, int(child.stdout) == os.SCHED_OTHER, thread == [os.SCHED_OTHER], int(locked) > 0, warnings)
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="takes a real-time priority")
def test_the_daemon_is_real_time_and_locked_and_what_it_starts_is_not() -> None:
    said = subprocess.run([sys.executable, "-c", PUNCTUAL], check=True, capture_output=True, timeout=20).stdout
    assert said.decode().split() == ["True", "True", "True", "True", "[]"]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="drops privileges")
def test_what_is_not_permitted_is_a_warning_and_no_more() -> None:
    program = "import os, resource; resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096)); os.setuid(4711)\n"
    program += "from aoeha.io.scheduling import enable_realtime\nprint(enable_realtime())"
    argv = [sys.executable, "-c", program]
    ended = subprocess.run(argv, check=False, capture_output=True, timeout=20, cwd=Path(__file__).parents[2])
    if b"ModuleNotFoundError" in ended.stderr:
        pytest.skip("another user cannot read this checkout")
    assert b"memory is not locked" in ended.stdout
    assert b"no real-time priority" in ended.stdout


def about_lan(code: Code, sentence: str) -> Condition:
    return Condition(code, Subject.link("lan"), sentence)


@pytest.mark.parametrize("leads_there", [True, False])
def test_what_goes_to_the_journal_carries_its_code_and_subject(tmp_path: Path, *, leads_there: bool) -> None:
    reader, writer = os.pipe()
    status = os.fstat(writer)
    stream = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino if leads_there else 0}"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        journal.setblocking(False)
        sentences = EventLog(writer, journal_of(writer, stream, str(tmp_path / "socket")))
        sentences.say(Level.ALARM, about_lan(Code.LINK_DOWN, "it is\ndown"))
        if leads_there:
            fields = dict(line.split("=", 1) for line in journal.recv(4_096).decode().splitlines())
            assert fields == {
                "MESSAGE": "ALARM: link lan: it is down",
                "PRIORITY": "2",
                "SYSLOG_IDENTIFIER": "aoeha",
                "AOEHA_CODE": "link.down",
                "AOEHA_SUBJECT": "link lan",
                "AOEHA_ENDS": "0",
            }
            (tmp_path / "socket").unlink()
            sentences.say(Level.ALARM, about_lan(Code.LINK_DOWN, "it is down"))
        assert os.read(reader, 4_096) == b"<2>[link.down] ALARM: link lan: it is down\n"
    os.close(reader)
    os.close(writer)


def test_sentences_carry_their_priority_and_stay_one_line() -> None:
    reader, writer = os.pipe()
    sentences = EventLog(writer)
    sentences.say(Level.INFO, about_lan(Code.LINK_HEARD, "it is\nup"))
    sentences.say(Level.ALARM, about_lan(Code.LINK_DOWN, "it is down"))
    assert os.read(reader, 4_096) == (
        b"<6>[link.heard] link lan: it is up\n<2>[link.down] ALARM: link lan: it is down\n"
    )
    os.close(reader)
    sentences.say(Level.INFO, about_lan(Code.LINK_HEARD, "nobody reads this"))
    assert sentences.unwritten == 1
    os.close(writer)


def test_what_steers_a_terminal_is_an_escape_in_the_log_and_in_what_is_shown_later() -> None:
    reader, writer = os.pipe()
    sentences = EventLog(writer)
    sentences.say(Level.ALARM, about_lan(Code.LINK_DOWN, "the device says \x1b[2J\u202eoff\x9b31m"))
    said = r"the device says \x1b[2J\u202eoff\x9b31m"
    assert os.read(reader, 4_096) == f"<2>[link.down] ALARM: link lan: {said}\n".encode()
    assert sentences.ring[-1].condition.sentence == said
    os.close(reader)
    os.close(writer)


def test_a_log_that_nobody_empties_never_holds_us_up_and_the_ring_keeps_the_newest() -> None:
    reader, writer = os.pipe()
    sentences = EventLog(writer)
    heard: list[Sentence] = []
    sentences.listeners.add(heard.append)
    for number in range(RING_MAX + 5_000):
        sentences.say(Level.WARNING, about_lan(Code.LINK_LATE, f"sentence {number}"))
    assert sentences.unwritten > 0
    assert len(sentences.ring) == RING_MAX
    assert sentences.ring[-1] == heard[-1]
    assert heard[-1].condition.sentence == f"sentence {RING_MAX + 4_999}"
    os.close(reader)
    os.close(writer)


def test_a_flood_is_refused_and_what_must_not_be_lost_is_not() -> None:
    async def run() -> None:
        inbox = Inbox()
        taken = sum(inbox.offer(Tick(number)) for number in range(INBOX_MAX + 10))
        inbox.insist(PersistDone(99))
        assert (taken, inbox.refused) == (INBOX_MAX, 10)
        events = [await inbox.next() for _ in range(INBOX_MAX + 1)]
        assert [event.now_ms for event in events[:3]] == [0, 1, 2]
        assert events[-1] == PersistDone(99)
        waiting = asyncio.ensure_future(inbox.next())
        await asyncio.sleep(0)
        inbox.insist(Tick(7))
        assert await waiting == Tick(7)

    asyncio.run(run())


def test_the_greatest_lag_of_the_last_minute_is_shown_and_then_forgotten() -> None:
    lag = LoopLag()
    assert lag.greatest_ms(0) == 0
    lag.note(1_000, 1_400)
    lag.note(1_500, 1_510)
    lag.note(30_000, 30_100)
    assert lag.greatest_ms(31_000) == 400
    assert lag.greatest_ms(1_400 + WINDOW_MS) == 100
    assert lag.greatest_ms(31_000 + WINDOW_MS) == 0


def test_the_group_is_found_without_asking_a_name_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "group"
    monkeypatch.setattr(control_socket, "GROUP_FILE", file)
    assert control_socket._group_id() is None
    file.write_text("root:x:0:\naoeha-not:x:5:\naoeha:x:977:joe,ann\n")
    assert control_socket._group_id() == 977
    file.write_text("nonsense\naoeha:x:977:\n")
    assert control_socket._group_id() == 977
    file.write_text("aoeha:x:\naoeha\n")
    assert control_socket._group_id() is None
