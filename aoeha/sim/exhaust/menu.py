"""Every event that can happen to one gateway by itself, with its cost."""

from collections.abc import Iterator

from aoeha.core.model.state import NodeState
from aoeha.core.model.task import PlugState, TaskKind, TaskResult
from aoeha.core.storage.storage_fence import next_wakes_ms
from aoeha.sim.exhaust.canonical_legs import NOW_MS, TICK_MS
from aoeha.sim.exhaust.gateway import Gateway, Happening, Power
from aoeha.sim.exhaust.shelves import MIRROR_KINDS, SHELF_KINDS

__all__ = ["ROOMLESS", "menu"]

VERBS = ("switchover", "standby", "unstandby", "leave", "confirm", "pause")
ROOMLESS = ("crash", "kill", "pause", "boot", "on", "start", "forget", "edit")


def menu(gateway: Gateway, boots_max: int) -> Iterator[tuple[Happening, str]]:
    """Yield every event that can happen to one gateway by itself, with its cost. The shelves answer elsewhere."""
    name, state = gateway.name, gateway.state
    if gateway.power is Power.DOWN and gateway.boot < boots_max:
        yield Happening("boot", f"{name} boots"), ""
    if gateway.power is Power.OFF and gateway.boot < boots_max:
        yield Happening("on", f"somebody switches {name} on"), "commands"
    if gateway.power is Power.PAUSED:
        yield Happening("wake", f"{name} wakes and notices"), ""
        yield Happening("thaw", f"{name} wakes with a clock that stood still"), ""
        yield Happening("crash", f"{name} crashes asleep"), "crashes"
    if state is None and gateway.memory is not None:
        yield Happening("forget", f"what {name} remembers is lost"), "memories"
    if state is None:
        yield Happening("edit", f"somebody edits aoeha.toml on {name}"), "edits"
    if gateway.power is not Power.ON:
        return
    yield Happening("crash", f"{name} crashes"), "crashes"
    if state is None:
        yield Happening("start", f"the daemon on {name} starts"), ""
        return
    for storage in _storage_after_kill(gateway, state):
        word = "" if storage == gateway.storage else ", its task having ended just before"
        yield Happening("kill", f"the daemon on {name} dies{word}", storage=storage), "crashes"
    yield Happening("tick", f"{name} ticks"), ""
    if any(NOW_MS < wake_ms < NOW_MS + TICK_MS for wake_ms in next_wakes_ms(state)):
        yield Happening("moment", f"a moment passes on {name}"), ""
    yield Happening("pause", f"{name} falls asleep"), "pauses"
    for verb in VERBS:
        yield Happening(verb, f"on {name}: {verb}"), "commands"
    yield from _task_ends(gateway, state)


def _storage_after_kill(gateway: Gateway, state: NodeState) -> set[bool]:
    """A task that dies with its daemon may have ended just before."""
    could_end = {TaskKind.STOP} if gateway.mirrored else {TaskKind.START, TaskKind.STOP}
    changing = {task.kind for task in state.tasks} & could_end
    return {gateway.storage, False} if changing and gateway.storage else {gateway.storage}


def _task_ends(gateway: Gateway, state: NodeState) -> Iterator[tuple[Happening, str]]:
    answers = dict(gateway.late)
    for task in state.tasks:
        label = f"{gateway.name}: {task.kind.value.replace('_', ' ')}"
        if task.id in gateway.cancelled:
            yield Happening("task", f"{label} is cancelled", task.id, TaskResult.CANCELLED), ""
            if task.kind is TaskKind.POWER_OFF:
                yield (
                    Happening("task", f"{label} is cancelled too late", task.id, TaskResult.CANCELLED, storage=True),
                    "",
                )
            continue
        if task.kind in SHELF_KINDS or (gateway.mirrored and task.kind in MIRROR_KINDS):
            if task.id in answers:
                yield Happening("task", f"{label} is heard of", task.id, answer=answers[task.id]), ""
            continue
        plug = PlugState.ON if task.kind is TaskKind.POWER_STATUS else None
        yield Happening("task", f"{label} ends", task.id, plug=plug), ""
        if task.kind in FALLIBLE:
            yield Happening("task", f"{label} fails", task.id, TaskResult.TIMED_OUT), "failures"
        if task.kind is TaskKind.POWER_OFF:
            late = Happening("task", f"{label} works and times out", task.id, TaskResult.TIMED_OUT, storage=True)
            yield late, "failures"


FALLIBLE = (TaskKind.START, TaskKind.STOP, TaskKind.POWER_OFF, TaskKind.POWER_STATUS)
