"""Everything that the core must know of aoeha.toml."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LegConfig:
    """One half of a group's mirror: the target's name ("e1.0") and every address at which it may be written to.

    `durable`: what its target acknowledged outlives a restart of the target (vblade -s and the like).
    """

    name: str
    addresses: tuple[str, ...]
    durable: bool = False


@dataclass(frozen=True)
class PathTiming:
    """How soon a driver leaves silent paths while its agent overrides its patience, as the agent tells.

    `left_after_ms`: a path is left when a frame has waited there this long, for a leg with two addresses, three, and so
    on; the last value holds for every leg with more. A frame that has waited for `leg_lost_after_ms` costs its leg. The
    override stands for `override_ms`. Up to `read_ms` may pass until a frame waits at each silent path. Without an
    override a frame waits for `unaided_ms` at each silent path.
    """

    left_after_ms: tuple[int, ...]
    leg_lost_after_ms: int
    override_ms: int
    read_ms: int
    unaided_ms: int


@dataclass(frozen=True)
class ResourceConfig:
    """One resource of a group: the deadlines of its agent and how often it is looked at.

    `exclusive`: an address, for which two nodes must never answer at once. `mirror`: what the legs are halves of.
    `paths`: for that by which this node's kernel reaches the legs, how it treats silent paths.
    """

    name: str
    start_ms: int = 20_000
    stop_ms: int = 20_000
    monitor_ms: int = 10_000
    monitor_every_ms: int = 10_000
    exclusive: bool = False
    mirror: bool = False
    paths: PathTiming | None = None


@dataclass(frozen=True)
class GroupConfig:
    """Resources that run on the same node, in start order, and the legs to which they write.

    Without legs, or where something else than legs is written to, the shelves prove nothing (R2): `legs` is empty. A
    resource that fails more than `restart_max` times in `failure_window_ms` moves the group.
    """

    name: str
    preferred: str
    resources: tuple[ResourceConfig, ...]
    restart_max: int = 2
    failure_window_ms: int = 600_000
    legs: tuple[LegConfig, ...] = ()


@dataclass(frozen=True)
class FenceConfig:
    """One fence device that feeds the peer. All of a level must confirm; levels are tried in rising order.

    `tag` differs where the configuration means another outlet, or another way to it. `feeds_own`: this node has a plug
    there too.
    """

    name: str
    level: int = 1
    timeout_ms: int = 10_000
    settle_ms: int = 0
    monitor_every_ms: int = 60_000
    tag: int = 0
    feeds_own: bool = True


@dataclass(frozen=True)
class PairConfig:
    """Everything that the core must know of aoeha.toml, seen from `node`.

    `reference_hosts` are addresses among the clients: a node that none of them answers serves nobody (R13). This node
    reboots itself at most once in `reboot_window_ms` (R10). After an unclean boot it fences no peer that it has not
    heard for `boot_patience_ms` (R11). A fenced peer that is switched on has three quarters of that time to be heard
    (R7).
    """

    cluster: str
    node: str
    peer: str
    links: tuple[str, ...]
    groups: tuple[GroupConfig, ...]
    fences: tuple[FenceConfig, ...]
    keepalive_ms: int = 200
    warntime_ms: int = 600
    deadtime_ms: int = 2_000
    initdead_ms: int = 10_000
    confirm_valid_ms: int = 600_000
    power_on_after_fence: bool = True
    reboot_window_ms: int = 600_000
    boot_patience_ms: int = 600_000
    config_tag: int = 0
    storage_suffices: bool = False
    hold_every_ms: int = 1_000
    shelf_timeout_ms: int = 500
    address_lifetime_ms: int = 3_000
    ledger_lease_ms: int = 30_000
    generation_every_ms: int = 10_000
    reference_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """The identity of this daemon: this kernel's boot, and this start of the daemon within it."""

    boot_id: str
    incarnation: int
