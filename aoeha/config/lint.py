"""Rules between keys, which the type of a single key cannot express. Every rule says what would go wrong."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator

from aoeha.agents.duration import render_duration
from aoeha.agents.narrow_types import host_address
from aoeha.config.backing import backing
from aoeha.config.fence_devices import alike, misnamed
from aoeha.config.findings import KeyFinding, KeyPath
from aoeha.config.lint_exports import exports
from aoeha.config.lint_fences import cycling_devices, mortal_devices, one_switch
from aoeha.config.lint_limits import limits
from aoeha.config.lint_order import start_order, storage_ports
from aoeha.config.lint_owners import owned_lines, owned_outlets, owned_ports, owned_things
from aoeha.config.lint_shelf_timing import shelf_timing, stamps
from aoeha.config.schema import Configuration, SerialLink, UdpLink
from aoeha.core.model.beat import HOSTS_MAX

__all__ = ["lint"]

KEEPALIVES_IN_DEADTIME = 4
"""A node that did not run for deadtime less two keepalives was stalled (R10): that is longer than between two beats."""
LONGEST_SILENCE_MS = 600_000
"""Beats carry ages up to about 655 s (model.beat.NEVER_MS): a longer deadtime could never be seen to pass."""

WATCHDOG_MIN_MS, WATCHDOG_MAX_MS = 6_000, 60_000
"""A restarted daemon may need 3 s to be back (BACK_WITHIN_MS of its first beat), and feeds first after a quarter
of the time-out; after a minute no client waits for a hanging gateway any more."""
KEEPALIVE_MAX_MS = 2_000
"""Watchdogs are fed when the daemon turns, and beats may be all that turns it: three in the shortest time-out of the
kernel's, and five in systemd's (WatchdogSec in etc/systemd/aoeha.service)."""

SHORT_DEADSECS = 15
DEADSECS_LEASES = 2

LARGEST_SERIAL_BEAT_BITS = 250 * 10
"""250 bytes (SERIAL_LIMIT in aoeha/wire/codec.py), ten bits each with start and stop bit."""


def lint(configuration: Configuration, broken: frozenset[str], restart_gap_ms: int | None) -> list[KeyFinding]:
    """Return all findings of the rules whose sections could be read. `broken` names the sections that could not."""
    findings: list[KeyFinding] = []
    for sections, rule in _RULES:
        if not broken.intersection(sections):
            findings.extend(rule(configuration))
    if "timing" not in broken and restart_gap_ms is not None:
        findings.extend(_restart_gap(configuration, restart_gap_ms))
    if "watchdog" not in broken and restart_gap_ms is not None:
        findings.extend(_watchdog_gap(configuration, restart_gap_ms))
    return findings


def _two_nodes(configuration: Configuration) -> Iterator[KeyFinding]:
    count = len(configuration.nodes)
    if count != 2:
        yield KeyFinding(("node",), f"expected two [[node]] tables, got {count}; a pair is exactly two gateways")


def _unique_names(configuration: Configuration) -> Iterator[KeyFinding]:
    """Check all tables. A section that could not be read has no tables here."""
    yield from _repeated("node", (node.name for node in configuration.nodes))
    yield from _repeated("link", (link.name for link in configuration.links))
    yield from _repeated("fence", (fence.name for fence in configuration.fences))
    yield from _repeated("group", (group.name for group in configuration.groups))
    for number, group in enumerate(configuration.groups):
        yield from _repeated("resource", (resource.name for resource in group.resources), ("group", number))
        yield from _repeated("leg", (leg.name for leg in group.legs), ("group", number))


def _repeated(table: str, names: Iterable[str], above: KeyPath = ()) -> Iterator[KeyFinding]:
    seen: dict[str, int] = {}
    for number, name in enumerate(names):
        if name in seen:
            yield KeyFinding(
                (*above, table, number, "name"),
                f'expected a name of its own, got "{name}" like {table} number {seen[name] + 1}; rename one',
            )
        seen.setdefault(name, number)


def _timing_order(configuration: Configuration) -> Iterator[KeyFinding]:
    timing = configuration.timing
    keepalive, warntime, deadtime = timing.keepalive_ms, timing.warntime_ms, timing.deadtime_ms
    if keepalive < 20:
        yield KeyFinding(("timing", "keepalive"), f'expected at least "20ms", got "{render_duration(keepalive)}"')
    if keepalive > KEEPALIVE_MAX_MS:
        yield KeyFinding(
            ("timing", "keepalive"),
            f'expected at most "{render_duration(KEEPALIVE_MAX_MS)}", got "{render_duration(keepalive)}"; the '
            "kernel's watchdog and systemd's take a daemon that turns so rarely for one that hangs",
        )
    if warntime < 2 * keepalive:
        yield KeyFinding(
            ("timing", "warntime"),
            f'expected at least twice keepalive ("{render_duration(2 * keepalive)}"), got '
            f'"{render_duration(warntime)}"; a single lost beat would already warn',
        )
    if deadtime <= warntime:
        yield KeyFinding(
            ("timing", "deadtime"),
            f'expected more than warntime ("{render_duration(warntime)}"), got "{render_duration(deadtime)}"; '
            "a link must be late before the peer counts as silent",
        )
    elif deadtime < KEEPALIVES_IN_DEADTIME * keepalive:
        yield KeyFinding(
            ("timing", "deadtime"),
            f"expected at least {KEEPALIVES_IN_DEADTIME} times keepalive "
            f'("{render_duration(KEEPALIVES_IN_DEADTIME * keepalive)}"), got "{render_duration(deadtime)}"; two lost '
            "beats would look like a dead gateway",
        )
    if timing.initdead_ms < deadtime:
        yield KeyFinding(
            ("timing", "initdead"),
            f'expected at least deadtime ("{render_duration(deadtime)}"), got '
            f'"{render_duration(timing.initdead_ms)}"; a booting peer needs more time than a running one',
        )
    for key, value in (("deadtime", deadtime), ("initdead", timing.initdead_ms)):
        if value > LONGEST_SILENCE_MS:
            yield KeyFinding(
                ("timing", key),
                f'expected at most "{render_duration(LONGEST_SILENCE_MS)}", got "{render_duration(value)}"',
            )


def _restart_gap(configuration: Configuration, restart_gap_ms: int) -> Iterator[KeyFinding]:
    deadtime = configuration.timing.deadtime_ms
    if deadtime < 3 * restart_gap_ms:
        yield KeyFinding(
            ("timing", "deadtime"),
            f"expected at least three times the {restart_gap_ms} ms that a daemon restart takes on this machine, got "
            f'"{render_duration(deadtime)}"; a crash of the daemon alone could look like a dead gateway',
            warning=True,
        )


def _some_links(configuration: Configuration) -> Iterator[KeyFinding]:
    if not configuration.links:
        yield KeyFinding(
            ("link",), "expected at least one [[link]] table, got none; the gateways could not exchange beats"
        )
    elif len({_medium(link) for link in configuration.links}) == 1:
        yield KeyFinding(
            ("link",),
            "only one medium: when it fails, the gateways exchange no beats; add a serial line or a network",
            warning=True,
        )


def _medium(link: SerialLink | UdpLink) -> str:
    return str(link.device if isinstance(link, SerialLink) else link.interface)


def _link_nodes(configuration: Configuration) -> Iterator[KeyFinding]:
    names = [node.name for node in configuration.nodes]
    for number, link in enumerate(configuration.links):
        values: dict[str, str | dict[str, str]]
        if isinstance(link, SerialLink):
            values = {"device": link.device}
        else:
            values = {"interface": link.interface, "address": link.address}
        for key, value in values.items():
            if isinstance(value, dict):
                yield from _one_each(("link", number, key), value, names)


def _one_each(path: KeyPath, values: Iterable[str], names: list[str]) -> Iterator[KeyFinding]:
    for name in names:
        if name not in values:
            yield KeyFinding(path, f'expected a value for each node, got none for "{name}"; add {name} = "..."')
    for name in values:
        if name not in names:
            yield _no_node((*path, name), name, names)


def _no_node(path: KeyPath, name: str, names: list[str]) -> KeyFinding:
    return KeyFinding(path, f'expected a node ({", ".join(names)}), got "{name}"; it must match a [[node]] name')


def _link_addresses(configuration: Configuration) -> Iterator[KeyFinding]:
    used: dict[tuple[str, int], str] = {}
    for number, link in enumerate(configuration.links):
        if not isinstance(link, UdpLink):
            continue
        families = set()
        for node, text in link.address.items():
            path: KeyPath = ("link", number, "address", node)
            try:
                address = host_address(text, on_a_link=True)
            except ValueError as error:
                yield KeyFinding(path, str(error))
                continue
            families.add(address.version)
            place = (str(address), link.port)
            if place in used:
                yield KeyFinding(path, f'expected an address and port of its own, got "{text}" like {used[place]}')
            used.setdefault(place, f"{node} on link {link.name}")
        if len(families) > 1:
            yield KeyFinding(("link", number, "address"), "expected one kind of address on a link, got IPv4 and IPv6")


def _serial_links(configuration: Configuration) -> Iterator[KeyFinding]:
    for number, link in enumerate(configuration.links):
        if not isinstance(link, SerialLink):
            continue
        beat_ms = LARGEST_SERIAL_BEAT_BITS * 1_000 // link.baud
        if beat_ms > configuration.timing.keepalive_ms:
            yield KeyFinding(
                ("link", number, "baud"),
                f"expected a speed that carries a beat (250 bytes) within keepalive, got {link.baud}: a beat takes "
                f"{beat_ms} ms; raise baud or keepalive",
            )


def _fence_plugs(configuration: Configuration) -> Iterator[KeyFinding]:
    names = [node.name for node in configuration.nodes]
    for number, fence in enumerate(configuration.fences):
        for name in fence.plug:
            if name not in names:
                yield _no_node(("fence", number, "plug", name), name, names)
        for key, sentence in misnamed(fence):
            yield KeyFinding(("fence", number, "parameters", key), sentence)
        if any(len({fence.plug[node] for node in nodes}) < len(nodes) for nodes in alike(fence)):
            yield KeyFinding(
                ("fence", number, "plug"),
                "expected a different plug for each node, got the same; a gateway that fences its peer would switch "
                "itself off",
            )


def _protected(configuration: Configuration) -> Iterator[KeyFinding]:
    if not configuration.fences:
        yield KeyFinding(
            ("fence",),
            "NOT PROTECTED: no [[fence]] device. When a gateway dies, the other one cannot prove it and will not take "
            "over until an operator runs `aoeha confirm`; add a device",
            warning=True,
        )
        return
    for node in configuration.nodes:
        levels = sorted({fence.level for fence in configuration.fences if node.name in fence.plug})
        if not levels:
            yield KeyFinding(
                ("fence",),
                f'expected a device with a plug for each node, got none for "{node.name}"; when it dies, nothing '
                "proves it, and the other one does not take over",
            )
        elif levels != list(range(1, len(levels) + 1)):
            found = ", ".join(map(str, levels))
            yield KeyFinding(
                ("fence",),
                f'expected levels 1, 2, ... without a gap, got {found} for "{node.name}"; renumber them',
            )


def _groups(configuration: Configuration) -> Iterator[KeyFinding]:
    if not configuration.groups:
        yield KeyFinding(("group",), "expected at least one [[group]] table, got none; there would be nothing to serve")
    names = [node.name for node in configuration.nodes]
    for number, group in enumerate(configuration.groups):
        if group.preferred not in names:
            yield KeyFinding(
                ("group", number, "preferred"), f'expected a node ({", ".join(names)}), got "{group.preferred}"'
            )
        if not group.resources:
            yield KeyFinding(("group", number), "expected at least one [[group.resource]] table, got none")


def _write_behind(configuration: Configuration) -> Iterator[KeyFinding]:
    """With write-behind md tells clients that data is safe while one leg still lacks it."""
    for number, group in enumerate(configuration.groups):
        for inner, resource in enumerate(group.resources):
            for key, value in resource.parameters.items():
                if key.replace("-", "_") == "write_behind" and value not in (False, 0):
                    yield KeyFinding(
                        ("group", number, "resource", inner, "parameters", key),
                        "expected no write-behind: it acknowledges writes that only one leg holds, and a takeover "
                        "would lose them; remove the key",
                    )


def _legs(configuration: Configuration) -> Iterator[KeyFinding]:
    """Shelves know hosts by hardware address, so reservations need the addresses of both gateways."""
    groups = [number for number, group in enumerate(configuration.groups) if group.legs]
    if not groups:
        return
    for number, node in enumerate(configuration.nodes):
        if not node.storage:
            yield KeyFinding(
                ("node", number),
                'expected the key "storage" with the interfaces that carry AoE on this gateway, got none; '
                "the groups' legs are reserved for these addresses (`ip link` shows them)",
            )
    for number in groups:
        if len(configuration.groups[number].legs) < 2:
            yield KeyFinding(
                ("group", number, "leg"),
                "expected both legs of the mirror, got one; the other leg would stay unprotected",
            )


def _storage_apart(configuration: Configuration) -> Iterator[KeyFinding]:
    """Groups may run on different gateways. A driver that sees another group's shelves hangs on their legs."""
    owners: dict[str, str] = {}
    for number, group in enumerate(configuration.groups):
        for inner, resource in enumerate(group.resources):
            interfaces = resource.parameters.get("interfaces", ())
            for interface in interfaces if resource.type == "aoe" and isinstance(interfaces, (list, tuple)) else ():
                other = owners.setdefault(str(interface), group.name)
                if other != group.name:
                    yield KeyFinding(
                        ("group", number, "resource", inner, "parameters", "interfaces"),
                        f'expected interfaces that no other group uses, got "{interface}", which carries {other}; the '
                        "AoE driver has no other filter, and reads of legs that are reserved for the peer hang",
                    )


