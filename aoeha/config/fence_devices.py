"""A fence device as the plug of each gateway needs it: a parameter may have one value for each node, as links have.

Two BMCs are one device with `ip = { alpha = "...", beta = "..." }`, or two devices of which each names one node in its
`plug`.
"""

import json
from collections.abc import Iterator
from typing import Any

from aoeha.config.schema import Fence

__all__ = ["alike", "misnamed", "parameters_for"]

_SECRET = {"file"}
"""A table with this key alone is the file of a secret, also where a node has that name."""


def parameters_for(fence: Fence, node: str) -> dict[str, Any]:
    """Return the parameters with which the plug of this node is switched."""
    return {
        key: value[node] if _is_for_each(fence, value) and node in value else value
        for key, value in fence.parameters.items()
    }


def alike(fence: Fence) -> tuple[tuple[str, ...], ...]:
    """Return the nodes whose plugs are switched with the same parameters, together; in the order of the file."""
    groups: dict[str, tuple[str, ...]] = {}
    for node in fence.plug:
        same = json.dumps(parameters_for(fence, node), sort_keys=True, default=str)
        groups[same] = (*groups.get(same, ()), node)
    return tuple(groups.values())


def misnamed(fence: Fence) -> Iterator[tuple[str, str]]:
    """Yield each parameter that has not one value for each node of `plug`, with a sentence."""
    for key, value in fence.parameters.items():
        if _is_for_each(fence, value) and value.keys() != fence.plug.keys():
            known = ", ".join(sorted(fence.plug))
            yield key, f"expected one value for each node of plug ({known}), got one for {', '.join(sorted(value))}"


def _is_for_each(fence: Fence, value: object) -> bool:
    return isinstance(value, dict) and value.keys() != _SECRET and bool(value.keys() & fence.plug.keys())
