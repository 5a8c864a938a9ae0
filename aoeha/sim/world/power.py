"""Fence devices and the cords behind them.

A device of level 1 switches outlets: a gateway with several of them there has a supply at each, and runs as long as
one brings power. Devices of higher levels sit in the gateway and switch its chassis; what hangs on the gateway's own
mains dies with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aoeha.core.model.config import FenceConfig
from aoeha.core.model.events import TaskDone
from aoeha.core.model.task import PlugRead, PlugState, PowerTask, TaskKind, TaskResult
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.storage import Storage

__all__ = ["MODES", "Device", "Power"]

SWITCH_MS = (60, 350)
LATE_MS = (1_000, 25_000)
HASTY_MS = 900
HASTY_SHARE = 0.5
"""How often a vague device answers before it has switched."""
TALK_MS = 50
"""A dialogue with a wordy device goes on in such steps."""
SLOW_PERCENT = (30, 95)
"""How much of its time-out a slow device takes."""


MODES = ("ok", "dead", "slow", "late", "vague", "refuses", "lies", "hasty", "stuck", "wordy")
"""dead: no answer. stuck: the same, and a task upon it cannot be killed. late: no answer in time, but it switches.
vague: reads unknown. refuses: says that it can't. lies: says that it has switched, and has not; what it reads is so.
hasty: reads what it was told, HASTY_MS before it is so. wordy: it takes its time like a slow one, and is told only at
the end of a dialogue, which stands still with the gateway that leads it, and ends with it."""
SLOW = ("slow", "late", "vague", "wordy")
DISOBEDIENT = ("dead", "stuck", "refuses", "lies")
AGAIN_MS = 60_000
"""An order that was not carried out is given again within this time."""

Report = Callable[[TaskDone], None]


@dataclass(slots=True)
class Device:
    """One fence device. `miswired` names a gateway whose plug is another's. `mode` is one of MODES.

    `feeds` names the shelf, if any, that hangs on a gateway's outlet there too.
    """

    config: FenceConfig
    outlets: dict[str, bool] = field(default_factory=dict)
    mode: str = "ok"
    miswired: str = ""
    shares_power_of: str = ""
    feeds: dict[str, str] = field(default_factory=dict)
    mode_since_ms: int = 0
    told: dict[str, bool] = field(default_factory=dict)

    @property
    def in_chassis(self) -> bool:
        """Whether it sits in the gateways themselves."""
        return self.config.level > 1


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What a program of one boot of a gateway says to a device."""

    device: Device
    orderer: Gateway
    boots: int
    task: PowerTask
    report: Report


