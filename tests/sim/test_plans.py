"""Interrupted plans: cold start, takeover, hand-over and leave, cut after each of their steps by each misfortune.

A plan is played once undisturbed, and the moments are noted at which something was done: a task began or ended, or
something was remembered. A copy of the world is then cut at each of them. The simulator's oracle looks at every event,
and one gateway serves when all is restored.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aoeha.core.model.actions import Action, Persist, StartTask
from aoeha.core.model.events import Event, TaskDone
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import TaskKind
from aoeha.core.rules import Ask
from aoeha.core.step import step
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world import daemon
from aoeha.sim.world.world import World

PAIR = "pair links=1 resources=3 keepalive=1s warntime=2s deadtime=5s initdead=12s boot=3s monitor=45s"
LOOKS = (TaskKind.MONITOR, TaskKind.VALIDATE)
PLAN_MS, CUT_MS, LOOK_MS, BOUND_MS = 20_000, 6_000, 5_000, 400_000
BOOT = ("boot alpha beta",)
PLANS = {
    "cold start": BOOT,
    "takeover": (*BOOT, "freeze alpha"),
    "hand-over": (*BOOT, "ask alpha: switchover"),
    "leave": (*BOOT, "ask alpha: leave"),
}
"""What is done before the plan, with time to settle after each, and last what begins it."""
CUTS = {
    "power loss": ("power off {}",),
    "reboot": ("reset {}",),
    "daemon killed": ("kill {}",),
    "tasks hang": ("break {} start mirror hang", "break {} stop address hang", "device switch dead"),
    "link lost": ("cut serial1 from {}",),
}


def begun(plan: str) -> World:
    """A world in which the plan begins now."""
    *before, first = PLANS[plan]
    world = Settings.parse(PAIR).world()
    for line in before:
        do(world, line)
        world.run(30_000)
    do(world, first)
    return world


@contextmanager
def moments_of(world: World) -> Iterator[set[int]]:
    """Note when something is done within."""
    moments: set[int] = set()

    def watched(before: NodeState, event: Event, ask: Ask) -> tuple[NodeState, tuple[Action, ...]]:
        after, actions = step(before, event, ask)
        looks = {task.id for task in before.tasks if task.kind in LOOKS}
        ended = isinstance(event, TaskDone) and event.task_id not in looks
        begins = (
            isinstance(action, Persist) or (isinstance(action, StartTask) and action.task.kind not in LOOKS)
            for action in actions
        )
        if ended or any(begins):
            moments.add(world.timeline.now_ms)
        return after, actions

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon, "step", watched)
        yield moments


def steps_of(plan: str) -> list[World]:
    """Return the plan's world after each of its steps."""
    undisturbed = begun(plan)
    world = copy.deepcopy(undisturbed)
    with moments_of(undisturbed) as moments:
        undisturbed.run(PLAN_MS)
    worlds = []
    for moment_ms in sorted(moments):
        world.run(moment_ms - world.timeline.now_ms)
        worlds.append(copy.deepcopy(world))
    return worlds


def serving(world: World) -> list[str]:
    return [machine.name for machine in world.machines.values() if machine.serves("storage")]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_cut_anywhere_ends_with_one_owner(plan: str, cut: str) -> None:
    for reached in steps_of(plan):
        for victim in ("alpha", "beta"):
            world = copy.deepcopy(reached)
            for line in CUTS[cut]:
                do(world, line.format(victim))
            world.run(CUT_MS)
            do(world, "restore")
            end_ms = world.timeline.now_ms + BOUND_MS
            while len(serving(world)) != 1 and world.timeline.now_ms < end_ms:
                world.run(LOOK_MS)
            why = f"{victim} cut at {reached.timeline.now_ms} ms: {world.why('alpha')} | {world.why('beta')}"
            assert len(serving(world)) == 1, why


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_has_steps_and_comes_to_its_end_undisturbed(plan: str) -> None:
    assert len(steps_of(plan)) >= 8
    world = begun(plan)
    world.run(2 * PLAN_MS)
    assert serving(world) == ["alpha" if plan == "cold start" else "beta"]
