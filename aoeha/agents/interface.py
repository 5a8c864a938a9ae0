"""What a resource agent and a fence agent are. One class a file in resources/ and fencing/; see those for examples."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from aoeha.agents.parameters import ParameterError, typed_parameters
from aoeha.core.model.task import MirrorLimits, PathFailover, PlugState, ResourceStatus
from aoeha.io.host import Host

__all__ = ["AgentError", "FenceAgent", "Observation", "Parameters", "ResourceAgent"]


_CUTS_NO_POWER = (
    "this agent cuts no power, so it proves nothing to aoeha, which reserves legs itself; name the legs in "
    "[[group.leg]], and a power switch here"
)


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every agent's typed parameters. Unknown keys are refused; subclasses check values in __post_init__."""


class AgentError(Exception):
    """An operation failed. The message is one sentence that an operator can act on."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a monitor saw, and why it is not plainly running or stopped.

    `missing`: the legs (`e1.0`) that a mirror goes without and does not rebuild. `used`: each hardware address at which
    the kernel reaches a target, after that target's name; empty where the kernel does not tell. `write_mostly`: the
    legs that a mirror reads only where no other one has the data.
    """

    status: ResourceStatus
    reason: str = ""
    missing: tuple[str, ...] = ()
    used: tuple[tuple[str, str], ...] = ()
    write_mostly: tuple[str, ...] = ()


P = TypeVar("P", bound=Parameters)


class ResourceAgent(ABC, Generic[P]):
    """Starts, stops and observes one resource on this node.

    Every method is idempotent, raises AgentError with a sentence when it cannot do its work, and may be cancelled at
    any await: the daemon cancels at the deadline, and `host.run` then kills what it started. Nothing may block the
    loop: whatever can hang goes through `host.run`.
    """

    parameters_type: ClassVar[type[Parameters]]
    summary: ClassVar[str]
    exclusive: ClassVar[bool] = False
    """Whether it is an address: two nodes must never answer for it at once, and `rival` tells whether one does."""
    mirror: ClassVar[bool] = False
    """Whether it is what the group's legs are halves of."""
    driver: ClassVar[bool] = False
    """Whether it is what the kernel reaches the group's legs by."""

    def __init__(self, name: str, parameters: P, host: Host) -> None:
        self.name = name
        self.parameters = parameters
        self.host = host

    @classmethod
    def typed(cls, table: Mapping[str, Any]) -> Parameters:
        """Build this agent's parameters from its table in aoeha.toml. Raises ParameterError naming each bad key."""
        return typed_parameters(cls.parameters_type, table)

    async def rival(self) -> bool:
        """Tell whether another machine has the address now. AgentError when the network cannot be asked."""
        raise AgentError(f"cannot ask the network about {self.name}: its agent has no address")

    async def start_from(self, complete: tuple[str, ...], caution: MirrorLimits) -> None:
        """Start; a mirror may go without the others where it finds one of these legs ("e1.0").

        Each of them is known to hold every acknowledged write. It keeps clear of what `limits` names from its first
        moment on. Other resources have no legs.
        """
        del complete, caution
        await self.start()

    async def look(self, caution: MirrorLimits) -> Observation:
        """Monitor; a mirror sees to it first that it keeps clear of what `limits` names. Others have no legs."""
        del caution
        return await self.monitor()

    async def evict(self, leg: str) -> None:
        """Let a mirror go on without a leg ("e1.0") whose shelf is silent, and end what waits for it. Mirrors only.

        AgentError when it could not be done; done already is done.
        """
        raise AgentError(f"cannot let {self.name} go on without {leg}: it is no mirror")

    async def take_back(self, leg: str, *, whole: bool) -> None:
        """Take a leg in again whose shelf answers: by the bitmap, or `whole` by a full copy. Mirrors only.

        Returns when the copy has begun; `monitor` tells how it goes. AgentError when it could not be begun.
        """
        raise AgentError(f"cannot take {leg} back into {self.name} (whole: {whole}): it is no mirror")

    async def leave_paths(self, legs: tuple[str, ...], failover: PathFailover) -> None:
        """Let the kernel's driver leave the silent ones of several paths to `legs` ("e1.0") at once. Drivers only.

        Returns when the driver is as patient as ever. AgentError when it was too late, or when something else waits
        that would suffer; then the driver leaves them in its own time.
        """
        raise AgentError(f"cannot leave a path to {' and '.join(legs)} ({failover}): {self.name} is no driver")

    async def renew(self, lifetime_ms: int) -> None:
        """Let an address live for so long from now, 0 for ever; only exclusive resources are asked.

        It ends by itself when nobody renews it, also when the daemon is dead: so the pair bounds how long two gateways
        may answer for one address. Renewing neither interrupts nor starts anything: AgentError where the address is
        gone already, or cannot be renewed.
        """
        raise AgentError(f"cannot renew {self.name} for {lifetime_ms} ms: its agent has no address")

    @abstractmethod
    async def start(self) -> None:
        """Return when the resource works."""

    @abstractmethod
    async def stop(self) -> None:
        """Return when nothing of the resource is left."""

    @abstractmethod
    async def monitor(self) -> Observation:
        """Say what runs, by looking and without remembering."""

    @abstractmethod
    async def validate(self) -> None:
        """Raise AgentError when this node could not start the resource.

        The daemon asks a standby again and again, so this is also where a node gets ready ahead of a takeover (kernel
        modules): nothing that is shared with the peer may be touched, and a second call must cost next to nothing.
        """


class FenceAgent(ABC, Generic[P]):
    """Switches plugs. A reply is a fact about the plug, never about what the caller hoped for."""

    parameters_type: ClassVar[type[Parameters]]
    summary: ClassVar[str]
    cuts_power: ClassVar[bool] = True
    """False where it keeps a node from the disks while that runs on: for Pacemaker only, and without a reboot."""

    def __init__(self, name: str, parameters: P, host: Host) -> None:
        self.name = name
        self.parameters = parameters
        self.host = host

    @classmethod
    def typed(cls, table: Mapping[str, Any]) -> Parameters:
        """Build this agent's parameters from its table in aoeha.toml. Raises ParameterError naming each bad key."""
        if not cls.cuts_power:
            raise ParameterError((_CUTS_NO_POWER,))
        return typed_parameters(cls.parameters_type, table)

    @abstractmethod
    async def power_off(self, plug: str) -> None:
        """Return when the device took the order. Proof is what `status` reads afterwards."""

    @abstractmethod
    async def power_on(self, plug: str) -> None:
        """Return when the device took the order."""

    @abstractmethod
    async def status(self, plug: str) -> PlugState:
        """Read the plug. UNKNOWN for everything but a clear on or off."""
