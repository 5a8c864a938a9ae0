"""`aoeha check --fences`: query every fence device without switching, and list what a person must verify."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aoeha.agents.fence_cli import Reachable, SelfJudging, described
from aoeha.agents.fence_process import FenceProcess
from aoeha.agents.interface import AgentError, FenceAgent
from aoeha.agents.parameters import ParameterError
from aoeha.agents.registry import AgentNotFoundError
from aoeha.cli.check.fences_there import ANSWERS, asked_there
from aoeha.cli.fence.checklist import checklist
from aoeha.cli.screen import counted, print_error
from aoeha.config.fence_devices import alike, parameters_for
from aoeha.config.plug_agents import agents_for
from aoeha.config.schema import Configuration, Fence
from aoeha.core.model.exits import Exit
from aoeha.core.model.task import PlugState
from aoeha.core.model.text import shown
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

__all__ = ["FenceCheck", "check_fences"]


@dataclass(frozen=True, slots=True)
class FenceCheck:
    """How to query the devices.

    `file`: as the user named it. `node`: the name of this node, empty for the host's name. `over`: the command that
    runs a program on the peer, empty to query from this node only.
    """

    file: str | None = None
    node: str = ""
    over: str = ""


def check_fences(configuration: Configuration, wanted: FenceCheck) -> Exit:
    """Query every device and print its answers. FAILED when one does not answer, or reports the asking gateway off."""
    own = wanted.node or socket.gethostname().partition(".")[0]
    nodes = [node.name for node in configuration.nodes]
    if own not in nodes and (wanted.node or wanted.over):
        known = " and ".join(nodes)
        print_error(f'cannot tell which gateway this is: the configuration names {known}, not "{own}"; add --node NAME')
        return Exit.USAGE
    if not configuration.fences:
        print("fences: none is configured", file=sys.stderr)
        return Exit.FAILED
    troubles = asyncio.run(_ask_all(configuration, own))
    peer = next((node for node in nodes if node != own), "") if own in nodes else ""
    if wanted.over:
        troubles += asked_there(configuration, wanted.over, wanted.file, peer, named=bool(wanted.node))
    _print_checklists(configuration)
    if troubles:
        print(f"fences: {counted(troubles, 'trouble')}; fix all of them", file=sys.stderr)
        return Exit.FAILED
    if wanted.over:
        print("fences: every device answers from both gateways")
    elif peer:
        print(f'{ANSWERS}{own}\n  next, run this on {peer}, or here with --over "ssh {peer}"')
    else:
        print(f"{ANSWERS}here\n  {own} is neither {' nor '.join(nodes)}: next, run this on both of them")
    return Exit.DONE


def _print_checklists(configuration: Configuration) -> None:
    for family, entries in dict(_checklist(fence) for fence in configuration.fences).items():
        print(f"verify by hand, {family}:")
        for entry in entries:
            print(f"  [ ] {entry}")


def _checklist(fence: Fence) -> tuple[str, tuple[str, ...]]:
    return checklist(fence.type, parameters_for(fence, next(iter(fence.plug))))


async def _ask_all(configuration: Configuration, own: str) -> int:
    host = ProcessHost(Place(configuration.cluster, f"{own}-check"))
    troubles = 0
    for fence in configuration.fences:
        try:
            agents = agents_for(fence, host)
        except (AgentNotFoundError, ParameterError) as error:
            print(f"fence {fence.name}: {shown(str(error))}", file=sys.stderr)
            troubles += 1
            continue
        async for good, sentence in _ask(agents, fence, own):
            print(f"fence {fence.name}: {shown(sentence)}", file=sys.stdout if good else sys.stderr, flush=True)
            troubles += not good
    return troubles


async def _ask(agents: Mapping[str, FenceAgent[Any]], fence: Fence, own: str) -> AsyncIterator[tuple[bool, str]]:
    """Yield for each query whether its answer is good, and a sentence."""
    limit_s = fence.timeout_ms / 1_000
    yield await _tried("metadata", _metadata(next(iter(agents.values()))), limit_s)
    for node, plug in fence.plug.items():
        yield await _tried(f"settings for plug {plug} of {node}", _settings(agents[node], plug), limit_s)
    for what, monitoring in _monitors(agents, fence):
        yield await _tried(what, monitoring, limit_s)
    for node, plug in fence.plug.items():
        yield await _read(agents[node], node, plug, limit_s, is_own=node == own)


def _monitors(agents: Mapping[str, FenceAgent[Any]], fence: Fence) -> Iterator[tuple[str, Awaitable[None]]]:
    """Return the monitor of each agent, and of each plug where plugs are the addresses of devices of their own."""
    for nodes in alike(fence):
        agent = agents[nodes[0]]
        apart = isinstance(agent, FenceProcess) and agent.plugs_are_addresses
        for node in nodes if apart else nodes[:1]:
            what = f"monitor for {node}" if apart or len(nodes) < len(fence.plug) else "monitor"
            if isinstance(agent, FenceProcess):
                yield what, agent.monitor(fence.plug[node])
            elif isinstance(agent, Reachable):
                yield what, agent.monitor()


async def _metadata(agent: FenceAgent[Any]) -> None:
    if isinstance(agent, FenceProcess):
        await agent.metadata()
    else:
        described(type(agent), agent.name)


async def _settings(agent: FenceAgent[Any], plug: str) -> None:
    """Let a device check what the types of its parameters cannot express, as validate-all does."""
    if isinstance(agent, SelfJudging):
        await agent.validate(plug)


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
        fault = getattr(agent, "fault", "") or "it reports neither on nor off; such a device never proves anything"
        return False, f"{what}: {fault}"
    if state is PlugState.OFF and is_own:
        return False, f"{what}: reports off, but {node} is this machine and it runs: the plug feeds another machine"
    return True, f"{what}: reports {state.value}"
