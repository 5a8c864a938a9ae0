"""What `--fix` does to files: the old text is kept, a second run changes nothing, links lead nowhere else."""

from pathlib import Path

import pytest
from host_tree import ARRAYS, MDADM, fix, put, text_of, tree

from aoeha.preflight import findings
from aoeha.preflight.repairs import changes, write


def troubled(root: Path) -> Path:
    put(root, MDADM, "HOMEHOST <system>\nARRAY /dev/md/volume name=x")
    put(root, "etc/fstab", "/dev/etherd/e1.0 /a ext4 rw 0 0\n/dev/etherd/e2.0 /b ext4 rw 0 0\n")
    put(root, "usr/lib/modules-load.d/aoetools.conf", "aoe\n")
    put(root, "usr/sbin/lvm")
    return root


def test_several_findings_of_one_file_are_one_change_with_one_old_text(tmp_path: Path) -> None:
    before = tree(troubled(tmp_path))
    fix(tmp_path, findings(tmp_path, ARRAYS))
    assert findings(tmp_path, ARRAYS) == ()
    after = tree(tmp_path)
    assert {name: after[f"{name}.before-aoeha"] for name in (MDADM, "etc/fstab")} == {
        name: before[name] for name in (MDADM, "etc/fstab")
    }
    assert len(after) == len(before) + 4
    assert fix(tmp_path, findings(tmp_path, ARRAYS)) == []
    assert tree(tmp_path) == after


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    before = tree(troubled(tmp_path))
    shown = "".join(line for change in changes(tmp_path, findings(tmp_path, ARRAYS)) for line in change.diff())
    assert tree(tmp_path) == before
    assert f"--- {tmp_path}/{MDADM}\n" in shown
    assert "+AUTO -all\n" in shown
    assert f"--- /dev/null\n+++ {tmp_path}/etc/modules-load.d/aoetools.conf\n" in shown
    assert "name=x\n\\ No newline at end of file\n" in shown


def test_a_kept_text_is_never_overwritten_and_the_mode_stays(tmp_path: Path) -> None:
    file = put(tmp_path, MDADM, "first\n")
    file.chmod(0o640)
    (kept,) = fix(tmp_path, findings(tmp_path))
    file.write_text("second\n")
    (kept_again,) = fix(tmp_path, findings(tmp_path))
    assert kept is not None
    assert kept_again is not None
    assert (kept.read_text(), kept_again.read_text()) == ("first\n", "second\n")
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_line_that_changed_since_it_was_read_is_left(tmp_path: Path) -> None:
    file = put(tmp_path, "etc/modules", "aoe\nloop\n")
    found = [finding for finding in findings(tmp_path) if "/etc/modules" in finding.sentence]
    file.write_text("loop\naoe\n")
    assert changes(tmp_path, found) == ()


def test_text_that_is_no_text_survives(tmp_path: Path) -> None:
    file = put(tmp_path, MDADM)
    file.write_bytes(b"# \xff\r\n")
    fix(tmp_path, findings(tmp_path))
    assert file.read_bytes() == b"# \xff\r\nAUTO -all\n"


def test_a_link_inside_is_followed_and_one_that_leads_out_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put(root, "etc/real.conf", "")
    link = put(root, MDADM).parent / "mdadm.conf"
    link.unlink()
    link.symlink_to("../real.conf")
    fix(root, findings(root))
    assert text_of(root, "etc/real.conf") == "AUTO -all\n"
    assert link.is_symlink()
    link.unlink()
    link.symlink_to(put(tmp_path, "outside", ""))
    with pytest.raises(OSError, match="leads out"):
        fix(root, findings(root))
    assert text_of(tmp_path, "outside") == ""


def test_a_change_that_cannot_be_made_leaves_everything_as_it_was(tmp_path: Path) -> None:
    put(tmp_path, "etc/mdadm", "a file where a folder must be")
    (change,) = changes(tmp_path / "other", findings(tmp_path / "other"))
    put(tmp_path, "other/etc", "a file where a folder must be")
    with pytest.raises(OSError, match="etc"):
        write(change)
    assert tree(tmp_path / "other") == {"etc": "a file where a folder must be"}
