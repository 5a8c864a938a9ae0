"""The pair's life as short stories: two real cores, one virtual clock (see pair.py)."""

from dataclasses import replace

import pytest
from pair import Pair

from aoeha.core.model.actions import StartTask
from aoeha.core.model.beat import BeatFlag, GroupPhase
from aoeha.core.model.events import BeatHeard, Tick
from aoeha.core.model.state import PeerCondition
from aoeha.core.model.task import TaskKind, TaskResult
from aoeha.core.status import status
from aoeha.core.step import initial, step


def serving_pair(**options: object) -> Pair:
    pair = Pair(**options)
    pair.boot()
    pair.run(15_000)
    assert pair.serves("alpha")
    return pair


@pytest.mark.parametrize("links", [1, 2, 8])
def test_the_preferred_node_starts_when_both_boot(links: int) -> None:
    pair = serving_pair(links=links)
    assert not pair["beta"].running
    assert pair.fences == 0


def test_two_groups_live_on_their_preferred_node_each() -> None:
    pair = Pair(groups=("storage", "archive"))
    pair.boot()
    pair.run(15_000)
    assert pair.serves("alpha", "storage")
    assert pair.serves("alpha", "archive")
    pair.command("alpha", "switchover", group="archive")
    pair.run(5_000)
    assert pair.serves("alpha", "storage")
    assert pair.serves("beta", "archive")
    pair.power_loss("beta")
    pair.run(8_000)
    assert pair.serves("alpha", "archive")


def test_power_loss_is_taken_over_after_a_proof_and_never_before() -> None:
    pair = serving_pair()
    pair.power_loss("alpha")
    pair.run(1_900)
    assert pair["beta"].started == []
    pair.run(4_000)
    assert pair.serves("beta")
    assert pair.fences == 1
    assert any("powered off" in sentence for sentence in pair["beta"].said)


def test_the_fenced_node_is_switched_on_and_joins_as_standby() -> None:
    pair = serving_pair()
    pair.power_loss("alpha")
    pair.run(30_000)
    assert pair["alpha"].powered
    assert pair.serves("beta")
    assert not pair["alpha"].running
    pair.power_loss("beta")
    pair.run(10_000)
    assert pair.serves("alpha")
    assert pair.fences == 2


def test_one_link_cut_moves_nothing_and_raises_an_alarm() -> None:
    pair = serving_pair()
    pair.cut_link("link0")
    pair.run(20_000)
    assert pair.serves("alpha")
    assert pair.fences == 0
    assert any("link link0 is down" in sentence for sentence in pair["beta"].said)


def test_without_a_working_fence_nothing_starts_until_an_operator_confirms() -> None:
    pair = serving_pair()
    pair.switch_works = False
    pair.power_loss("alpha")
    pair.run(60_000)
    assert pair["beta"].started == []
    assert "aoeha confirm alpha" in pair.why("beta")
    state = pair["beta"].state
    assert state is not None
    assert status(state).fences[0].state == "UNREACHABLE"
    pair.command("beta", "confirm", node="alpha")
    pair.run(3_000)
    assert pair.serves("beta")


def test_an_order_taken_is_no_proof_until_the_plug_reads_off() -> None:
    pair = serving_pair()
    pair.switch_is_vague = True
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.run(60_000)
    assert pair["beta"].started == []
    assert pair.serves("alpha")
    assert "switch reads unknown" in pair.why("beta")


def test_confirm_is_refused_while_the_peer_is_heard() -> None:
    pair = serving_pair()
    pair.command("beta", "confirm", node="alpha")
    assert pair["beta"].answers[-1].code == 107
    pair.command("beta", "confirm", node="gamma")
    assert pair["beta"].answers[-1].code == 64


def test_an_operators_word_ends_with_the_first_beat() -> None:
    pair = serving_pair()
    pair.switch_works = False
    pair.command("beta", "standby")
    pair.run(1_000)
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.run(5_000)
    pair.command("beta", "confirm", node="alpha")
    pair.heal()
    pair.run(1_000)
    pair.command("beta", "unstandby")
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.run(10_000)
    assert pair["beta"].started == []


