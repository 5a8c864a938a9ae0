"""Power by an operator's order, in stories: what is refused, when an order is done, and what a wrong plug costs."""

import pytest
from stories import answers, codes, played, state_of

from aoeha.core.model.actions import StartTask
from aoeha.core.model.conditions import Code
from aoeha.core.model.config import FenceConfig, Identity, PairConfig
from aoeha.core.model.events import CommandGiven
from aoeha.core.model.power_order import PowerAct
from aoeha.core.model.task import PlugState, PowerTask, TaskKind
from aoeha.core.step import initial, step
from aoeha.sim.world.world import World

OFF = "ask beta: fence node=alpha act=off"


def fences(world: World) -> int:
    """How often a running gateway has lost its power to a device."""
    return world.counts["fence", "alpha"] + world.counts["fence", "beta"]


def is_unprotected(world: World, node: str) -> bool:
    return any(alarm.condition.code is Code.NOT_PROTECTED for alarm in state_of(world, node).alarms)


def test_the_owner_is_switched_off_and_its_groups_move_and_it_stays_off() -> None:
    world = played(f"""
        {OFF}
        wait 60s
        expect served storage by beta
        expect alpha off
        ask beta: fence node=alpha act=on
        expect alpha on within 15s
        wait 5s
    """)
    assert [(answer.exit_code, answer.code) for answer in answers(world, "beta")] == [(0, Code.ORDER_DONE)] * 2


def test_nothing_is_taken_before_the_beats_have_stopped() -> None:
    world = played(f"""
        never served storage by beta
        never alpha off
        miswire switch alpha
        {OFF}
        wait 30s
    """)
    answer = answers(world, "beta")[0]
    assert (answer.exit_code, answer.code) == (1, Code.ORDER_FAILED)
    assert state_of(world, "beta").devices[0].distrusted
    assert world.power.devices["switch"].outlets["alpha"], "what lost its power by mistake must get it back"


def test_a_pause_in_the_middle_of_an_order_makes_no_plug_more_believable() -> None:
    world = played(f"""
        never served storage by beta
        miswire switch alpha
        {OFF}
        wait 100ms
        ask beta: pause
        wait 15s
        ask beta: resume
        wait 15s
        expect served storage by alpha
    """)
    assert Code.ORDER_FAILED in codes(world, "beta")
    assert state_of(world, "beta").devices[0].distrusted


@pytest.mark.parametrize(
    ("order", "exit_code", "code"),
    [
        ("fence node=beta act=off", 64, Code.COMMAND_USAGE),
        ("fence node=gamma act=off", 64, Code.COMMAND_USAGE),
        ("fence act=off", 64, Code.COMMAND_USAGE),
        ("fence node=alpha act=cycle", 64, Code.COMMAND_USAGE),
        ("fence-verify node=alpha", 107, Code.COMMAND_REFUSED_PEER_NOT_IN_STANDBY),
        ("fence-verify node=alpha level=2", 64, Code.COMMAND_USAGE),
        ("fence-verify node=beta", 64, Code.COMMAND_USAGE),
        ("fence-test device=lamp", 64, Code.COMMAND_USAGE),
    ],
)
def test_what_is_not_sound_is_refused(order: str, exit_code: int, code: Code) -> None:
    world = played(f"never alpha off\nnever beta off\nask beta: {order}\nwait 5s")
    assert [(answer.exit_code, answer.code) for answer in answers(world, "beta")] == [(exit_code, code)]


@pytest.mark.parametrize(
    ("verb", "code"), [("pause", Code.COMMAND_REFUSED_PAUSED), ("standby", Code.COMMAND_REFUSED_SERVICE_LOST)]
)
def test_an_order_that_leaves_nobody_to_serve_needs_to_be_said_twice(verb: str, code: Code) -> None:
    world = played(f"""
        ask beta: {verb}
        wait 1s
        mark refused
        {OFF}
        wait 5s
        expect alpha lives on
        {OFF} anyway=yes
        wait 15s
        expect alpha off
        expect served storage by nobody
    """)
    assert codes(world, "beta")[-2:] == [code, Code.ORDER_DONE]


def test_the_test_reads_both_plugs_and_switches_nothing() -> None:
    world = played("""
        never alpha off
        never beta off
        ask alpha: fence-test
        wait 2s
        device switch dead
        ask alpha: fence-test device=switch
        wait 40s
    """)
    assert codes(world, "alpha") == [Code.ORDER_DONE, Code.ORDER_FAILED]
    found = answers(world, "alpha")[0].sentence.split("; ")
    assert set(found) == {"switch reports beta as on", "switch reports alpha as on"}, "here the readings are the answer"


