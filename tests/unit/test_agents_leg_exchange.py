"""A mirror never goes on without its last leg, and orders to the driver are written as it understands them."""

import asyncio
import os
from pathlib import Path

import pytest

from aoeha.agents.capabilities import LegSet
from aoeha.agents.interface import AgentError
from aoeha.agents.parts.aoe_driver import target_of, write_control
from aoeha.agents.parts.md_member import Leg, evict_leg
from aoeha.agents.parts.md_sysfs import ArrayState
from aoeha.agents.registry import load_resource_agent
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

UUID = "a0e4a000:00000000:00000000:00000001"
ONE, TWO = "etherd!e900.0", "etherd!e901.0"
LEG = Leg("/dev/md/volume", UUID, "/dev/etherd/e901.0", "e901.0")


def array(working: tuple[str, ...], failed: tuple[str, ...] = ()) -> ArrayState:
    return ArrayState("md900", "active", "idle", 2, (ONE, TWO), working, failed)


def test_the_last_working_leg_is_never_evicted() -> None:
    with pytest.raises(AgentError, match="no other leg works"):
        asyncio.run(evict_leg(LEG, array(working=(TWO,), failed=(ONE,))))


def test_only_a_leg_that_has_not_failed_yet_is_marked_as_faulty() -> None:
    """The host of the test has no such mirror: whoever marks a leg of it is refused."""
    with pytest.raises(AgentError, match="md refused"):
        asyncio.run(evict_leg(LEG, array(working=(ONE, TWO))))
    asyncio.run(evict_leg(LEG, array(working=(ONE,), failed=(TWO,))))


def test_a_member_that_neither_works_nor_failed_is_being_rebuilt() -> None:
    assert array(working=(ONE,)).is_rebuilding(TWO)
    assert not array(working=(ONE,), failed=(TWO,)).is_rebuilding(TWO)
    assert not array(working=(ONE,)).is_rebuilding("etherd!e902.0")


@pytest.mark.parametrize(
    ("device", "target"),
    [("/dev/etherd/e1.0", "e1.0"), ("/dev/etherd/e12.3p1", "e12.3"), ("/dev/sda", None), ("/dev/etherd/e1.0x", None)],
)
def test_a_legs_target_is_told_by_its_device(device: str, target: str | None) -> None:
    assert target_of(device) == target


def test_an_order_has_no_newline_and_makes_no_file(tmp_path: Path) -> None:
    control = tmp_path / "flush"
    with pytest.raises(FileNotFoundError):
        write_control(control, "e1.0")
    os.mkfifo(control)
    reader = os.open(control, os.O_RDONLY | os.O_NONBLOCK)
    write_control(control, "e1.0")
    assert os.read(reader, 100) == b"e1.0"
    os.close(reader)


def test_the_agent_refuses_a_leg_that_it_has_not_and_a_mirror_that_does_not_run() -> None:
    kind = load_resource_agent("raid")
    assert issubclass(kind, LegSet)
    table = {"device": "/dev/md/nowhere", "uuid": UUID, "legs": ["/dev/etherd/e900.0", "/dev/etherd/e901.0"]}
    mirror = kind("mirror", kind.typed(table), ProcessHost(Place("gw", "alpha")))
    with pytest.raises(AgentError, match=r"has no leg on e1\.0"):
        asyncio.run(mirror.evict("e1.0"))
    with pytest.raises(AgentError, match="does not run here"):
        asyncio.run(mirror.evict("e900.0"))
    with pytest.raises(AgentError, match="does not run here"):
        asyncio.run(mirror.take_back("e900.0", whole=True))
