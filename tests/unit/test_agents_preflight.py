"""A host that would touch the shared disks by itself is found out, and the named command and `--fix` fix it."""

import os
from pathlib import Path

import pytest
from host_tree import ARRAYS, MDADM, UUID, fix, must_be_mended, prepared, put, text_of, tree

from aoeha.preflight import array_findings, findings
from aoeha.rack.machines.rack import BASE_FILES

LOCAL = "0e0e0e0e:00000000:00000000:00000002"


def test_a_prepared_host_has_no_findings(tmp_path: Path) -> None:
    put(tmp_path, MDADM, "# AUTO +all\nHOMEHOST <system>\nAUTO -all\n")
    put(tmp_path, "etc/fstab", "UUID=1 / ext4 defaults 0 1\n/dev/md/x /srv ext4 noauto 0 0\n")
    assert findings(tmp_path) == ()


@pytest.mark.parametrize("text", [None, "", "HOMEHOST <system>\n", "HOMEHOST x", "AUTO +1.x -all\n", "AUT +homehost\n"])
def test_automatic_assembly_is_found_and_mended(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        put(tmp_path, MDADM, text)
    (finding,) = must_be_mended(tmp_path)
    assert "assembles" in finding.sentence


def test_the_first_policy_counts_and_its_continuation_goes_with_it(tmp_path: Path) -> None:
    put(tmp_path, MDADM, "AUTO +1.x\n +0.90 -all\nAUTO -all\n")
    must_be_mended(tmp_path)
    assert text_of(tmp_path, MDADM).startswith("AUTO -all\n# ")


def test_the_udev_rule_is_named_when_it_is_active(tmp_path: Path) -> None:
    put(tmp_path, "lib/udev/rules.d/64-md-raid-assembly.rules", "...")
    assert "udev assembles" in findings(tmp_path)[0].sentence
    put(tmp_path, "etc/udev/rules.d/64-md-raid-assembly.rules", "")
    assert "udev" not in findings(tmp_path)[0].sentence


@pytest.mark.parametrize(
    "line",
    [
        f"ARRAY /dev/md/x UUID={UUID}",
        f"array /dev/md/x metadata=1.2\n  uuid={UUID.upper()}",
        f"ARRAY /dev/md/x UUID={UUID.replace(':', '')}",
        "ARRAY /dev/md/volume name=pair:volume",
        "ARRAY /dev/md5 devices=/dev/etherd/e1.0,/dev/etherd/e2.0",
    ],
)
def test_a_line_for_the_shared_array_is_found_and_mended(tmp_path: Path, line: str) -> None:
    others = f"ARRAY <ignore> UUID={UUID}\nARRAY /dev/md/other metadata=1.2\n  UUID={LOCAL}\n"
    put(tmp_path, MDADM, f"AUTO -all\n{line}\n{others}")
    (finding,) = must_be_mended(tmp_path)
    assert "lists the shared array" in finding.sentence
    assert text_of(tmp_path, MDADM).endswith(others)


def test_a_line_in_the_folder_beside_mdadm_conf_is_found_and_mended(tmp_path: Path) -> None:
    put(prepared(tmp_path), f"{MDADM}.d/shared.conf", f"ARRAY /dev/md/x UUID={UUID}\n")
    (finding,) = must_be_mended(tmp_path)
    assert "lists the shared array" in finding.sentence


def test_an_array_of_the_machine_itself_is_listed_before_assembly_stops(tmp_path: Path) -> None:
    put(tmp_path, MDADM, "HOMEHOST <system>\n")
    put(tmp_path, "sys/block/md127/dev", "9:127\n")
    put(tmp_path, "sys/block/md127/slaves/sda1/dev")
    put(tmp_path, "run/udev/data/b9:127", f"E:MD_LEVEL=raid1\nE:MD_UUID={LOCAL}\n")
    (finding,) = findings(tmp_path)
    assert "md127 of this machine itself must be listed" in finding.sentence
    assert finding.fix.startswith("mdadm --detail --brief /dev/md127 >> /etc/mdadm/mdadm.conf && ")
    before = tree(tmp_path)
    fix(tmp_path, (finding,))
    assert tree(tmp_path) == before
    put(tmp_path, MDADM, f"ARRAY /dev/md/root UUID={LOCAL}\n")
    must_be_mended(tmp_path)


def test_a_running_array_of_legs_needs_no_line(tmp_path: Path) -> None:
    put(tmp_path, "sys/block/md127/slaves/etherd!e1.0/dev")
    assert not [finding for finding in must_be_mended(tmp_path) if "md127" in finding.sentence]


def test_the_driver_loaded_at_boot_is_found_and_mended(tmp_path: Path) -> None:
    put(prepared(tmp_path), "usr/lib/modules-load.d/aoetools.conf", "## Load aoe:\naoe\n")
    put(tmp_path, "etc/modules", "# modules\nloop\naoe\naoenet\n")
    assert len(must_be_mended(tmp_path)) == 2
    assert text_of(tmp_path, "etc/modules") == "# modules\nloop\n# aoeha loads this: aoe\naoenet\n"
    assert text_of(tmp_path, "usr/lib/modules-load.d/aoetools.conf").endswith("aoe\n")


def test_other_modules_of_the_same_list_are_still_loaded(tmp_path: Path) -> None:
    put(prepared(tmp_path), "usr/lib/modules-load.d/storage.conf", "; some\nnbd\n aoe\n")
    must_be_mended(tmp_path)
    assert text_of(tmp_path, "etc/modules-load.d/storage.conf").endswith("\nnbd\n")


def test_debians_link_to_its_list_of_modules_is_one_finding_and_stays(tmp_path: Path) -> None:
    put(prepared(tmp_path), "etc/modules", "aoe\nloop\n")
    link = put(tmp_path, "etc/modules-load.d/x.conf", "").with_name("modules.conf")
    link.symlink_to("../modules")
    assert len(must_be_mended(tmp_path)) == 1
    assert str(link.readlink()) == "../modules"


@pytest.mark.parametrize("mask", ["empty", "null", "own"])
def test_a_list_that_is_masked_or_replaced_loads_nothing(tmp_path: Path, mask: str) -> None:
    put(prepared(tmp_path), "usr/lib/modules-load.d/aoetools.conf", "aoe\n")
    own = put(tmp_path, "etc/modules-load.d/aoetools.conf", "loop\n" if mask == "own" else "")
    if mask == "null":
        own.unlink()
        own.symlink_to("/dev/null")
    assert findings(tmp_path) == ()


def test_mounts_at_boot_are_found_and_mended(tmp_path: Path) -> None:
    lines = "/dev/md/x.y /srv ext4 defaults 0 2\n/dev/etherd/e1.0p1\t/b xfs rw 0 0\n/dev/md9 /c ext4\n/dev/mdx none\n"
    put(prepared(tmp_path), "etc/fstab", lines)
    assert len(must_be_mended(tmp_path)) == 3
    assert text_of(tmp_path, "etc/fstab").endswith("\n/dev/mdx none\n")


@pytest.mark.parametrize("target", ["/a|b", "/a[b]*.c", "/a&\\040b$", "/it's"])
def test_a_line_is_mended_whatever_its_characters_mean_to_a_shell_or_to_sed(tmp_path: Path, target: str) -> None:
    line = f"/dev/etherd/e1.0 {target} ext4\t^rw 0 0"
    put(prepared(tmp_path), "etc/fstab", f"{line}\n")
    must_be_mended(tmp_path)
    assert text_of(tmp_path, "etc/fstab") == f"# aoeha mounts this: {line}\n"


def test_mounts_of_the_machine_s_own_arrays_stay(tmp_path: Path) -> None:
    put(tmp_path, MDADM, f"AUTO -all\nARRAY /dev/md/home UUID={LOCAL} name=here:home\nARRAY /dev/md/1 UUID=1:1:1:1\n")
    mounts = ("/dev/md127 / ext4", "/dev/md/home /home xfs", "/dev/md1p2 /opt xfs")
    by_id = (f"/dev/disk/by-id/md-uuid-{LOCAL} /a xfs", "/dev/disk/by-id/md-name-here:home-part1 /b xfs")
    put(tmp_path, "etc/fstab", "".join(f"{mount} defaults 0 0\n" for mount in (*mounts, *by_id)))
    assert findings(tmp_path, ARRAYS) == ()
    put(tmp_path, "etc/fstab", f"/dev/disk/by-id/md-uuid-{UUID} /srv ext4 defaults 0 0\n")
    must_be_mended(tmp_path)


def with_initramfs(root: Path) -> Path:
    """Install initramfs-tools with one image, older than everything else, and a crashed upgrade's left-over."""
    put(root, "usr/sbin/update-initramfs")
    put(root, "usr/share/initramfs-tools/hooks/mdadm")
    for name in ("initrd.img-6.1.0-18-amd64", "initrd.img-6.1.0-17-amd64.dpkg-bak"):
        os.utime(put(root, f"boot/{name}"), (1, 1))
    return root / "boot/initrd.img-6.1.0-18-amd64"


def test_an_initramfs_older_than_the_configuration_is_found(tmp_path: Path) -> None:
    put(tmp_path, MDADM, f"AUTO -all\nARRAY /dev/md/home UUID={LOCAL}\n")
    image = with_initramfs(tmp_path)
    (finding,) = findings(tmp_path)
    assert (finding.fix, finding.edit) == ("update-initramfs -u -k 6.1.0-18-amd64", None)
    os.utime(image, (2**31, 2**31))
    assert findings(tmp_path) == ()


def test_an_initramfs_with_a_generated_mdadm_conf_is_found_and_mended(tmp_path: Path) -> None:
    os.utime(with_initramfs(prepared(tmp_path)), (2**32, 2**32))
    (finding,) = must_be_mended(tmp_path)
    assert "has no ARRAY line" in finding.sentence


def test_a_driver_in_the_initramfs_is_found_and_the_image_must_be_built_again(tmp_path: Path) -> None:
    os.utime(put(tmp_path, MDADM, "AUTO -all\nARRAY <ignore> UUID=0:0:0:0\n"), (1, 1))
    image = with_initramfs(tmp_path)
    modules = put(tmp_path, "etc/initramfs-tools/modules", "e1000\n")
    assert findings(tmp_path) == ()
    modules.write_text("e1000\naoe\n")
    os.utime(image, (2**32, 2**32))
    must_be_mended(tmp_path)
    assert modules.read_text() == "e1000\n# aoeha loads this: aoe\n"
    os.utime(image, (2, 2))
    assert "update-initramfs" in findings(tmp_path)[0].fix


def test_an_image_of_dracut_is_judged_too(tmp_path: Path) -> None:
    prepared(tmp_path)
    put(tmp_path, "usr/bin/dracut")
    put(tmp_path, "usr/lib/dracut/modules.d/90mdraid/module-setup.sh")
    os.utime(put(tmp_path, "boot/initramfs-6.1.0.img"), (1, 1))
    put(tmp_path, "boot/initramfs-0-rescue-1.img")
    (finding,) = findings(tmp_path)
    assert finding.fix == "dracut --force /boot/initramfs-6.1.0.img 6.1.0"


def test_an_nfs_server_started_at_boot_is_found_and_is_no_matter_of_the_array(tmp_path: Path) -> None:
    wants = put(prepared(tmp_path), "etc/systemd/system/multi-user.target.wants/nfs-server.service", "")
    (finding,) = findings(tmp_path)
    assert finding.fix == "systemctl disable nfs-server.service"
    assert array_findings(tmp_path, ARRAYS) == ()
    wants.unlink()
    assert findings(tmp_path) == ()


def test_the_rack_s_gateways_are_prepared_whatever_their_host_has_installed(tmp_path: Path) -> None:
    put(tmp_path, "usr/sbin/lvm")
    put(tmp_path, "usr/lib/udev/rules.d/64-md-raid-assembly.rules", "...")
    put(tmp_path, "usr/lib/modules-load.d/aoetools.conf", "aoe\n")
    put(tmp_path, "etc/systemd/system/multi-user.target.wants/nfs-server.service", "")
    assert len(findings(tmp_path, ARRAYS)) == 4
    for name, (text, _) in BASE_FILES.items():
        put(tmp_path, name.removeprefix("/"), text)
    assert findings(tmp_path, ARRAYS) == ()