def _ledger(configuration: Configuration) -> Iterator[KeyFinding]:
    """A gateway's knowledge of the legs must outlive a fence. No kernel may drop a leg before the pair decides (R5)."""
    lease_ms = configuration.timing.ledger_lease_ms
    if not any(group.legs for group in configuration.groups):
        return
    first_level = [fence for fence in configuration.fences if fence.level == 1]
    needed_ms = max((2 * fence.timeout_ms + fence.settle_ms for fence in first_level), default=0)
    if lease_ms <= needed_ms + configuration.timing.deadtime_ms:
        yield KeyFinding(
            ("timing", "ledger_lease"),
            f'expected more than deadtime and the time of a fence ("{render_duration(needed_ms)}"), got '
            f'"{render_duration(lease_ms)}"; with a shelf gone too, the survivor would not know which leg is whole',
        )
    for number, group in enumerate(configuration.groups):
        for inner, resource in enumerate(group.resources if group.legs else ()):
            deadsecs = resource.parameters.get("deadsecs", SHORT_DEADSECS)
            if resource.type == "aoe" and isinstance(deadsecs, int) and deadsecs * 1_000 < DEADSECS_LEASES * lease_ms:
                yield KeyFinding(
                    ("group", number, "resource", inner, "parameters", "deadsecs"),
                    f"expected at least {DEADSECS_LEASES * lease_ms // 1_000}, got {deadsecs}; the driver would drop a "
                    "leg up before the other gateway knows of it. The daemon does so within seconds: write 3600",
                )


