"""The filesystem agent with real file systems on loop devices: mounting, busy users, refusals."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S

from aoeha.agents.interface import AgentError, ResourceAgent
from aoeha.agents.registry import build_resource_agent
from aoeha.core.model.task import ResourceStatus
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices and mounts")]

Agent = ResourceAgent[Any]


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def make_device(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes a loop device with a file system of the kind asked for; everything is gone afterwards."""
    devices: list[str] = []

    def make(kind: str) -> str:
        image = tmp_path / f"{len(devices)}.img"
        run("truncate", "-s", "320M" if kind == "xfs" else "16M", str(image))
        run(f"mkfs.{kind}", "-q", str(image))
        devices.append(run("losetup", "--find", "--show", str(image)))
        return devices[-1]

    yield make
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        if (directory := line.split()[4]).startswith(str(tmp_path)):
            run("umount", directory)
    for device in devices:
        run("losetup", "-d", device)


def agent(device: str, directory: Path, kind: str = "ext4", options: str = "") -> Agent:
    table = {"device": device, "directory": str(directory), "kind": kind, "options": options}
    return build_resource_agent("filesystem", "volume", table, ProcessHost(Place("test", "alpha")))


def status(subject: Agent) -> ResourceStatus:
    return asyncio.run(subject.monitor()).status


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_start_and_stop_are_idempotent_and_monitor_sees_them(
    kind: str, tmp_path: Path, make_device: Callable[[str], str]
) -> None:
    subject = agent(make_device(kind), tmp_path / "mnt", kind, "noatime")
    assert status(subject) is ResourceStatus.STOPPED
    for _ in range(2):
        asyncio.run(subject.start())
        assert status(subject) is ResourceStatus.RUNNING
    (tmp_path / "mnt/file").write_text("x")
    for _ in range(2):
        asyncio.run(subject.stop())
        assert status(subject) is ResourceStatus.STOPPED
    assert not (tmp_path / "mnt/file").exists()


@pytest.mark.parametrize("use", ["cd {}; exec sleep 60", "exec sleep 60 > {}/open", "trap '' TERM; cd {}; sleep 60; :"])
def test_users_are_ended_when_the_volume_is_given_up(
    use: str, tmp_path: Path, make_device: Callable[[str], str]
) -> None:
    subject = agent(make_device("ext4"), tmp_path / "mnt")
    asyncio.run(subject.start())
    user = subprocess.Popen(["sh", "-c", f"{use.format(tmp_path / 'mnt')}"])
    bystander = subprocess.Popen(["sleep", "60"], cwd=tmp_path)
    try:
        while not any(
            str(Path(f"/proc/{user.pid}/{link}").readlink()).startswith(f"{tmp_path}/mnt") for link in ("cwd", "fd/1")
        ):
            os.sched_yield()
        asyncio.run(subject.stop())
        assert status(subject) is ResourceStatus.STOPPED
        assert user.wait(timeout=PATIENCE_S) < 0
        assert bystander.poll() is None
    finally:
        for process in (user, bystander):
            process.kill()
            process.wait()


def test_what_the_kernel_holds_is_an_error_and_never_unmounted_lazily(
    tmp_path: Path, make_device: Callable[[str], str]
) -> None:
    subject = agent(make_device("ext4"), tmp_path / "mnt")
    asyncio.run(subject.start())
    run("truncate", "-s", "1M", str(tmp_path / "mnt/inner"))
    inner = run("losetup", "--find", "--show", str(tmp_path / "mnt/inner"))
    try:
        with pytest.raises(AgentError, match=r"cannot unmount .*busy.*held by the kernel"):
            asyncio.run(subject.stop())
        assert status(subject) is ResourceStatus.RUNNING
    finally:
        run("losetup", "-d", inner)
    asyncio.run(subject.stop())


def test_a_volume_that_became_read_only_has_failed(tmp_path: Path, make_device: Callable[[str], str]) -> None:
    device = make_device("ext4")
    subject = agent(device, tmp_path / "mnt")
    asyncio.run(subject.start())
    run("mount", "-o", "remount,ro", str(tmp_path / "mnt"))
    assert status(subject) is ResourceStatus.FAILED
    assert status(agent(device, tmp_path / "mnt", options="ro")) is ResourceStatus.RUNNING


def test_somebody_elses_mount_is_never_taken_for_ours(tmp_path: Path, make_device: Callable[[str], str]) -> None:
    ours, theirs = make_device("ext4"), make_device("ext4")
    asyncio.run(agent(theirs, tmp_path / "mnt").start())
    subject = agent(ours, tmp_path / "mnt")
    assert status(subject) is ResourceStatus.FAILED
    for action in (subject.start, subject.validate):
        with pytest.raises(AgentError, match=theirs):
            asyncio.run(action())


def test_a_device_mounted_elsewhere_is_refused(tmp_path: Path, make_device: Callable[[str], str]) -> None:
    device = make_device("ext4")
    asyncio.run(agent(device, tmp_path / "one").start())
    with pytest.raises(AgentError, match=rf"it is mounted at {tmp_path}/one; run `umount"):
        asyncio.run(agent(device, tmp_path / "two").start())


def test_a_missing_device_and_a_wrong_kind_are_sentences(tmp_path: Path, make_device: Callable[[str], str]) -> None:
    with pytest.raises(AgentError, match="there is no such block device"):
        asyncio.run(agent("/dev/no-such-disk", tmp_path / "mnt").start())
    with pytest.raises(AgentError, match="cannot mount /dev/loop"):
        asyncio.run(agent(make_device("ext4"), tmp_path / "mnt", "xfs").start())
