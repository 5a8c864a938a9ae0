"""Lock records on Debian's vblade: stamped by one gateway, read by the other, whoever holds the leg."""

import asyncio
import signal

from test_aoe_holds import ALPHA, BETA, Pair, pair, pytestmark
from test_aoe_vblade import inside

from aoeha.core.model.beat import GroupBeat, GroupPhase
from aoeha.core.model.shelves import LockRecord, SeenRecord
from aoeha.core.model.task import RecordTask, TaskKind
from aoeha.fabric.aoe.records import LegRecords, Signature
from aoeha.wire.codec import VERSION
from aoeha.wire.keys import Key

__all__ = ["pair", "pytestmark"]

KEY, STRANGE = Key(1, bytes(range(32))), Key(1, bytes(32))
STAMP = LockRecord("alpha", "ab" * 16, 1, 3, 1_000)


def records(pair: Pair, interface: str, peer: str, key: Key = KEY) -> LegRecords:
    mac = pair.san.address("e1.0", "eth1").mac
    return LegRecords(
        (interface,),
        Signature("gw", "beta" if peer == "alpha" else "alpha", peer, (key,), lambda: key, lambda: VERSION),
        {"storage": {"e1.0": (mac,), "e2.0": (mac,)}},
    )


def ask(pair: Pair, who: LegRecords, record: LockRecord | None = None) -> dict[str, LockRecord | None]:
    task = RecordTask(1, 500, "test", "storage", record)

    async def asked() -> tuple[SeenRecord, ...]:
        with inside(pair.san.gateway):
            work = asyncio.create_task(who.perform(task))
            await asyncio.sleep(0)
        return await work

    return {seen.leg: seen.record for seen in asyncio.run(asked())}


def test_a_stamp_is_read_by_the_other_gateway_although_the_leg_is_reserved(pair: Pair) -> None:
    alpha, beta = records(pair, ALPHA, "beta"), records(pair, BETA, "alpha")
    pair.ask(pair.alpha, TaskKind.RESERVE, "e1.0")
    assert ask(pair, beta) == {"e1.0": None, "e2.0": None}
    assert ask(pair, alpha, STAMP) == {"e1.0": None, "e2.0": None}, "its own record is not the peer's"
    assert ask(pair, beta) == {"e1.0": STAMP, "e2.0": STAMP}


def test_a_later_stamp_replaces_an_earlier_one(pair: Pair) -> None:
    later = LockRecord("alpha", STAMP.boot_id, 1, 3, 2_000, pause_number=4, paused=True)
    alpha, beta = records(pair, ALPHA, "beta"), records(pair, BETA, "alpha")
    ask(pair, alpha, STAMP)
    ask(pair, alpha, later)
    assert set(ask(pair, beta).values()) == {later}


def test_owner_and_claimer_take_turns_in_one_place(pair: Pair) -> None:
    """Who does not hold the leg writes there as well, and each reads the other one's words."""
    word = GroupBeat("storage", GroupPhase.STOPPED, False, False, True, 3, 4, 1, 4)
    claim = LockRecord("beta", "cd" * 16, 2, 3, 500, message=word)
    alpha, beta = records(pair, ALPHA, "beta"), records(pair, BETA, "alpha")
    pair.ask(pair.alpha, TaskKind.RESERVE, "e1.0")
    ask(pair, alpha, STAMP)
    ask(pair, beta, claim)
    assert ask(pair, alpha) == {"e1.0": claim, "e2.0": claim}
    assert set(ask(pair, beta).values()) == {None}
    ask(pair, alpha, STAMP)
    assert ask(pair, beta) == {"e1.0": STAMP, "e2.0": STAMP}


def test_a_stamp_by_somebody_without_the_key_is_none(pair: Pair) -> None:
    ask(pair, records(pair, ALPHA, "beta", STRANGE), STAMP)
    assert ask(pair, records(pair, BETA, "alpha")) == {"e1.0": None, "e2.0": None}


def test_a_shelf_that_is_gone_is_left_out(pair: Pair) -> None:
    pair.san.blades["shelf1"].send_signal(signal.SIGSTOP)
    assert ask(pair, records(pair, ALPHA, "beta"), STAMP).keys() == {"e2.0"}
    assert ask(pair, records(pair, BETA, "alpha")) == {"e2.0": STAMP}
