"""What a resource agent and a fence agent are. One class a file in resources/ and fencing/; see those for examples."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from aoeha.agents.parameters import ParameterError, typed_parameters
from aoeha.core.model.task import PlugState, ResourceStatus
from aoeha.core.model.text import one_line
from aoeha.io.host import Host

__all__ = ["Agent", "AgentError", "FenceAgent", "LateError", "Observation", "Parameters", "ResourceAgent"]


_CUTS_NO_POWER = (
    "this agent cuts no power, so it proves nothing to aoeha, which reserves legs itself; name the legs in "
    "[[group.leg]], and a power switch here"
)


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every agent's typed parameters. Unknown keys are refused; subclasses check values in __post_init__."""


class AgentError(Exception):
    """An operation failed. The message is one sentence that an operator can act on, whatever the device said."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class LateError(AgentError):
    """Something did not end in time: what it was asked is not known, and what it does is slow. It is no fault found."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a monitor saw, and why it is not plainly running or stopped.

    `missing`: the legs (`e1.0`) that a mirror goes without and does not rebuild. `used`: each hardware address at which
    the kernel reaches a target, after that target's name; empty where the kernel does not tell. `write_mostly`: the
    legs that a mirror reads only where no other one has the data. `copying`: the legs onto which a mirror copies what
    they lack.
    """

    status: ResourceStatus
    reason: str = ""
    missing: tuple[str, ...] = ()
    used: tuple[tuple[str, str], ...] = ()
    write_mostly: tuple[str, ...] = ()
    copying: tuple[str, ...] = ()


P = TypeVar("P", bound=Parameters)


class Agent(ABC, Generic[P]):
    """What resource agents and fence agents have in common: a name, typed parameters and a host to work on."""

    parameters_type: ClassVar[type[Parameters]]
    summary: ClassVar[str]

    def __init__(self, name: str, parameters: P, host: Host) -> None:
        self.name = name
        self.parameters = parameters
        self.host = host

    @classmethod
    def typed(cls, table: Mapping[str, Any]) -> Parameters:
        """Build this agent's parameters from its table in aoeha.toml. Raises ParameterError naming each bad key."""
        return typed_parameters(cls.parameters_type, table)


class ResourceAgent(Agent[P]):
    """Starts, stops and observes one resource on this node.

    Every method is idempotent, raises AgentError with a sentence when it cannot do its work, and may be cancelled at
    any await: the daemon cancels at the deadline, and `host.run` then kills what it started. Nothing may block the
    loop: whatever can hang goes through `host.run`, and gets what is left of the operation's time (aoeha.agents.
    time_left). What waits for a shelf is never a thread of the daemon, for a thread that hangs in the kernel cannot be
    killed, nor can the daemon then. What only some resources can do is a capability: aoeha.agents.capabilities.
    """

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


class FenceAgent(Agent[P]):
    """Switches plugs. A reply is a fact about the plug, never about what the caller hoped for."""

    cuts_power: ClassVar[bool] = True
    """False where it keeps a node from the disks while that runs on: for Pacemaker only, and without a reboot."""

    @classmethod
    def typed(cls, table: Mapping[str, Any]) -> Parameters:
        """Build this agent's parameters. Raises ParameterError, also where the agent cuts no power."""
        if not cls.cuts_power:
            raise ParameterError((_CUTS_NO_POWER,))
        return super().typed(table)

    @abstractmethod
    async def power_off(self, plug: str) -> None:
        """Return when the device took the order. Proof is what `status` reads afterwards."""

    @abstractmethod
    async def power_on(self, plug: str) -> None:
        """Return when the device took the order."""

    @abstractmethod
    async def status(self, plug: str) -> PlugState:
        """Read the plug. UNKNOWN for everything but a clear on or off."""
