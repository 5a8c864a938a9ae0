"""What excuses an act beside which a judge would name something, and for which node, group, leg and time."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from judged_pair import ADDRESS, GROUP, LEG, LINK, OFF, OTHER_BOOT, Pair, named

from aoeha.core.mirror import leg_membership
from aoeha.core.model.actions import Answer, Say
from aoeha.core.model.beat import GroupPhase
from aoeha.core.model.conditions import Code, Condition, Level, Subject
from aoeha.core.model.events import TaskDone
from aoeha.core.model.exits import Exit
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.shelves import Holder, Reservation
from aoeha.core.model.task import (
    LegTask,
    PlugRead,
    PlugState,
    PowerPurpose,
    PowerTask,
    ReservationsRead,
    ReservationTask,
    ResourceTask,
    TaskKind,
    TaskResult,
)
from aoeha.sim.judges.address_probes import AddressProbeJudge
from aoeha.sim.judges.blocked import BlockedJudge
from aoeha.sim.judges.duels import DuelJudge
from aoeha.sim.judges.evictions import EvictionJudge
from aoeha.sim.judges.excuses import Excuses
from aoeha.sim.judges.forced_legs import ForcedLegJudge
from aoeha.sim.judges.heard_beats import HeardBeatJudge
from aoeha.sim.judges.leg_left import LegLeftJudge
from aoeha.sim.judges.leg_reads import LegReads
from aoeha.sim.judges.needless_stops import NeedlessStopJudge
from aoeha.sim.judges.operators_word import OperatorsWordJudge
from aoeha.sim.judges.orders import PowerOrders
from aoeha.sim.judges.own_legs_first import OwnLegsFirstJudge
from aoeha.sim.judges.reboots import RebootJudge
from aoeha.sim.judges.records import RecordJudge
from aoeha.sim.judges.troubles import Troubles
from aoeha.sim.judges.witness import Witness
from aoeha.sim.world.mirror import Assembly

STOP = ResourceTask(910, 10_000, "planted", TaskKind.STOP, GROUP, "mirror")
START = ResourceTask(911, 10_000, "planted", TaskKind.START, GROUP, "mirror")
EVICT = LegTask(912, 10_000, "planted", TaskKind.EVICT_LEG, GROUP, "mirror", LEG)
READS = ReservationTask(913, 500, "planted", TaskKind.READ_RESERVATIONS, GROUP, GROUP)
NOBODYS = Reservation(LEG, ADDRESS, Holder.NOBODY)
Happens = Callable[[Pair], object]


def deceived(pair: Pair) -> None:
    """Beta takes a second machine of alpha's name for its reboot."""
    pair.judge(Excuses).takes_clone_for_reboot(pair.beta)


@pytest.mark.parametrize(
    "end", [lambda pair: pair.play("reset alpha"), lambda pair: pair.judge(Excuses).booted(pair.beta)], ids=["it", "he"]
)
def test_a_clone_deceives_until_the_boot_ends_that_is_thought_gone_or_the_one_that_thinks_so(end: Happens) -> None:
    pair = Pair()
    left = pair.judge(LegLeftJudge).transferring
    assert named(left, pair.alpha, GROUP) == "I4"
    deceived(pair)
    assert not named(left, pair.alpha, GROUP)
    end(pair)
    assert not pair.judge(Excuses).deceived


@pytest.mark.parametrize(
    ("purpose", "line", "how"),
    [
        (PowerPurpose.FENCE, "miswire switch alpha", "miswired plug"),
        (PowerPurpose.READING, "miswire switch alpha", ""),
        (PowerPurpose.FENCE, "miswire switch beta", ""),
        (PowerPurpose.FENCE, "mend", ""),
    ],
)
def test_a_plug_deceives_a_fence_of_the_gateway_that_does_not_hang_on_it(
    purpose: PowerPurpose, line: str, how: str
) -> None:
    pair = Pair("pair reserve=1", line)
    reads = PowerTask(914, 5_000, "planted", TaskKind.POWER_STATUS, "switch", "alpha", purpose)
    off = TaskDone(0, reads.id, TaskResult.OK, outcome=PlugRead(PlugState.OFF))
    pair.judge(Excuses).task_ended(pair.beta, reads, off)
    assert pair.judge(Excuses).deceived == how


