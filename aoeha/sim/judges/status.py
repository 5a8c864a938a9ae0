"""Whether what a node's status tells is true, judged by the world. Shares no code with the core.

Only plain lies are judged. Of protection: every device has been dead for so long that each must have been read since,
no shelf could make up for them, and the node was there all the while. Of ownership: the pair has been well for a while.
"""

from aoeha.core.model.actions import Answer
from aoeha.core.status import Status
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.machine import Machine
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["StatusJudge", "judge_ownership", "judge_protection", "judge_why"]

ASK_EVERY_MS = 20_000
SLACK_MS = 30_000


class StatusJudge(Observer):
    """Asks every node now and then what it tells of itself."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.timeline.after(ASK_EVERY_MS, self._ask)

    def answered(self, machine: Gateway, answer: Answer) -> None:
        """A request was answered."""
        if not answer.sentence.strip():
            sentence = f"{machine.name} answers {answer.code.value} and no sentence"
            raise Violation("I8", self.world.timeline.now_ms, sentence)

    def _ask(self) -> None:
        for machine, told in self.world.told():
            judge_why(self.world, machine, told)
            judge_protection(self.world, machine, told)
        self.world.timeline.after(ASK_EVERY_MS, self._ask)


def judge_why(world: World, machine: Machine, told: Status) -> None:
    """Raise Violation when the node cannot say why things are as they are."""
    if not told.why.sentence.strip():
        raise Violation("I8", world.timeline.now_ms, f"{machine.name} cannot say why things are as they are")


def judge_protection(world: World, machine: Machine, told: Status) -> None:
    """Raise Violation when the node calls itself protected and no device could prove anything."""
    config, now_ms = machine.config, world.timeline.now_ms
    by_shelves = config.storage_suffices and all(group.legs for group in config.groups)
    if not told.protected or by_shelves or machine.present_since_ms is None:
        return
    slowest_ms = max((2 * fence.timeout_ms + fence.monitor_every_ms for fence in config.fences), default=0)
    since_ms = now_ms - slowest_ms - SLACK_MS
    dead = all(device.mode == "dead" and device.mode_since_ms < since_ms for device in world.power.devices.values())
    if dead and machine.present_since_ms < since_ms:
        raise Violation("I8", now_ms, f"{machine.name} says that it is protected, and no fence device works")


def judge_ownership(world: World) -> None:
    """Raise Violation when a node of a pair that is well names an owner that does not serve, or refuses to start."""
    for machine, told in world.told():
        for group in told.groups:
            if group.refusal:
                sentence = f"{machine.name} still says '{group.refusal.sentence}' although all is well"
                raise Violation("I8", world.timeline.now_ms, sentence)
            if group.owner not in world.machines or not world.machines[group.owner].serves(group.name):
                sentence = f"{machine.name} says that {group.owner} owns {group.name}, which is served by another"
                raise Violation("I8", world.timeline.now_ms, sentence)
