"""Builds the parts of a daemon from aoeha.toml: links, keys, agents. Every configuration error is reported here."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from aoeha.agents.parameters import ParameterError
from aoeha.agents.registry import AgentNotFoundError, build_resource_agent
from aoeha.config.findings import ConfigurationError
from aoeha.config.keys import load_keys
from aoeha.config.load import load
from aoeha.config.plug_agents import agents_for
from aoeha.config.schema import Configuration, SerialLink
from aoeha.config.this_machine import wrong_ports
from aoeha.config.view import for_node, pair_config, peer_of
from aoeha.core.model.conditions import Level
from aoeha.core.model.config import PairConfig
from aoeha.core.model.exits import Exit
from aoeha.daemon.performers import Agents, Device
from aoeha.daemon.watchdog_feeder import WatchdogFeeder
from aoeha.fabric.aoe.adverts import Adverts
from aoeha.fabric.aoe.records import LegRecords, Signature
from aoeha.fabric.aoe.reservations import Hosts, LegHolds
from aoeha.io.host import Host
from aoeha.io.link import Link, SerialSettings, UdpSettings
from aoeha.io.serial_link import SerialLink as SerialPort
from aoeha.io.trusted_files import why_untrusted
from aoeha.io.udp_link import UdpLink as UdpPath
from aoeha.io.watchdog import open_watchdog
from aoeha.wire.codec import NONCE_SIZE, CodecError
from aoeha.wire.keys import Key
from aoeha.wire.receiver import Receiver, ReceiverMemory

__all__ = [
    "Blueprint",
    "StartError",
    "adverts",
    "agents",
    "link_settings",
    "links",
    "read_blueprint",
    "receiver",
    "watchdog_feeder",
]


class StartError(Exception):
    """The daemon cannot start. The message is a sentence, or several lines of them; `code` the exit code."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A valid configuration, and the keys that it names."""

    configuration: Configuration
    pair: PairConfig
    keys: tuple[Key, ...]


def read_blueprint(file: str, node: str) -> Blueprint:
    """Read aoeha.toml and the keys, and compare this node's storage ports with the file. Raises StartError."""
    if why := why_untrusted(file):
        raise StartError(Exit.BAD_CONFIGURATION, f"{file}: cannot trust the file: {why}")
    try:
        configuration = load(file)
        if wrong := [f"{file}: {node}: {finding.sentence}" for finding in wrong_ports(configuration, node)]:
            raise StartError(Exit.BAD_CONFIGURATION, "\n".join(wrong))
        return Blueprint(configuration, pair_config(configuration, node), load_keys(configuration.key_file))
    except (ConfigurationError, ValueError) as error:
        raise StartError(Exit.BAD_CONFIGURATION, str(error)) from error


def link_settings(blueprint: Blueprint) -> dict[str, SerialSettings | UdpSettings]:
    """Return the settings of this node's links by name, in the order of the configuration."""
    node, peer = blueprint.pair.node, blueprint.pair.peer
    settings: dict[str, SerialSettings | UdpSettings] = {}
    for link in blueprint.configuration.links:
        if isinstance(link, SerialLink):
            settings[link.name] = SerialSettings(for_node(link.device, node), link.baud)
        else:
            interface = for_node(link.interface, node)
            settings[link.name] = UdpSettings(interface, link.address[node], link.address[peer], link.port)
    return settings


def links(blueprint: Blueprint) -> list[Link]:
    """Return this node's links, closed."""
    return [
        SerialPort(name, settings) if isinstance(settings, SerialSettings) else UdpPath(name, settings)
        for name, settings in link_settings(blueprint).items()
    ]


def watchdog_feeder(blueprint: Blueprint, say: Callable[[Level, str], None]) -> WatchdogFeeder:
    """Return the feeder of this node's watchdog. Nothing is opened yet."""
    watchdog = blueprint.configuration.watchdog
    device = for_node(watchdog.device, blueprint.pair.node)
    opening = partial(open_watchdog, device, watchdog.timeout_ms)
    return WatchdogFeeder(watchdog.mode, watchdog.timeout_ms, opening, say)


def receiver(blueprint: Blueprint, nonce: bytes, memory: ReceiverMemory | None) -> Receiver:
    """Return the receiver of beats. Raises StartError when two names cannot be told apart on the wire."""
    pair = blueprint.pair
    try:
        return Receiver(
            cluster=pair.cluster,
            keys=blueprint.keys,
            own_node=pair.node,
            peer_node=pair.peer,
            group_names=[group.name for group in pair.groups],
            nonce=nonce,
            new_nonce=lambda: os.urandom(NONCE_SIZE),
            memory=memory,
        )
    except CodecError as error:
        raise StartError(Exit.BAD_CONFIGURATION, str(error)) from error


def agents(configuration: Configuration, node: str, host: Host, keys: tuple[Key, ...], receiver: Receiver) -> Agents:
    """Return the agent of every resource and fence device, and the queries of the shelves. Raises StartError.

    `receiver` knows what the peer understands: what is written for it into the shelves is signed so that it reads that.
    """
    resources, devices = {}, {}
    for group in configuration.groups:
        for resource in group.resources:
            try:
                agent = build_resource_agent(resource.type, resource.name, resource.parameters, host)
            except (AgentNotFoundError, ParameterError) as error:
                sentence = f"cannot use resource {resource.name} of group {group.name}: {error}"
                raise StartError(Exit.BAD_CONFIGURATION, sentence) from error
            resources[group.name, resource.name] = agent
    for fence in configuration.fences:
        try:
            devices[fence.name] = Device(agents_for(fence, host), fence.plug)
        except (AgentNotFoundError, ParameterError) as error:
            raise StartError(Exit.BAD_CONFIGURATION, f"cannot use fence {fence.name}: {error}") from error
    targets = _targets(configuration)
    if not targets:
        return Agents(resources, devices)
    storage = {known.name: known.storage for known in configuration.nodes}
    hosts = {name: frozenset(map(_hardware, interfaces.values())) for name, interfaces in storage.items()}
    peer, interfaces = peer_of(configuration, node), tuple(storage[node])
    signature = Signature(configuration.cluster, node, peer, keys, receiver.known_key, receiver.told_version)
    holds = LegHolds(interfaces, Hosts(hosts[node], hosts[peer]), targets)
    records = LegRecords(interfaces, signature, targets)
    return Agents(resources, devices, holds, records, configuration.reference_hosts)


def adverts(blueprint: Blueprint, heard: Callable[[str, str], None]) -> Adverts:
    """Return the listener for adverts of the legs' targets, not opened yet. Without legs it listens on no interface."""
    legs = {leg: macs for known in _targets(blueprint.configuration).values() for leg, macs in known.items()}
    storage = {known.name: known.storage for known in blueprint.configuration.nodes}
    return Adverts(tuple(storage[blueprint.pair.node]) if legs else (), legs, heard)


def _targets(configuration: Configuration) -> dict[str, dict[str, tuple[bytes, ...]]]:
    """Return the MAC addresses of every leg of every group that names its legs."""
    return {
        group.name: {leg.name: tuple(map(_hardware, leg.address)) for leg in group.legs}
        for group in configuration.groups
        if group.legs
    }


def _hardware(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))
