"""The schema of aoeha.toml: every key with its type, its default and, unless obvious, the reason for the default.

Durations are strings in the file and integers of milliseconds here. An error quotes the description of a type as what
it expected. Rules between keys are in lint.py.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from aoeha.agents.duration_type import Duration, duration_between
from aoeha.agents.narrow_types import AbsolutePath, DevicePath, HardwareAddress, Interface, Target, beyond_range
from aoeha.core.model.config import FenceConfig, GroupConfig, LegConfig, PairConfig, ResourceConfig

__all__ = [
    "Configuration",
    "Fence",
    "Group",
    "Leg",
    "Link",
    "Node",
    "Resource",
    "SerialLink",
    "Timing",
    "UdpLink",
    "Watchdog",
]

Moment = Annotated[int, duration_between("100ms", "1h")]
"""What an agent is given: none is faster, and a group that waits for longer is not served."""
Window = Annotated[int, duration_between("1s", "1d")]
Name = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,31}\Z",
        description='a name like "alpha": up to 32 letters, digits, "-", "_" or "."',
    ),
]
Words = Annotated[str, Meta(min_length=1, description="a string")]
Port = Annotated[int, Meta(ge=1, le=65_535, description="a port number from 1 to 65535")]
# The narrow type is checked apart (`each`): msgspec 0.22 frees a pattern in a union while it still uses it.
DevicePerNode = Annotated[
    str | dict[str, str],
    Meta(
        description='a device like "/dev/ttyS0", or one for each node like { alpha = "/dev/ttyS0", beta = "..." }',
        extra={"each": DevicePath},
    ),
]
InterfacePerNode = Annotated[
    str | dict[str, str],
    Meta(
        description='an interface like "eth0", or one for each node like { alpha = "eth0", beta = "eth1" }',
        extra={"each": Interface},
    ),
]
AddressOfEach = Annotated[
    dict[str, Annotated[str, Meta(min_length=1)]],
    Meta(description='one address for each node like { alpha = "192.0.2.11", beta = "192.0.2.12" }'),
]
Plugs = Annotated[
    dict[str, Annotated[str, Meta(pattern=r"\A\S(.{0,98}\S)?\Z", description="a plug without blanks around it")]],
    Meta(min_length=1, description='the plug of each node that the device feeds, like { alpha = "1", beta = "2" }'),
]
Switch = Annotated[str, Meta(max_length=32, description='the name of a network switch, like "rack-1"')]
Free = Annotated[dict[str, Any], Meta(description="a table of the agent's parameters")]


FORMER_KEYS = {
    "restart_window": "it is three keys now: `reboot_window` (a gateway reboots itself at most once in it) and "
    "`boot_patience` (how long a gateway that went down without leaving waits for the other one) at the top of the "
    "file, and `failure_window` (in which failures of resources are counted) in [[group]]; write the one that is meant",
}
"""Keys of earlier versions, and what became of them."""


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table. An unknown key is an error and never ignored."""


class Timing(Table, frozen=True):
    """When silence counts. The first four keys have the names of Heartbeat's ha.cf.

    Reservations are read every `reservation_interval`. A shelf that does not answer for `shelf_timeout` is silent.
    A service address that is not renewed, because the daemon is dead or the shelves do not confirm this gateway, is
    dropped by the kernel after `address_lifetime`.
    """

    keepalive_ms: Duration = field(name="keepalive", default=PairConfig.keepalive_ms)
    warntime_ms: Duration = field(name="warntime", default=PairConfig.warntime_ms)
    deadtime_ms: Duration = field(name="deadtime", default=PairConfig.deadtime_ms)
    initdead_ms: Duration = field(name="initdead", default=PairConfig.initdead_ms)
    ledger_lease_ms: Duration = field(name="ledger_lease", default=PairConfig.ledger_lease_ms)
    reservation_interval_ms: Duration = field(name="reservation_interval", default=PairConfig.hold_every_ms)
    shelf_timeout_ms: Duration = field(name="shelf_timeout", default=PairConfig.shelf_timeout_ms)
    address_lifetime_ms: Duration = field(name="address_lifetime", default=PairConfig.address_lifetime_ms)


class Node(Table, frozen=True):
    """One of the two gateways, under the name that `hostname -s` prints on it.

    `storage` names the interfaces that carry AoE on it, each with its hardware address: shelves know hosts only by
    that. Required when groups name their legs.
    """

    name: Name
    storage: Annotated[
        dict[Interface, HardwareAddress],
        Meta(description='interfaces with their hardware addresses, like { eth1 = "02:77:01:00:00:11" }'),
    ] = field(default_factory=dict)


class SerialLink(Table, frozen=True, tag_field="type", tag="serial"):
    """A null-modem cable."""

    name: Name
    device: DevicePerNode
    baud: Annotated[int, Meta(ge=1_200, le=4_000_000, description="a line speed like 115200")] = 115_200


class UdpLink(Table, frozen=True, tag_field="type", tag="udp"):
    """A path through one network interface. 694 is Heartbeat's registered port (ha-cluster).

    `switch` names the network switch on the path, if any: all that pass one switch fail with it.
    """

    name: Name
    interface: InterfacePerNode
    address: AddressOfEach
    port: Port = 694
    switch: Switch = ""


Link = SerialLink | UdpLink


