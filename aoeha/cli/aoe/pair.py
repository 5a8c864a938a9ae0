"""The pair of aoeha.toml as the storage network sees it: hosts and legs by hardware address."""

import argparse
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aoeha.cli.aoe.screen import VerbError, hardware_list
from aoeha.config.findings import ConfigurationError
from aoeha.config.load import load
from aoeha.config.schema import Configuration
from aoeha.core.model.exits import Exit
from aoeha.fabric.aoe.frames import Target

__all__ = ["Leg", "Pair", "find_pair", "holder_name", "read_pair"]

_DEFAULT_FILE = "/etc/aoeha/aoeha.toml"


@dataclass(frozen=True, slots=True)
class Leg:
    """One half of a group's mirror, and the addresses of its shelf."""

    group: str
    target: Target
    addresses: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Both gateways' storage interfaces with their hardware addresses, seen from `node`, and all groups' legs."""

    node: str
    storage: Mapping[str, Mapping[str, bytes]]
    legs: tuple[Leg, ...]

    def hosts(self, node: str) -> frozenset[bytes]:
        """Return the hardware addresses of a gateway's storage interfaces."""
        return frozenset(self.storage[node].values())

    def leg(self, target: Target) -> Leg | None:
        """Return the pair's leg on this target, or None."""
        return next((leg for leg in self.legs if leg.target == target), None)


def read_pair(arguments: argparse.Namespace) -> Pair:
    """Read the configuration that -c names. Raises VerbError when it is invalid or does not name this node."""
    file = arguments.config or _DEFAULT_FILE
    try:
        configuration = load(file)
    except ConfigurationError as error:
        raise VerbError(Exit.BAD_CONFIGURATION, f"cannot read the pair's configuration:\n{error}") from error
    pair = _pair(configuration, arguments.node or socket.gethostname().partition(".")[0])
    if pair.node not in pair.storage:
        gateways = " and ".join(pair.storage)
        raise VerbError(
            Exit.USAGE,
            f'cannot tell which gateway this is: {file} names {gateways}, not "{pair.node}"; add --node NAME',
        )
    return pair


def find_pair(arguments: argparse.Namespace) -> Pair | None:
    """Read the configuration as `read_pair` does. None when -c is not given and the default file does not exist."""
    return read_pair(arguments) if arguments.config or os.path.lexists(_DEFAULT_FILE) else None


def holder_name(owners: Iterable[bytes], pair: Pair | None) -> str:
    """Return the holder of a reservation: a gateway, when the list is exactly that gateway's, else a foreign host."""
    listed = tuple(owners)
    if not listed:
        return "nobody"
    known = {pair.hosts(node): node for node in pair.storage if pair.hosts(node)} if pair else {}
    return known.get(frozenset(listed)) or f"a stranger: {hardware_list(listed)}"


def _pair(configuration: Configuration, node: str) -> Pair:
    storage = {
        known.name: {interface: _hardware(address) for interface, address in known.storage.items()}
        for known in configuration.nodes
    }
    legs = tuple(
        Leg(group.name, Target.parse(leg.name), tuple(map(_hardware, leg.address)))
        for group in configuration.groups
        for leg in group.legs
    )
    return Pair(node, storage, legs)


def _hardware(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))
