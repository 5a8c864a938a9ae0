"""`aoeha check --fences`: every fence device asked from here, nothing switched, and what a person must verify."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Protocol, runtime_checkable

from aoeha.agents.fence_face import Reachable
from aoeha.agents.finding import AgentNotFoundError, build_fence_agent
from aoeha.agents.interface import AgentError, FenceAgent
from aoeha.agents.parameters import ParameterError
from aoeha.cli.exits import Exit
from aoeha.cli.fence_checklist import checklist
from aoeha.cli.screen import counted
from aoeha.config.schema import Configuration, Fence
from aoeha.core.types import PlugState
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

__all__ = ["check_fences"]


@runtime_checkable
class Described(Protocol):
    """A fence agent with metadata of its own: a program of somebody else's."""

    async def metadata(self) -> str:
        """Return it, or raise AgentError."""


@runtime_checkable
class Validating(Protocol):
    """A fence agent that judges its own settings."""

    async def validate(self, plug: str) -> None:
        """Return when they are good, or raise AgentError."""


def check_fences(configuration: Configuration) -> Exit:
    """Ask every device and print what it says; FAILED when one does not answer, or reads this machine as off."""
    if not configuration.fences:
        print("fences: none is configured", file=sys.stderr)
        return Exit.FAILED
    troubles = asyncio.run(_ask_all(configuration))
    for family, entries in dict(checklist(fence.type) for fence in configuration.fences).items():
        print(f"verify by hand, {family}:")
        for entry in entries:
            print(f"  [ ] {entry}")
    if troubles:
        print(f"fences: {counted(troubles, 'trouble')}; none of them may stay", file=sys.stderr)
        return Exit.FAILED
    print("fences: every device answers from here; now the same on the other gateway")
    return Exit.DONE


async def _ask_all(configuration: Configuration) -> int:
    own = socket.gethostname().partition(".")[0]
    host = ProcessHost(Place(configuration.cluster, f"{own}-check"))
    troubles = 0
    for fence in configuration.fences:
        try:
            agent = build_fence_agent(fence.type, fence.name, fence.parameters, host)
        except (AgentNotFoundError, ParameterError) as error:
            print(f"fence {fence.name}: {error}", file=sys.stderr)
            troubles += 1
            continue
        async for good, sentence in _ask(agent, fence, own):
            print(f"fence {fence.name}: {sentence}", file=sys.stdout if good else sys.stderr, flush=True)
            troubles += not good
    return troubles


async def _ask(agent: FenceAgent[Any], fence: Fence, own: str) -> AsyncIterator[tuple[bool, str]]:
    """Yield what was asked and answered: whether it is good, and a sentence."""
    limit_s = fence.timeout_ms / 1_000
    if isinstance(agent, Described):
        yield await _tried("metadata", agent.metadata(), limit_s)
    for node, plug in fence.plug.items():
        if isinstance(agent, Validating):
            yield await _tried(f"settings for plug {plug} of {node}", agent.validate(plug), limit_s)
    if isinstance(agent, Reachable):
        yield await _tried("monitor", agent.monitor(), limit_s)
    for node, plug in fence.plug.items():
        yield await _read(agent, node, plug, limit_s, is_own=node == own)


async def _tried(what: str, work: Awaitable[object], limit_s: float) -> tuple[bool, str]:
    begun = time.monotonic()
    try:
        async with asyncio.timeout(limit_s):
            await work
    except TimeoutError:
        return False, f"{what}: no answer within {limit_s:g} s; is its timeout long enough?"
    except AgentError as error:
        return False, f"{what}: {error}"
    return True, f"{what}: good, {time.monotonic() - begun:.1f} s"


async def _read(agent: FenceAgent[Any], node: str, plug: str, limit_s: float, *, is_own: bool) -> tuple[bool, str]:
    what = f"plug {plug} of {node}"
    try:
        async with asyncio.timeout(limit_s):
            state = await agent.status(plug)
    except TimeoutError:
        return False, f"{what}: no answer within {limit_s:g} s; is its timeout long enough?"
    except AgentError as error:
        return False, f"{what}: {error}"
    if state is PlugState.UNKNOWN:
        return False, f"{what}: neither on nor off can be read; such a device never proves anything"
    if state is PlugState.OFF and is_own:
        return False, f"{what}: reads off, and {node} is this machine, which runs: the plug is another's"
    return True, f"{what}: reads {state.value}"
