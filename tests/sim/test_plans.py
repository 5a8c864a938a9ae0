"""Interrupted plans: take over, hand over, cold start and shutdown, cut after each of their steps by each misfortune.

A plan is run once undisturbed and the moments noted at which something was done: a task began or ended, or something
was remembered. Then it is run again and cut right after each. Nobody may ever have two (the pair's own oracle looks at
every event), and the service is back when all is healed.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from pair import Machine, Pair

from aoeha.core.model.actions import Action, Persist, StartTask
from aoeha.core.model.events import Event, TaskDone
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import TaskKind, TaskResult

LOOKS = (TaskKind.MONITOR, TaskKind.VALIDATE)
PLAN_MS = 9_000


def cold_start() -> Pair:
    pair = Pair(links=1)
    pair.boot()
    return pair


def serving() -> Pair:
    pair = cold_start()
    pair.run(11_000)
    assert pair.serves("alpha")
    return pair


def take_over() -> Pair:
    pair = serving()
    pair.power_loss("alpha")
    return pair


def hand_over() -> Pair:
    pair = serving()
    pair.command("alpha", "switchover")
    return pair


def shutdown() -> Pair:
    pair = serving()
    pair.command("alpha", "leave")
    return pair


def crash(pair: Pair, name: str) -> None:
    pair.power_loss(name)


def reboot(pair: Pair, name: str) -> None:
    pair.power_loss(name)
    pair.run(300)
    if not pair[name].powered:
        pair.boot(name)


def daemon_restart(pair: Pair, name: str) -> None:
    pair.kill_daemon(name)
    if pair[name].powered:
        pair.start_daemon(name)


def task_failure(pair: Pair, name: str) -> None:
    machine = pair[name]
    for task in machine.live_tasks.values():
        machine.broken[task.kind, task.subject] = TaskResult.TIMED_OUT
    pair.switch_works = False


def link_loss(pair: Pair, name: str) -> None:
    pair.cut_link("link0", name)


PLANS = (cold_start, take_over, hand_over, shutdown)
CUTS = (crash, reboot, daemon_restart, task_failure, link_loss)


def moments_of(plan: Callable[[], Pair]) -> list[int]:
    """Return when something was done, counted from the plan's beginning."""
    moments: set[int] = set()
    pair = plan()
    begun_ms = pair.now_ms

    def watch(
        _: Machine, before: NodeState | None, event: Event | None, after: NodeState, actions: tuple[Action, ...]
    ) -> None:
        began = any(
            isinstance(action, Persist) or (isinstance(action, StartTask) and action.task.kind not in LOOKS)
            for action in actions
        )
        looks = {task.id for task in before.tasks if task.kind in LOOKS} if before is not None else set()
        ended = isinstance(event, TaskDone) and event.task_id not in looks
        if began or ended:
            moments.add(after.now_ms - begun_ms)

    Pair.watchers.append(watch)
    try:
        pair.run(PLAN_MS)
    finally:
        Pair.watchers.remove(watch)
    return sorted(moments)


def heal(pair: Pair) -> None:
    pair.heal()
    pair.switch_works = True
    for name in ("alpha", "beta"):
        pair[name].broken.clear()
        if not pair[name].powered:
            pair.boot(name)
        elif pair[name].state is None:
            pair.start_daemon(name)


@pytest.mark.parametrize("victim", ["alpha", "beta"])
@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.__name__)
def test_a_plan_cut_anywhere_ends_clean(
    plan: Callable[[], Pair], cut: Callable[[Pair, str], None], victim: str
) -> None:
    for moment_ms in moments_of(plan):
        pair = plan()
        pair.run(moment_ms)
        cut(pair, victim)
        pair.run(6_000)
        for _ in range(12):
            heal(pair)
            pair.run(10_000)
            if pair.serves("alpha") != pair.serves("beta"):
                break
        why = f"cut {moment_ms} ms after its beginning: {pair.why('alpha')} | {pair.why('beta')}"
        assert pair.serves("alpha") != pair.serves("beta"), why


@pytest.mark.parametrize(("plan", "steps"), [(cold_start, 8), (take_over, 8), (hand_over, 8), (shutdown, 10)])
def test_the_plans_have_the_steps_that_are_cut(plan: Callable[[], Pair], steps: int) -> None:
    assert len(moments_of(plan)) >= steps
    pair = plan()
    pair.run(PLAN_MS)
    assert pair.serves("beta" if plan is not cold_start else "alpha")