@pytest.mark.parametrize(
    ("meanwhile", "broken"),
    [
        (lambda _pair: None, "R3"),
        (lambda pair: pair.judge(ForcedLegJudge).heard(pair.alpha, LINK, pair.beat), ""),
        (lambda pair: pair.judge(ForcedLegJudge).heard(pair.beta, LINK, pair.beat), "R3"),
        (lambda pair: pair.judge(ForcedLegJudge).booted(pair.alpha), ""),
        (lambda pair: pair.world.run(pair.alpha.config.deadtime_ms), ""),
        (lambda pair: pair.play("power off beta"), ""),
        (deceived, ""),
    ],
    ids=["at once", "it hears its peer", "its peer hears it", "it boots", "after deadtime", "peer is dead", "deceived"],
)
def test_a_leg_that_was_lost_is_taken_again_by_who_heard_or_waited(meanwhile: Happens, broken: str) -> None:
    pair = Pair("pair reserve=1", "device switch dead")
    takes = pair.judge(ForcedLegJudge).preempting
    assert not named(takes, pair.beta, GROUP, ADDRESS)
    meanwhile(pair)
    assert named(takes, pair.alpha, GROUP, ADDRESS) == broken


@pytest.mark.parametrize(("longer_ms", "broken"), [(0, ""), (1, "R7")])
def test_a_leg_is_read_again_after_a_stall_and_not_after_a_shorter_one(longer_ms: int, broken: str) -> None:
    pair = Pair("pair reserve=1", "device switch dead")
    pair.world.run(50)
    judge, config = pair.judge(ForcedLegJudge), pair.alpha.config
    begun_ms = pair.world.timeline.now_ms - (config.deadtime_ms - 2 * config.keepalive_ms) - longer_ms
    judge.returned(pair.alpha, begun_ms)
    assert named(judge.preempting, pair.alpha, GROUP, ADDRESS) == broken


def duel(pair: Pair, before: Happens) -> str:
    """What is named if beta has taken alpha's power, and then an order of alpha's arrives."""
    before(pair)
    judge = pair.judge(DuelJudge)
    judge.fenced(pair.beta, pair.alpha)
    pair.alpha.mains = False
    pair.alpha.power_changed()
    return named(judge.fenced, pair.alpha, pair.beta)


def order(pair: Pair) -> None:
    pair.judge(PowerOrders).command_given(pair.beta, 77, "fence", {"node": "alpha"})
    pair.judge(DuelJudge).task_started(pair.beta, OFF)


def order_of_before(pair: Pair) -> None:
    order(pair)
    pair.judge(PowerOrders).answered(pair.beta, Answer(77, Exit.DONE, Code.COMMAND_DONE, "done"))
    pair.judge(DuelJudge).task_started(pair.beta, OFF)


def slept(pair: Pair) -> None:
    pair.judge(Witness).returned(pair.alpha, 0)


@pytest.mark.parametrize(
    ("pair", "before", "broken"),
    [
        ("pair", lambda _pair: None, "I5"),
        ("pair", lambda pair: pair.play("device switch slow"), ""),
        ("pair", lambda pair: pair.play("device switch slow", "device switch ok"), ""),
        ("pair", lambda pair: pair.play("device switch slow", "device switch ok", "wait 31"), "I5"),
        ("pair", order, ""),
        ("pair", order_of_before, "I5"),
        ("pair", slept, ""),
        ("pair", lambda pair: (slept(pair), pair.play("wait 12")), "I5"),
        ("pair reserve=1", slept, "I5"),
    ],
    ids=[
        "nothing",
        "slow",
        "slow a moment ago",
        "slow long ago",
        "ordered",
        "ordered before",
        "stalled",
        "stalled long ago",
        "stalled beside an arbiter",
    ],
)
def test_two_may_fence_each_other_for_a_reason_of_now(pair: str, before: Happens, broken: str) -> None:
    assert duel(Pair(pair), before) == broken


def test_a_stop_that_failed_excuses_a_cry_for_its_own_group() -> None:
    pair = Pair("pair reserve=1 groups=storage,other")
    failed = TaskDone(0, STOP.id, TaskResult.FAILED, "it hangs")
    cries = replace(pair.beat, groups=tuple(replace(one, phase=GroupPhase.BLOCKED) for one in pair.beat.groups[:1]))
    for group, subject, broken in (("other", "other-mirror", "R13"), (GROUP, "mirror", "")):
        pair.judge(Troubles).task_ended(pair.alpha, replace(STOP, group=group, subject=subject), failed)
        assert named(pair.judge(BlockedJudge).sent, pair.alpha, cries) == broken
        pair.judge(BlockedJudge).began(pair.alpha, None)


