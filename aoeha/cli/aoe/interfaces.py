"""Where the verbs of `aoeha aoe` ask: named interfaces, a gateway's storage interfaces, or all that are up."""

import argparse
from collections.abc import Iterable

from aoeha.fabric.aoe.client import AoeClient
from aoeha.fabric.aoe.port import AoeError, NoPrivilegeError, ethernet_interfaces

__all__ = ["asked_interfaces", "named_interfaces", "nobody", "usable"]


def named_interfaces(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return what -i names; it may be repeated and hold commas."""
    return tuple(filter(None, ",".join(arguments.interface or ()).split(",")))


def asked_interfaces(arguments: argparse.Namespace, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the named interfaces, else those known from elsewhere, else all that are up. AoeError when none is."""
    interfaces = named_interfaces(arguments) or known or ethernet_interfaces()
    if not interfaces:
        raise AoeError("cannot ask anybody: no Ethernet interface is up; `ip link` shows those there are")
    return interfaces


def usable(interfaces: Iterable[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the interfaces that can be opened, and for the others a sentence that says why not."""
    good, faults = [], {}
    for interface in interfaces:
        try:
            AoeClient([interface]).close()
        except NoPrivilegeError:
            raise
        except AoeError as fault:
            faults[interface] = str(fault)
        else:
            good.append(interface)
    return tuple(good), faults


def nobody(interfaces: Iterable[str], wait_ms: int) -> str:
    """Return the sentence for a storage network on which nobody answers."""
    return (
        f"cannot find any AoE target on {', '.join(interfaces)}: nobody answered within {wait_ms} ms; "
        "check the shelves, the cables and the MTU, or wait longer with --wait 2s"
    )
