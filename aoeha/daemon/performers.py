"""What each class of tasks is done with: agents of resources, fence devices, the legs' targets, the clients' network.

Nothing is decided here, and nothing is bounded: a performer ends, raises or hangs as its agent does.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from aoeha.agents.capabilities import LegSet, PathDriver, SharedAddress
from aoeha.agents.interface import AgentError, FenceAgent, Observation, ResourceAgent
from aoeha.core.model.shelves import Holder, Reservation
from aoeha.core.model.task import (
    AddressRenewal,
    Answered,
    ConflictTask,
    GenerationTask,
    HostsHeard,
    HostsTask,
    LegTask,
    Observed,
    Outcome,
    PathTask,
    PlugRead,
    PlugState,
    PowerTask,
    RecordsRead,
    RecordTask,
    ReservationsRead,
    ReservationTask,
    ResourceTask,
    SuperblockTask,
    Task,
    TaskKind,
    TaskResult,
)
from aoeha.fabric.aoe.port import AoeError
from aoeha.fabric.aoe.records import LegRecords
from aoeha.fabric.aoe.reservations import LegHolds
from aoeha.io.processes import leaving_services
from aoeha.io.reference_hosts import answering

__all__ = ["Agents", "Device", "Performed", "Performers", "what"]


@dataclass(frozen=True, slots=True)
class Device:
    """A fence device: for each node that it feeds the agent that switches it, and its plug there."""

    agents: Mapping[str, FenceAgent[Any]]
    plugs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Agents:
    """Everything that tasks are about: resources by (group, name), fence devices by name, legs' holds and records."""

    resources: Mapping[tuple[str, str], ResourceAgent[Any]]
    devices: Mapping[str, Device]
    holds: LegHolds | None = None
    records: LegRecords | None = None
    reference_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Performed:
    """How a task ended: what becomes its TaskDone."""

    result: TaskResult
    detail: str = ""
    outcome: Outcome | None = None