def test_switchover_stops_here_before_it_starts_there() -> None:
    pair = serving_pair()
    pair.command("alpha", "switchover", wait_ms="20000")
    pair.run(10_000)
    assert pair.serves("beta")
    assert pair["alpha"].stopped == ["storage-address", "storage-volume", "storage-mirror"]
    assert pair["alpha"].answers[-1].code == 0
    pair.run(60_000)
    assert pair.serves("beta"), "no failback by itself"
    assert pair.fences == 0


def test_a_switchover_may_be_taken_back_at_once() -> None:
    pair = serving_pair()
    pair.command("alpha", "switchover", wait_ms="20000")
    pair.run(4_000)
    assert pair.serves("beta")
    pair.command("beta", "switchover", wait_ms="20000")
    pair.run(4_000)
    assert pair.serves("alpha")


def test_switchover_without_a_healthy_peer_is_refused() -> None:
    pair = serving_pair()
    pair.command("beta", "standby")
    pair.run(1_000)
    pair.command("alpha", "switchover")
    assert pair["alpha"].answers[-1].code == 107
    assert pair.serves("alpha")


def test_standby_hands_over_and_unstandby_allows_again() -> None:
    pair = serving_pair()
    pair.command("alpha", "standby", wait_ms="20000")
    pair.run(8_000)
    assert pair.serves("beta")
    assert pair["alpha"].answers[-1].code == 0
    pair.power_loss("beta")
    pair.run(8_000)
    assert not pair["alpha"].running
    assert "standby" in pair.why("alpha")
    pair.command("alpha", "unstandby")
    pair.run(8_000)
    assert pair.serves("alpha")


@pytest.mark.parametrize("gap_ms", [100, 1_000])
def test_a_killed_daemon_adopts_what_runs_and_nothing_moves(gap_ms: int) -> None:
    pair = serving_pair()
    started = list(pair["alpha"].started)
    pair.kill_daemon("alpha")
    pair.run(gap_ms)
    pair.start_daemon("alpha")
    pair.run(20_000)
    assert pair.serves("alpha")
    assert pair["alpha"].stopped == []
    assert pair["alpha"].started == started
    assert pair.fences == 0


def test_a_daemon_that_stays_dead_is_fenced_before_its_resources_are_taken() -> None:
    pair = serving_pair()
    pair.kill_daemon("alpha")
    pair.run(8_000)
    assert pair.fences == 1
    assert pair.serves("beta")


def test_leave_hands_over_first_and_is_never_fenced() -> None:
    pair = serving_pair()
    pair.command("alpha", "leave")
    pair.run(20_000)
    assert pair["alpha"].state is None
    assert pair.serves("beta")
    state = pair["beta"].state
    assert state is not None
    assert state.peer.condition is PeerCondition.LEFT
    assert pair.fences == 0


def test_the_last_node_may_leave_and_the_other_starts_on_its_word() -> None:
    pair = serving_pair()
    pair.command("beta", "standby")
    pair.run(1_000)
    pair.command("alpha", "leave")
    pair.run(40_000)
    assert pair["alpha"].state is None
    assert not pair["beta"].running
    pair.command("beta", "unstandby")
    pair.run(5_000)
    assert pair.serves("beta")
    assert pair.fences == 0


def test_a_lone_node_waits_initdead_and_fences_before_it_starts() -> None:
    pair = Pair()
    pair.plugged["alpha"] = True
    pair.boot("beta")
    pair.run(9_900)
    assert pair.fences == 0
    pair.run(10_000)
    assert pair.fences == 1
    assert pair.serves("beta")


def test_a_fenced_node_that_hears_nobody_does_not_fence_back() -> None:
    """All links cut for good: one fence, then one to keep the unheard node off. No loop, and the service stays."""
    pair = serving_pair()
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.run(20_000)
    assert pair.serves("beta")
    assert "went down without leaving" in pair.why("alpha")
    pair.run(300_000)
    assert pair.serves("beta")
    assert pair.fences == 2
    assert not pair["alpha"].powered
    assert any("kept off" in sentence for sentence in pair["beta"].said)


