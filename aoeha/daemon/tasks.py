"""Long work for the core: agents' methods with a deadline, each ending in exactly one TaskDone whatever happens.

An agent is a guest. It may raise anything, sleep for ever or ignore that it was cancelled; the core gets its one
answer in time all the same, and the loop never waits for it.
"""

import asyncio
import contextlib
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aoeha.agents.capabilities import LegSet, PathDriver, SharedAddress
from aoeha.agents.interface import AgentError, FenceAgent, Observation, ResourceAgent
from aoeha.core.model.events import TaskDone
from aoeha.core.model.shelves import Holder, Reservation, SeenRecord
from aoeha.core.model.task import PlugState, ResourceStatus, Task, TaskKind, TaskResult
from aoeha.fabric.aoe.port import AoeError
from aoeha.fabric.aoe.records import LegRecords
from aoeha.fabric.aoe.reservations import LegHolds
from aoeha.io import clock
from aoeha.io.reference_hosts import one_answers

__all__ = ["Agents", "Device", "TaskRunner"]

CANCEL_PATIENCE_MS = 500
ABANDONED_MAX = 8
CLOSE_PATIENCE_MS = 1_000


@dataclass(frozen=True, slots=True)
class Device:
    """A fence device's agent and the plug of each node there."""

    agent: FenceAgent[Any]
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
class _Outcome:
    result: TaskResult
    observation: Observation | None = None
    plug: PlugState | None = None
    detail: str = ""
    holds: tuple[Reservation, ...] = ()
    records: tuple[SeenRecord, ...] = ()


@dataclass(slots=True)
class _Running:
    """One task under way. `cancelled` is set when the core no longer wants it."""

    supervisor: asyncio.Task[None] | None
    cancelled: asyncio.Event


