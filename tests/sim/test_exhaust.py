"""The exhaustive search: small enough for every day, and it finds what is planted. `make exhaust` runs the long one."""

from dataclasses import fields, replace
from math import inf

import pytest

from aoeha.core.fencing import power_fence
from aoeha.core.mirror import leg_membership
from aoeha.core.model.actions import CancelTask
from aoeha.core.model.beat import Ledger
from aoeha.core.model.events import MirrorsChanged, TaskDone
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState, NodeState, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import Observed, ResourceStatus, TaskKind, TaskResult
from aoeha.core.ownership import proofs
from aoeha.core.peer import membership
from aoeha.core.resources import lifecycle
from aoeha.core.step import step
from aoeha.core.storage import coverage, leg_ledger, reservations, storage_fence
from aoeha.sim.exhaust import canonical as canonical_module
from aoeha.sim.exhaust.canonical import canonical
from aoeha.sim.exhaust.pair import FaultBudget, Search
from aoeha.sim.exhaust.search import STARTS, beginning, explore, main

CALM = FaultBudget(crashes=0, losses=0, commands=0, failures=0, pauses=0)
SMALL = 15_000
JUDGED = {
    "NodeState": "config identity now_ms started_ms listening_since_ms cold links peer groups devices fence tasks "
    "next_task_id sequence next_beat_ms last_groups last_flags remembered standby paused "
    "pause_number leaving left revalidation panicked_before unclean_boot powered_on_ms kept_off last_off "
    "released_sequence panic waiting alarms order hosts",
    "Leaving": "by_ms beats",
    "Revalidation": "sequence until_ms",
    "PeerState": "condition boot_id incarnation sequence beat heard retired_boot_ids alternated_ms "
    "disputed_boot_ids booted_ms held answered_ms mark stale question config_tag unlisted unread_ms runs_ms",
    "Mark": "sequence sent_ms",
    "Question": "since_ms open_ms",
    "LinkState": "name heard_ms fault condition unread",
    "GroupState": "config resources epoch term unremembered claim_floor claims claim grant hold_back_until_ms failures "
    "blocked_since_ms unserved_since_ms refusal legs shelves leg_work ledger_version "
    "heard_ledger storage_fence shelf_link generation",
    "Failures": "at_ms given_up until_ms lacking",
    "Term": "proof taken_sequence taken_ms first yielding for_clients unverified storage_lost blind_since_ms "
    "address_uncontested conflicts retry_at_ms reserve_at_ms startable_legs stamped told legs_transferred "
    "ledger ledger_since_ms renewal_task_id renewed_ms marked loss_acknowledged",
    "Claim": "number epoch",
    "ResourceState": "config phase reason task_id checked_ms stop_failures untold untold_since_ms valid "
    "invalid_reason validated_ms start_begun_ms start_took_ms conflict_task_id conflict_asked_ms missing copying "
    "dropped changed limits",
    "DeviceState": "name reachable detail checked_ms task_id distrusted read_off_of contradicted disobeyed "
    "restore_tries_left restore_task_id asked_ms took_ms plug",
    "FenceState": "phase victim_boot_id level_index attempts until_ms tasks failed read off_boot_id confirmed read_off "
    "recalled",
    "Beat": "sender boot_id incarnation sequence echo_sequence config_tag flags link_ages_ms groups "
    "back_within_ms pause_number hosts readiness",
    "Memory": "boot_id incarnation peer_boot_id peer_was_alive standby panicked groups left paused "
    "pause_number devices off power_back_ms saved_ms run_lost panicked_before unclean_boot "
    "peer_config_tag peer_unlisted",
    "Unremembered": "proof task_id read",
    "DeviceMemory": "name tag distrusted disobeyed restore_tries_left",
    "OffMemory": "boot_id devices kept_off",
    "Proof": "kind group epoch peer_boot_id detail",
    "Confirmation": "boot_id user until_ms",
    "ResourceTask": "id deadline_ms reason kind group subject legs short limits",
    "SuperblockTask": "id deadline_ms reason group subject epoch legs",
    "GenerationTask": "id deadline_ms reason group subject legs generation",
    "ConflictTask": "id deadline_ms reason group subject",
    "PowerTask": "id deadline_ms reason kind subject node purpose",
    "ReservationTask": "id deadline_ms reason kind group subject expected renewal",
    "AddressRenewal": "addresses lifetime_ms vouching",
    "RecordTask": "id deadline_ms reason group record own",
    "LegTask": "id deadline_ms reason kind group subject leg whole outdated",
    "PathTask": "id deadline_ms reason group subject legs failover",
    "HostsTask": "id deadline_ms reason",
    "PathFailover": "for_ms begin_ms begin_by_ms",
    "MirrorLimits": "freeze_resync write_mostly",
    "Identity": "boot_id incarnation",
    "LegState": "name addresses reservation_lost copying copy_in_doubt suspect leaving returning errors rests_until_ms "
    "outdated restarted_ms unlisted_addresses paths",
    "InterfacePath": "interface heard since_ms known",
    "AddressState": "name holder since_ms held_epoch answered_ms failover_ordered needs_ms",
    "StorageFenceState": "victim_boot_id arbiter since_ms shown_ms forced first_ms first_stands done wanted_ms "
    "retry_ms yielded_until_ms",
    "ShelfLinkState": "task_id asked_ms seen heard_ms quiet_since_ms read_ms looked_ms said answering",
    "ShelvesState": "task_id asked_ms read_ms due patient_id patient_ms glanced_ms",
    "LegWork": "task_id retry_ms begun_ms failed",
    "FailedReturn": "leg sentence begun_ms ended_ms late",
    "UnreadBeat": "kind at_ms",
    "LockRecord": "owner boot_id incarnation epoch stamped_ms pause_number paused message lacking later",
    "HeardLedger": "boot_id epoch ledger as_of_ms known_epoch",
    "HostsState": "task_id asked_ms answering answered_ms since_ms behind_since_ms",
    "Ledger": "version fence start",
    "Off": "boot_id at_ms sequence level_index",
    "GroupBeat": "name phase holding yielding willing epoch claim_floor claim claim_epoch grant ledger acknowledged "
    "generation doubted",
}


