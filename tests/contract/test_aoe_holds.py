"""What the core asks of reservations, asked of Debian's vblade by two hosts on one wire."""

import asyncio
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S
from test_aoe_vblade import San, inside, ip

from aoeha.core.model.shelves import Holder, Reservation
from aoeha.core.model.task import ReservationTask, TaskKind
from aoeha.fabric.aoe.client import AoeClient
from aoeha.fabric.aoe.port import AoeError
from aoeha.fabric.aoe.reservations import Hosts, LegHolds
from aoeha.io import clock

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and raw sockets"),
    pytest.mark.skipif(shutil.which("vblade") is None, reason="needs Debian's package vblade"),
]

ALPHA, BETA = "eth1", "beta1"
HOURS_MS = 10_000_000


class Pair:
    """Two gateways, each with one storage interface, and two shelves with one leg each."""

    def __init__(self, san: San) -> None:
        self.san = san
        ip("-n", san.gateway, "link", "add", BETA, "link", ALPHA, "type", "macvlan", "mode", "bridge")
        ip("-n", san.gateway, "link", "set", BETA, "up")
        for number in (1, 2):
            san.export(f"shelf{number}", f"e{number}.0", "s1", san.disk(f"disk{number}", 1024 * 1024))
        mac = san.address("e1.0", "eth1").mac
        targets = self.targets = {"storage": {"e1.0": (mac,), "e2.0": (mac,)}}
        macs = {}
        for name in (ALPHA, BETA):
            with inside(san.gateway):
                client = AoeClient([name])
            macs[name] = client.port(name).address
            client.close()
        self.hosts = Hosts(frozenset({macs[ALPHA]}), frozenset({macs[BETA]}))
        self.alpha = LegHolds((ALPHA,), Hosts(frozenset({macs[ALPHA]}), frozenset({macs[BETA]})), targets)
        self.beta = LegHolds((BETA,), Hosts(frozenset({macs[BETA]}), frozenset({macs[ALPHA]})), targets)

    def ask(self, who: LegHolds, kind: TaskKind, leg: str = "", expected: Holder = Holder.UNKNOWN) -> dict[str, Holder]:
        return {hold.leg: hold.holder for hold in self.holds(who, kind, leg, expected)}

    def holds(
        self,
        who: LegHolds,
        kind: TaskKind,
        leg: str = "",
        expected: Holder = Holder.UNKNOWN,
        deadline_ms: int = 500,
    ) -> tuple[Reservation, ...]:
        task = ReservationTask(1, deadline_ms, "test", kind, "storage", leg or "storage", expected)

        async def asked() -> tuple[Reservation, ...]:
            with inside(self.san.gateway):
                work = asyncio.create_task(who.perform(task))
                await asyncio.sleep(0)
            return await work

        return asyncio.run(asked())

    def read(self, who: LegHolds) -> dict[str, Holder]:
        return self.ask(who, TaskKind.READ_RESERVATIONS)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    built = San(tmp_path)
    try:
        built.build()
        yield Pair(built)
    finally:
        built.remove()


def test_both_gateways_see_the_same_holder_from_their_own_side(pair: Pair) -> None:
    assert pair.read(pair.alpha) == {"e1.0": Holder.NOBODY, "e2.0": Holder.NOBODY}
    assert pair.ask(pair.alpha, TaskKind.RESERVE, "e1.0") == {"e1.0": Holder.US}
    assert pair.read(pair.alpha) == {"e1.0": Holder.US, "e2.0": Holder.NOBODY}
    assert pair.read(pair.beta) == {"e1.0": Holder.PEER, "e2.0": Holder.NOBODY}


def test_a_hold_is_not_set_over_the_peers_nor_forced_from_anybody_but_whom_is_expected(pair: Pair) -> None:
    pair.ask(pair.alpha, TaskKind.RESERVE, "e1.0")
    assert pair.ask(pair.beta, TaskKind.RESERVE, "e1.0") == {"e1.0": Holder.PEER}
    assert pair.ask(pair.beta, TaskKind.PREEMPT, "e1.0", Holder.STRANGER) == {"e1.0": Holder.PEER}
    assert pair.read(pair.alpha)["e1.0"] is Holder.US


def test_a_forced_leg_is_the_takers(pair: Pair) -> None:
    pair.ask(pair.alpha, TaskKind.RESERVE, "e1.0")
    assert pair.ask(pair.beta, TaskKind.PREEMPT, "e1.0", Holder.PEER) == {"e1.0": Holder.US}
    assert pair.read(pair.alpha)["e1.0"] is Holder.PEER


