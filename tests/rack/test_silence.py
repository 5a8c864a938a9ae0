"""The host can tell a guest that hangs from one that was given no processor."""

import asyncio
import re
import subprocess

from aoeha.rack.machines.guest_stall import watched

SENTENCE = re.compile(r"process (\d+) is in (\w): in 300 ms it ran (\d+) and waited (\d+) for a processor")


def test_who_runs_and_who_sleeps_is_told_from_outside() -> None:
    spins = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    sleeps = subprocess.Popen(["sleep", "60"])
    try:
        told = [SENTENCE.fullmatch(sentence) for sentence in asyncio.run(watched([spins.pid, sleeps.pid]))]
    finally:
        for process in (spins, sleeps):
            process.kill()
            process.wait()
    busy, idle = (match.groups() for match in told if match)
    assert (int(busy[0]), busy[1]) == (spins.pid, "R")
    assert (int(idle[0]), idle[1]) == (sleeps.pid, "S")
    assert int(busy[2]) + int(busy[3]) > int(idle[2]) + int(idle[3])


def test_who_has_ended_is_not_told_of() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert asyncio.run(watched([gone.pid])) == []