def test_two_nodes_that_nothing_befalls_are_seen_in_all_their_states() -> None:
    result = explore(FaultBudget(0, 0, 0, 0, 0, boots=1), states_max=100_000, seconds_max=inf, start="cold")
    assert result.complete
    assert not result.violation, result.story
    assert result.states > 3_000


@pytest.mark.parametrize("start", STARTS)
def test_the_beginning_of_every_misfortune_violates_nothing(start: str) -> None:
    result = explore(STARTS[start], states_max=SMALL, seconds_max=inf, start=start)
    assert not result.violation, result.story
    assert result.states >= SMALL


def test_the_count_is_printed_and_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for _ in range(2):
        assert main(["--states", "4000", "--minutes", "1"]) == 0
        counts.append(next(line for line in capsys.readouterr().out.splitlines() if "states in all" in line).split()[0])
    assert counts[0] == counts[1]


def test_the_abstraction_has_judged_every_field_of_the_core() -> None:
    known = {kind.__name__: " ".join(field.name for field in fields(kind)) for kind in canonical_module.JUDGED}
    assert known == {name: " ".join(text.split()) for name, text in JUDGED.items()}


@pytest.mark.parametrize("start", ["running", "running with reservations", "running with a ledger", "one leg out"])
def test_a_canonical_state_is_its_own_canonical_state(start: str) -> None:
    search = Search(CALM._replace(crashes=1, ways=1, mends=2, delays=1))
    pair = beginning(search, start)
    for number in range(200):
        after = [after for _, after in search.next(pair)]
        pair = after[number * 7 % len(after)]
        for index in (0, 1):
            state = search.gateway(pair, index).state
            assert state is None or canonical(state) == state


def violation_of(budget: FaultBudget, start: str = "running", after: tuple[str, ...] = ()) -> str:
    """Search; return the violation, having seen that the story leads to it."""
    result = explore(budget, states_max=200_000, seconds_max=inf, start=start, after=after)
    assert result.story, result
    search = Search(budget)
    search.told(beginning(search, start), (*after, *result.story[:-1]))
    return result.violation


def test_silence_taken_for_death_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = proofs.proof_against_peer

    def silence_is_death(state: NodeState, group: GroupState) -> Proof | None:
        if membership.is_silent(state):
            return Proof(ProofKind.POWERED_OFF, group.name, proofs.next_epoch(state, group), state.peer.boot_id)
        return honest(state, group)

    monkeypatch.setattr(proofs, "proof_against_peer", silence_is_death)
    assert "I1" in violation_of(CALM._replace(losses=1, boots=1))