class Power:
    """All fence devices."""

    def __init__(
        self, stage: Stage, machines: Mapping[str, Gateway], storage: Storage, fences: tuple[FenceConfig, ...]
    ) -> None:
        self._stage = stage
        self._machines = machines
        self._storage = storage
        self._slow_until_ms = 0
        self._given_up: set[tuple[str, PowerTask]] = set()
        self.disobeyed_ms: int | None = None
        self.devices = {fence.name: Device(fence) for fence in fences}
        for device in self.devices.values():
            device.outlets = dict.fromkeys(stage.configs, True)

    def supplies(self, machine: Gateway) -> bool:
        """Whether a cord brings power to a gateway: its mains do, and a device of level 1 lets it through."""
        return machine.mains and self._feeds(machine.name)

    def _feeds(self, node: str) -> bool:
        outlets = [device for device in self.devices.values() if not device.in_chassis]
        return not outlets or any(device.outlets[node] or device.miswired == node for device in outlets)

    def set_mode(self, name: str, mode: str) -> None:
        """Let a device work so from now on. What was ordered before comes in its old time."""
        device = self.devices[name]
        if device.mode != mode:
            self._note_slow(device)
            device.mode, device.mode_since_ms = mode, self._stage.timeline.now_ms

    def miswire(self, name: str, node: str) -> None:
        """Let a gateway's plug of a device be another's."""
        self.devices[name].miswired = node

    def is_tried_again(self) -> bool:
        """Whether a device did not switch a gateway off lately, so that the order may be given again at any moment."""
        return self.disobeyed_ms is not None and self._stage.timeline.now_ms - self.disobeyed_ms < AGAIN_MS

    def may_be_slow(self) -> bool:
        """Whether a device may take its time over an order, or still over one of when it was slow."""
        slow_now = any(device.mode in SLOW for device in self.devices.values())
        return slow_now or self._stage.timeline.now_ms < self._slow_until_ms

    def _note_slow(self, device: Device) -> None:
        """A device is slow no more: what was ordered before still comes late."""
        if device.mode in SLOW:
            until_ms = self._stage.timeline.now_ms + device.config.timeout_ms + LATE_MS[1]
            self._slow_until_ms = max(until_ms, self._slow_until_ms)

    def switch_on(self, node: str) -> None:
        """Every outlet of a gateway, by hand."""
        for device in self.devices.values():
            device.outlets[node] = True

    def mend(self) -> None:
        """Let every device work, and bring every gateway power again."""
        for device in self.devices.values():
            self._note_slow(device)
            device.mode, device.miswired, device.shares_power_of = "ok", "", ""
            device.feeds.clear()
            device.outlets = dict.fromkeys(device.outlets, True)

    def perform(self, task: PowerTask, orderer: Gateway, report: Report) -> None:
        """Do what a power task asks for, in the device's own time, and report its end."""
        device, deadline_ms = self.devices[task.subject], task.deadline_ms
        random, timeline = self._stage.random, self._stage.timeline
        duration_ms = random.randint(*SWITCH_MS)
        victim = self._machines[task.node]
        unpowered = device.shares_power_of == task.node and not victim.mains
        if task.kind is TaskKind.POWER_OFF and (unpowered or device.mode in DISOBEDIENT):
            self.disobeyed_ms = timeline.now_ms
        if device.mode in ("dead", "stuck") or unpowered:
            timeline.after(deadline_ms, _report, report, task, TaskResult.TIMED_OUT, None)
            return
        self._given_up.discard((orderer.name, task))
        if device.mode in ("slow", "wordy"):
            duration_ms = deadline_ms * random.randint(*SLOW_PERCENT) // 100
        if device.mode == "wordy":
            self._talk(Dialogue(device, orderer, orderer.boots, task, report), duration_ms)
            return
        if device.mode == "late":
            timeline.after(deadline_ms, _report, report, task, TaskResult.TIMED_OUT, None)
            timeline.after(deadline_ms + random.randint(*LATE_MS), self._act, device, orderer, task)
            return
        if device.mode == "refuses":
            timeline.after(duration_ms, _report, report, task, TaskResult.FAILED, None)
            return
        lag_ms = random.randint(*LATE_MS) if device.mode == "vague" and random.random() < HASTY_SHARE else 0
        if device.mode == "hasty":
            lag_ms = HASTY_MS
            if task.kind is not TaskKind.POWER_STATUS:
                device.told[task.node] = task.kind is TaskKind.POWER_ON
        timeline.after(duration_ms + lag_ms, self._act, device, orderer, task)
        timeline.after(duration_ms, self._answer, report, task, device)

    def give_up(self, task: PowerTask, orderer: Gateway) -> bool:
        """End what carries a task to its device, if it can be killed: what was not told by now is never told."""
        self._given_up.add((orderer.name, task))
        return self.devices[task.subject].mode != "stuck"

    def _talk(self, talk: Dialogue, left_ms: int) -> None:
        orderer = talk.orderer
        if not orderer.alive or orderer.boots != talk.boots or (orderer.name, talk.task) in self._given_up:
            return
        if left_ms <= 0:
            self._act(talk.device, orderer, talk.task)
            self._answer(talk.report, talk.task, talk.device)
            return
        pause_ms = min(TALK_MS, left_ms)
        self._stage.timeline.after(pause_ms, self._talk, talk, left_ms if orderer.frozen else left_ms - pause_ms)

    def _act(self, device: Device, orderer: Gateway, task: PowerTask) -> None:
        if task.kind is TaskKind.POWER_STATUS or device.mode == "lies":
            return
        on = task.kind is TaskKind.POWER_ON
        victim = self._machines[task.node]
        was_alive = victim.alive
        if device.in_chassis:
            if device.miswired == victim.name:
                return
            victim.chassis_on = on
        else:
            device.outlets[victim.name] = on
            if victim.name in device.feeds:
                self._storage.power_shelf(device.feeds[victim.name], on=on)
        victim.power_changed()
        if was_alive and not victim.alive:
            self._fenced(orderer, victim)

    def _fenced(self, orderer: Gateway, victim: Gateway) -> None:
        """A fence device switched a running gateway off."""
        self._stage.count("fence", victim.name)
        self._stage.trace.line(victim.name, "POWER CUT", "", f"by order of {orderer.name}")
        self._stage.tell(Observer.fenced, orderer, victim)

    def _answer(self, report: Report, task: PowerTask, device: Device) -> None:
        plug: PlugState | None = None
        if task.kind is TaskKind.POWER_STATUS:
            plug = PlugState.UNKNOWN if device.mode == "vague" else self._reading(device, task.node)
        _report(report, task, TaskResult.OK, plug)

    def _reading(self, device: Device, node: str) -> PlugState:
        if device.mode == "hasty" and node in device.told:
            return PlugState.ON if device.told[node] else PlugState.OFF
        if not device.in_chassis:
            return PlugState.ON if device.outlets[node] else PlugState.OFF
        if device.miswired == node:
            return PlugState.OFF
        machine = self._machines[node]
        return PlugState.ON if machine.chassis_on and self.supplies(machine) else PlugState.OFF


def _report(report: Report, task: PowerTask, result: TaskResult, plug: PlugState | None) -> None:
    told = PlugRead(plug) if plug is not None else None
    report(TaskDone(0, task.id, result, outcome=told))
