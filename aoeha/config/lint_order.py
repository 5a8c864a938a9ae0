"""A group starts in the order of the file: what stands on another resource comes after it.

Otherwise the first start fails, and that may be the first takeover.
"""

from collections.abc import Iterator

from aoeha.config.findings import KeyFinding
from aoeha.config.schema import Configuration, Group

__all__ = ["start_order", "storage_ports"]


def start_order(configuration: Configuration) -> Iterator[KeyFinding]:
    """Judge what our own agents start: driver, mirror, volume, server, address."""
    for number, group in enumerate(configuration.groups):
        for inner, below, sentence, warning in _misplaced(group):
            before = group.resources[below].name
            yield KeyFinding(
                ("group", number, "resource", inner),
                f'expected "{before}" before "{group.resources[inner].name}"; {sentence}',
                warning=warning,
            )
        servers = [inner for inner, resource in enumerate(group.resources) if resource.type == "nfs"]
        if servers and not any(resource.type == "address" or ":" in resource.type for resource in group.resources):
            yield KeyFinding(
                ("group", number, "resource", servers[0]),
                "no service address in the group: clients know the server by one gateway's own, and lose it with that",
                warning=True,
            )


def storage_ports(configuration: Configuration) -> Iterator[KeyFinding]:
    """The driver writes by the interfaces of its resource. The legs are reserved for those of the nodes."""
    known = {interface for node in configuration.nodes for interface in node.storage}
    for number, group in enumerate(configuration.groups if known else ()):
        for inner, resource in enumerate(group.resources):
            interfaces = resource.parameters.get("interfaces")
            for interface in interfaces if resource.type == "aoe" and isinstance(interfaces, list) else ():
                if isinstance(interface, str) and interface not in known:
                    yield KeyFinding(
                        ("group", number, "resource", inner, "parameters", "interfaces"),
                        f"expected an interface that a node has in its storage ({', '.join(sorted(known))}), got "
                        f'"{interface}"; the legs are reserved for the hardware addresses there',
                    )


def _misplaced(group: Group) -> Iterator[tuple[int, int, str, bool]]:
    """Yield a resource, one that starts after it and should not, why, and whether that is a warning."""
    for inner, resource in enumerate(group.resources):
        for later in range(inner + 1, len(group.resources)):
            other = group.resources[later]
            match resource.type, other.type:
                case "raid", "aoe":
                    yield inner, later, "the mirror's legs are there only while the driver is", False
                case "filesystem", "raid" if _device(group, inner) == _device(group, later):
                    yield inner, later, "the volume is there only while its mirror runs", False
                case "address", "nfs":
                    why = "a client that finds the address and a closed port is refused, and waits 3 s"
                    yield inner, later, why, True
                case _:
                    pass


def _device(group: Group, inner: int) -> object:
    return group.resources[inner].parameters.get("device")
