"""The interfaces of the verbs of `aoeha aoe`: the named ones, a gateway's storage interfaces, or all that are up."""

import argparse
from collections.abc import Iterable

from aoeha.fabric.aoe.client import AoeClient
from aoeha.fabric.aoe.port import AoeError, NoPrivilegeError, ethernet_interfaces

__all__ = ["asked_interfaces", "named_interfaces", "nobody", "usable"]


def named_interfaces(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the interfaces that -i names. The option may be repeated and take several, separated by commas."""
    return tuple(filter(None, ",".join(arguments.interface or ()).split(",")))


def asked_interfaces(arguments: argparse.Namespace, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the named interfaces, else the known ones, else all that are up. Raises AoeError when none is up."""
    interfaces = named_interfaces(arguments) or known or ethernet_interfaces()
    if not interfaces:
        raise AoeError("cannot ask any target: no Ethernet interface is up; `ip link` lists the interfaces")
    return interfaces


def usable(interfaces: Iterable[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the interfaces that can be opened, and for each other one a sentence that says why not."""
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
    """Return the sentence for a storage network on which no target answers."""
    return (
        f"cannot find any AoE target on {', '.join(interfaces)}: no target answered within {wait_ms} ms; "
        "check the shelves, the cables and the MTU, or wait longer with --wait 2s"
    )
