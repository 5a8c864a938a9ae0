"""Runs in a gateway: a real softdog, alone and with a daemon. It only says what it would have done (soft_noboot)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from aoeha.io.watchdog import WatchdogError, open_watchdog

DEVICE = "/dev/watchdog1"
FOR_THE_SUCCESSOR = Path("/run/aoeha/state/first_beat.json")


def kernel_said(text: str) -> int:
    return subprocess.run(["dmesg"], check=True, capture_output=True, text=True).stdout.count(text)


def refused(device: str) -> str:
    try:
        open_watchdog(device, 15_000)
    except WatchdogError as error:
        return str(error)
    raise AssertionError(f"{device} was opened")


def start_daemon() -> "subprocess.Popen[str]":
    """Return a daemon that has opened the watchdog. It waits long for its peer and starts nothing."""
    text = Path("/etc/aoeha/aoeha.toml").read_text().replace('initdead = "10s"', 'initdead = "5m"')
    table = f'[watchdog]\nmode = "required"\ndevice = "{DEVICE}"\ntimeout = "6s"'
    file = Path("/run/aoeha.toml")
    file.write_text(text.replace("[watchdog]", table))
    keys = Path("/etc/aoeha/keys")
    keys.write_text(f"1 {'ab' * 32}\n")
    keys.chmod(0o600)
    argv = [sys.executable, "-m", "aoeha.daemon.main", "-c", str(file), "--node", "alpha"]
    started = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    assert started.stderr is not None
    said = []
    for line in started.stderr:
        said.append(line)
        if "Software Watchdog resets this gateway when its daemon does not turn for 6 s" in line:
            return started
    raise AssertionError("".join(said))


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
daemon = start_daemon()
while not FOR_THE_SUCCESSOR.exists():
    time.sleep(0.05)
daemon.send_signal(signal.SIGKILL)
daemon.wait()
# A program that it was about to start may have the device a moment longer.
until = time.monotonic() + 5
while kernel_said("did not stop") < 2:
    assert time.monotonic() < until, "a killed daemon leaves it counting"
    time.sleep(0.05)
daemon = start_daemon()
assert kernel_said("Triggered") == 1, "its successor opens it in time"
daemon.send_signal(signal.SIGTERM)
assert daemon.wait(30) == 0
assert kernel_said("did not stop") == 2, "one that leaves stops it"
sys.stdout.write("softdog passed\n")
