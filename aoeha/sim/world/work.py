"""Tasks: what agents and fence devices do with the time that they are given.

A task ends in one TaskDone for the daemon that asked. What it does to the kernel is another matter: a task that hung
past its deadline, or whose daemon died, may still take effect later. A stop waits for such a leftover, as umount waits
for the mount that it follows; a restarted daemon ends the leftovers of the one before it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from aoeha.core.model.events import TaskDone
from aoeha.core.model.task import (
    Answered,
    ConflictTask,
    GenerationTask,
    HostsHeard,
    HostsTask,
    LegTask,
    Observed,
    PathTask,
    PowerTask,
    RecordTask,
    ReservationTask,
    ResourceTask,
    SuperblockTask,
    Task,
    TaskKind,
    TaskResult,
)
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.holds import Holds
from aoeha.sim.world.looks import Looks
from aoeha.sim.world.mirror import PATH_TIMING
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.power import Power
from aoeha.sim.world.services import Services
from aoeha.sim.world.stage import Stage
from aoeha.sim.world.storage import Storage

__all__ = ["Work"]

DURATIONS_MS = {
    TaskKind.PROBE: (10, 60),
    TaskKind.MONITOR: (10, 60),
    TaskKind.VALIDATE: (10, 60),
    TaskKind.START: (80, 900),
    TaskKind.STOP: (50, 600),
}
LOOKS = (TaskKind.PROBE, TaskKind.MONITOR, TaskKind.VALIDATE)
ROUND_TRIP_MS = (1, 4)
SUPERBLOCKS_MS = 40
"""What `mdadm --examine` takes. It is a part of what a mirror's start takes in all."""
GENERATION_MS, GENERATION_ROUNDS = 20, 3
"""A renewal reads each leg, writes there, and has its target keep what was written."""
"""What reading and writing 4 KiB on both legs takes, with the process that does it."""
DISK_ROUNDS = {TaskKind.START: 80, TaskKind.STOP: 20, TaskKind.RETURN_LEG: 80}
"""So often a mirror or a volume waits for its disks while it comes up or ends, or a leg returns; seen in the rack at
300 ms an answer."""
LEG_MS = (50, 500)
HURRY_MS = (1, 300)
PEER_HARDWARE, THIRD_HARDWARE = "02:00:00:00:00:02", "02:00:00:00:00:03"
HANGS_MS = 100
"""So often a task that hangs with its disks is tried again."""
HOSTS_MS = 5
ARP_PROBE_MS = 200
"""Three questions on the network take so long."""
SLOW_LOOK_MS = (300, 4_000)
SLOW_LOOK_PERCENT = 15
LATE_MS = (500, 6_000)
CANCEL_MS = 4
HALF_DONE_PERCENT = 40
UNABLE_TO = (TaskKind.PROBE, TaskKind.MONITOR, TaskKind.STOP)
"""What a gateway without descriptors is told to be no finding about a resource; any other task just fails."""
JUST_ENDED_PERCENT = 30
"""A look that is cancelled may have ended just before; then its own end is reported."""

Listener = Callable[[int, TaskDone], None]
"""Hears a task's number and its end."""


@dataclass(slots=True, eq=False)
class Job:
    """One task at work. `listener` is told its end, None when none waits for it; `over`: it has no further effect.

    `incarnation` is that of the daemon which began it. `by_ms`: when its time is over, by its machine's clock.
    """

    machine: Gateway
    incarnation: int
    listener: Listener | None
    task: Task
    boots: int
    by_ms: int
    over: bool = False
    lands_ms: int = 0