@pytest.mark.parametrize(
    ("read_last", "silent", "broken"),
    [
        (LEG, "shelf2", ""),
        (LEG, LEG, "R13"),
        ("", "shelf2", "R13"),
        ("both", "shelf2", "R13"),
    ],
    ids=["the one that is read last", "the other one", "none is read last", "both are"],
)
def test_a_leg_that_is_read_last_keeps_nobody_from_a_cry(read_last: str, silent: str, broken: str) -> None:
    pair = Pair()
    for leg in pair.world.storage.mirrors[GROUP].legs:
        leg.write_mostly = read_last in (leg.shelf, "both")
    pair.play("cut serial1", "cut ether1", f"shelf {silent} silent", "wait 5")
    assert named(pair.judge(BlockedJudge).sent, pair.alpha, pair.cry) == broken


def test_a_target_that_restarted_may_leave_once() -> None:
    pair = Pair()
    judge, legs = pair.judge(EvictionJudge), {leg.shelf: leg for leg in pair.world.storage.mirrors[GROUP].legs}
    forgot = (
        lambda shelf: judge.target_announced(GROUP, shelf),
        lambda shelf: judge.task_ended(
            pair.alpha, READS, TaskDone(0, 0, TaskResult.OK, outcome=ReservationsRead((replace(NOBODYS, leg=shelf),)))
        ),
    )
    for forgets in forgot:
        forgets("shelf2")
        assert named(judge.task_started, pair.alpha, EVICT) == "R5"
        forgets(LEG)
        assert not named(judge.task_started, pair.alpha, EVICT)
        judge.copy_begun(pair.alpha, GROUP, legs[LEG], whole=True)
        assert named(judge.task_started, pair.alpha, EVICT) == "R5"


def test_a_leg_leaves_for_two_readings_in_vain_and_not_for_those_of_another_node() -> None:
    pair = Pair()
    evict, reads = pair.judge(EvictionJudge).task_started, pair.judge(LegReads)
    in_vain = TaskDone(0, 0, TaskResult.OK, outcome=ReservationsRead(()))

    def read(node: str) -> None:
        reads.task_started(pair.world.machines[node], READS)
        reads.task_ended(pair.world.machines[node], READS, in_vain)

    read("beta")
    assert named(evict, pair.alpha, EVICT) == "R5"
    read("alpha")
    read("alpha")
    assert named(evict, pair.alpha, EVICT) == "R5", "two at one moment are one"


def test_a_reading_that_a_later_one_has_answered_tells_nothing_of_its_leg() -> None:
    pair = Pair()
    reads, first = pair.judge(LegReads), replace(READS, id=920)
    answered = TaskDone(0, 0, TaskResult.OK, outcome=ReservationsRead((NOBODYS,)))
    in_vain = TaskDone(0, 0, TaskResult.OK, outcome=ReservationsRead(()))
    later = replace(READS, id=921)
    reads.task_started(pair.alpha, first)
    pair.play("wait 1")
    reads.task_started(pair.alpha, later)
    reads.task_ended(pair.alpha, later, answered)
    reads.task_ended(pair.alpha, first, in_vain)
    assert not reads.of(pair.alpha, GROUP, LEG).unanswered
    reads.task_started(pair.alpha, later)
    reads.task_ended(pair.alpha, later, in_vain)
    assert not reads.of(pair.alpha, GROUP, LEG).unanswered, "nor one of the same moment"


def test_an_echo_goes_back_only_with_another_daemon() -> None:
    pair = Pair()
    judge, beat, later = pair.judge(HeardBeatJudge), pair.beat, pair.world.run
    said = [replace(beat, echo_sequence=beat.sequence + number) for number in (900, 800)]
    assert [named(judge.sent, pair.beta, one) for one in said] == ["", "R1"]
    judge.heard(pair.beta, LINK, replace(beat, incarnation=beat.incarnation + 1, sequence=1))
    assert [named(judge.sent, pair.beta, one) for one in reversed(said)] == ["", ""]
    later(2_000)
    assert [named(judge.sent, pair.beta, one) for one in said] == ["", "R1"]
    assert [named(judge.sent, pair.alpha, one) for one in said] == ["", "R1"]


