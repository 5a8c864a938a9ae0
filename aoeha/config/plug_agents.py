"""The agents of a fence device, one for the plug of each gateway.

Where all parameters are the same for two nodes, one agent serves both: what it holds open, it holds open once.
"""

from typing import Any

from aoeha.agents.interface import FenceAgent
from aoeha.agents.registry import build_fence_agent
from aoeha.config.fence_devices import alike, parameters_for
from aoeha.config.schema import Fence
from aoeha.io.host import Host

__all__ = ["agents_for"]


def agents_for(fence: Fence, host: Host) -> dict[str, FenceAgent[Any]]:
    """Return the agent for the plug of each node. Raises AgentNotFoundError and ParameterError."""
    built: dict[str, FenceAgent[Any]] = {}
    for nodes in alike(fence):
        agent = build_fence_agent(fence.type, fence.name, parameters_for(fence, nodes[0]), host)
        built.update(dict.fromkeys(nodes, agent))
    return {node: built[node] for node in fence.plug}
