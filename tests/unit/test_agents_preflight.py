"""A host that would touch the shared disks by itself is found out, and the named command mends it."""

import os
import subprocess
from pathlib import Path

import pytest

from aoeha.agents.preflight import Finding, automatic_assembly, findings

UUID = "a0e4a000:00000000:00000000:00000001"


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def mend(root: Path, finding: Finding) -> None:
    """Run the command as an operator would, on the tree of this test."""
    command = finding.mend.replace("/etc/", f"{root}/etc/").replace("mkdir -p /etc", f"mkdir -p {root}/etc")
    subprocess.run(["sh", "-c", command], check=True)


def test_a_prepared_host_has_no_findings(tmp_path: Path) -> None:
    write(tmp_path, "etc/mdadm/mdadm.conf", "# AUTO +all\nHOMEHOST <system>\nAUTO -all\n")
    write(tmp_path, "etc/fstab", "UUID=1 / ext4 defaults 0 1\n/dev/md/x /srv ext4 noauto 0 0\n")
    assert findings(tmp_path) == ()


@pytest.mark.parametrize("text", [None, "", "HOMEHOST <system>\n", "AUTO +1.x -all\n", "AUTO +homehost -all\n"])
def test_automatic_assembly_is_found_and_mended(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        write(tmp_path, "etc/mdadm/mdadm.conf", text)
    (finding,) = automatic_assembly(tmp_path)
    assert "assembles" in finding.sentence
    mend(tmp_path, finding)
    assert automatic_assembly(tmp_path) == ()


def test_the_udev_rule_is_named_when_it_is_active(tmp_path: Path) -> None:
    write(tmp_path, "lib/udev/rules.d/64-md-raid-assembly.rules", "...")
    assert "udev assembles" in automatic_assembly(tmp_path)[0].sentence
    write(tmp_path, "etc/udev/rules.d/64-md-raid-assembly.rules", "")
    assert "udev" not in automatic_assembly(tmp_path)[0].sentence


def test_an_array_line_for_the_shared_array_is_found_and_mended(tmp_path: Path) -> None:
    text = f"AUTO -all\nARRAY <ignore> UUID=1\nARRAY /dev/md/other UUID=2\nARRAY /dev/md/x\n  UUID={UUID}\n"
    write(tmp_path, "etc/mdadm/mdadm.conf", text.replace("\n  UUID", " UUID"))
    (finding,) = automatic_assembly(tmp_path, UUID)
    mend(tmp_path, finding)
    assert automatic_assembly(tmp_path, UUID) == ()
    assert "/dev/md/other" in (tmp_path / "etc/mdadm/mdadm.conf").read_text()
    write(tmp_path, "etc/mdadm/mdadm.conf", text)
    assert len(automatic_assembly(tmp_path, UUID)) == 1


def test_the_driver_loaded_at_boot_is_found_and_mended(tmp_path: Path) -> None:
    write(tmp_path, "etc/mdadm/mdadm.conf", "AUTO -all\n")
    write(tmp_path, "usr/lib/modules-load.d/aoetools.conf", "aoe\n")
    write(tmp_path, "etc/modules", "# modules\nloop\naoe\naoenet\n")
    assert len(findings(tmp_path)) == 2
    for finding in findings(tmp_path):
        mend(tmp_path, finding)
    assert findings(tmp_path) == ()
    assert (tmp_path / "etc/modules").read_text() == "# modules\nloop\naoenet\n"


def test_mounts_at_boot_are_found_and_mended(tmp_path: Path) -> None:
    write(tmp_path, "etc/mdadm/mdadm.conf", "AUTO -all\n")
    write(
        tmp_path, "etc/fstab", "/dev/md/x.y /srv ext4 defaults 0 2\n/dev/etherd/e1.0p1 /b xfs rw 0 0\n/dev/mdx none\n"
    )
    assert len(findings(tmp_path)) == 2
    for finding in findings(tmp_path):
        mend(tmp_path, finding)
    assert findings(tmp_path) == ()


def test_an_initramfs_older_than_the_configuration_is_found(tmp_path: Path) -> None:
    configuration = write(tmp_path, "etc/mdadm/mdadm.conf", "AUTO -all\n")
    write(tmp_path, "usr/share/initramfs-tools/hooks/mdadm", "")
    image = write(tmp_path, "boot/initrd.img-6.1.0-18-amd64", "")
    os.utime(image, (1, 1))
    (finding,) = findings(tmp_path)
    assert finding.mend == "update-initramfs -u -k 6.1.0-18-amd64"
    os.utime(image, (2**31, 2**31))
    os.utime(configuration, (1, 1))
    assert findings(tmp_path) == ()


def test_an_nfs_server_started_at_boot_is_found(tmp_path: Path) -> None:
    write(tmp_path, "etc/mdadm/mdadm.conf", "AUTO -all\n")
    wants = write(tmp_path, "etc/systemd/system/multi-user.target.wants/nfs-server.service", "")
    (finding,) = findings(tmp_path)
    assert finding.mend == "systemctl disable nfs-server.service"
    wants.unlink()
    assert findings(tmp_path) == ()