class Performers:
    """One performer for each class of tasks. They raise AgentError with a sentence, or whatever a guest may raise."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def perform(self, task: Task) -> Performed:
        """Do what a task asks for."""
        match task:
            case ResourceTask():
                return await self._resource(task)
            case SuperblockTask():
                return await self._superblocks(task)
            case GenerationTask():
                return await self._generation(task)
            case ConflictTask():
                return await self._conflict(task)
            case PowerTask():
                return await self._power(task)
            case ReservationTask():
                return await self._reservation(task)
            case RecordTask():
                return await self._record(task)
            case LegTask():
                return await self._leg(task)
            case PathTask():
                return await self._path(task)
            case HostsTask():
                return await self._hosts(task)
            case _:
                assert_never(task)

    async def _resource(self, task: ResourceTask) -> Performed:
        agent, service = self._agent(task), f"{task.group}.{task.subject}"
        match task.kind:
            case TaskKind.START:
                with leaving_services(service):
                    if isinstance(agent, LegSet):
                        return await _done(agent.start_from(task.legs, task.limits, short=task.short))
                    return await _done(agent.start())
            case TaskKind.STOP:
                await agent.stop()
                return await _done(agent.host.end_service(service))
            case TaskKind.VALIDATE:
                return await _done(agent.validate())
            case _:
                seen = await (agent.look(task.limits) if isinstance(agent, LegSet) else agent.monitor())
                return Performed(TaskResult.OK, seen.reason, _observed(seen))

    async def _superblocks(self, task: SuperblockTask) -> Performed:
        agent = self._agent(task)
        if not isinstance(agent, LegSet):
            raise AgentError(f"cannot {what(task)}: {task.subject} is no mirror")
        return Performed(TaskResult.OK, outcome=await agent.read_superblocks(task.legs, task.deadline_ms // 2))

    async def _generation(self, task: GenerationTask) -> Performed:
        agent = self._agent(task)
        if not isinstance(agent, LegSet):
            raise AgentError(f"cannot {what(task)}: {task.subject} is no mirror")
        return Performed(TaskResult.OK, outcome=await agent.renew(task.legs, task.generation))

    async def _conflict(self, task: ConflictTask) -> Performed:
        agent = self._agent(task)
        if not isinstance(agent, SharedAddress):
            raise AgentError(f"cannot {what(task)}: {task.subject} is no address")
        return Performed(TaskResult.OK, outcome=Answered(await agent.detect_conflict()))

    async def _power(self, task: PowerTask) -> Performed:
        device = self._agents.devices.get(task.subject)
        if device is None or task.node not in device.plugs:
            raise AgentError(f"cannot {what(task)}: the configuration names no such plug; correct [[fence]]")
        agent, plug = device.agents[task.node], device.plugs[task.node]
        match task.kind:
            case TaskKind.POWER_OFF:
                return await _done(agent.power_off(plug))
            case TaskKind.POWER_ON:
                return await _done(agent.power_on(plug))
            case _:
                state = await agent.status(plug)
                unclear = f"{task.subject} does not say whether plug {plug} is on or off"
                fault = getattr(agent, "fault", "") or unclear
                return Performed(TaskResult.OK, fault if state is PlugState.UNKNOWN else "", PlugRead(state))

    async def _reservation(self, task: ReservationTask) -> Performed:
        if self._agents.holds is None:
            raise AgentError(f"cannot {what(task)}: the configuration names no legs")
        renewal, expired = task.renewal, tuple[str, ...]()
        if renewal is not None and renewal.vouching is None:
            expired = await self._renew(task.group, renewal)
        renewed = False

        async def found(hold: Reservation) -> None:
            nonlocal renewed, expired
            if renewal is None or renewed or hold.holder is not Holder.US or hold.leg not in (renewal.vouching or ()):
                return
            renewed = True
            expired = await self._renew(task.group, renewal)

        try:
            holds = await self._agents.holds.perform(task, found)
        except AoeError as error:
            raise AgentError(f"cannot {what(task)}: {error}") from error
        return Performed(TaskResult.OK, outcome=ReservationsRead(holds, expired))

    async def _renew(self, group: str, renewal: AddressRenewal) -> tuple[str, ...]:
        """Prolong the lives of addresses, and return those that are gone or could not be asked."""
        expired: list[str] = []
        for name in renewal.addresses:
            agent = self._agents.resources.get((group, name))
            if isinstance(agent, SharedAddress):
                try:
                    await agent.renew(renewal.lifetime_ms)
                except AgentError:
                    expired.append(name)
        return tuple(expired)

    async def _record(self, task: RecordTask) -> Performed:
        if self._agents.records is None:
            raise AgentError(f"cannot {what(task)}: the configuration names no legs")
        try:
            return Performed(TaskResult.OK, outcome=RecordsRead(await self._agents.records.perform(task)))
        except AoeError as error:
            raise AgentError(f"cannot {what(task)}: {error}") from error

    async def _leg(self, task: LegTask) -> Performed:
        agent = self._agent(task)
        if not isinstance(agent, LegSet):
            raise AgentError(f"cannot {what(task)}: {task.subject} is no mirror")
        if task.kind is TaskKind.EVICT_LEG:
            return await _done(agent.evict(task.leg))
        return await _done(agent.take_back(task.leg, whole=task.whole, outdated=task.outdated))

    async def _path(self, task: PathTask) -> Performed:
        agent = self._agent(task)
        if not isinstance(agent, PathDriver):
            raise AgentError(f"cannot {what(task)}: {task.subject} is no driver")
        return await _done(agent.fail_over(task.legs, task.failover))

    async def _hosts(self, task: HostsTask) -> Performed:
        try:
            count = await answering(self._agents.reference_hosts, task.deadline_ms)
        except OSError as error:
            raise AgentError(f"cannot {what(task)}: {error.strerror}; the daemon needs CAP_NET_RAW") from error
        return Performed(TaskResult.OK, outcome=HostsHeard(count))

    def _agent(
        self, task: ResourceTask | SuperblockTask | GenerationTask | ConflictTask | LegTask | PathTask
    ) -> ResourceAgent[Any]:
        agent = self._agents.resources.get((task.group, task.subject))
        if agent is None:
            raise AgentError(f"cannot {what(task)}: the configuration names no such resource")
        return agent


def what(task: Task) -> str:
    """Say what a task does, in two words or three."""
    node = f" of {task.node}" if isinstance(task, PowerTask) else ""
    return f"{task.kind.value.replace('_', ' ')} {task.subject}{node}"


def _observed(seen: Observation) -> Observed:
    return Observed(seen.status, seen.missing, seen.used, seen.write_mostly, seen.copying)


async def _done(work: Awaitable[None]) -> Performed:
    await work
    return Performed(TaskResult.OK)