def test_a_stop_that_timed_out_and_counts_as_done_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = lifecycle._stopped

    def hopeful(step: StepContext, group: GroupState, resource: ResourceState, done: TaskDone) -> None:
        honest(step, group, resource, replace(done, result=TaskResult.OK))

    monkeypatch.setattr(lifecycle, "_stopped", hopeful)
    assert "I4" in violation_of(CALM._replace(commands=1, failures=1, boots=1))


def test_an_order_to_switch_off_that_counts_as_done_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = power_fence._attempt

    def hasty(step: StepContext) -> None:
        honest(step)
        step.change_fence(off_boot_id=step.state.fence.victim_boot_id)

    monkeypatch.setattr(power_fence, "_attempt", hasty)
    assert "I1" in violation_of(CALM._replace(losses=1, boots=1))


def test_a_storage_fence_that_is_complete_with_one_leg_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(state: NodeState, group: GroupState) -> bool:
        return group.storage_fence.victim_boot_id == state.peer.boot_id and group.legs[0].shows(Holder.US)

    monkeypatch.setattr(storage_fence, "complete", hasty)
    assert "I1" in violation_of(CALM._replace(pauses=1, boots=1), "running with reservations")


def test_a_lost_leg_that_is_forced_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def stubborn(group: GroupState, address: AddressState) -> bool:
        return address.holder is not Holder.US or address.held_epoch != group.held_epoch

    def hopeful(step: StepContext, group: GroupState, leg: LegState, address: AddressState) -> AddressState:
        del step, leg
        return replace(address, held_epoch=group.held_epoch) if address.holder is Holder.US else address

    monkeypatch.setattr(reservations, "_takeable", stubborn)
    monkeypatch.setattr(reservations, "_judged", hopeful)
    assert "R3" in violation_of(CALM._replace(pauses=1, boots=1), "running with reservations")


def test_a_storage_fence_over_the_legs_of_another_file_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    budget, start = CALM._replace(crashes=1, edits=1, pauses=1, boots=1), "running with reservations"
    after = ("the daemon on beta dies", "somebody edits aoeha.toml on beta")
    whole = explore(budget, states_max=5_000, seconds_max=inf, start=start, after=after)
    assert not whole.violation, whole.story
    monkeypatch.setattr(coverage, "doubt", lambda _state: "")
    assert "I1" in violation_of(budget, start, after)


REBOOTED_UNHEARD = (
    "all from alpha is cut", "all from beta is cut", "alpha crashes", "alpha boots", "alpha ticks", "alpha: probe ends",
    "beta ticks", "alpha ticks", "beta ticks", "alpha ticks", "beta ticks", "beta ticks", "alpha ticks",
)  # fmt: skip
"""One boots and finds its own name on its legs, at the moment at which the other one takes them for its silence."""
ONE_MISSED = (
    *REBOOTED_UNHEARD, "alpha does not reach leg1 any more", "alpha: reserve is done", "alpha reaches leg1 again",
    "beta: preempt is done",
)  # fmt: skip
"""The same, and it does not see the first leg for as long as that takes."""