class Fence(Table, frozen=True):
    """A device that switches a gateway's power off. `plug` names the outlet of each gateway on it.

    `powered_by` says what feeds the device itself: "victim" for one in the gateway that it switches off, like a
    management controller. Without the key, the type decides. `switch` names the network switch on the path to it.
    Only `aoeha check` reads these two.
    """

    name: Name
    type: Words
    plug: Plugs
    level: Annotated[int, Meta(ge=1, le=9, description="a level from 1 to 9")] = FenceConfig.level
    timeout_ms: Annotated[int, duration_between("100ms", "10m")] = field(name="timeout", default=FenceConfig.timeout_ms)
    settle_ms: Annotated[int, duration_between("0ms", "10m")] = field(name="settle", default=FenceConfig.settle_ms)
    monitor_interval_ms: Moment = field(name="monitor_interval", default=FenceConfig.monitor_every_ms)
    powered_by: Annotated[Literal["", "own", "victim"], Meta(description='"own" or "victim"')] = ""
    switch: Switch = ""
    parameters: Free = field(default_factory=dict)


class Resource(Table, frozen=True):
    """One thing that is started, stopped and monitored. Past a time-out its agent is killed and counts as failed."""

    name: Name
    type: Words
    start_timeout_ms: Moment = field(name="start_timeout", default=ResourceConfig.start_ms)
    stop_timeout_ms: Moment = field(name="stop_timeout", default=ResourceConfig.stop_ms)
    monitor_timeout_ms: Moment = field(name="monitor_timeout", default=ResourceConfig.monitor_ms)
    monitor_interval_ms: Moment = field(name="monitor_interval", default=ResourceConfig.monitor_every_ms)
    parameters: Free = field(default_factory=dict)


class Leg(Table, frozen=True):
    """One half of a group's mirror: a target like "e1.0", and all hardware addresses at which its shelf answers.

    The shelves keep the other gateway out only when every address of every leg is reserved. `durable`: writes that
    the target has acknowledged outlive its restart. Otherwise the leg comes back by a full copy.
    """

    name: Target
    address: Annotated[tuple[HardwareAddress, ...], Meta(min_length=1, description="the shelf's hardware addresses")]
    durable: bool = LegConfig.durable

    def __post_init__(self) -> None:
        if refused := beyond_range(self.name):
            raise ValueError(f"name: {refused}")


class Group(Table, frozen=True):
    """Resources that run together on one gateway, in start order.

    A resource that fails more often than `restart_max` times within `failure_window` moves the group.
    """

    name: Name
    preferred: Name
    resources: tuple[Resource, ...] = field(name="resource")
    restart_max: Annotated[int, Meta(ge=0, le=100, description="a count from 0 to 100")] = GroupConfig.restart_max
    failure_window_ms: Window = field(name="failure_window", default=GroupConfig.failure_window_ms)
    legs: tuple[Leg, ...] = field(name="leg", default=())


class Watchdog(Table, frozen=True):
    """The kernel's watchdog, which resets a gateway whose daemon no longer turns.

    "automatic" uses a device that exists and is free. With "required" the daemon does not start without one. A
    watchdog is never a proof: the other gateway relies only on what it sees itself.
    """

    mode: Annotated[Literal["required", "automatic", "off"], Meta(description='"required", "automatic" or "off"')] = (
        "automatic"
    )
    device: DevicePerNode = "/dev/watchdog"
    timeout_ms: Duration = field(name="timeout", default=15_000)


class Configuration(Table, frozen=True):
    """The whole file.

    `fence_policy` says whether a takeover may proceed when the shelves keep the other gateway out, or waits until that
    gateway has no power. It matters only to groups that name their legs. `after_fence` says whether a fenced gateway
    is switched on again. An operator's confirmation (`aoeha confirm`) is valid for `confirm_valid`. A gateway reboots
    itself at most once within `reboot_window`. After an unclean shutdown, a gateway fences no peer that it has not
    heard for `boot_patience`. A fenced gateway that was switched on has three quarters of that time to be heard.
    `reference_hosts` are addresses among the clients, a router's for example. An owner that fewer of them answer than
    the other gateway hands its groups over, through the shelves where no link is left.
    """

    cluster: Name
    nodes: tuple[Node, ...] = field(name="node")
    links: tuple[Link, ...] = field(name="link")
    groups: tuple[Group, ...] = field(name="group")
    fences: tuple[Fence, ...] = field(name="fence", default=())
    timing: Timing = field(default_factory=Timing)
    watchdog: Watchdog = field(default_factory=Watchdog)
    key_file: AbsolutePath = "/etc/aoeha/keys"
    fence_policy: Annotated[Literal["storage", "power"], Meta(description='"storage" or "power"')] = "power"
    after_fence: Annotated[Literal["on", "off"], Meta(description='"on" or "off"')] = "on"
    confirm_valid_ms: Annotated[int, duration_between("1s", "1h")] = field(
        name="confirm_valid", default=PairConfig.confirm_valid_ms
    )
    reboot_window_ms: Window = field(name="reboot_window", default=PairConfig.reboot_window_ms)
    boot_patience_ms: Window = field(name="boot_patience", default=PairConfig.boot_patience_ms)
    reference_hosts: tuple[Annotated[str, Meta(description='an IP address without a mask like "192.0.2.1"')], ...] = ()
