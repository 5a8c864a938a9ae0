"""Drills on real kernels: each ends green, a planted failure ends red, and nothing is left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aoeha.rack.drills.planted_faults import PLANTS

CHECKOUT = Path(__file__).parents[2]
MISSING = [tool for tool in ("linux.uml", "vblade", "mdadm", "exportfs") if shutil.which(tool) is None]
DRILLS = sorted(path.stem for path in (CHECKOUT / "tests" / "scenarios" / "rack").glob("*.txt"))
PLANTED = {
    "demo": "lost-record",
    "switchover": "second-writer",
    "power-loss": "lying-switch",
    "power-loss-by-storage": "second-writer",
    "fence-dead": "second-writer",
    "fence-slow": "lost-record",
    "daemon-kill": "daemon-stops",
    "serial-cut": "owner-dies",
    "ether-cut": "owner-dies",
    "all-cut": "owner-dies",
    "fence-broken": "switch-works",
    "garbage": "lost-record",
    "target-restart": "owner-dies",
    "watchdog": "lost-record",
    "pause-2s": "second-writer",
    "pause-5s": "nothing-breaks",
    "pause-30s": "nothing-breaks",
    "zombie-address": "nothing-breaks",
    "both-boot": "nothing-breaks",
    "san-split": "owner-dies",
    "reboot-loop": "nothing-breaks",
    "half-rack": "nothing-breaks",
    "san-cut-active": "nothing-breaks",
    "lan-cut-active": "nothing-breaks",
    "site-blackout": "lost-record",
    "daemon-dies-in-takeover": "lost-record",
    "shelf-returns-old": "lost-record",
    "shelf-loss": "nothing-breaks",
    "shelf-return": "second-writer",
    "shelf-flap": "owner-dies",
    "both-shelves-slow": "nothing-breaks",
    "slow-shelf": "nothing-breaks",
    "leg-stale": "nothing-breaks",
    "evict-cut": "owner-dies",
    "dual-homed": "second-writer",
    "target-restart-unseen": "careless-resync",
    "target-restart-zombie": "second-writer",
    "target-restart-after-off": "second-writer",
    "fence-verify": "wrong-plug",
    "wrong-plug": "right-plug",
    "wrong-plug-needed": "right-plug",
    "crossed-plugs": "right-plug",
    "cables-by-storage": "owner-dies",
    "cables-without-switch": "owner-dies",
    "switch-dies": "owner-dies",
    "pause-by-power": "nothing-breaks",
    "san-cut-by-storage": "nothing-breaks",
    "san-cut-without-switch": "nothing-breaks",
}
IN_EVERY_RUN = (
    "demo", "power-loss", "fence-dead", "fence-broken", "daemon-kill", "switchover", "serial-cut", "all-cut",
    "san-cut-active", "zombie-address", "target-restart", "wrong-plug",
)  # fmt: skip
"""The others take too long for every run: `make drills`."""
PLANTED_IN_EVERY_RUN = ("demo", "serial-cut", "fence-broken")
"""The others take too long for every run: `aoeha rehearse DRILL --plant FAILURE`."""
BOOT_S, DEATH_S = 60, 10

pytestmark = [
    pytest.mark.rack,
    pytest.mark.root,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for the rack"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]


class Rehearsal:
    """`aoeha rehearse`, with all its temporary files below one folder, by which its processes can be told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None

    def start(self, *words: str) -> "subprocess.Popen[str]":
        program = [
            str(Path(sys.prefix) / "bin" / "aoeha"),
            "rehearse",
            *words,
            "--evidence",
            str(self.folder / "evidence"),
        ]
        self.process = subprocess.Popen(
            program, cwd=CHECKOUT, env={**os.environ, "TMPDIR": str(self.folder)}, start_new_session=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return self.process

    def play(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        output, _ = process.communicate(timeout=500)
        return process.returncode, output

    def guests(self) -> list[int]:
        """The processes of this rehearsal's guests."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    command = (entry / "cmdline").read_bytes().decode(errors="replace")
                except OSError:
                    continue
                if str(self.folder) in command and "linux.uml" in command:
                    found.append(int(entry.name))
        return found

    def wait_for_guests(self) -> None:
        end = time.monotonic() + BOOT_S
        while not self.guests():
            assert time.monotonic() < end, "no guest was started"
            time.sleep(0.1)

    def remains(self) -> list[str]:
        """What is left behind once the rehearsal ended."""
        end = time.monotonic() + DEATH_S
        while self.guests() and time.monotonic() < end:
            time.sleep(0.1)
        mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(self.folder) in line]
        return [*map(str, self.guests()), *mounts, *map(str, self.folder.glob("aoeha-*"))]


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    played = Rehearsal(tmp_path)
    yield played
    if played.process is not None and played.process.poll() is None:
        os.killpg(played.process.pid, signal.SIGKILL)
        played.process.wait()


def test_every_drill_has_its_planted_failure_and_the_chosen_ones_exist() -> None:
    assert sorted(PLANTED) == DRILLS
    assert set(IN_EVERY_RUN) <= set(DRILLS)


def test_the_drills_are_green_side_by_side_and_leave_nothing_behind(rehearsal: Rehearsal) -> None:
    code, output = rehearsal.play(*IN_EVERY_RUN, "--jobs", "2")
    assert (code, output.count("GREEN: 0 acknowledged writes lost")) == (0, len(IN_EVERY_RUN)), output
    assert rehearsal.remains() == []


@pytest.mark.parametrize("drill", PLANTED_IN_EVERY_RUN)
def test_a_planted_failure_turns_the_drill_red(rehearsal: Rehearsal, drill: str) -> None:
    assert PLANTED[drill] in PLANTS
    code, output = rehearsal.play(drill, "--plant", PLANTED[drill], "--quiet")
    assert (code, "RED: " in output) == (1, True), output


@pytest.mark.parametrize(
    ("sign", "words"), [(signal.SIGINT, ("demo",)), (signal.SIGTERM, ("demo", "switchover", "--jobs", "2"))]
)
def test_an_interrupted_rehearsal_cleans_up(rehearsal: Rehearsal, sign: signal.Signals, words: tuple[str, ...]) -> None:
    process = rehearsal.start(*words)
    rehearsal.wait_for_guests()
    os.killpg(process.pid, sign)
    process.communicate(timeout=60)
    assert process.returncode not in {0, 1}
    assert rehearsal.remains() == []


def test_guests_die_with_a_driver_that_is_killed(rehearsal: Rehearsal) -> None:
    process = rehearsal.start("demo")
    rehearsal.wait_for_guests()
    drivers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for driver in map(int, drivers):
        os.kill(driver, signal.SIGKILL)
    process.communicate(timeout=60)
    left = [each for each in rehearsal.remains() if not each.startswith(str(rehearsal.folder))]
    assert left == []
    for folder in rehearsal.folder.glob("aoeha-rack-*"):
        shutil.rmtree(Path("/dev/shm") / folder.name, ignore_errors=True)
