"""What a gateway knows about whether its peer is alive, for an operator to read before `confirm`. A pure function."""

from collections.abc import Iterator
from typing import Any

from aoeha.cli.status_text import ago

__all__ = ["evidence"]


def evidence(document: dict[str, Any], node: str) -> Iterator[str]:
    """Yield lines about `node` from a status document: beats on each link, the shelves' view, the devices' answers."""
    known = [entry for entry in document.get("nodes", ()) if entry.get("name") == node]
    for entry in known:
        yield f"What {document.get('node', 'this gateway')} knows of {node} ({entry.get('state', 'unknown')}):"
    for link in document.get("links", ()):
        fault = f"; {link['fault']}" if link.get("fault") else ""
        yield f"  last beat on {link.get('name', '?')}: {ago(link.get('heard_ms_ago'))}{fault}"
    yield from _shelves(document, node)
    yield from _devices(document, node)


def _shelves(document: dict[str, Any], node: str) -> Iterator[str]:
    for group in document.get("groups", ()):
        for leg in group.get("legs", ()):
            place = f"{leg.get('leg', '?')} of {group.get('name', '?')} at {leg.get('address', '?')}"
            stamp = leg.get("stamped_ms_ago")
            seen = f"; the stamp of {node} moved there {ago(stamp)}" if isinstance(stamp, int) else ""
            yield f"  shelf {place}: reserved for {leg.get('holder', 'unknown')}{seen}"


def _devices(document: dict[str, Any], node: str) -> Iterator[str]:
    fences = document.get("fences", ())
    for fence in fences:
        why = f" ({fence['detail']})" if fence.get("detail") else ""
        yield f"  fence device {fence.get('name', '?')}: {_reading(fence, node)}{why}"
    if fences:
        yield "  To ask the devices now: aoeha fence test"
    else:
        yield "  no fence device is configured"


def _reading(fence: dict[str, Any], node: str) -> str:
    asked = fence.get("checked_ms_ago")
    if not isinstance(asked, int):
        return "was not asked yet"
    match fence.get("plug"):
        case "on":
            return f"reported the plug of {node} ON {ago(asked)}"
        case "off":
            return f"reported the plug of {node} off {ago(asked)}"
    return f"could not tell the state of the plug of {node} {ago(asked)}"