def _watchdog(configuration: Configuration) -> Iterator[KeyFinding]:
    watchdog = configuration.watchdog
    if not WATCHDOG_MIN_MS <= watchdog.timeout_ms <= WATCHDOG_MAX_MS or watchdog.timeout_ms % 1_000:
        yield KeyFinding(
            ("watchdog", "timeout"),
            f'expected whole seconds from "{render_duration(WATCHDOG_MIN_MS)}" to "60s", got '
            f'"{render_duration(watchdog.timeout_ms)}"; below that a restart of the daemon alone resets its gateway',
        )
    if isinstance(watchdog.device, dict):
        yield from _one_each(("watchdog", "device"), watchdog.device, [node.name for node in configuration.nodes])


def _watchdog_gap(configuration: Configuration, restart_gap_ms: int) -> Iterator[KeyFinding]:
    timeout_ms = configuration.watchdog.timeout_ms
    if configuration.watchdog.mode != "off" and timeout_ms < 3 * restart_gap_ms:
        yield KeyFinding(
            ("watchdog", "timeout"),
            f"expected at least three times the {restart_gap_ms} ms that a daemon restart takes on this machine, got "
            f'"{render_duration(timeout_ms)}"; a crash of the daemon alone would reset its gateway; raise it',
        )


def _watchdog_of_long_writes(configuration: Configuration) -> Iterator[KeyFinding]:
    """With a long deadsecs, only the daemon ends writes to a silent shelf (R5)."""
    if configuration.watchdog.mode != "off":
        return
    for number, group in enumerate(configuration.groups):
        for inner, resource in enumerate(group.resources):
            deadsecs = resource.parameters.get("deadsecs", 0)
            if resource.type == "aoe" and isinstance(deadsecs, int) and deadsecs > SHORT_DEADSECS:
                yield KeyFinding(
                    ("group", number, "resource", inner, "parameters", "deadsecs"),
                    f"a daemon that hangs leaves writes to a silent shelf hanging for {deadsecs} s; "
                    'set mode = "required" or "automatic" below [watchdog]',
                    warning=True,
                )


