"""A full /run: what was written there before is older than what happened since, and nobody believes it.

A daemon that believed it would take itself for the owner of what its peer has by now, and reboot a healthy gateway.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_pair import Pair, command, pair, wait_for

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces and mounts: needs root"),
]
HANDED_OVER = ["alpha stop service", "alpha stop disk", "beta start disk", "beta start service"]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Pair]:
    """A pair that has handed its group over to beta while nothing could be written to alpha's /run any more."""
    with pair(tmp_path) as made:
        run = made.alpha.run_directory
        command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(run))
        try:
            made.alpha.start()
            wait_for(made.alpha.status, "alpha listens")
            made.beta.start()
            wait_for(lambda: made.alpha.phase() == "running", "alpha serves")
            wait_for(lambda: made.beta.phase() == "stopped", "beta stands by")
            wait_for((run / "state/memory.json").exists, "alpha remembers in /run")
            with contextlib.suppress(OSError), (run / "filler").open("wb", buffering=0) as filler:
                while filler.write(b"x" * 512):
                    pass
            done = made.alpha.ask("switchover", wait_ms="10000")
            assert done["exit_code"] == 0, done
            wait_for(lambda: made.beta.phase() == "running", "beta serves")
            yield made
            assert made.log()[2:] == HANDED_OVER
            assert made.beta.running() == {"disk", "service"}
            assert made.alpha.process is not None
            assert made.alpha.process.poll() is None
            assert (made.root / "sysrq").read_text() == "", "a healthy gateway would have rebooted"
            for gateway in (made.alpha, made.beta):
                assert "Traceback" not in gateway.errors()
                assert "PANIC" not in gateway.errors()
        finally:
            made.alpha.kill()
            subprocess.run(["umount", "-l", str(run)], check=False, timeout=20)


def orders(made: Pair) -> list[str]:
    return [line for line in made.switch.asked if not line.startswith("status")]


def test_the_next_daemon_does_not_believe_what_a_full_run_folder_kept(full: Pair) -> None:
    full.alpha.kill()
    full.alpha.start()
    wait_for(lambda: full.alpha.phase() == "stopped", "alpha stands by")
    wait_for(lambda: full.alpha.status()["groups"][0]["owner"] == "beta", "alpha knows who serves")
    assert orders(full) == []
    (full.alpha.run_directory / "filler").unlink()
    full.alpha.kill()
    full.alpha.start()
    wait_for(lambda: full.alpha.phase() == "stopped", "alpha stands by, with room in /run again")
    assert orders(full) == []


def test_nor_does_it_where_nobody_can_tell_it_better(full: Pair) -> None:
    full.switch.works = False
    full.cable.is_cut = True
    full.cut_lan(cut=True)
    full.alpha.kill()
    full.alpha.start()
    wait_for(lambda: full.alpha.status().get("alarms"), "alpha is alone, and says so")
    wait_for(lambda: "off beta" in full.switch.asked, "alpha asks for a proof, and gets none")
    assert full.alpha.running() == set()