@pytest.mark.parametrize(
    ("meanwhile", "broken"),
    [
        (lambda _pair: None, ""),
        (lambda pair: pair.world.run(pair.beta.config.confirm_valid_ms), "R2"),
        (lambda pair: pair.judge(OperatorsWordJudge).heard(pair.beta, LINK, pair.beat), "R2"),
        (lambda pair: pair.judge(OperatorsWordJudge).heard(pair.alpha, LINK, pair.beat), ""),
        (lambda pair: pair.judge(OperatorsWordJudge).began(pair.beta, None), "R2"),
        (lambda pair: read_off(pair, PowerPurpose.FENCE), ""),
        (lambda pair: read_off(pair, PowerPurpose.READING), "R2"),
        (lambda pair: (read_off(pair, PowerPurpose.FENCE), pair.play("wait 3"), answer_back(pair)), "R2"),
    ],
    ids=["at once", "late", "answered", "heard elsewhere", "new daemon", "beat under way", "a reading", "beat later"],
)
def test_a_word_counts_until_its_node_speaks(meanwhile: Happens, broken: str) -> None:
    pair = Pair("pair reserve=1 confirm=3s", "cut serial1", "cut ether1", "device switch dead")
    judge = pair.judge(OperatorsWordJudge)
    judge.command_given(pair.beta, 78, "confirm", {"node": "alpha"})
    meanwhile(pair)
    assert named(judge.persisting, pair.beta, pair.owns(ProofKind.OPERATOR)) == broken


def answer_back(pair: Pair) -> None:
    judge = pair.judge(OperatorsWordJudge)
    judge.command_given(pair.beta, 79, "confirm", {"node": "alpha"})
    judge.heard(pair.beta, LINK, pair.beat)


def read_off(pair: Pair, purpose: PowerPurpose) -> None:
    """Beta's plug of alpha reads off, and a beat comes late."""
    judge, task = pair.judge(OperatorsWordJudge), replace(OFF, kind=TaskKind.POWER_STATUS, purpose=purpose)
    judge.task_ended(pair.beta, task, TaskDone(0, task.id, TaskResult.OK, outcome=PlugRead(PlugState.OFF)))
    judge.heard(pair.beta, LINK, pair.beat)


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        ((), "R3"),
        (("shelf shelf1 silent",), "R3"),
        (("shelf shelf1 silent", "shelf shelf2 silent"), ""),
        (("cut-san beta",), ""),
        (("cut-san alpha shelf1/1", "wait 6"), "R3"),
        (("lose-san beta shelf1 20", "lose-san beta shelf2 20", "wait 6"), ""),
        (("lose-san alpha shelf1 20", "lose-san alpha shelf2 20", "wait 6"), "R3"),
        (("slow shelf1 100ms", "slow shelf2 100ms", "wait 6"), "R3"),
        (("slow shelf1 400ms", "slow shelf2 400ms", "wait 6"), ""),
        (("slow shelf1 100ms", "slow shelf2 100ms"), ""),
    ],
    ids=str,
)
def test_a_mirror_starts_on_legs_of_another_only_where_they_cannot_be_seen(lines: tuple[str, ...], broken: str) -> None:
    pair = Pair("pair reserve=1", *lines)
    assert named(pair.judge(OwnLegsFirstJudge).task_started, pair.beta, START) == broken


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        (("reset beta", "wait 20"), "R10"),
        (("reset beta", "wait 61"), ""),
        (("reset beta", "wait 20", "reset beta", "wait 20"), ""),
        (("reset alpha", "wait 20"), "R10"),
    ],
    ids=str,
)
def test_a_node_reboots_itself_once_in_a_while(lines: tuple[str, ...], broken: str) -> None:
    pair = Pair("pair window=60s", "device switch dead")
    who = pair.beta if "beta" in lines[0] else pair.alpha
    judge = pair.judge(RebootJudge)
    assert not named(judge.panicking, who)
    pair.play(*lines)
    assert named(judge.panicking, who) == broken


def test_a_node_whose_disk_took_nothing_does_not_know_that_it_rebooted_itself() -> None:
    pair = Pair("pair window=60s", "disk beta full")
    judge = pair.judge(RebootJudge)
    for broken in ("", "", "R10"):
        assert named(judge.panicking, pair.beta) == broken
        pair.play("disk beta ok" if not broken else "mend", "reset beta", "wait 20")


def starts_without_records(pair: Pair, node: str = "beta", group: str = GROUP) -> str:
    """What is named if a mirror is started from legs that have lost everything."""
    legs = [replace(leg, records=set()) for leg in pair.world.storage.mirrors[group].legs]
    return named(pair.judge(RecordJudge).mirror_started, pair.world.machines[node], group, Assembly(legs))


