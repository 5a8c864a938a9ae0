"""The configuration as the core of one node sees it."""

import zlib

import msgspec

from aoeha.agents.capabilities import LegSet, PathDriver, SharedAddress
from aoeha.agents.registry import AgentNotFoundError, load_resource_agent
from aoeha.config.schema import Configuration, Group
from aoeha.core.model.config import FenceConfig, GroupConfig, LegConfig, PairConfig, ResourceConfig

__all__ = ["config_tag", "for_node", "pair_config", "peer_of"]


def config_tag(configuration: Configuration) -> int:
    """Return 32 bits that differ when two files mean different things. Comments, order and layout do not count."""
    return zlib.crc32(msgspec.json.encode(configuration, order="sorted"))


def for_node(value: str | dict[str, str], node: str) -> str:
    """Return the value of a key for this node: a key has one value for both nodes, or one for each."""
    return value if isinstance(value, str) else value[node]


def peer_of(configuration: Configuration, node: str) -> str:
    """Return the other node's name. Raises ValueError with a sentence when `node` is none of the two."""
    names = [entry.name for entry in configuration.nodes]
    if node not in names:
        raise ValueError(
            f'cannot run as node "{node}": the configuration names {" and ".join(names)}; '
            "give this machine one of these names (hostnamectl set-hostname) or correct the [[node]] tables"
        )
    return next(name for name in names if name != node)


def pair_config(configuration: Configuration, node: str) -> PairConfig:
    """Return what the core must know, seen from `node`. Raises ValueError when that is none of the two."""
    timing, peer = configuration.timing, peer_of(configuration, node)
    return PairConfig(
        cluster=configuration.cluster,
        node=node,
        peer=peer,
        links=tuple(link.name for link in configuration.links),
        groups=tuple(_group(group) for group in configuration.groups),
        fences=tuple(
            FenceConfig(
                name=fence.name,
                level=fence.level,
                timeout_ms=fence.timeout_ms,
                settle_ms=fence.settle_ms,
                monitor_every_ms=fence.monitor_interval_ms,
                tag=zlib.crc32(msgspec.json.encode((fence.type, fence.plug, fence.parameters), order="sorted")),
                feeds_own=node in fence.plug,
            )
            for fence in configuration.fences
            if peer in fence.plug
        ),
        keepalive_ms=timing.keepalive_ms,
        warntime_ms=timing.warntime_ms,
        deadtime_ms=timing.deadtime_ms,
        initdead_ms=timing.initdead_ms,
        confirm_valid_ms=configuration.confirm_valid_ms,
        power_on_after_fence=configuration.after_fence == "on",
        reboot_window_ms=configuration.reboot_window_ms,
        boot_patience_ms=configuration.boot_patience_ms,
        hold_every_ms=timing.reservation_interval_ms,
        shelf_timeout_ms=timing.shelf_timeout_ms,
        address_lifetime_ms=timing.address_lifetime_ms,
        config_tag=config_tag(configuration),
        ledger_lease_ms=timing.ledger_lease_ms,
        storage_suffices=configuration.fence_policy == "storage",
        reference_hosts=configuration.reference_hosts,
    )


def _group(group: Group) -> GroupConfig:
    return GroupConfig(
        name=group.name,
        preferred=group.preferred,
        resources=tuple(
            ResourceConfig(
                name=resource.name,
                start_ms=resource.start_timeout_ms,
                stop_ms=resource.stop_timeout_ms,
                monitor_ms=resource.monitor_timeout_ms,
                monitor_every_ms=resource.monitor_interval_ms,
                exclusive=issubclass(agent, SharedAddress),
                mirror=issubclass(agent, LegSet),
                paths=agent.path_timing if issubclass(agent, PathDriver) else None,
            )
            for resource, agent in ((resource, _agent(resource.type)) for resource in group.resources)
        ),
        restart_max=group.restart_max,
        failure_window_ms=group.failure_window_ms,
        legs=tuple(LegConfig(leg.name, leg.address, leg.durable) for leg in group.legs),
    )


def _agent(type_name: str) -> type:
    """Return a resource's agent, by whose capabilities the core plans; an unknown type has none (the lint tells)."""
    try:
        return load_resource_agent(type_name)
    except AgentNotFoundError:
        return object