def test_a_plug_of_ours_that_reads_off_while_we_run_is_told() -> None:
    world = played("", pair="pair devices=bmc:2", begin="boot alpha beta\nwait 20s\nnever both serve storage")
    world.power.devices["bmc"].miswired = "alpha"
    daemon = world.machines["alpha"].daemon
    assert daemon is not None
    daemon.command(1, "fence-test", {})
    world.run(2_000)
    answer = answers(world, "alpha")[0]
    assert (answer.exit_code, answer.code) == (1, Code.ORDER_FAILED)
    assert "bmc reports alpha as off" in answer.sentence


def test_a_device_without_a_plug_of_ours_is_asked_for_the_peers_alone() -> None:
    fences = (FenceConfig("bmc-beta", feeds_own=False), FenceConfig("strip"))
    config = PairConfig("gw", "alpha", "beta", ("lan",), (), fences)
    state, _ = initial(config, Identity("a" * 32, 1), None, 0)
    asked = step(state, CommandGiven(0, 1, "fence-test", "root"))[1]
    tasks = [action.task for action in asked if isinstance(action, StartTask) and isinstance(action.task, PowerTask)]
    assert {(task.subject, task.node) for task in tasks} == {
        ("bmc-beta", "beta"), ("strip", "beta"), ("strip", "alpha"),
    }  # fmt: skip


def test_verify_takes_the_standbys_power_and_gives_it_back() -> None:
    world = played("""
        ask beta: standby
        wait 1s
        mark verify
        ask alpha: fence-verify node=beta
        wait 60s
        expect beta boots
        expect served storage by alpha
    """)
    assert codes(world, "alpha")[-1] is Code.ORDER_DONE
    assert fences(world) == 1


def test_verify_settles_the_doubt_of_a_wrong_plug_once_it_is_corrected() -> None:
    wrong = """
        ask beta: standby
        miswire switch beta
        wait 1s
        ask alpha: fence-verify node=beta
        wait 30s
    """
    world = played(wrong)
    assert codes(world, "alpha")[-1] is Code.ORDER_FAILED
    assert is_unprotected(world, "alpha")
    world.power.devices["switch"].miswired = ""
    world.ask(world.machines["alpha"], "fence-verify", {"node": "beta"})
    world.run(60_000)
    assert codes(world, "alpha")[-1] is Code.ORDER_DONE
    assert not state_of(world, "alpha").devices[0].distrusted
    assert not is_unprotected(world, "alpha")


def test_a_fence_that_fails_is_answered_and_not_repeated() -> None:
    world = played("never alpha off\ndevice switch refuses\nask beta: fence node=alpha act=reboot\nwait 60s")
    assert codes(world, "beta")[-1] is Code.ORDER_FAILED
    assert state_of(world, "beta").order is None


def test_an_order_that_is_waited_for_too_briefly_is_told_so_and_goes_on() -> None:
    world = played(f"""
        device switch slow
        {OFF} wait_ms=100
        wait 600ms
        ask beta: fence node=alpha act=on
        wait 40s
        expect alpha off
        expect served storage by beta
    """)
    late, busy = answers(world, "beta")[:2]
    assert (late.exit_code, late.code) == (124, Code.COMMAND_TIMED_OUT)
    assert (busy.exit_code, busy.code) == (1, Code.COMMAND_REFUSED_BUSY)


def test_an_order_is_about_the_peer_and_names_who_gave_it() -> None:
    state = state_of(played(OFF), "beta")
    assert state.order is not None
    assert state.order.act is PowerAct.OFF
    (task,) = [task for task in state.tasks if task.kind is TaskKind.POWER_OFF]
    assert (task.node, task.reason) == ("alpha", "root switches alpha off")


def test_a_device_that_answers_again_protects_again() -> None:
    world = played("device switch dead\nask beta: fence-test\nwait 40s")
    assert state_of(world, "beta").devices[0].plug is PlugState.UNKNOWN
    assert is_unprotected(world, "beta")
    world.power.set_mode("switch", "ok")
    daemon = world.machines["beta"].daemon
    assert daemon is not None
    daemon.command(9, "fence-test", {})
    world.run(2_000)
    assert not is_unprotected(world, "beta")
