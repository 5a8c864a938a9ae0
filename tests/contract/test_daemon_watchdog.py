"""The watchdog as the daemon meets it on this machine: what is none is refused and left untouched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aoeha.io.watchdog import WatchdogError, open_watchdog

CHECKOUT = Path(__file__).parents[2]


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WatchdogError, match="no such device") as caught:
        open_watchdog(str(tmp_path / "watchdog"), 15_000)
    assert caught.value.is_missing


def test_what_is_no_watchdog_gets_not_a_byte(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"important")
    for device in (file, Path("/dev/null")):
        before = os.listdir("/proc/self/fd")  # noqa: PTH208 - descriptors, counted
        with pytest.raises(WatchdogError, match="it is no watchdog") as caught:
            open_watchdog(str(device), 15_000)
        assert not caught.value.is_missing
        assert os.listdir("/proc/self/fd") == before  # noqa: PTH208
    assert file.read_bytes() == b"important"


def test_a_pipe_that_nobody_reads_does_not_hold_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WatchdogError, match="no such device"):
        open_watchdog(str(tmp_path / "pipe"), 15_000)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="starts a daemon with a real-time priority")
def test_the_daemon_does_not_start_without_the_watchdog_that_it_requires(tmp_path: Path) -> None:
    """It refuses before it opens a link, so no namespace is needed."""
    keys = tmp_path / "keys"
    keys.write_text(f"1 {'ab' * 32}\n")
    keys.chmod(0o600)
    text = (CHECKOUT / "etc" / "aoeha.toml").read_text().replace("/etc/aoeha/keys", str(keys))
    text = text.replace('cluster = "gw"', f'cluster = "gw{os.getpid()}"')
    file = tmp_path / "aoeha.toml"
    file.write_text(text.replace("[watchdog]", '[watchdog]\nmode = "required"\ndevice = "/dev/aoeha-none"'))
    argv = [sys.executable, "-m", "aoeha.daemon.main", "-c", str(file), "--node", "alpha",
            "--run-directory", str(tmp_path / "run"), "--state-directory", str(tmp_path / "lib")]  # fmt: skip
    ended = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, cwd=CHECKOUT)
    assert ended.returncode == 107, ended.stderr
    said = ended.stderr.splitlines()[-1]
    assert said.startswith("aoeha: cannot start: a watchdog is required: cannot open the watchdog /dev/aoeha-none: ")
    assert said.endswith('set mode = "automatic" below [watchdog]')