def test_a_node_that_fell_alone_serves_again_after_its_patience() -> None:
    pair = serving_pair()
    pair.power_loss("beta")
    pair.power_loss("alpha")
    pair.run(5_000)
    pair.boot("alpha")
    pair.switch_works = True
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.run(50_000)
    assert not pair["alpha"].running
    pair.run(20_000)
    assert pair.serves("alpha")


def test_the_preferred_node_starts_even_if_it_looks_around_more_slowly() -> None:
    pair = Pair()
    pair.boot("beta")
    pair.run(300)
    pair.boot("alpha")
    pair.run(15_000)
    assert pair.serves("alpha")


def test_a_fast_reboot_of_the_owner_is_seen_and_not_fenced() -> None:
    pair = serving_pair()
    pair.power_loss("alpha")
    pair.run(1_000)
    pair.boot("alpha")
    pair.run(10_000)
    assert pair.fences == 0
    assert pair.serves("alpha") != pair.serves("beta")


def test_a_resource_that_dies_is_restarted_here_then_handed_over() -> None:
    pair = serving_pair()
    for _ in range(2):
        pair["alpha"].running.discard("storage-volume")
        pair.run(6_000)
        assert pair.serves("alpha")
    pair["alpha"].running.discard("storage-volume")
    pair.run(10_000)
    assert pair.serves("beta")
    assert pair.fences == 0


def test_a_start_that_fails_everywhere_is_tried_again_and_comes_up_when_mended() -> None:
    pair = Pair()
    for name in ("alpha", "beta"):
        pair[name].broken[TaskKind.START, "storage-volume"] = TaskResult.FAILED
    pair.boot()
    pair.run(120_000)
    assert not pair.serves("alpha")
    assert not pair.serves("beta")
    for name in ("alpha", "beta"):
        pair[name].broken.clear()
    pair.run(90_000)
    assert pair.serves("alpha") != pair.serves("beta")


def test_a_node_that_cannot_stop_is_fenced_by_its_peer() -> None:
    pair = serving_pair()
    pair["alpha"].broken[TaskKind.STOP, "storage-volume"] = TaskResult.TIMED_OUT
    pair.command("alpha", "switchover")
    pair.run(10_000)
    assert pair.fences == 1
    assert pair.serves("beta")


def test_a_node_that_could_not_start_the_group_never_fences() -> None:
    pair = Pair()
    pair["beta"].broken[TaskKind.VALIDATE, "storage-mirror"] = TaskResult.FAILED
    pair.boot()
    pair.run(15_000)
    pair.power_loss("alpha")
    pair.run(30_000)
    assert pair.fences == 0
    assert "could not start storage-mirror" in pair.why("beta")


def test_a_pause_shorter_than_deadtime_changes_nothing() -> None:
    pair = serving_pair()
    pair.sleep("alpha")
    pair.run(1_700)
    pair.wake("alpha")
    pair.run(5_000)
    assert pair.serves("alpha")
    assert pair.fences == 0


def test_an_owner_that_slept_with_all_links_cut_reboots_itself_once() -> None:
    pair = serving_pair()
    pair.switch_works = False
    pair.sleep("alpha")
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.run(3_000)
    pair.wake("alpha")
    pair.run(3_000)
    pair.run(3_000)
    assert pair["alpha"].boot == 2


def test_an_owner_that_slept_alone_serves_on() -> None:
    pair = serving_pair()
    pair.power_loss("beta")
    pair.run(10_000)
    pair.sleep("alpha")
    pair.run(5_000)
    pair.wake("alpha")
    pair.run(10_000)
    assert pair["alpha"].boot == 1
    assert pair.serves("alpha")


def test_a_sleeper_does_not_judge_the_peer_by_beats_it_could_not_hear() -> None:
    pair = serving_pair()
    pair.sleep("beta")
    pair.run(10_000)
    pair.wake("beta")
    pair.run(10_000)
    assert pair.fences == 0
    assert pair.serves("alpha")


def test_a_switch_that_lies_is_found_out_and_marked_not_protected() -> None:
    pair = serving_pair()
    pair.switch_lies = True
    pair["beta"].broken[TaskKind.START, "storage-mirror"] = TaskResult.FAILED
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.run(2_400)
    assert pair.fences == 1
    pair.heal()
    pair.cut_link("link0", "beta")
    pair.cut_link("link1", "beta")
    pair.run(3_000)
    assert any("NOT PROTECTED" in sentence for sentence in pair["beta"].said)