def test_a_leg_is_left_to_the_peer(pair: Pair) -> None:
    pair.ask(pair.alpha, TaskKind.RESERVE, "e2.0")
    assert pair.ask(pair.alpha, TaskKind.TRANSFER, "e2.0") == {"e2.0": Holder.PEER}
    assert pair.read(pair.beta)["e2.0"] is Holder.US
    assert pair.ask(pair.alpha, TaskKind.TRANSFER, "e2.0") == {"e2.0": Holder.PEER}


def test_what_does_not_answer_is_left_out_within_the_tasks_time(pair: Pair) -> None:
    pair.san.blades["shelf2"].kill()
    pair.san.blades["shelf2"].wait(timeout=10)
    begun_s = time.monotonic()
    assert pair.read(pair.alpha) == {"e1.0": Holder.NOBODY}
    assert time.monotonic() - begun_s < 5


Ways = tuple[tuple[str, ...], tuple[str, ...]]
"""The interfaces on which a leg was heard, and those on which it was not."""


def ways_of(pair: Pair, who: LegHolds, leg: str, expected: Ways) -> set[Ways]:
    """Read until the leg is told to be reached so, or time is up: a reading tells what the one before it has found."""

    async def told() -> set[Ways]:
        limit = time.monotonic() + PATIENCE_S
        seen: set[Ways] = set()
        while expected not in seen and time.monotonic() < limit:
            task = ReservationTask(1, 500, "test", TaskKind.READ_RESERVATIONS, "storage", "storage")
            with inside(pair.san.gateway):
                work = asyncio.create_task(who.perform(task))
                await asyncio.sleep(0)
            seen = {(hold.heard, hold.unheard) for hold in await work if hold.leg == leg}
        return seen

    return asyncio.run(told())


def test_a_reading_tells_on_which_interfaces_the_one_before_was_answered(pair: Pair) -> None:
    both = LegHolds((ALPHA, BETA), pair.hosts, pair.targets)
    on_both: Ways = ((ALPHA, BETA), ())
    on_alphas: Ways = ((ALPHA,), (BETA,))
    assert on_both in ways_of(pair, both, "e1.0", on_both)
    ip("-n", pair.san.gateway, "link", "set", BETA, "down")
    assert on_alphas in ways_of(pair, both, "e2.0", on_alphas)
    ip("-n", pair.san.gateway, "link", "set", BETA, "up")
    assert on_both in ways_of(pair, both, "e2.0", on_both)


def test_nobody_waits_for_an_interface_that_is_silent(pair: Pair) -> None:
    both = LegHolds((ALPHA, "eth2"), pair.hosts, pair.targets)
    answers = pair.holds(both, TaskKind.READ_RESERVATIONS, deadline_ms=HOURS_MS)
    assert {hold.leg: hold.holder for hold in answers} == {"e1.0": Holder.NOBODY, "e2.0": Holder.NOBODY}
    on_alphas: Ways = ((ALPHA,), ("eth2",))
    assert on_alphas in ways_of(pair, both, "e1.0", on_alphas)


def test_without_an_interface_the_error_names_it(pair: Pair) -> None:
    ip("-n", pair.san.gateway, "link", "set", ALPHA, "down")
    with pytest.raises(AoeError, match=ALPHA):
        pair.read(pair.alpha)


def test_a_gateway_that_slept_forces_nothing_when_it_wakes(pair: Pair) -> None:
    """It has asked whose a leg is, and stands still before it hears that the leg is the peer's."""
    pair.ask(pair.alpha, TaskKind.RESERVE, "e2.0")
    shelf, deadline_ms = pair.san.blades["shelf2"], 500
    with inside(pair.san.shelf):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88A2))
        wire.bind(("s1", 0x88A2))
        wire.settimeout(PATIENCE_S)
    shelf.send_signal(signal.SIGSTOP)
    gateway = os.fork()
    if gateway == 0:
        try:
            os._exit(len(pair.holds(pair.beta, TaskKind.PREEMPT, "e2.0", Holder.PEER, deadline_ms)))
        finally:
            os._exit(99)
    wire.recv(2_000)
    begun_ms = clock.now_ms()
    os.kill(gateway, signal.SIGSTOP)
    shelf.send_signal(signal.SIGCONT)
    while clock.now_ms() <= begun_ms + deadline_ms:
        pair.read(pair.alpha)
    os.kill(gateway, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(gateway, 0)[1]) == 0, "it tells of no leg"
    wire.close()
    assert pair.read(pair.alpha)["e2.0"] is Holder.US, "the leg is not taken from its holder"
