"""Each excuse of a judge has a scope: the act, the node and the time that it is for. What lies beyond is named.

A pair is played until it is well. Then judges are told, as the world would tell them, of acts that no core has done.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from judged_pair import ADDRESS, GROUP, LEG, LINK, OFF, OFF_BACK, OTHER_BOOT, TAKES, Pair, named

from aoeha.core.model.actions import Answer
from aoeha.core.model.beat import Beat
from aoeha.core.model.conditions import Code
from aoeha.core.model.events import TaskDone
from aoeha.core.model.exits import Exit
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.shelves import Holder, LockRecord, Reservation, SeenRecord
from aoeha.core.model.task import (
    Outcome,
    RecordsRead,
    RecordTask,
    ReservationsRead,
    ReservationTask,
    Task,
    TaskKind,
    TaskResult,
)
from aoeha.sim.judges.judge import DECIDED_BEFORE_MS
from aoeha.sim.judges.leg_reads import LegReads
from aoeha.sim.judges.orders import PowerOrders
from aoeha.sim.judges.silences import FINISHED_WITHIN_MS, SilenceJudge
from aoeha.sim.world.gateway import Gateway

READS = ReservationTask(902, 500, "planted", TaskKind.READ_RESERVATIONS, GROUP, GROUP)
READS_RECORDS = RecordTask(903, 500, "planted", GROUP, None)
STAMPS = LockRecord("alpha", "a" * 32, 1, 2, 1_000)


class Fencing(Pair):
    """What the judge of silences says of beta's fences."""

    def __init__(self, pair: str = "pair reserve=1") -> None:
        super().__init__(pair)
        self.silences = self.judge(SilenceJudge)

    def hears(self, beat: Beat) -> None:
        """Beta believes a beat."""
        self.silences.heard(self.beta, LINK, beat)

    def fences(self) -> str:
        """What is broken if beta takes alpha's power now, empty for nothing."""
        return named(self.silences.task_started, self.beta, OFF)

    def takes(self, group: str = GROUP) -> str:
        """What is broken if beta takes a leg of alpha by force."""
        self.silences.task_started(self.beta, replace(TAKES, group=group))
        return named(self.silences.preempting, self.beta, group, ADDRESS)

    def begins_a_fence(self) -> None:
        """Beta takes a leg for a reason that is over as soon as alpha speaks."""
        self.hears(self.cry)
        assert not self.takes()
        self.hears(self.beat)


def ended(reads: LegReads, machine: Gateway, task: Task, outcome: Outcome) -> None:
    """A task is begun, and ends so."""
    reads.task_started(machine, task)
    reads.task_ended(machine, task, TaskDone(0, task.id, TaskResult.OK, outcome=outcome))


def test_a_fence_of_a_peer_that_is_heard_is_named() -> None:
    pair = Fencing()
    assert (pair.fences(), pair.takes()) == ("R1", "R1")


def test_a_cry_for_a_fence_counts_until_the_next_beat_and_for_who_hears_it() -> None:
    pair = Fencing()
    pair.hears(pair.cry)
    assert not pair.fences()
    assert named(pair.silences.task_started, pair.alpha, OFF_BACK) == "R1"
    pair.hears(pair.beat)
    assert pair.fences() == "R1"


def test_an_order_counts_until_it_is_answered_and_for_who_was_given_it() -> None:
    pair = Fencing()
    orders = pair.judge(PowerOrders)
    for arguments, excused in (({"node": "alpha"}, True), ({"node": "alpha", "act": "on"}, False)):
        for judge in (orders, pair.silences):
            judge.command_given(pair.beta, 77, "fence", arguments)
        assert pair.fences() == ("" if excused else "R1")
        assert named(pair.silences.task_started, pair.alpha, OFF_BACK) == "R1"
        orders.answered(pair.beta, Answer(77, Exit.DONE, Code.COMMAND_DONE, "done"))
        pair.world.run(DECIDED_BEFORE_MS)
        assert pair.fences() == "R1"


@pytest.mark.parametrize(
    "end",
    [
        lambda pair: pair.world.run(FINISHED_WITHIN_MS),
        lambda pair: pair.hears(replace(pair.beat, boot_id=OTHER_BOOT)),
        lambda pair: pair.silences.returned(pair.beta, 0),
        lambda pair: pair.silences.persisting(pair.beta, pair.owns(ProofKind.REBOOTED)),
    ],
    ids=["time is over", "another boot is heard", "its node was stalled", "its node owns the group"],
)
def test_a_fence_that_took_a_leg_is_finished_and_no_other_one_is(end: Callable[[Fencing], None]) -> None:
    pair = Fencing()
    pair.begins_a_fence()
    assert not pair.fences()
    end(pair)
    assert pair.fences() == "R1"


