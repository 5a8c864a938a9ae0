"""An array as sysfs shows it, also at the moment at which md changes it."""

from pathlib import Path

import pytest

from aoeha.agents.parts import md_sysfs
from aoeha.agents.parts.md_sysfs import array_state


@pytest.fixture
def array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like /sys/class/block/md0/md, of a mirror of two legs."""
    monkeypatch.setattr(md_sysfs, "_BLOCK", tmp_path)
    folder = tmp_path / "md0" / "md"
    folder.mkdir(parents=True)
    for name, text in (
        ("array_state", "clean"),
        ("raid_disks", "2"),
        ("sync_action", "idle"),
        ("resync_start", "none"),
    ):
        (folder / name).write_text(f"{text}\n")
    for leg in ("a", "b"):
        (folder / f"dev-{leg}" / "block").mkdir(parents=True)
        (folder / f"dev-{leg}" / "state").write_text("in_sync\n")
        (folder / f"dev-{leg}" / "block" / "size").write_text("1024\n")
    return folder


def test_a_whole_mirror_has_two_working_legs(array: Path) -> None:
    del array
    state = array_state("md0")
    assert state is not None
    assert (state.members, state.working, state.failed) == (("a", "b"), ("a", "b"), ())


def test_a_leg_that_md_lets_go_of_at_this_moment_does_not_hide_the_array(array: Path) -> None:
    (array / "dev-b" / "state").unlink()
    state = array_state("md0")
    assert state is not None
    assert (state.members, state.working) == (("a",), ("a",))


def test_a_leg_without_a_disk_has_failed_whatever_md_says(array: Path) -> None:
    (array / "dev-b" / "block" / "size").write_text("0\n")
    state = array_state("md0")
    assert state is not None
    assert (state.working, state.failed) == (("a",), ("b",))
    assert not state.is_rebuilding("b")


def test_a_leg_that_is_read_last_works(array: Path) -> None:
    (array / "dev-a" / "state").write_text("in_sync,write_mostly\n")
    state = array_state("md0")
    assert state is not None
    assert (state.working, state.write_mostly) == (("a", "b"), ("a",))
    assert md_sysfs.mark_write_mostly("md0", "b") == (array / "dev-b" / "state", "writemostly")


def test_a_mirror_is_unclean_until_its_resync_has_ended(array: Path) -> None:
    for start, unclean in (("0", True), ("16384", True), ("none", False)):
        (array / "resync_start").write_text(f"{start}\n")
        state = array_state("md0")
        assert state is not None
        assert state.unclean is unclean


def test_no_array_is_none(array: Path) -> None:
    assert array_state("md1") is None
    (array / "array_state").write_text("clear\n")
    assert array_state("md0") is None
