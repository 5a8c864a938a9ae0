"""Which processes count as the system's daemons: root's own here, and nobody who only calls himself so."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from patience import PATIENCE_S

from aoeha.io.system_daemons import daemons_called

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="starts processes of other users: needs root"),
]
NOBODY = 65_534


@pytest.fixture
def program() -> Iterator[str]:
    """An executable that is called nfsdcld, only waits, and can be run by every user."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield shutil.copy("/bin/sleep", Path(directory, "nfsdcld"))


@contextmanager
def running(*argv: str, shows: str, user: int = 0) -> Iterator[int]:
    """Start a program and wait until a process of it has these words on its command line; end it afterwards."""
    process = subprocess.Popen(argv, user=user, group=user, extra_groups=[], start_new_session=True)
    try:
        end = time.monotonic() + PATIENCE_S
        while not list(called(shows)):
            assert time.monotonic() < end
            time.sleep(0.01)
        yield process.pid
    finally:
        for pid in called(shows):
            os.kill(pid, 9)
        process.kill()
        process.wait()


def called(line: str) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes().replace(b"\0", b" ").strip().decode() == line:
                    yield int(entry.name)
            except OSError:
                continue


def test_roots_own_process_counts_with_its_words(program: str) -> None:
    with running(program, "71001", shows=f"{program} 71001") as process:
        assert daemons_called("nfsdcld")[process][:2] == ("nfsdcld", "71001")
        assert process not in daemons_called("rpc.mountd")


def test_one_that_an_update_has_replaced_counts(program: str) -> None:
    with running(program, "71002", shows=f"{program} 71002") as process:
        Path(program).unlink()
        assert process in daemons_called("nfsdcld")


def test_a_name_on_a_command_line_is_no_executable() -> None:
    with running("bash", "-c", "exec -a nfsdcld sleep 71003", shows="nfsdcld 71003") as process:
        assert process not in daemons_called("nfsdcld")


def test_another_users_process_does_not_count(program: str) -> None:
    with running(program, "71004", shows=f"{program} 71004", user=NOBODY) as process:
        assert process not in daemons_called("nfsdcld")


@pytest.mark.parametrize("namespace", ["--mount", "--pid"])
def test_the_same_program_in_a_container_does_not_count(program: str, namespace: str) -> None:
    shows = f"{program} 71005"
    with running("unshare", namespace, "--fork", program, "71005", shows=shows):
        assert not daemons_called("nfsdcld").keys() & set(called(shows))