@pytest.mark.parametrize("after", [REBOOTED_UNHEARD, ONE_MISSED])
def test_a_leg_of_a_storage_proof_is_never_forced_back(after: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    budget = CALM._replace(losses=2, crashes=1, ways=1, mends=1, boots=3)
    start = "running with reservations"
    whole = explore(budget, states_max=5_000, seconds_max=inf, start=start, after=after)
    assert not whole.violation, whole.story
    monkeypatch.setattr(reservations, "_held_epoch", lambda _group, address: address.held_epoch)
    assert "I1" in violation_of(budget, start, after)


FENCED_AND_ALIVE = (
    "the daemon on alpha dies", "beta ticks", "beta ticks", "beta ticks", "beta ticks", "beta: preempt is done",
    "beta: preempt is done", "beta: reserve is done", "beta: start ends",
)  # fmt: skip
"""One took the legs of the other, whose kernel has storage started as before."""


def test_a_leg_that_is_left_to_a_gateway_that_runs_on_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(state: NodeState, group: GroupState) -> bool:
        del state
        return all(leg.name in group.term.legs_transferred for leg in group.legs)

    budget, start = CALM._replace(crashes=1, commands=1), "running with reservations"
    whole = explore(budget, states_max=5_000, seconds_max=inf, start=start, after=FENCED_AND_ALIVE)
    assert not whole.violation, whole.story
    monkeypatch.setattr(reservations, "are_passed_on", hasty)
    assert "I1" in violation_of(budget, start, FENCED_AND_ALIVE)


OUT_OF_SIGHT = ("all from alpha is cut", "alpha does not reach leg1 any more")
JOINING = ("all from alpha is cut", "all from beta is cut", "alpha reaches leg1 again")
"""What has happened before: then a way more that is cut is enough for what was planted."""
ONE_MORE_WAY = CALM._replace(losses=1, ways=2, boots=2)
LOST_FROM_SIGHT = (
    "beta ticks",
    "alpha hears a beat",
    "alpha does not reach leg1 any more",
    "alpha ticks",
    "beta hears a beat",
)
SEEN_AGAIN = CALM._replace(ways=1, mends=1, delays=1, boots=2)
JOINED = CALM._replace(losses=2, ways=1, mends=1, boots=2)
JOINED_SLOWLY = JOINED._replace(delays=1)


@pytest.mark.parametrize(
    ("budget", "start", "after"),
    [
        (ONE_MORE_WAY, "running with a ledger", OUT_OF_SIGHT),
        (JOINED, "one leg out", JOINING),
        (SEEN_AGAIN, "running with a ledger", LOST_FROM_SIGHT),
    ],
)
def test_no_acknowledged_write_is_lost_with_the_next_way(
    budget: FaultBudget, start: str, after: tuple[str, ...]
) -> None:
    result = explore(budget, states_max=200_000, seconds_max=inf, start=start, after=after)
    assert result.complete
    assert not result.violation, result.story
    assert result.states > 1_000


def test_a_start_by_an_old_ledger_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def current(state: NodeState, group: GroupState) -> Ledger | None:
        del state
        return group.heard_ledger.ledger if group.heard_ledger is not None else None

    monkeypatch.setattr(leg_ledger, "current", current)
    assert "I2" in violation_of(ONE_MORE_WAY, "running with a ledger", OUT_OF_SIGHT)


def test_an_eviction_before_the_peer_knows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = leg_ledger.gate_is_open

    def gate_is_open(state: NodeState, group: GroupState) -> bool:
        return honest(state, group) or any(leg.leaving for leg in group.legs)

    monkeypatch.setattr(leg_ledger, "gate_is_open", gate_is_open)
    assert "I2" in violation_of(ONE_MORE_WAY, "running with a ledger", OUT_OF_SIGHT)


def test_an_earlier_acknowledgement_that_counts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = leg_ledger.gate_is_open

    def gate_is_open(state: NodeState, group: GroupState) -> bool:
        theirs = state.peer_group(group.name)
        return honest(state, group) or (theirs is not None and theirs.acknowledged > 0)

    monkeypatch.setattr(leg_ledger, "gate_is_open", gate_is_open)
    assert "I2" in violation_of(ONE_MORE_WAY, "running with a ledger", OUT_OF_SIGHT)


def test_a_leg_that_joins_before_the_peer_knows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = leg_ledger.gate_is_open

    def gate_is_open(state: NodeState, group: GroupState) -> bool:
        return honest(state, group) or any(leg.returning for leg in group.legs)

    monkeypatch.setattr(leg_ledger, "gate_is_open", gate_is_open)
    assert "I1" in violation_of(JOINED_SLOWLY, "one leg out", JOINING)


def test_a_leg_that_joins_while_the_others_are_out_of_sight_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def keeps_another(group: GroupState, mirror: ResourceState, leg: LegState) -> bool:
        return leg.returning or bool(leg_membership._others(group, mirror, leg))

    monkeypatch.setattr(leg_membership, "_keeps_another", keeps_another)
    assert "I1" in violation_of(JOINED_SLOWLY, "one leg out", JOINING)


def test_a_look_from_before_a_mirror_changed_tells_nothing() -> None:
    search = Search(CALM)
    state = search.gateway(beginning(search, "running with a ledger"), 0).state
    assert state is not None
    looking, _ = step(state, MirrorsChanged(state.now_ms))
    look = next(task for task in looking.tasks if task.kind is TaskKind.MONITOR)
    again, actions = step(looking, MirrorsChanged(state.now_ms))
    assert CancelTask(look.id) in actions
    assert any(task.kind is TaskKind.MONITOR and task.id != look.id for task in again.tasks)
    told = TaskDone(state.now_ms, look.id, TaskResult.OK, outcome=Observed(ResourceStatus.DEGRADED, ("leg1",)))
    ledger = step(again, told)[0].groups[0].ledger
    assert ledger is not None
    assert ledger == again.groups[0].ledger
    assert not ledger.start