def test_a_fence_that_took_a_leg_goes_on_with_the_legs_of_its_group() -> None:
    pair = Fencing("pair reserve=1 groups=storage,other")
    pair.begins_a_fence()
    assert not pair.takes()
    assert pair.takes("other") == "R1"


def test_an_owner_takes_what_is_its_own_and_that_is_no_fence() -> None:
    pair = Fencing()
    pair.silences.persisting(pair.beta, pair.owns(ProofKind.POWERED_OFF))
    assert not pair.takes()
    assert pair.fences() == "R1"
    pair.silences.persisting(pair.beta, pair.owns_nothing())
    assert pair.takes() == "R1"


@pytest.mark.parametrize(
    "end",
    [
        lambda pair: pair.silences.persisting(pair.beta, pair.owns(ProofKind.STORAGE_FENCED, OTHER_BOOT)),
        lambda pair: pair.silences.persisting(pair.beta, pair.owns(ProofKind.REBOOTED)),
        lambda pair: pair.silences.persisting(pair.beta, pair.owns_nothing()),
        lambda pair: pair.hears(replace(pair.beat, boot_id=OTHER_BOOT)),
    ],
    ids=["about another boot", "by another proof", "not any more", "another boot is heard"],
)
def test_a_victim_that_may_still_answer_is_switched_off_and_no_other_one_is(end: Callable[[Fencing], None]) -> None:
    pair = Fencing()
    pair.silences.persisting(pair.beta, pair.owns(ProofKind.STORAGE_FENCED))
    assert not pair.fences()
    end(pair)
    assert pair.fences() == "R1"


def test_an_owner_that_stamps_its_legs_is_not_silent() -> None:
    pair = Fencing()
    pair.play("cut serial1", "cut ether1", "wait 10")
    assert pair.fences() == "R6"


@pytest.mark.parametrize(
    "forget",
    [
        lambda reads, pair: reads.heard(pair.beta, LINK, pair.beat),
        lambda reads, pair: reads.returned(pair.beta, 0),
        lambda reads, pair: reads.began(pair.beta, None),
        lambda reads, pair: ended(
            reads, pair.beta, READS, ReservationsRead((Reservation("shelf2", "shelf2/1", Holder.PEER),))
        ),
    ],
    ids=["a beat", "a stall", "another daemon", "its leg did not answer"],
)
def test_a_record_that_is_forgotten_tells_again_with_the_reading_after_the_next(
    forget: Callable[[LegReads, Pair], None],
) -> None:
    pair = Pair()
    reads = LegReads(pair.world)

    def read(node: Gateway, stamped_ms: int) -> None:
        seen = SeenRecord(LEG, ADDRESS, replace(STAMPS, stamped_ms=stamped_ms))
        ended(reads, node, READS_RECORDS, RecordsRead((seen,)))

    for node in (pair.alpha, pair.beta):
        read(node, 1_000)
    forget(reads, pair)
    for node in (pair.alpha, pair.beta):
        read(node, 2_000)
    assert reads.moved_ms.keys() == {"alpha"}, "what another node has read is not forgotten"
    read(pair.beta, 3_000)
    assert reads.moved_ms["beta"] == pair.beta.clock_ms()


def test_what_one_leg_did_not_answer_leaves_the_record_of_the_other() -> None:
    pair = Pair()
    reads = LegReads(pair.world)
    for stamped_ms in (1_000, 2_000):
        seen = SeenRecord("shelf2", "shelf2/1", replace(STAMPS, stamped_ms=stamped_ms))
        ended(reads, pair.beta, READS_RECORDS, RecordsRead((seen,)))
        ended(reads, pair.beta, READS, ReservationsRead((Reservation("shelf2", "shelf2/1", Holder.PEER),)))
    assert reads.moved_ms["beta"] == pair.beta.clock_ms()
    assert reads.of(pair.beta, GROUP, LEG).unanswered
    assert not reads.of(pair.beta, GROUP, "shelf2").unanswered


def test_a_reading_that_waited_longer_than_a_later_one_tells_nothing_against_that() -> None:
    pair = Pair()
    reads, answer = LegReads(pair.world), ReservationsRead((Reservation(LEG, ADDRESS, Holder.PEER),))
    late = replace(READS, id=950)
    reads.task_started(pair.beta, late)
    pair.world.run(100)
    ended(reads, pair.beta, READS, answer)
    at_ms = pair.beta.clock_ms()
    reads.task_ended(pair.beta, late, TaskDone(0, late.id, TaskResult.OK, outcome=answer))
    assert reads.of(pair.beta, GROUP, LEG).answered_ms == at_ms