def tells_that_data_is_old(pair: Pair, *, ends: bool = False, group: str = GROUP) -> None:
    condition = Condition(Code.MIRROR_DATA_OLD, Subject.group(group), "planted")
    pair.judge(RecordJudge).said(pair.beta, Say(Level.ALARM, condition, ends))


def cleans_up(pair: Pair, node: str = "beta") -> None:
    pair.judge(RecordJudge).command_given(pair.world.machines[node], 80, "cleanup", {})


def test_records_are_given_up_by_who_was_told_for_the_group_and_once() -> None:
    pair = Pair("pair reserve=1 groups=storage,other")
    tells_that_data_is_old(pair)
    assert starts_without_records(pair) == "I2", "nobody gave anything up"
    cleans_up(pair, "alpha")
    assert starts_without_records(pair) == "I2", "another node was asked"
    cleans_up(pair)
    assert starts_without_records(pair, group="other") == "I2"
    acknowledged = set(pair.world.storage.acknowledged[GROUP])
    assert not starts_without_records(pair)
    pair.world.storage.acknowledged[GROUP] |= acknowledged
    assert starts_without_records(pair) == "I2", "once"


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda pair: (tells_that_data_is_old(pair, ends=True), cleans_up(pair)),
        lambda pair: (pair.judge(RecordJudge).booted(pair.beta), cleans_up(pair)),
        lambda pair: (cleans_up(pair), starts_without_records(pair, "alpha")),
    ],
    ids=["the alarm is over", "it booted since", "its peer started the group first"],
)
def test_records_are_not_given_up_by_a_word_that_is_over(meanwhile: Happens) -> None:
    pair = Pair()
    tells_that_data_is_old(pair)
    meanwhile(pair)
    assert starts_without_records(pair) == "I2"


@pytest.mark.parametrize(
    ("phase", "boot_id", "broken"),
    [
        (None, "", "R12"),
        (GroupPhase.STOPPED, "", ""),
        (GroupPhase.RUNNING, "", "R12"),
        (GroupPhase.RUNNING, OTHER_BOOT, ""),
    ],
    ids=["unheard", "it has stopped", "it runs", "another boot"],
)
def test_an_address_is_asked_for_until_its_victim_has_stopped(
    phase: GroupPhase | None, boot_id: str, broken: str
) -> None:
    pair = Pair("pair", "device switch dead", "cut serial1", "cut ether1", "wait 6")
    judge, memory = pair.judge(AddressProbeJudge), pair.owns(ProofKind.STORAGE_FENCED, pair.beta.boot_id)
    judge.persisting(pair.alpha, memory)
    if phase is not None:
        groups = tuple(replace(one, phase=phase, holding=False) for one in pair.beat.groups)
        judge.heard(pair.alpha, LINK, replace(pair.beat, boot_id=boot_id or pair.beta.boot_id, groups=groups))
    assert named(pair.world.run, 8_000) == broken


def test_a_second_machine_that_was_heard_last_excuses_a_stop_and_an_earlier_one_does_not() -> None:
    pair = Pair("pair resources=3", "clone beta", "wait 1", "unclone beta")
    stops, witness = pair.judge(NeedlessStopJudge).task_started, pair.judge(Witness)
    clone = next(iter(pair.world.clone_boot_ids))
    witness.heard(pair.alpha, LINK, replace(pair.beat, boot_id=clone))
    assert not named(stops, pair.alpha, STOP)
    witness.heard(pair.alpha, LINK, replace(pair.beat, boot_id=pair.beta.boot_id))
    assert named(stops, pair.alpha, STOP) == "I5"


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        ((), "I6"),
        (("cut-clients beta",), "I6"),
        (("cut-clients alpha",), ""),
        (("break beta monitor mirror fail",), "I6"),
        (("break alpha monitor address late",), ""),
        (("reserve shelf2 storage stranger",), ""),
        (("ask alpha: pause",), ""),
    ],
    ids=str,
)
def test_records_are_awaited_from_who_can_acknowledge_them(
    lines: tuple[str, ...], broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: no leg ever leaves a mirror."""
    monkeypatch.setattr(leg_membership, "_evict", lambda *_arguments, **_named: None)
    pair = Pair("pair reserve=1 resources=3")
    pair.play(*lines, "shelf shelf1 silent")
    assert named(pair.world.run, 40_000) == broken
