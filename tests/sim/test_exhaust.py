"""The exhaustive search: small enough for every day, and it finds what is planted. `make exhaust` runs the long one."""

from dataclasses import fields, replace

import pytest

from aoeha.core import fencing, membership, ownership, recovery, shelves, storage_fence
from aoeha.core.events import TaskDone
from aoeha.core.legs import AddressState, LegState
from aoeha.core.state import GroupState, NodeState, ResourceState, Turn
from aoeha.core.types import Holder, Proof, ProofKind, TaskResult
from aoeha.sim import exhaust_canonical
from aoeha.sim.exhaust import STARTS, explore, main
from aoeha.sim.exhaust_canonical import canonical
from aoeha.sim.exhaust_pair import Pair, Purse, Search

CALM = Purse(crashes=0, losses=0, commands=0, failures=0, pauses=0)
SMALL = 15_000
JUDGED = {
    "NodeState": "config identity now_ms started_ms listening_since_ms cold links peer groups devices fence "
    "tasks next_task_id sequence next_beat_ms last_groups last_flags remembered standby paused pause_number "
    "leaving leaving_beats leave_by_ms "
    "left oath_sequence oath_until_ms panicked_before fell revived_ms kept_off last_off released_sequence panicking "
    "waiting alarms hosts",
    "PeerState": "condition boot_id incarnation sequence beat heard retired_boot_ids alternates held "
    "answered_ms mark_sequence mark_ms",
    "LinkState": "name heard_ms fault condition",
    "GroupState": "config resources epoch held_epoch floor proof claims claim claim_epoch grant yielding "
    "hold_back_until_ms failures_ms retry_at_ms given_up given_up_until_ms blocked_since_ms refusal "
    "legs shelf_task_id shelf_asked_ms shelf_read_ms shelf_retry_ms shelf_due leg_task_id leg_retry_ms given "
    "taken_sequence unsure blind undisputed ledger ledger_since_ms ledger_version heard_ledger complete seizure "
    "shelf_link",
    "ResourceState": "config phase reason task_id checked_ms stop_failures valid invalid_reason validated_ms rival "
    "rival_task_id rival_asked_ms missing",
    "DeviceState": "name reachable detail checked_ms task_id distrusted read_off_of contradicted",
    "FenceState": "phase victim_boot_id level_index attempts until_ms tasks failed read off_boot_id power_on_task_id "
    "word_boot_id word_until_ms word_user",
    "Beat": "sender boot_id incarnation sequence echo_sequence config_tag flags link_ages_ms groups "
    "back_within_ms pause_number",
    "Memory": "boot_id incarnation peer_boot_id peer_was_alive standby panicked groups left paused pause_number",
    "Proof": "kind group epoch peer_boot_id detail",
    "Task": "id kind group subject node deadline_ms reason expected record renews lifetime_ms leg whole legs",
    "Identity": "boot_id incarnation",
    "LegState": "name addresses forgot copying tainted leaving returning",
    "AddressState": "name holder since_ms held_epoch",
    "SeizureState": "victim_boot_id arbiter since_ms forced first_ms first_stands done wanted_ms retry_ms "
    "yielded_until_ms",
    "ShelfLinkState": "task_id asked_ms seen heard_ms quiet_since_ms quiet_reads read_ms said answering",
    "LockRecord": "owner boot_id incarnation epoch stamped_ms pause_number paused word",
    "HostsState": "task_id asked_ms answer since_ms",
}


def test_two_nodes_that_nothing_befalls_are_seen_in_all_their_states() -> None:
    result = explore(Purse(0, 0, 0, 0, 0, boots=1), states_max=100_000, seconds_max=100, start="cold")
    assert result.complete
    assert not result.violation, result.story
    assert result.states > 3_000


@pytest.mark.parametrize("start", STARTS)
def test_the_beginning_of_every_misfortune_violates_nothing(start: str) -> None:
    result = explore(STARTS[start], states_max=SMALL, seconds_max=100, start=start)
    assert not result.violation, result.story
    assert result.states >= SMALL


