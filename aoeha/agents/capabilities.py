"""What only some resource agents can do. An agent says so by naming the capability among its base classes.

The daemon hands the core each resource's capabilities with its configuration, so the core asks for nothing else.
Methods keep the promises of `ResourceAgent`: idempotent, cancellable, and AgentError with a sentence on failure.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from aoeha.agents.interface import Observation
from aoeha.core.model.config import PathTiming
from aoeha.core.model.task import GenerationsWritten, MirrorLimits, PathFailover, SuperblocksRead

__all__ = ["LegSet", "PathDriver", "SharedAddress"]


class SharedAddress(ABC):
    """An address that clients know: two gateways must never answer for it at once."""

    @abstractmethod
    async def detect_conflict(self) -> str:
        """Return the hardware address of another machine that has the address now, or an empty text.

        AgentError when the network cannot be asked.
        """

    @abstractmethod
    async def renew(self, lifetime_ms: int) -> None:
        """Let the address live for so long from now, 0 for ever.

        It expires by itself when it is not renewed, also when the daemon is dead: so the pair bounds how long two
        gateways may answer for one address. Renewing neither interrupts nor starts anything: AgentError where the
        address is gone already, or cannot be renewed.
        """


PATIENCE_MS = 10_000
"""How long a disk is waited for where no start tells how long it may take."""


class LegSet(ABC):
    """A mirror whose halves are the group's legs, named by their targets ("e1.0").

    The core chooses from which legs it starts. The agent reports what lies on them, and starts what it is told.
    """

    @abstractmethod
    async def read_superblocks(self, legs: tuple[str, ...] = (), patience_ms: int = PATIENCE_MS) -> SuperblocksRead:
        """Get ready for a start, and report what these legs record, all where none are named; change nothing on them.

        A leg that is not read counts as absent, and one whose disk does not answer within the patience is late: that
        says nothing about what lies there. A mirror that runs already is only said to run. AgentError where it
        cannot be started whatever lies on its legs.
        """

    @abstractmethod
    async def start_from(self, legs: tuple[str, ...], limits: MirrorLimits, *, short: bool) -> None:
        """Start from these legs and from no other one; AgentError where one of them is not there any more.

        `short`: they are fewer than their own superblocks expect, and that is meant. Without it the mirror must not
        start with fewer. The mirror avoids what `limits` names from its first moment on. One that runs already only
        does that.
        """

    @abstractmethod
    async def look(self, limits: MirrorLimits) -> Observation:
        """Monitor; make sure first that the mirror avoids what `limits` names."""

    @abstractmethod
    async def renew(self, legs: tuple[tuple[str, int], ...], generation: int) -> GenerationsWritten:
        """Write a number that only grows on legs of the running mirror, where md and the file system never write.

        With each leg stands the lowest number that must lie there; where a lower one lies, nothing is written, nor
        where something else lies. AgentError when one could not be read or written: then nobody knows which has it.
        """

    @abstractmethod
    async def evict(self, leg: str) -> None:
        """Let the mirror continue without a leg whose shelf is silent, and end the I/O that waits for that leg.

        AgentError when it could not be done. A leg that has left already is no error.
        """

    @abstractmethod
    async def take_back(self, leg: str, *, whole: bool, outdated: bool = False) -> None:
        """Return a leg whose shelf responds to the mirror: by the bitmap, or `whole` by a full copy.

        `outdated`: what lies on it is known to be old, so it is overwritten whatever it records of the other legs.
        Returns when the copy has begun; `look` tells how it goes. AgentError when it could not be begun, LateError when
        that was not done in the time of the task.
        """


class PathDriver(ABC):
    """The driver by which this node's kernel reaches the legs, by several paths each."""

    path_timing: ClassVar[PathTiming]
    """How the driver treats silent paths while `fail_over` overrides its patience; the core plans by it."""

    @abstractmethod
    async def fail_over(self, legs: tuple[str, ...], failover: PathFailover) -> None:
        """Make the driver leave the silent ones of several paths to `legs` ("e1.0") at once.

        Returns when the driver is as patient as ever. AgentError when it was too late, or when something else waits
        that would suffer; then the driver leaves the paths in its own time.
        """