def test_a_plug_that_reads_off_while_its_node_beats_is_no_protection() -> None:
    pair = Pair()
    pair.boot()
    pair.plugged["alpha"] = False
    pair.run(15_000)
    assert any("NOT PROTECTED" in sentence for sentence in pair["beta"].said)
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.switch_lies = True
    pair.run(20_000)
    assert pair["beta"].started == []
    assert pair.serves("alpha")


def test_a_beat_of_before_the_power_cut_that_comes_late_contradicts_nothing() -> None:
    pair = serving_pair()
    beta = pair["beta"]
    assert beta.state is not None
    pair.power_loss("alpha")
    last = beta.state.peer.beat
    assert last is not None
    while not (beta.state and beta.state.groups[0].holding):
        pair.run(10)
    late = replace(last, sequence=last.sequence + 1)
    pair._feed(beta, BeatHeard(pair.now_ms, "link0", late))
    pair.run(3_000)
    assert pair.serves("beta")
    assert not any("NOT PROTECTED" in sentence for sentence in beta.said)


def test_a_release_that_the_peer_has_not_heard_of_gives_it_the_first_shot() -> None:
    pair = serving_pair()
    pair.cut_link("link0")
    pair.cut_link("link1")
    pair.command("alpha", "switchover")
    pair.run(20_000)
    assert pair.fences == 1
    assert pair.serves("beta") != pair.serves("alpha")


def test_a_restart_that_was_announced_is_waited_for() -> None:
    """The first beat of a restarting daemon says how long the rest takes: silence counts from then (R15)."""
    pair = serving_pair()
    pair.kill_daemon("alpha")
    beta = pair["beta"]
    assert beta.state is not None
    last = beta.state.peer.beat
    assert last is not None
    first = replace(last, incarnation=2, sequence=0, flags=BeatFlag.RESTARTING, back_within_ms=3_000)
    pair._feed(beta, BeatHeard(pair.now_ms, "link0", first))
    pair.run(4_800)
    assert pair.fences == 0
    pair.run(3_000)
    assert pair.fences == 1


def test_a_late_beat_with_a_claim_starts_no_storm_of_claims() -> None:
    """The proof falls while the storage starts: the lower rank gives way once, it does not claim anew each step."""
    pair = serving_pair()
    pair.power_loss("alpha")
    beta = pair["beta"]
    while not (beta.state and beta.state.groups[0].holding):
        pair.run(10)
    last = beta.state.peer.beat
    assert last is not None
    claiming = replace(
        last.groups[0], phase=GroupPhase.STOPPED, holding=False, claim=7, claim_epoch=last.groups[0].epoch + 9
    )
    late = replace(last, sequence=last.sequence + 1, echo_sequence=beta.state.sequence + 1, groups=(claiming,))
    for _ in range(20):
        beta.state, _ = step(beta.state, BeatHeard(pair.now_ms, "link0", late))
        late = replace(late, sequence=late.sequence + 1)
    assert not beta.state.groups[0].holding
    assert beta.state.groups[0].claims <= 1


def test_every_event_sequence_is_answered_the_same_twice() -> None:
    pair = Pair()
    config = pair["alpha"].config
    pair.boot()
    machine = pair["alpha"]
    assert machine.state is not None
    first = initial(config, machine.state.identity, None, 0)
    assert first == initial(config, machine.state.identity, None, 0)
    again = [step(first[0], Tick(at_ms)) for at_ms in (200, 400, 20_000)]
    assert again == [step(first[0], Tick(at_ms)) for at_ms in (200, 400, 20_000)]


def test_no_start_task_ever_leaves_without_a_proof_in_the_state() -> None:
    pair = Pair()
    pair.boot()
    machine = pair["beta"]
    assert machine.state is not None
    _, actions = step(machine.state, Tick(60_000))
    assert not [action for action in actions if isinstance(action, StartTask) and action.task.kind is TaskKind.START]
