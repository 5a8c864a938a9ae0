"""Code and configuration that run as root come from files that root alone can write, and so do the folders above."""

import os
from pathlib import Path

import pytest

from aoeha.config.findings import ConfigurationError
from aoeha.config.keys import load_keys
from aoeha.io.trusted_files import why_untrusted

SOMEBODY = 65_534


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    made = folder / "file"
    made.write_text("text")
    made.chmod(0o644)
    return made


def test_a_file_of_ones_own_is_trusted_and_one_that_is_not_there_too(file: Path) -> None:
    assert why_untrusted(file) == ""
    assert why_untrusted(file.with_name("other")) == ""
    assert why_untrusted("/a\0b") == ""


@pytest.mark.parametrize("mode", [0o666, 0o646])
def test_a_file_that_others_may_write_to_is_not(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert why_untrusted(file) == f"other users may write to {file} (mode {mode:04o}); run: chmod go-w {file}"


def test_nor_is_one_in_a_folder_of_which_others_may_make_another_one(file: Path) -> None:
    file.parent.chmod(0o777)
    assert f"other users may write to {file.parent}" in why_untrusted(file)
    file.parent.chmod(0o1777)
    assert why_untrusted(file) == "", "in a folder like /tmp nobody takes another one's file away"


def test_a_link_is_as_good_as_what_it_leads_to(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)
    assert why_untrusted(link) == ""
    file.parent.chmod(0o777)
    assert f"other users may write to {file.parent}" in why_untrusted(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to somebody else: needs root")
def test_a_file_of_somebody_else_is_not_trusted(file: Path) -> None:
    os.chown(file.parent, SOMEBODY, SOMEBODY)
    assert f"{file.parent} belongs to user {SOMEBODY}" in why_untrusted(file)


def test_keys_below_such_a_folder_are_refused(file: Path) -> None:
    file.write_text(f"1 {'5a' * 32}\n")
    file.chmod(0o600)
    assert load_keys(file)
    file.parent.chmod(0o777)
    with pytest.raises(ConfigurationError, match="cannot trust the keys: other users may write to"):
        load_keys(file)