def _reference_hosts(configuration: Configuration) -> Iterator[KeyFinding]:
    """A reference host tells whether clients reach a gateway. An address of the pair itself tells nothing."""
    own = {text: f"{node} on link {link.name}" for link in configuration.links if isinstance(link, UdpLink)
           for node, text in link.address.items()}  # fmt: skip
    for group in configuration.groups:
        for resource in group.resources:
            if resource.type == "address":
                address = str(resource.parameters.get("address", "")).partition("/")[0]
                own[address] = f"the service address {resource.name} of group {group.name}"
    known = {_address(text): what for text, what in own.items()}
    for number, text in enumerate(configuration.reference_hosts):
        path: KeyPath = ("reference_hosts", number)
        try:
            host_address(text)
        except ValueError as error:
            yield KeyFinding(path, str(error))
            continue
        if what := known.get(_address(text)):
            yield KeyFinding(
                path,
                f'expected a host among the clients, got "{text}", {what}; an answer of the pair itself says nothing '
                "about clients; name a router or a switch of their network",
            )
    if len(configuration.reference_hosts) > HOSTS_MAX:
        yield KeyFinding(
            ("reference_hosts",), f"expected at most {HOSTS_MAX} hosts, got {len(configuration.reference_hosts)}"
        )


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


_RULES: tuple[tuple[tuple[str, ...], Callable[[Configuration], Iterator[KeyFinding]]], ...] = (
    (("nodes",), _two_nodes),
    ((), _unique_names),
    (("timing",), _timing_order),
    (("timing",), shelf_timing),
    (("links",), _some_links),
    (("nodes", "links"), _link_nodes),
    (("links",), _link_addresses),
    (("links", "timing"), _serial_links),
    (("nodes", "fences"), _fence_plugs),
    (("nodes", "fences"), _protected),
    (("fences", "groups"), mortal_devices),
    (("links", "fences"), one_switch),
    (("fences",), cycling_devices),
    (("nodes", "groups"), _groups),
    (("groups",), _write_behind),
    (("nodes", "groups"), _legs),
    ((), limits),
    (("groups",), backing),
    (("groups",), exports),
    (("groups",), start_order),
    (("nodes", "groups"), storage_ports),
    (("nodes", "groups"), owned_ports),
    (("links", "groups"), owned_things),
    (("links", "fences"), owned_lines),
    (("fences",), owned_outlets),
    (("timing", "groups"), stamps),
    (("timing", "groups", "fences"), _ledger),
    (("groups",), _storage_apart),
    (("links", "groups", "reference_hosts"), _reference_hosts),
    (("nodes", "watchdog"), _watchdog),
    (("groups", "watchdog"), _watchdog_of_long_writes),
)
