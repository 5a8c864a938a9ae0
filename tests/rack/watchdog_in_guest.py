"""Runs in a guest: a real softdog through aoeha.io.watchdog. It only says what it would have done (soft_noboot)."""

import os
import subprocess
import sys

from aoeha.io.watchdog import WatchdogError, open_watchdog

DEVICE = "/dev/watchdog1"


def kernel_said(text: str) -> int:
    return subprocess.run(["dmesg"], check=True, capture_output=True, text=True).stdout.count(text)


def refused(device: str) -> str:
    try:
        open_watchdog(device, 15_000)
    except WatchdogError as error:
        return str(error)
    raise AssertionError(f"{device} was opened")


subprocess.run(["modprobe", "softdog", "nowayout=0", "soft_noboot=1"], check=True)

first = open_watchdog(DEVICE, 15_000)
assert (first.identity, first.timeout_ms, first.caveats) == ("Software Watchdog", 15_000, ()), first
assert "another program has it" in refused(DEVICE)
first.feed()
first.stop()
assert kernel_said("did not stop") == 0

killed = open_watchdog(DEVICE, 15_000)
killed.feed()
os.close(killed.descriptor)
assert kernel_said("did not stop") == 1

successor = open_watchdog(DEVICE, 2_000)
assert successor.timeout_ms == 2_000, successor
assert kernel_said("Triggered") == 0
while not kernel_said("Triggered"):
    os.read(os.open("/dev/kmsg", os.O_RDONLY), 8_192)
successor.stop()

greatest = open_watchdog(DEVICE, 3_600_000_000)
assert greatest.timeout_ms != 3_600_000_000, greatest
assert any("instead of" in caveat for caveat in greatest.caveats), greatest
greatest.stop()
sys.stdout.write("softdog passed\n")
