"""LVM that would activate a shared volume group by itself is found out; this machine's own groups go on as before."""

from pathlib import Path

import pytest
from host_tree import ARRAYS, must_be_mended, prepared, put, text_of

from aoeha.preflight import findings
from aoeha.preflight.lvm_settings import settings

LOCAL_FILE = "etc/lvm/lvmlocal.conf"
LIST = "activation/auto_activation_volume_list"


def with_lvm(root: Path, text: str = "") -> Path:
    put(prepared(root), "usr/sbin/lvm")
    put(root, "etc/lvm/lvm.conf", text)
    return root


def active_volume(root: Path, number: int, name: str, disk: str) -> None:
    put(root, f"sys/block/dm-{number}/dm/uuid", "LVM-x\n")
    put(root, f"sys/block/dm-{number}/dm/name", f"{name}\n")
    put(root, f"sys/block/dm-{number}/slaves/{disk}/dev")


def test_the_language_of_lvm_is_read_as_lvm_reads_it() -> None:
    text = 'a { # b = 1\n b = [ "x\\"y" , "#" ]\n c { d=0.5 } e = [] }\na/f = word\na { b = "2" g=1 } }'
    assert settings(text) == {"a/b": ("2",), "a/c/d": ("0.5",), "a/e": (), "a/f": ("word",), "a/g": ("1",)}


def test_a_host_without_lvm_has_no_finding(tmp_path: Path) -> None:
    assert findings(prepared(tmp_path), ARRAYS) == ()


def test_automatic_activation_is_found_and_mended(tmp_path: Path) -> None:
    (finding,) = must_be_mended(with_lvm(tmp_path, "activation {\n\t# auto_activation_volume_list = []\n}\n"))
    assert "LVM activates" in finding.sentence
    assert text_of(tmp_path, LOCAL_FILE) == f"{LIST} = []\n"


def test_the_groups_of_the_machine_itself_stay_automatic(tmp_path: Path) -> None:
    with_lvm(tmp_path)
    active_volume(tmp_path, 0, "the--root-home", "sda2")
    active_volume(tmp_path, 1, "shared-a", "md127")
    put(tmp_path, "sys/block/md127/slaves/etherd!e1.0/dev")
    put(tmp_path, "etc/lvm/backup/local", 'physical_volumes {\n pv0 {\n device = "/dev/sdb"\t# Hint only\n')
    put(tmp_path, "etc/lvm/backup/old", 'device = "/dev/md126"\n')
    must_be_mended(tmp_path)
    assert text_of(tmp_path, LOCAL_FILE) == f'{LIST} = [ "local", "the-root" ]\n'


def test_a_list_that_names_a_shared_group_is_found_and_keeps_the_others(tmp_path: Path) -> None:
    with_lvm(tmp_path, 'activation { auto_activation_volume_list = [ "root", "shared/a", "@tag" ] }\n')
    assert findings(tmp_path, ARRAYS) == ()
    put(tmp_path, "etc/lvm/backup/shared", 'device = "/dev/etherd/e1.0"\n')
    must_be_mended(tmp_path)
    assert text_of(tmp_path, LOCAL_FILE) == f'{LIST} = [ "root", "@tag" ]\n'


@pytest.mark.parametrize(
    "text",
    [
        "global { event_activation = 0 }",
        'activation { volume_list = [ "root" ] }',
        'devices { global_filter = [ "a|^/dev/sda|", "r|.*|" ] }',
        'devices { filter = [ "r|^/dev/etherd/|", "r|^/dev/md|" ] }',
        'devices { filter = [ "r|^/dev/etherd/|" ] global_filter = [ "r|^/dev/md|" ] }',
        'devices/global_filter = [ "r#^/dev/(etherd/|md)#" ]',
    ],
)
def test_a_host_whose_lvm_is_restrained_has_no_finding(tmp_path: Path, text: str) -> None:
    assert findings(with_lvm(tmp_path, text), ARRAYS) == ()
    assert findings(tmp_path) == ()


@pytest.mark.parametrize(
    "text",
    [
        "global { event_activation = 1 }",
        'devices { global_filter = [ "r|^/dev/etherd/|" ] }',
        'devices { global_filter = [ "r|^/dev/etherd/|", "r|^/dev/md|", "a|.*|" ] }',
        'devices { filter = [ "a|/dev/md/volume|", "r|.*|" ] }',
        "devices { use_devicesfile = 1 }",
    ],
)
def test_a_restraint_with_a_hole_is_found(tmp_path: Path, text: str) -> None:
    (finding,) = must_be_mended(with_lvm(tmp_path, text))
    assert "LVM" in finding.sentence


def test_a_devices_file_without_shared_disks_is_enough(tmp_path: Path) -> None:
    with_lvm(tmp_path, "devices { use_devicesfile = 1 }")
    own = "# LVM uses devices listed in this file.\nIDTYPE=devname IDNAME=/dev/sda2 DEVNAME=/dev/sda2 PVID=x\n"
    file = put(tmp_path, "etc/lvm/devices/system.devices", own)
    assert findings(tmp_path, ARRAYS) == ()
    for shared in (f"IDTYPE=md_uuid IDNAME={ARRAYS[0].uuid} DEVNAME=/dev/md3", "IDNAME=x DEVNAME=/dev/etherd/e1.0"):
        file.write_text(f"{own}{shared} PVID=y\n")
        assert len(findings(tmp_path, ARRAYS)) == 1