class TaskRunner:
    """Starts and cancels tasks. `post` takes each task's one TaskDone, always on a later turn of the loop."""

    def __init__(self, agents: Agents, post: Callable[[TaskDone], None]) -> None:
        self._agents = agents
        self._post = post
        self._running: dict[int, _Running] = {}
        self._abandoned: dict[str, set[asyncio.Future[_Outcome]]] = {}

    def start(self, task: Task) -> None:
        """Begin a task; its number must be new."""
        assert task.id not in self._running, f"task {task.id} was started twice"
        running = _Running(None, asyncio.Event())
        self._running[task.id] = running
        running.supervisor = asyncio.create_task(self._supervise(task, running.cancelled), name=f"task-{task.id}")

    def cancel(self, task_id: int) -> None:
        """Kill a task. Its TaskDone still comes; one that has already ended is left alone."""
        if running := self._running.get(task_id):
            running.cancelled.set()

    async def close(self) -> None:
        """Cancel whatever runs and wait for it, a second at most."""
        supervisors = [running.supervisor for running in self._running.values() if running.supervisor]
        for running in self._running.values():
            running.cancelled.set()
        if supervisors:
            await asyncio.wait(supervisors, timeout=CLOSE_PATIENCE_MS / 1_000)

    async def _supervise(self, task: Task, cancelled: asyncio.Event) -> None:
        try:
            outcome = await self._bounded(task, cancelled)
        except Exception as error:  # noqa: BLE001 - a bug here must not cost the core its one answer
            traceback.print_exc(file=sys.stderr)
            outcome = _Outcome(TaskResult.FAILED, detail=f"cannot {_what(task)}: {error!r}; see the log")
        del self._running[task.id]
        status = outcome.observation.status if outcome.observation else None
        seen = outcome.observation or Observation(ResourceStatus.STOPPED)
        found = outcome.holds, outcome.records, seen.missing, seen.used, seen.write_mostly
        self._post(TaskDone(clock.now_ms(), task.id, outcome.result, status, outcome.plug, outcome.detail, *found))

    async def _bounded(self, task: Task, cancelled: asyncio.Event) -> _Outcome:
        """Return what came of the task: its own outcome, or ours when it was cancelled or its time was up."""
        if len(self._abandoned.get(task.subject, ())) >= ABANDONED_MAX:
            return _Outcome(
                TaskResult.FAILED,
                detail=f"cannot {_what(task)}: {ABANDONED_MAX} earlier tasks of its agent hang and ignore being "
                "cancelled; correct the agent and restart aoeha",
            )
        work = asyncio.ensure_future(self._outcome(task))
        wish = asyncio.ensure_future(cancelled.wait())
        try:
            await asyncio.wait({work, wish}, timeout=task.deadline_ms / 1_000, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=CANCEL_PATIENCE_MS / 1_000)
        finally:
            wish.cancel()
        if not work.done():
            self._abandon(task, work)
            detail = f"cannot {_what(task)}: it ran for {task.deadline_ms} ms, ignores being cancelled and was left"
            return _Outcome(TaskResult.TIMED_OUT, detail=detail)
        if not work.cancelled():
            return work.result()
        if cancelled.is_set():
            return _Outcome(TaskResult.CANCELLED, detail=f"{_what(task)} was cancelled")
        return _Outcome(TaskResult.TIMED_OUT, detail=f"cannot {_what(task)}: not done within {task.deadline_ms} ms")

    def _abandon(self, task: Task, work: "asyncio.Future[_Outcome]") -> None:
        left = self._abandoned.setdefault(task.subject, set())
        left.add(work)
        work.add_done_callback(left.discard)

    async def _outcome(self, task: Task) -> _Outcome:
        """Call the agent; turn every exception but a cancellation into an outcome."""
        try:
            return await self._call(task)
        except AgentError as error:
            return _Outcome(TaskResult.FAILED, detail=str(error))
        except TimeoutError as error:
            return _Outcome(TaskResult.TIMED_OUT, detail=f"cannot {_what(task)}: {error or 'its time was up'}")
        except Exception as error:  # noqa: BLE001 - an agent may be anybody's; its bug is its task's failure
            traceback.print_exc(file=sys.stderr)
            detail = f"cannot {_what(task)}: its agent broke with {type(error).__name__}: {error}; see the log"
            return _Outcome(TaskResult.FAILED, detail=detail)

    async def _call(self, task: Task) -> _Outcome:
        match task.kind:
            case TaskKind.POWER_OFF | TaskKind.POWER_ON | TaskKind.POWER_STATUS:
                return await self._switch(task)
            case TaskKind.PROBE | TaskKind.MONITOR:
                agent = self._agent(task)
                seen = await (agent.look(task.limits) if isinstance(agent, LegSet) else agent.monitor())
                return _Outcome(TaskResult.OK, observation=seen, detail=seen.reason)
            case TaskKind.START:
                agent = self._agent(task)
                start = agent.start_from(task.legs, task.limits) if isinstance(agent, LegSet) else agent.start()
                return await _done(start)
            case TaskKind.STOP:
                return await _done(self._agent(task).stop())
            case TaskKind.VALIDATE:
                return await _done(self._agent(task).validate())
            case TaskKind.DETECT_CONFLICT:
                agent = self._agent(task)
                if not isinstance(agent, SharedAddress):
                    raise AgentError(f"cannot {_what(task)}: {task.subject} is no address")
                return _Outcome(TaskResult.OK, Observation(_running(await agent.detect_conflict())))
            case TaskKind.READ_RESERVATIONS | TaskKind.RESERVE | TaskKind.PREEMPT | TaskKind.TRANSFER:
                return await self._hold(task)
            case TaskKind.EVICT_LEG:
                return await _done(self._mirror(task).evict(task.leg))
            case TaskKind.RETURN_LEG:
                return await _done(self._mirror(task).take_back(task.leg, whole=task.whole))
            case TaskKind.FAIL_OVER_PATH:
                assert task.failover is not None, "a task without what it is about"
                agent = self._agent(task)
                if not isinstance(agent, PathDriver):
                    raise AgentError(f"cannot {_what(task)}: {task.subject} is no driver")
                return await _done(agent.fail_over(task.legs, task.failover))
            case TaskKind.READ_RECORDS | TaskKind.WRITE_RECORD:
                return await self._record(task)
            case TaskKind.ASK_HOSTS:
                answered = await self._hosts_answer(task)
                return _Outcome(TaskResult.OK, Observation(_running(answered)))

    async def _hold(self, task: Task) -> _Outcome:
        if self._agents.holds is None:
            raise AgentError(f"cannot {_what(task)}: the configuration names no legs")
        if task.expected is Holder.UNKNOWN:
            await self._renew(task)
        try:
            holds = await self._agents.holds.perform(task)
        except AoeError as error:
            raise AgentError(f"cannot {_what(task)}: {error}") from error
        if any(hold.leg in task.legs and hold.holder is task.expected for hold in holds):
            await self._renew(task)
        return _Outcome(TaskResult.OK, holds=holds)

    async def _renew(self, task: Task) -> None:
        """Prolong the lives of the addresses that depend on the answer; one that is gone shows in its monitor."""
        for name in task.renews:
            agent = self._agents.resources.get((task.group, name))
            if isinstance(agent, SharedAddress):
                with contextlib.suppress(AgentError):
                    await agent.renew(task.lifetime_ms)

    async def _record(self, task: Task) -> _Outcome:
        if self._agents.records is None:
            raise AgentError(f"cannot {_what(task)}: the configuration names no legs")
        try:
            return _Outcome(TaskResult.OK, records=await self._agents.records.perform(task))
        except AoeError as error:
            raise AgentError(f"cannot {_what(task)}: {error}") from error

    async def _hosts_answer(self, task: Task) -> bool:
        try:
            return await one_answers(self._agents.reference_hosts, task.deadline_ms)
        except OSError as error:
            raise AgentError(f"cannot {_what(task)}: {error.strerror}; the daemon needs CAP_NET_RAW") from error

    async def _switch(self, task: Task) -> _Outcome:
        device = self._agents.devices.get(task.subject)
        if device is None or task.node not in device.plugs:
            raise AgentError(f"cannot {_what(task)}: the configuration names no such plug; correct [[fence]]")
        plug = device.plugs[task.node]
        match task.kind:
            case TaskKind.POWER_OFF:
                return await _done(device.agent.power_off(plug))
            case TaskKind.POWER_ON:
                return await _done(device.agent.power_on(plug))
            case _:
                state = await device.agent.status(plug)
                if state is not PlugState.UNKNOWN:
                    return _Outcome(TaskResult.OK, plug=state)
                unclear = f"{task.subject} does not say whether plug {plug} is on or off"
                return _Outcome(TaskResult.OK, plug=state, detail=getattr(device.agent, "fault", "") or unclear)

    def _agent(self, task: Task) -> ResourceAgent[Any]:
        agent = self._agents.resources.get((task.group, task.subject))
        if agent is None:
            raise AgentError(f"cannot {_what(task)}: the configuration names no such resource")
        return agent

    def _mirror(self, task: Task) -> LegSet:
        agent = self._agent(task)
        if not isinstance(agent, LegSet):
            raise AgentError(f"cannot {_what(task)}: {task.subject} is no mirror")
        return agent


def _running(yes: bool) -> ResourceStatus:
    return ResourceStatus.RUNNING if yes else ResourceStatus.STOPPED


async def _done(work: Awaitable[None]) -> _Outcome:
    await work
    return _Outcome(TaskResult.OK)


def _what(task: Task) -> str:
    return f"{task.kind.value.replace('_', ' ')} {task.subject}" + (f" of {task.node}" if task.node else "")
