"""The facts of a world, as its observers are told them (`Stage.observe`).

A fact is told at the moment at which it becomes true; a fact whose name ends in -ing is told a moment before. The world
asks its observers for nothing, and does not know them.
"""

from aoeha.core.model.actions import Answer, Say
from aoeha.core.model.beat import Beat
from aoeha.core.model.events import TaskDone
from aoeha.core.model.memory import Memory
from aoeha.core.model.shelves import LockRecord
from aoeha.core.model.task import Task
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.mirror import Assembly, Leg

__all__ = ["Observer"]


class Observer:
    """Watches one world. A fact that a subclass does not hear passes it by."""

    def looked(self) -> None:
        """Something that runs somewhere has changed, and all that this caused at once is done."""

    def incident_begun(self, line: str) -> None:
        """A fault, a repair or a command, as its line of the story tells it."""

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """An operator asks a node for something; a node without a daemon does not hear of it.

        `number` is that of its answer.
        """

    def booted(self, machine: Gateway) -> None:
        """A kernel came up, and has not heard its peer yet."""

    def returned(self, machine: Gateway, since_ms: int) -> None:
        """A node's daemon hears and is heard again, after it did not since then."""

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """A daemon's core starts, with what it remembers."""

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """A node believed a beat."""

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """A node sends a beat."""

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node begins a task."""

    def task_ended(self, machine: Gateway, task: Task, done: TaskDone) -> None:
        """A node's daemon is told how a task of its own ended."""

    def task_cancelled(self, machine: Gateway, task: Task) -> None:
        """A node gives a task up, and is told of its end a moment later."""

    def overlapped(self, machine: Gateway, task: Task) -> None:
        """A node begins to start or stop a resource before its last start or stop of it has ended."""

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """A node is about to write what it remembers."""

    def persisted(self, machine: Gateway, memory: Memory) -> None:
        """A node knows that this was written, or that its disk did not take it."""

    def said(self, machine: Gateway, action: Say) -> None:
        """A node tells people something."""

    def answered(self, machine: Gateway, answer: Answer) -> None:
        """A node answers a request."""

    def fenced(self, orderer: Gateway, victim: Gateway) -> None:
        """A fence device switched a running gateway off."""

    def panicking(self, machine: Gateway) -> None:
        """A node is about to reboot itself."""

    def preempting(self, machine: Gateway, group: str, address: str) -> None:
        """A node is about to take by force an address of a leg that shows whom it expects there."""

    def target_started(self, group: str, shelf: str) -> None:
        """A target of a group has restarted, and forgot who holds it."""

    def target_announced(self, group: str, shelf: str) -> None:
        """A target of a group has restarted, and perhaps has kept its reservation."""

    def transferring(self, machine: Gateway, group: str) -> None:
        """A node is about to leave a leg that it may write to, to its peer."""

    def record_writing(self, machine: Gateway, group: str, record: LockRecord) -> None:
        """A node is about to write a lock record."""

    def write_landed(self, machine: Gateway, group: str, *, foreign: bool, forgotten: bool) -> None:
        """A record reached a leg: of a mirror that was started elsewhere since, on a target that forgot its holder."""

    def mirror_started(self, machine: Gateway, group: str, assembly: Assembly) -> None:
        """A kernel started a mirror."""

    def leg_dropped(self, machine: Gateway, group: str, leg: Leg) -> None:
        """A kernel lets a leg leave its mirror by itself; its daemon hears of it a moment later."""

    def leg_evicting(self, group: str, leg: Leg, survivors: list[Leg]) -> None:
        """A mirror is about to continue without a leg."""

    def disk_changed(self, group: str, leg: Leg, lost: set[int], *, forgot: bool) -> None:
        """Another content lies on a leg than a moment ago, without these records; its kernel was not told.

        `forgot`: its target has lost the last of what it acknowledged, and nothing else has changed.
        """

    def copy_begun(self, machine: Gateway, group: str, leg: Leg, *, whole: bool) -> None:
        """A kernel takes a leg in again, and begins to copy onto it what its bitmap names, or the whole of it."""

    def copy_ended(self, machine: Gateway, group: str, leg: Leg) -> None:
        """All of it is copied: the leg is whole."""

    def resynced(self, machine: Gateway, group: str, lost: set[int]) -> None:
        """A kernel made its legs equal; `lost` are the records that could be read before and now cannot."""

    def acknowledged(self, group: str, assembly: Assembly) -> None:
        """A client was told that its record is safe; `assembly` is the newest of the group."""
