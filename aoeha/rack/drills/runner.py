"""Plays runs, each in a process of its own, some of them side by side. A rack moves its process into new namespaces."""

import os
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aoeha.rack.drills.scenario import Scenario
from aoeha.rack.drills.shell import INTERRUPTED
from aoeha.rack.machines.guest import die_with_parent
from aoeha.rack.machines.guest_link import now_ms

__all__ = ["Places", "Run"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BROKEN = 1


@dataclass(frozen=True, slots=True)
class Run:
    """A drill to be played: for the how manieth time, at which try, its evidence. `alone`: not beside another."""

    scenario: Scenario
    folder: Path
    number: int = 1
    tried: int = 1
    alone: bool = False


class Places:
    """So many places at which runs are played; those that want the machine for themselves come last, one at a time.

    `play(run)` works in the new process and returns its exit code. `ended(run, code, took_ms)` is told in this one, and
    returns a run that is to be played instead, or None.
    """

    def __init__(self, count: int, play: Callable[[Run], int], ended: Callable[[Run, int, int], Run | None]) -> None:
        self.was_told_to_end = False
        self._count = count
        self._play = play
        self._ended = ended
        self._playing: dict[int, tuple[Run, int]] = {}

    def play_all(self, runs: list[Run]) -> None:
        """Play all of them; told to end by a signal, start no more and let those that are under way clean up."""
        beside = deque(run for run in runs if not run.alone)
        alone = deque(run for run in runs if run.alone)
        with self._passing_signals_on():
            while True:
                while beside and len(self._playing) < self._count:
                    self._start(beside.popleft())
                if alone and not self._playing:
                    self._start(alone.popleft())
                if not self._playing:
                    return
                process, status = os.wait()
                run, began_ms = self._playing.pop(process)
                code = os.waitstatus_to_exitcode(status)
                if code == INTERRUPTED and not self.was_told_to_end:
                    self._tell(signal.SIGTERM)
                if self.was_told_to_end:
                    beside.clear()
                    alone.clear()
                elif again := self._ended(run, code, now_ms() - began_ms):
                    (alone if again.alone else beside).append(again)

    def _start(self, run: Run) -> None:
        if self.was_told_to_end:
            return
        sys.stdout.flush()
        # No signal may be lost, or be taken by this process's handler in the new one.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        process = os.fork()
        if process == 0:
            self._be(run)
        self._playing[process] = run, now_ms()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _be(self, run: Run) -> None:
        """Be the process of a run, to its end. It has a session of its own: signals come from its parent only."""
        code = BROKEN
        try:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            die_with_parent(signal.SIGTERM)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            code = self._play(run)
        except BaseException:  # noqa: BLE001 (whatever it is, it must be told before the process ends)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    @contextmanager
    def _passing_signals_on(self) -> Iterator[None]:
        """Whichever process is told to end, the runs clean up; waiting continues after the handler."""
        before = {number: signal.signal(number, lambda number, _: self._tell(number)) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _tell(self, number: int) -> None:
        """Have every run end, where this process was told to, or one of them."""
        self.was_told_to_end = True
        for process in self._playing:
            with suppress(ProcessLookupError):
                os.kill(process, number)
