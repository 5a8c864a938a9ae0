"""The raid agent starts nothing on a host that would touch the legs by itself, and names the fix."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from host_tree import ARRAYS, MDADM, UUID, fix, prepared, put

from aoeha.agents.interface import AgentError, ResourceAgent
from aoeha.agents.registry import load_resource_agent
from aoeha.io.host import Completed, Place
from aoeha.preflight import findings

CAUSES = {
    "udev and mdadm.conf": (MDADM, "HOMEHOST <system>\n"),
    "an ARRAY line": (MDADM, f"AUTO -all\nARRAY /dev/md/x UUID={UUID}\n"),
    "the driver at boot": ("etc/modules-load.d/aoe.conf", "aoe\n"),
    "fstab": ("etc/fstab", "/dev/md/volume /srv ext4 defaults 0 0\n"),
    "LVM": ("usr/sbin/lvm", ""),
    "the initramfs": ("boot/initrd.img-6.1.0", ""),
}


class IdleHost:
    """Runs nothing, and notes what it was asked to run."""

    place = Place("test", "alpha")

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def run(
        self, *argv: str, deadline_ms: int, stdin: str = "", environment: dict[str, str] | None = None
    ) -> Completed:
        assert deadline_ms > 0
        self.ran.append(" ".join((*argv, stdin, *(environment or {}))).strip())
        return Completed(argv, 0, "", "")


def agent(root: Path, host: IdleHost) -> ResourceAgent[Any]:
    kind = load_resource_agent("raid")
    (array,) = ARRAYS
    table = {"device": array.device, "uuid": array.uuid, "legs": list(array.legs)}
    subject = kind("mirror", kind.typed(table), host)
    subject.root = root  # type: ignore[attr-defined]  # raid's own
    return subject


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_refuses_the_check_and_the_start_until_it_is_mended(cause: str, tmp_path: Path) -> None:
    put(prepared(tmp_path), "usr/sbin/update-initramfs")
    put(tmp_path, "usr/share/initramfs-tools/hooks/mdadm")
    put(tmp_path, *CAUSES[cause])
    (finding,) = findings(tmp_path, ARRAYS)
    host = IdleHost()
    subject = agent(tmp_path, host)
    for operation in (subject.validate, subject.start):
        with pytest.raises(AgentError) as refused:
            asyncio.run(operation())
        assert finding.sentence in str(refused.value)
        assert f"run `{finding.fix}`" in str(refused.value)
    assert host.ran == []
    fix(tmp_path, (finding,))
    (tmp_path / "boot/initrd.img-6.1.0").unlink(missing_ok=True)
    asyncio.run(subject.validate())


def test_what_does_not_concern_the_array_refuses_nothing(tmp_path: Path) -> None:
    put(prepared(tmp_path), "etc/systemd/system/multi-user.target.wants/nfs-server.service", "[Unit]\n")
    host = IdleHost()
    asyncio.run(agent(tmp_path, host).validate())
    assert host.ran == ["modprobe raid1"]
