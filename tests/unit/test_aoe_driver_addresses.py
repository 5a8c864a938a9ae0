"""The addresses at which the kernel's AoE driver reaches a target, as debugfs and sysfs show them."""

from pathlib import Path

import pytest

from aoeha.agents.parts import aoe_driver

LISTED = """rttavg: 214 rttdev: 51
nskbpool: 0
ref: 0
falloc: 4
ffree: 0000000012345678
02770100002b:0:16:4
\tssthresh:8
\ttaint:0
\teth1
falloc: 4
ffree: 0000000012345678
02770100001a:0:16:4
\tssthresh:8
\teth1,eth2
"""


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(aoe_driver, "_DEBUG", tmp_path / "debug")
    monkeypatch.setattr(aoe_driver, "_BLOCK", tmp_path / "block")
    (tmp_path / "debug").mkdir()
    (tmp_path / "block" / "etherd!e1.0").mkdir(parents=True)
    (tmp_path / "block" / "etherd!e1.0" / "mac").write_text("02770100002b\n")
    return tmp_path


def test_every_address_is_told_where_debugfs_lists_them(kernel: Path) -> None:
    (kernel / "debug" / "e1.0").write_text(LISTED)
    assert aoe_driver.addresses_of("e1.0") == ("02:77:01:00:00:1a", "02:77:01:00:00:2b")


def test_without_debugfs_the_one_of_sysfs_is_told(kernel: Path) -> None:
    del kernel
    assert aoe_driver.addresses_of("e1.0") == ("02:77:01:00:00:2b",)


@pytest.mark.parametrize("shown", ["none\n", ""])
def test_a_driver_that_tells_nothing_is_no_address(kernel: Path, shown: str) -> None:
    (kernel / "block" / "etherd!e1.0" / "mac").write_text(shown)
    assert aoe_driver.addresses_of("e1.0") == ()
