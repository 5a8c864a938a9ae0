"""fence_aoe before shelves that are not one honest vblade each: two ways to one disk, and other behaviours."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_aoe_probe import SCRIPTED, Script, ScriptedTarget
from test_aoe_vblade import San
from test_fence_aoe import Pair

from aoeha.fabric.aoe.frames import Ata, Config, Frame, Opaque, Reserve, ReserveCommand, format_mac

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and raw sockets"),
    pytest.mark.skipif(shutil.which("vblade") is None, reason="needs Debian's package vblade"),
]

VBLADE = "Coraid EtherDrive vblade"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    built = Pair(San(tmp_path))
    try:
        built.build()
        yield built
    finally:
        built.remove()


class Remembering(ScriptedTarget):
    """A target that keeps its list of owners, whatever it calls itself."""

    owners: tuple[bytes, ...] = ()

    def _answers(self, asked: Frame) -> Iterator[tuple[int | None, Config | Ata | Reserve | Opaque]]:
        match asked.body:
            case Reserve(command=ReserveCommand.READ):
                yield None, Reserve(0, self.owners)
            case Reserve(owners=owners):
                self.owners = owners
                yield None, Reserve(0, owners)
            case _:
                yield from super()._answers(asked)


def two_ways(pair: Pair, *ways: str) -> dict[str, str]:
    """Options that name these of the two ways to e1.0, and both interfaces of alpha."""
    macs = {way: format_mac(pair.san.address("e1.0", way).mac) for way in ("eth1", "eth2")}
    alpha = f"alpha={format_mac(pair.alpha)},{format_mac(pair.mac(pair.san.gateway, 'eth2'))}"
    return {
        "hosts": f"{alpha} beta={format_mac(pair.beta)}",
        "targets": f"e1.0={','.join(macs[way] for way in ways)}",
    }


def held(pair: Pair, way: str) -> set[bytes]:
    place = pair.san.address("e1.0", way)
    return set(pair.san.ask(lambda client: client.read_reservation(place, 3000), way))


def test_every_address_of_a_disk_is_taken_for_all_interfaces_of_the_survivor(pair: Pair) -> None:
    pair.san.export("other way", "e1.0", "s2", pair.disks["e1.0"])
    assert pair.run("off", "beta", **two_ways(pair, "eth1", "eth2"))[0] == 0
    both = {pair.alpha, pair.mac(pair.san.gateway, "eth2")}
    assert (held(pair, "eth1"), held(pair, "eth2")) == (both, both)


def test_one_way_that_is_cut_is_a_failure_and_nothing_is_changed(pair: Pair) -> None:
    pair.san.export("other way", "e1.0", "s2", pair.disks["e1.0"])
    options = two_ways(pair, "eth1", "eth2")
    pair.san.blades["other way"].kill()
    code, _said, fault = pair.run("off", "beta", **options)
    assert code == 1
    assert "cannot reach e1.0" in fault
    assert held(pair, "eth1") == set()


def test_target_that_acknowledges_and_does_nothing_is_no_proof(pair: Pair) -> None:
    pair.targets.append(str(SCRIPTED))
    with ScriptedTarget(pair.san, Script(VBLADE, 0x4019, "told")):
        code, said, fault = pair.run("off", "beta")
    assert (code, said) == (1, "")
    assert f"cannot change {SCRIPTED} " in fault
    assert "reserved for nobody after the order" in fault


class Late(Remembering):
    """A target that answers everything so late."""

    delay_s = 0.0

    def _answers(self, asked: Frame) -> Iterator[tuple[int | None, Config | Ata | Reserve | Opaque]]:
        time.sleep(self.delay_s)
        yield from super()._answers(asked)


def test_target_that_answers_after_the_deadline_is_silent_and_its_late_answer_proves_nothing(pair: Pair) -> None:
    pair.targets.append(str(SCRIPTED))
    with Late(pair.san, Script(VBLADE, 0x4019, "told")) as target:
        target.owners, target.delay_s = (pair.alpha,), 1.0
        assert pair.run("off", "beta")[0] == 1
        assert pair.holders() == [set(), set()], "nothing was changed"
        for known in ("e1.0", "e2.0"):
            pair.hold(known, pair.alpha)
        for action in ("off", "status", "monitor"):
            code, said, fault = pair.run(action, "beta")
            assert (code, said) == (1, ""), action
            assert f"cannot reach {SCRIPTED} " in fault
        # Answers to all of the above are still on their way when it is asked in time, and it lets everybody in.
        target.owners, target.delay_s = (), 0.0
        assert pair.run("status", "beta", deadline="9s")[:2] == (0, "Status: ON\n")
        assert pair.run("off", "beta", deadline="9s")[0] == 0
        assert target.owners == (pair.alpha,)


@pytest.mark.parametrize("reserve", ["unknown", "silent"])
def test_target_without_reservations_fences_nobody_and_fails_the_monitor(pair: Pair, reserve: str) -> None:
    pair.targets.append(str(SCRIPTED))
    with ScriptedTarget(pair.san, Script("EtherDrive(R) kvblade", 2, reserve)):
        for action in ("off", "monitor"):
            code, said, fault = pair.run(action, "beta")
            assert (code, said) == (1, "")
            assert f"cannot fence at {SCRIPTED} " in fault
            assert "power fencing only" in fault
    assert pair.holders() == [set(), set()]


def test_off_waits_where_writes_of_before_may_still_land(pair: Pair) -> None:
    pair.targets.append(str(SCRIPTED))
    with Remembering(pair.san, Script("ggaoed", 0x100, "told")) as target:
        begun_s = time.monotonic()
        code, _said, fault = pair.run("off", "beta", settle="3s")
        assert (code, fault) == (0, "")
        assert time.monotonic() - begun_s >= 3
        assert target.owners == (pair.alpha,)


def test_off_waits_for_nothing_before_vblade(pair: Pair) -> None:
    begun_s = time.monotonic()
    assert pair.run("off", "beta", settle="15s")[0] == 0
    assert time.monotonic() - begun_s < 15