class Work:
    """All tasks of both machines."""

    def __init__(
        self, stage: Stage, machines: Mapping[str, Gateway], power: Power, storage: Storage, services: Services
    ) -> None:
        self._stage = stage
        self._machines = machines
        self._power = power
        self._storage = storage
        self._services = services
        self._jobs: dict[tuple[str, int, int], Job] = {}
        self._late: dict[tuple[str, str], Job] = {}
        self._holds = Holds(stage, storage, services)
        self.looks = Looks(stage, storage)
        self._whole_start_ms: dict[tuple[str, str], int] = {}
        """How long the start of a mirror takes of which the superblocks are read, with that."""

    def start(self, machine: Gateway, incarnation: int, task: Task, listener: Listener) -> None:
        """Begin a task of a machine's daemon. `listener` is told its end."""
        job = Job(machine, incarnation, listener, task, machine.boots, machine.clock_ms() + task.deadline_ms)
        if task.kind in (TaskKind.START, TaskKind.STOP) and self._acting(machine, task.subject):
            self._stage.tell(Observer.overlapped, machine, task)
        self._jobs[machine.name, incarnation, task.id] = job
        self._stage.count("task", task.kind.value)
        match task:
            case PowerTask():
                self._power.perform(task, machine, partial(self._switched, job))
            case ReservationTask() | RecordTask():
                wait_ms = self._stage.random.randint(*ROUND_TRIP_MS)
                self._stage.timeline.after(wait_ms, machine.by_kernel, self._ask_shelves, job, task)
            case LegTask():
                wait_ms, rounds = self._stage.random.randint(*LEG_MS), DISK_ROUNDS.get(task.kind, 0)
                self._stage.timeline.after(wait_ms, machine.by_kernel, self._change_in_rounds, job, task, rounds)
                self._stage.timeline.after(task.deadline_ms, machine.by_kernel, self._ended, job, TaskResult.TIMED_OUT)
            case PathTask():
                wait_ms = max(0, task.failover.begin_ms - machine.clock_ms()) + self._stage.random.randint(*HURRY_MS)
                self._stage.timeline.after(wait_ms, machine.by_kernel, self._hurry, job, task)
            case SuperblockTask():
                whole_ms = self._stage.random.randint(*DURATIONS_MS[TaskKind.START])
                self._whole_start_ms[machine.name, task.subject] = whole_ms
                read_ms = SUPERBLOCKS_MS + self._storage.answer_ms(machine, task.group)
                self._in_time(job, read_ms, partial(self._read_superblocks, job, task))
            case GenerationTask():
                wait_ms = GENERATION_MS + GENERATION_ROUNDS * self._storage.answer_ms(machine, task.group)
                self._in_time(job, wait_ms, partial(self._renew_generation, job, task))
            case ConflictTask():
                self._stage.timeline.after(ARP_PROBE_MS, machine.by_kernel, self._detect_conflict, job)
            case HostsTask():
                count = self._storage.reach[machine.name].hosts(machine.config)
                wait_ms = HOSTS_MS if count == len(machine.config.reference_hosts) else task.deadline_ms
                self._stage.timeline.after(wait_ms, machine.by_kernel, self._hosts_answer, job, count)
            case ResourceTask():
                self._perform(job, task)
            case _:
                assert_never(task)

    def _in_time(self, job: Job, wait_ms: int, act: Callable[[], None]) -> None:
        """Do it when it has taken so long, unless its time is up before."""
        late = partial(self._ended, job, TaskResult.TIMED_OUT)
        deadline_ms = job.task.deadline_ms
        self._stage.timeline.after(
            min(wait_ms, deadline_ms), job.machine.by_kernel, late if wait_ms > deadline_ms else act
        )

    def _perform(self, job: Job, task: ResourceTask) -> None:
        """Do what an agent would do with a resource."""
        machine = job.machine
        if task.kind is TaskKind.START:
            machine.active[task.subject] = "starting"
            self._stage.changed()
        if task.kind in (TaskKind.PROBE, TaskKind.MONITOR):
            self._heed(machine, task)
        trouble = machine.broken.get((task.kind.value, task.subject), "")
        if trouble == "unable" and task.kind in UNABLE_TO:
            self._stage.timeline.after(1, machine.by_kernel, self._cannot, job, task)
            return
        if trouble in ("hang", "late"):
            self._stage.timeline.after(
                task.deadline_ms, machine.by_kernel, self._time_out, job, task, trouble == "late"
            )
            return
        duration_ms = self._duration_ms(machine, task) + self._disk_ms(machine, task)
        leftover = self._late.get((machine.name, task.subject))
        if leftover is not None and not leftover.over:
            duration_ms += max(0, leftover.lands_ms - self._stage.timeline.now_ms)
        if duration_ms > task.deadline_ms:
            self._stage.timeline.after(task.deadline_ms, machine.by_kernel, self._time_out, job, task, False)
        else:
            self._stage.timeline.after(
                duration_ms, machine.by_kernel, self._finish, job, task, trouble in ("fail", "unable")
            )
            if self.looks.may_hang(task):
                self._stage.timeline.after(task.deadline_ms, machine.by_kernel, self._time_out, job, task, False)

    def _heed(self, machine: Gateway, task: ResourceTask) -> None:
        """A mirror is told what it must keep clear of; a driver is as patient again as it should be."""
        if task.subject == self._stage.resources[task.group][0] and not self._hurries(machine):
            self._storage.hurried_ms.pop(machine.name, None)
        if self._stage.is_mirror(task.subject):
            self._storage.heed(machine, task.group, task.limits)

    def _switched(self, job: Job, done: TaskDone) -> None:
        """A fence device answers; only the kernel that asked hears it."""
        if job.machine.alive and job.machine.boots == job.boots:
            job.machine.by_kernel(self.report, job, done)

    def _ask_shelves(self, job: Job, task: ReservationTask | RecordTask) -> None:
        """Have shelves do what a gateway asks of their reservations and records."""
        if job.over or job.boots != job.machine.boots:
            return
        job.over = True
        self._holds.ask(job.machine, task, partial(self._is_awaited, job), partial(self.report, job))

    def _is_awaited(self, job: Job) -> bool:
        """Whether the daemon still wants it: it sends nothing when its time is over, as after a sleep (client.py)."""
        return job.listener is not None and job.boots == job.machine.boots and job.machine.clock_ms() <= job.by_ms

    def _read_superblocks(self, job: Job, task: SuperblockTask) -> None:
        """Tell what lies on a mirror's legs."""
        if job.over or job.boots != job.machine.boots:
            return
        job.over = True
        found = self._storage.superblocks(job.machine, task.group)
        self.report(job, TaskDone(0, task.id, TaskResult.OK, outcome=found))

    def _renew_generation(self, job: Job, task: GenerationTask) -> None:
        """Write a number on legs; while one does not take it, that hangs."""
        if job.over or job.boots != job.machine.boots:
            return
        written = self._storage.renew(job.machine, task)
        if written is None:
            self._stage.timeline.after(task.deadline_ms, job.machine.by_kernel, self._ended, job, TaskResult.TIMED_OUT)
            return
        job.over = True
        self.report(job, TaskDone(0, task.id, TaskResult.OK, outcome=written))

    def _change_mirror(self, job: Job, task: LegTask) -> None:
        """Let a leg leave its mirror, or come back."""
        if job.over or job.boots != job.machine.boots:
            return
        job.over = True
        storage = self._storage
        if task.kind is TaskKind.EVICT_LEG:
            fault = storage.evict(job.machine, task.group, task.leg)
        else:
            fault = storage.take_back(job.machine, task)
        self.report(job, TaskDone(0, task.id, TaskResult.FAILED if fault else TaskResult.OK, detail=fault))

    def _hurry(self, job: Job, task: PathTask) -> None:
        """Make a driver impatient for a moment: it leaves silent paths, and legs that are silent for long."""
        if job.over or job.boots != job.machine.boots or job.listener is None:
            return
        machine = job.machine
        if machine.clock_ms() > task.failover.begin_by_ms:
            job.over = True
            self.report(job, TaskDone(0, task.id, TaskResult.FAILED, detail="it is too late"))
            return
        self._stage.count("mirror", "paths left")
        self._storage.hurried_ms[machine.name] = PATH_TIMING.leg_lost_after_ms
        self._stage.timeline.after(task.failover.for_ms, machine.by_kernel, self._hurried, job)

    def _hurries(self, machine: Gateway) -> bool:
        """Whether a driver of this machine is in a hurry by order of the daemon that runs."""
        jobs = (job for job in self._jobs.values() if job.machine is machine and job.listener is not None)
        return any(isinstance(job.task, PathTask) for job in jobs)

    def _hurried(self, job: Job) -> None:
        """End that, unless the daemon that should is gone: then the next one's first look does."""
        if job.boots == job.machine.boots and (job.listener is not None or job.over):
            self._storage.hurried_ms.pop(job.machine.name, None)
            job.over = True
            self.report(job, TaskDone(0, job.task.id, TaskResult.OK))

    def _detect_conflict(self, job: Job) -> None:
        """Hear whether another machine's kernel answers for the address; a frozen one does not."""
        if job.over or job.boots != job.machine.boots:
            return
        job.over = True
        if (job.task.kind.value, job.task.subject) in job.machine.broken:
            self.report(job, TaskDone(0, job.task.id, TaskResult.FAILED, "the network cannot be asked"))
            return
        other = self._machines[job.machine.config.peer]
        claimer = THIRD_HARDWARE if self._storage.third_machine else ""
        if other.alive and not other.frozen and other.active.get(job.task.subject) == "running":
            claimer = PEER_HARDWARE
        self.report(job, TaskDone(0, job.task.id, TaskResult.OK, outcome=Answered(claimer)))

    def _duration_ms(self, machine: Gateway, task: ResourceTask) -> int:
        random = self._stage.random
        if task.kind in LOOKS and random.randrange(100) < SLOW_LOOK_PERCENT:
            return random.randint(*SLOW_LOOK_MS)
        whole_ms = self._whole_start_ms.pop((machine.name, task.subject), 0) if task.kind is TaskKind.START else 0
        return whole_ms - SUPERBLOCKS_MS if whole_ms else random.randint(*DURATIONS_MS[task.kind])

    def _acting(self, machine: Gateway, resource: str) -> bool:
        """Whether the daemon of a machine has a start or stop of the resource under way."""
        jobs = (job for job in self._jobs.values() if job.machine is machine and job.listener is not None)
        return any(job.task.subject == resource and job.task.kind in (TaskKind.START, TaskKind.STOP) for job in jobs)

    def cancel(self, machine: Gateway, incarnation: int, task_id: int) -> None:
        """Kill a task of a daemon. A fence device that was told already does it all the same (`Power.perform`)."""
        job = self._jobs.get((machine.name, incarnation, task_id))
        if job is None or job.listener is None:
            return
        self._stage.tell(Observer.task_cancelled, machine, job.task)
        if isinstance(job.task, PowerTask) and not self._power.give_up(job.task, machine):
            return
        done = TaskDone(0, task_id, TaskResult.CANCELLED)
        if not isinstance(job.task, PowerTask | ReservationTask | RecordTask):
            job.over = True
            if isinstance(job.task, PathTask):
                self._storage.hurried_ms.pop(machine.name, None)
            if self._stage.random.randrange(100) < JUST_ENDED_PERCENT:
                status, detail = self.looks.status(machine, job.task.subject)
                seen = Observed(status) if isinstance(job.task, ResourceTask) else None
                done = TaskDone(0, task_id, TaskResult.OK, detail, seen)
        self._stage.timeline.after(CANCEL_MS, machine.by_kernel, self.report, job, done)

    def orphan(self, machine: Gateway) -> None:
        """The daemon is gone; the tasks that it began continue."""
        for job in self._jobs.values():
            if job.machine is machine:
                job.listener = None

    def kill_leftovers(self, machine: Gateway) -> None:
        """A new daemon ends what the one before left running; it may have come half way."""
        for key, job in list(self._jobs.items()):
            if job.machine is machine and job.listener is None:
                del self._jobs[key]
                if isinstance(job.task, PowerTask) or job.over:
                    continue
                job.over = True
                if isinstance(job.task, ResourceTask) and job.task.kind is TaskKind.START:
                    self._settle_start(job, job.task, worked=self._half_done())

    def forget(self, machine: Gateway) -> None:
        """The kernel is gone, and every task of it."""
        for key, job in list(self._jobs.items()):
            if job.machine is machine:
                job.listener = None
                if not isinstance(job.task, PowerTask):
                    job.over = True
                del self._jobs[key]

    def report(self, job: Job, done: TaskDone) -> None:
        """Tell the daemon that asked, once."""
        listener, job.listener = job.listener, None
        if listener is None:
            return
        self._jobs.pop((job.machine.name, job.incarnation, job.task.id), None)
        self._stage.tell(Observer.task_ended, job.machine, job.task, done)
        listener(job.task.id, done)

    def _change_in_rounds(self, job: Job, task: LegTask, rounds: int) -> None:
        """Change the mirror once what has to be read and written before is answered, one after the other."""
        answer_ms = self._storage.answer_ms(job.machine, task.group) if rounds else 0
        if job.over or not answer_ms:
            self._change_mirror(job, task)
            return
        self._stage.timeline.after(answer_ms, job.machine.by_kernel, self._change_in_rounds, job, task, rounds - 1)

    def _disk_ms(self, machine: Gateway, task: ResourceTask) -> int:
        """How much longer a start or a stop takes because its reads and writes are answered slowly."""
        rounds = DISK_ROUNDS.get(task.kind, 0) if task.subject != self._stage.resources[task.group][-1] else 0
        return rounds * self._storage.answer_ms(machine, task.group) if rounds else 0

    def _ended(self, job: Job, result: TaskResult) -> None:
        if not job.over and job.boots == job.machine.boots:
            job.over = True
            self.report(job, TaskDone(0, job.task.id, result))

    def _hosts_answer(self, job: Job, count: int) -> None:
        job.over = True
        if (job.task.kind.value, job.task.subject) in job.machine.broken:
            self.report(job, TaskDone(0, job.task.id, TaskResult.FAILED, "the hosts cannot be asked"))
            return
        self.report(job, TaskDone(0, job.task.id, TaskResult.OK, outcome=HostsHeard(count)))

    def _cannot(self, job: Job, task: ResourceTask) -> None:
        if not job.over and job.boots == job.machine.boots:
            job.over = True
            self.report(job, TaskDone(0, task.id, TaskResult.UNABLE, f"cannot {task.kind.value} {task.subject}"))

    def _finish(self, job: Job, task: ResourceTask, failed: bool) -> None:
        if job.over or job.boots != job.machine.boots:
            return
        machine, seen = job.machine, None
        if self.looks.hangs(machine, task):
            self._stage.timeline.after(HANGS_MS, machine.by_kernel, self._finish, job, task, failed)
            return
        job.over = True
        detail = "no luck" if failed else ""
        match task.kind:
            case TaskKind.START:
                detail = self._settle_start(job, task, worked=not failed or self._half_done()) or detail
            case TaskKind.STOP if not failed:
                detail = self._services.stop(machine, task.subject)
            case TaskKind.PROBE | TaskKind.MONITOR if not failed:
                seen, detail = self.looks.observed(machine, task.subject)
            case _:
                pass
        result = TaskResult.FAILED if failed or (detail and seen is None) else TaskResult.OK
        if result is TaskResult.FAILED:
            detail = f"cannot {task.kind.value} {task.subject}: {detail}"
        self.report(job, TaskDone(0, task.id, result, detail, seen))

    def _time_out(self, job: Job, task: ResourceTask, late: bool) -> None:
        if job.over or job.boots != job.machine.boots:
            return
        hangs = task.kind is TaskKind.STOP and self.looks.hangs(job.machine, task)
        if hangs or (late and task.kind in (TaskKind.START, TaskKind.STOP)):
            delay_ms = HANGS_MS if hangs else self._stage.random.randint(*LATE_MS)
            job.lands_ms = self._stage.timeline.now_ms + delay_ms
            self._late[job.machine.name, task.subject] = job
            self._stage.timeline.after(delay_ms, job.machine.by_kernel, self._land_late, job, task)
        else:
            job.over = True
            if task.kind is TaskKind.START:
                self._settle_start(job, task, worked=self._half_done())
        self.report(job, TaskDone(0, task.id, TaskResult.TIMED_OUT))

    def _land_late(self, job: Job, task: ResourceTask) -> None:
        if job.over or job.boots != job.machine.boots:
            return
        if self.looks.hangs(job.machine, task):
            job.lands_ms = self._stage.timeline.now_ms + HANGS_MS
            self._stage.timeline.after(HANGS_MS, job.machine.by_kernel, self._land_late, job, task)
            return
        job.over = True
        self._stage.count("late", task.kind.value)
        if task.kind is TaskKind.START:
            self._settle_start(job, task, worked=True)
        else:
            self._services.stop(job.machine, task.subject)

    def _settle_start(self, job: Job, task: ResourceTask, *, worked: bool) -> str:
        """End a start. Return why it did not work although it could have, empty otherwise."""
        machine, resource = job.machine, task.subject
        if machine.active.get(resource) != "starting":
            return ""
        if worked:
            fault = self._services.run(machine, resource, task.legs, short=task.short)
            self._heed(machine, task)
            return fault
        self._services.end(machine, resource)
        return ""

    def _half_done(self) -> bool:
        return self._stage.random.randrange(100) < HALF_DONE_PERCENT
