"""Whether this machine is the node that the file describes: its name, its storage ports, its addresses.

Reservations are made for the hardware addresses in the file. With a mistyped one a gateway reserves its legs for a host
that does not exist, and locks its own kernel out of its own disks.
"""

from collections.abc import Iterator

from aoeha.config.findings import KeyFinding, KeyPath
from aoeha.config.schema import Configuration, UdpLink
from aoeha.config.view import for_node
from aoeha.io.own_ports import hardware_address, has_address

__all__ = ["other_machine", "wrong_ports"]


def wrong_ports(configuration: Configuration, node: str) -> Iterator[KeyFinding]:
    """Yield a finding for each storage port of this node that has another hardware address here."""
    for number, known in enumerate(configuration.nodes):
        for interface, expected in known.storage.items() if known.name == node else ():
            found = hardware_address(interface)
            if found is not None and found != expected:
                yield KeyFinding(
                    ("node", number, "storage", interface),
                    f'expected the hardware address of {interface} on this machine, {found}, got "{expected}"; the '
                    "shelves would reserve the legs for another host. Correct it on both gateways",
                )


def other_machine(configuration: Configuration, node: str) -> Iterator[KeyFinding]:
    """Yield what does not fit between the file and this machine, whose name is `node`."""
    names = [known.name for known in configuration.nodes]
    if node not in names:
        yield _warning(
            ("node",),
            f"this machine is called {node}, and the file names {' and '.join(names)}; its ports and addresses are not "
            "compared. Run this on both gateways",
        )
        return
    yield from wrong_ports(configuration, node)
    for number, known in enumerate(configuration.nodes):
        for interface in known.storage if known.name == node else ():
            if hardware_address(interface) is None:
                yield _warning(("node", number, "storage", interface), _no_interface(interface))
    for number, link in enumerate(configuration.links):
        if not isinstance(link, UdpLink):
            continue
        interface = for_node(link.interface, node)
        if hardware_address(interface) is None:
            yield _warning(("link", number, "interface"), _no_interface(interface))
        if not has_address(link.address[node]):
            yield _warning(
                ("link", number, "address", node),
                f'this machine does not have the address "{link.address[node]}"; the link stays down until it has',
            )


def _no_interface(interface: str) -> str:
    return f'this machine has no Ethernet interface "{interface}" now; `ip link` shows those that it has'


def _warning(path: KeyPath, sentence: str) -> KeyFinding:
    return KeyFinding(path, sentence, warning=True)