def test_the_count_is_printed_and_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for _ in range(2):
        assert main(["--states", "4000", "--minutes", "1"]) == 0
        counts.append(next(line for line in capsys.readouterr().out.splitlines() if "states in all" in line).split()[0])
    assert counts[0] == counts[1]


def test_the_abstraction_has_judged_every_field_of_the_core() -> None:
    known = {kind.__name__: " ".join(field.name for field in fields(kind)) for kind in exhaust_canonical.JUDGED}
    assert known == {name: " ".join(text.split()) for name, text in JUDGED.items()}


@pytest.mark.parametrize("reserved", [False, True])
def test_a_canonical_state_is_its_own_canonical_state(reserved: bool) -> None:
    search = Search(CALM._replace(crashes=1, delays=1))
    pair = search.running(reserved=reserved)
    for number in range(200):
        after = [after for _, after in search.next(pair)]
        pair = after[number * 7 % len(after)]
        for index in (0, 1):
            state = search.gateway(pair, index).state
            assert state is None or canonical(state) == state


def violation_of(purse: Purse, *, reserved: bool = False) -> str:
    """Search; return the violation, having seen that the story leads to it."""
    start = "running with reservations" if reserved else "running"
    result = explore(purse, states_max=200_000, seconds_max=60, start=start)
    assert result.story, result
    search = Search(purse)
    pair: Pair = search.running(reserved=reserved)
    for label in result.story[:-1]:
        pair = next(after for one, after in search.next(pair) if one == label)
    return result.violation


def test_silence_taken_for_death_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = ownership.proof_against_peer

    def silence_is_death(state: NodeState, group: GroupState) -> Proof | None:
        if membership.is_silent(state):
            return Proof(ProofKind.POWERED_OFF, group.name, ownership._next_epoch(state, group), state.peer.boot_id)
        return honest(state, group)

    monkeypatch.setattr(ownership, "proof_against_peer", silence_is_death)
    assert "I1" in violation_of(CALM._replace(losses=1, boots=1))


def test_a_stop_that_timed_out_and_counts_as_done_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = recovery._stopped

    def hopeful(turn: Turn, group: GroupState, resource: ResourceState, done: TaskDone) -> None:
        honest(turn, group, resource, replace(done, result=TaskResult.OK))

    monkeypatch.setattr(recovery, "_stopped", hopeful)
    assert "I4" in violation_of(CALM._replace(commands=1, failures=1, boots=1))


def test_an_order_to_switch_off_that_counts_as_done_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = fencing._attempt

    def hasty(turn: Turn) -> None:
        honest(turn)
        turn.change_fence(off_boot_id=turn.state.fence.victim_boot_id)

    monkeypatch.setattr(fencing, "_attempt", hasty)
    assert "I1" in violation_of(CALM._replace(losses=1, boots=1))


def test_a_storage_fence_that_is_complete_with_one_leg_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(state: NodeState, group: GroupState) -> bool:
        return group.seizure.victim_boot_id == state.peer.boot_id and group.legs[0].shows(Holder.US)

    monkeypatch.setattr(storage_fence, "complete", hasty)
    assert "I1" in violation_of(CALM._replace(pauses=1, boots=1), reserved=True)


def test_a_lost_leg_that_is_forced_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def stubborn(group: GroupState, address: AddressState) -> bool:
        return address.holder is not Holder.US or address.held_epoch != group.held_epoch

    def hopeful(turn: Turn, group: GroupState, leg: LegState, address: AddressState) -> AddressState:
        del turn, leg
        return replace(address, held_epoch=group.held_epoch) if address.holder is Holder.US else address

    monkeypatch.setattr(shelves, "_takeable", stubborn)
    monkeypatch.setattr(shelves, "_judged", hopeful)
    assert "R3" in violation_of(CALM._replace(pauses=1, boots=1), reserved=True)
