"""Long work for the core: agents' methods with a deadline, each ending in exactly one TaskDone whatever happens.

An agent is a guest. It may raise anything, sleep for ever or ignore that it was cancelled; the core gets its one
answer in time all the same, and the loop never waits for it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aoeha.agents.interface import AgentError, LateError
from aoeha.agents.time_left import ending_in
from aoeha.core.model.events import TaskDone
from aoeha.core.model.task import Observed, ResourceStatus, ResourceTask, Task, TaskKind, TaskResult
from aoeha.core.model.text import one_line
from aoeha.daemon.performers import Agents, Performed, Performers, what
from aoeha.io import clock, means
from aoeha.io.tracebacks import print_traceback

__all__ = ["TaskRunner"]

CANCEL_PATIENCE_MS = 500
ABANDONED_MAX = 8
CLOSE_PATIENCE_MS = 1_000
TELLING = (TaskKind.PROBE, TaskKind.MONITOR, TaskKind.STOP)
"""The tasks whose bad end would stop, move or fence something."""
WELL = (ResourceStatus.RUNNING, ResourceStatus.DEGRADED)
CHANGES = frozenset(
    {
        TaskKind.START,
        TaskKind.STOP,
        TaskKind.POWER_OFF,
        TaskKind.POWER_ON,
        TaskKind.EVICT_LEG,
        TaskKind.RETURN_LEG,
        TaskKind.FAIL_OVER_PATH,
    }
)


@dataclass(slots=True)
class _Running:
    """One task under way. `cancelled` is set when the core no longer wants it."""

    task: Task
    supervisor: asyncio.Task[None] | None
    cancelled: asyncio.Event


class TaskRunner:
    """Starts and cancels tasks. `post` takes each task's one TaskDone, always on a later turn of the loop."""

    def __init__(self, agents: Agents, post: Callable[[TaskDone], None]) -> None:
        self._performers = Performers(agents)
        self._post = post
        self._running: dict[int, _Running] = {}
        self._abandoned: dict[str, set[asyncio.Future[Performed]]] = {}

    def start(self, task: Task) -> None:
        """Begin a task; its number must be new."""
        assert task.id not in self._running, f"task {task.id} was started twice"
        running = _Running(task, None, asyncio.Event())
        self._running[task.id] = running
        running.supervisor = asyncio.create_task(self._supervise(task, running.cancelled), name=f"task-{task.id}")

    def cancel(self, task_id: int) -> None:
        """Kill a task. Its TaskDone still comes; one that has already ended is left alone."""
        if running := self._running.get(task_id):
            running.cancelled.set()

    def change_under_way(self) -> str:
        """Name a task that changes something and must not be cut short, empty for none."""
        for running in self._running.values():
            if running.task.kind in CHANGES:
                return what(running.task)
        return ""

    async def close(self) -> None:
        """Cancel whatever runs and wait for it, a second at most."""
        supervisors = [running.supervisor for running in self._running.values() if running.supervisor]
        for running in self._running.values():
            running.cancelled.set()
        if supervisors:
            await asyncio.wait(supervisors, timeout=CLOSE_PATIENCE_MS / 1_000)

    async def _supervise(self, task: Task, cancelled: asyncio.Event) -> None:
        try:
            performed = await self._bounded(task, cancelled)
        except Exception as error:  # noqa: BLE001 - a bug here must not cost the core its one answer
            print_traceback()
            performed = Performed(TaskResult.FAILED, detail=f"cannot {what(task)}: {error!r}; see the log")
        del self._running[task.id]
        self._post(TaskDone(clock.now_ms(), task.id, performed.result, one_line(performed.detail), performed.outcome))

    async def _bounded(self, task: Task, cancelled: asyncio.Event) -> Performed:
        """Return what came of the task: its own outcome, or ours when it was cancelled or its time was up."""
        if len(self._abandoned.get(task.subject, ())) >= ABANDONED_MAX:
            return Performed(
                TaskResult.FAILED,
                detail=f"cannot {what(task)}: {ABANDONED_MAX} earlier tasks of its agent hang and ignore being "
                "cancelled; correct the agent and restart aoeha",
            )
        work = asyncio.ensure_future(self._performed(task))
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
            detail = f"cannot {what(task)}: it ran for {task.deadline_ms} ms, ignores being cancelled and was left"
            return Performed(TaskResult.TIMED_OUT, detail=detail)
        if not work.cancelled():
            return work.result()
        if cancelled.is_set():
            return Performed(TaskResult.CANCELLED, detail=f"{what(task)} was cancelled")
        return Performed(TaskResult.TIMED_OUT, detail=f"cannot {what(task)}: not done within {task.deadline_ms} ms")

    def _abandon(self, task: Task, work: "asyncio.Future[Performed]") -> None:
        left = self._abandoned.setdefault(task.subject, set())
        left.add(work)
        work.add_done_callback(left.discard)

    async def _performed(self, task: Task) -> Performed:
        """Call the agent; turn every exception but a cancellation into an outcome."""
        try:
            with ending_in(task.deadline_ms):
                performed, lack = await self._performers.perform(task), ""
        except LateError as error:
            performed, lack = Performed(TaskResult.TIMED_OUT, detail=str(error)), means.named_by(error)
        except AgentError as error:
            performed, lack = Performed(TaskResult.FAILED, detail=str(error)), means.named_by(error)
        except TimeoutError as error:
            return Performed(TaskResult.TIMED_OUT, detail=f"cannot {what(task)}: {error or 'its time was up'}")
        except Exception as error:  # noqa: BLE001 - an agent may be anybody's; its bug is its task's failure
            lack = means.named_by(error)
            if not lack:
                print_traceback()
            detail = f"cannot {what(task)}: its agent broke with {type(error).__name__}: {error}; see the log"
            performed = Performed(TaskResult.FAILED, detail=detail)
        return performed if _is_well(task, performed) else _unable(task, lack or means.lacking()) or performed


def _is_well(task: Task, performed: Performed) -> bool:
    """Whether nothing bad is said of a resource: an agent may have taken a lack of ours for a fault of the resource."""
    if not isinstance(task, ResourceTask) or task.kind not in TELLING:
        return True
    look = performed.outcome
    return performed.result is TaskResult.OK and (not isinstance(look, Observed) or look.status in WELL)


def _unable(task: Task, lack: str) -> Performed | None:
    return Performed(TaskResult.UNABLE, detail=f"cannot {what(task)}: {lack}") if lack else None
