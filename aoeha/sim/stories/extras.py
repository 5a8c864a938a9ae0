"""Faults that come besides those of every seed, each with dice of its own, and what must be done before some do.

A seed that lacks one stays as it is. One that the core is known not to survive yet, or that was not played enough, is
left out, and its line says until when; stories know its statements all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aoeha.sim.stories.chance import Chance, Kind, Lines
from aoeha.sim.stories.faults import (
    cut_all,
    cut_one,
    cut_san,
    for_a_while,
    kill,
    later,
    lose_power,
    lose_shelf,
    move,
    order_power,
    site_blackout,
    stand_still,
)
from aoeha.sim.stories.settings import Settings

__all__ = ["ALL_EXTRAS", "EXTRAS", "Extra"]


def _cut_path(chance: Chance) -> Lines:
    """A shelf loses one of its addresses for a gateway, or one of its cables, or both shelves the switch they share."""
    node, shelves = chance.node(), chance.random.choice((("shelf1",), ("shelf2",), ("shelf1", "shelf2")))
    if chance.settings.interfaces > 1:
        begin = f"cut-interface {node} eth{chance.random.randint(1, chance.settings.interfaces)} {' '.join(shelves)}"
    else:
        number = chance.random.randint(1, chance.settings.paths)
        begin = f"cut-san {node} {' '.join(f'{shelf}/{number}' for shelf in shelves)}"
    lines = for_a_while(chance, begin, f"heal-san {node}")
    meanwhile = chance.random.choice((cut_san, lose_shelf, kill, stand_still, lose_power, None))
    if meanwhile is not None:
        lines += later(chance.ms(500, 12_000), meanwhile(chance))
    return lines


def _cut_clients(chance: Chance) -> Lines:
    """A gateway loses its clients, and most of the time its links with them; often a fault happens on the way."""
    node, other = chance.random.sample(chance.settings.nodes(), 2)
    lines: Lines = for_a_while(chance, f"cut-clients {node}", f"heal-clients {node}")
    if chance.random.random() < 0.8:
        lines += cut_all(chance)
    if chance.random.random() < 0.2:
        lines += for_a_while(chance, f"cut-clients {other}", f"heal-clients {other}")
    if chance.random.random() < 0.6:
        victim = chance.node()
        between = (f"kill {victim}", f"reset {victim}", f"crash {victim}", f"pause {victim} {chance.around_deadtime()}")
        lines.append((chance.ms(1_000, 40_000), chance.random.choice((*between, *between, "heal"))))
        lines.append((chance.ms(40_000, 90_000), f"start {victim}"))
    return lines


def _disobey(chance: Chance) -> Lines:
    """A device takes orders and does nothing, or takes none, or cannot tell what it did, while it is needed.

    One that is asked how it is before it is needed is found out; some fail only when a silence is about to be noticed.
    """
    name, mode = chance.device(), chance.random.choice(("lies", "refuses", "vague"))
    used = chance.random.choice((cut_all, cut_all, order_power, lose_power))(chance)
    noticed_ms = chance.settings.deadtime_ms - chance.settings.keepalive_ms
    begun_ms = chance.random.choice((0, noticed_ms))
    failing = for_a_while(chance, f"device {name} {mode}", f"device {name} ok")
    return [*later(begun_ms, failing), *later(1_000, used)]


def _clone(chance: Chance) -> Lines:
    """A machine uses a gateway's name for a while; often a fault happens meanwhile, or just after."""
    node, length = chance.node(), chance.random.choice((chance.around_deadtime(), f"{chance.while_ms()}ms"))
    length_ms = int(length.removesuffix("ms"))
    lines: Lines = [(0, f"clone {node}"), (length_ms, f"unclone {node}")]
    meanwhile = chance.random.choice((lose_power, cut_all, cut_one, move, kill, stand_still, None))
    if meanwhile is not None:
        lines += later(chance.ms(500, max(2 * length_ms, 1_000)), meanwhile(chance))
    return lines


def _meanwhile(chance: Chance, lines: Lines, *kinds: Kind) -> Lines:
    """Most of the time something else happens soon, while this lasts."""
    if chance.random.random() < 0.7:
        lines += later(chance.ms(500, 20_000), chance.random.choice(kinds)(chance))
    return lines


def _slow_shelf(chance: Chance) -> Lines:
    """A shelf, or one address of it, takes its time over each answer."""
    shelf = chance.random.choice(("shelf1", "shelf2"))
    place = chance.random.choice((shelf, f"{shelf}/{chance.random.randint(1, chance.settings.paths)}"))
    least_ms = chance.ms(50, 5_000)
    spread = f" to {2 * least_ms}ms" if chance.random.random() < 0.3 else ""
    lines = for_a_while(chance, f"slow {place} {least_ms}ms{spread}", f"shelf {shelf} ok")
    return _meanwhile(chance, lines, lose_power, lose_power, cut_all, move, kill, stand_still, lose_shelf, cut_san)


def _lossy_san(chance: Chance) -> Lines:
    """Frames get lost between a gateway and a shelf: a few or all of them, there and back or one way."""
    node, shelf, percent = chance.node(), chance.random.choice(("shelf1", "shelf2")), chance.ms(5, 101)
    way = chance.random.choice(("", " requests", " answers"))
    lines = for_a_while(chance, f"lose-san {node} {shelf} {percent}{way}", f"heal-san {node}")
    return _meanwhile(chance, lines, lose_power, lose_power, cut_all, move, kill, stand_still, lose_shelf)


def _repeated_changes(chance: Chance) -> Lines:
    """A switch asks for what a gateway asked of its shelves once more, at once or much later."""
    node = chance.node()
    lines = for_a_while(chance, f"repeat-changes {node} {chance.ms(20, 20_000)}ms", f"heal-san {node}")
    return _meanwhile(chance, lines, lose_power, cut_all, move, move, kill, stand_still, lose_shelf)


def _forgetful_target(chance: Chance) -> Lines:
    """A target restarts without the last of what it acknowledged, or falls silent and comes back so."""
    name, loses = chance.random.choice(("shelf1", "shelf2")), f"loses {chance.ms(200, 20_000)}ms"
    lines: Lines = [(0, f"shelf {name} restarts {loses}")]
    if chance.random.random() < 0.4:
        lines = for_a_while(chance, f"shelf {name} silent", f"shelf {name} restarts {loses}")
    return _meanwhile(chance, lines, lose_power, lose_power, cut_all, move, kill, stand_still, lose_shelf)


def _long_copies(chance: Chance) -> Lines:
    """A leg leaves and comes back, and that takes its time; gateways and legs die meanwhile."""
    name = chance.random.choice(("shelf1", "shelf2"))
    away_ms = chance.ms(20_000, 60_000)
    lines: Lines = [
        (0, f"copies take {chance.ms(5_000, 120_000)}ms"),
        (0, f"shelf {name} silent"),
        (away_ms, f"shelf {name} {chance.random.choice(('ok', 'restarts'))}"),
    ]
    for _ in range(chance.random.randint(1, 2)):
        kind = chance.random.choice((lose_power, lose_power, cut_all, move, kill, stand_still, lose_shelf, cut_san))
        lines += later(away_ms + chance.ms(5_000, 60_000), kind(chance))
    return lines


def _reserves(settings: Settings) -> bool:
    return bool(settings.reserve)


def _has_outlets(settings: Settings) -> bool:
    return bool(settings.reserve and settings.devices and settings.devices.partition(",")[0].endswith(":1"))


def _forgets(settings: Settings) -> bool:
    return bool(settings.reserve and not settings.durable)


def _waiting_agents(chance: Chance) -> Lines:
    """Agents hang while their disks do, and disks do not answer."""
    lines: Lines = [(0, "agents wait for disks"), *lose_shelf(chance)]
    if chance.random.random() < 0.5:
        lines += later(chance.ms(100, 20_000), lose_shelf(chance))
    return _meanwhile(chance, lines, lose_power, cut_all, move, kill, stand_still, lose_shelf, cut_san)


def _bad_sectors(chance: Chance) -> Lines:
    """A shelf's disks report errors, perhaps those of the last leg."""
    name = chance.random.choice(("shelf1", "shelf2"))
    lines = for_a_while(chance, f"shelf {name} fails", f"shelf {name} ok")
    return _meanwhile(chance, lines, lose_power, move, kill, stand_still, lose_shelf, lose_shelf, cut_san)


def _slow_starts(chance: Chance) -> Lines:
    """A daemon needs so long for its start that its peer may not wait."""
    node, long_ms = chance.node(), chance.ms(600, 4 * chance.settings.deadtime_ms)
    lines: Lines = [(0, f"starts {node} take {long_ms}ms"), (10, f"kill {node}")]
    return _meanwhile(chance, lines, lose_power, cut_all, move, kill, kill, stand_still, lose_shelf)


def _lost_memory(chance: Chance) -> Lines:
    """The disk of a gateway loses what it remembers, or shows what it remembered a while ago; often it boots then."""
    node, what = chance.node(), chance.random.choice(("lost", "old"))
    lines: Lines = [(0, f"memory {node} disk {what}")]
    if chance.random.random() < 0.5:
        lines.append((0, f"reset {node}"))
    return _meanwhile(chance, lines, lose_power, site_blackout, cut_all, move, kill)


def _lost_run(chance: Chance) -> Lines:
    """What a daemon keeps for the next one in this boot is lost, or old, or cannot be written, and a next one comes."""
    node = chance.node()
    what = chance.random.choice((f"memory {node} run lost", f"memory {node} run old", f"run {node} full"))
    lines: Lines = [(0, what), (chance.ms(10, 60_000), f"kill {node}"), (150_000, f"run {node} ok")]
    return _meanwhile(chance, lines, lose_power, cut_all, move, kill)


def _slow_line(chance: Chance) -> Lines:
    """A serial line carries less than is sent."""
    name = f"serial{chance.random.randint(1, chance.settings.serial)}"
    lines = for_a_while(chance, f"bandwidth {name} {chance.ms(300, 115_200)}", f"heal {name}")
    return _meanwhile(chance, lines, lose_power, cut_one, cut_all, move, kill, stand_still)


def _rates(chance: Chance) -> Lines:
    """The clocks of the gateways run at different rates, from now on."""
    return [(0, f"clock {node} {chance.random.randint(96, 104)} percent") for node in chance.settings.nodes()]


def _shared_outlet(chance: Chance) -> Lines:
    """A gateway's outlet feeds a shelf too, and the gateway is fenced."""
    node, shelf = chance.node(), chance.random.choice(("shelf1", "shelf2"))
    lines: Lines = [(0, f"feeds {chance.settings.device_names()[0]} {shelf} with {node}")]
    return [*lines, *later(500, chance.random.choice((lose_power, stand_still, order_power, cut_all))(chance))]


def _third_machine(chance: Chance) -> Lines:
    """A machine that is no part of the pair answers for the address, while the owner is lost."""
    lines = for_a_while(chance, "third-machine answers", "third-machine quiet")
    return [*lines, *later(500, chance.random.choice((lose_power, stand_still, move, kill))(chance))]


def _deaf_probes(chance: Chance) -> Lines:
    """A gateway cannot ask the network whether another machine answers for an address."""
    node, group = chance.node(), chance.group()
    address = chance.settings.resource_names(group)[-1]
    lines = for_a_while(chance, f"break {node} detect_conflict {address} fail", f"mend {node}")
    return [*lines, *later(500, chance.random.choice((lose_power, stand_still, move, kill))(chance))]


def _edits(chance: Chance) -> Lines:
    """A human edits aoeha.toml on one gateway: it differs, or names a leg or an address less."""
    node, shelf = chance.node(), chance.random.choice(("shelf1", "shelf2"))
    address = f"without {shelf}/{chance.random.randint(1, chance.settings.paths)}"
    what = chance.random.choice(("another", f"without {shelf}", address if chance.settings.paths > 1 else "another"))
    lines: Lines = [(0, f"edit {node} {what}"), (10, f"kill {node}")]
    back_ms = chance.while_ms()
    lines += [(back_ms, f"edit {node} back"), (back_ms + 10, f"kill {node}")]
    return _meanwhile(chance, lines, lose_power, cut_all, move, kill, stand_still, lose_shelf, cut_san)


def _unseen(chance: Chance) -> Lines:
    """Somebody confirms a gateway without having looked: early, late, or one that runs."""
    node = chance.node()
    lines = chance.random.choice((lose_power, stand_still, cut_all))(chance)
    return [*lines, (chance.ms(2_000, 120_000), f"vouch {node} unseen")]


def _replayer(chance: Chance) -> Lines:
    """Somebody plays recordings of every daemon there ever was, on one link or on all, while other things happen."""
    count, every_ms = chance.random.choice((1, 5, 20, 60)), chance.random.choice((50, 200, 1_000))
    names = chance.random.choice(([chance.link()], chance.settings.link_names()))
    lines: Lines = [(0, f"player {name} {count} every {every_ms}ms") for name in names]
    happens = chance.random.choice((kill, lose_power, stand_still, site_blackout, cut_one, move))
    lines += later(chance.ms(500, 12_000), happens(chance))
    return [*lines, *((chance.while_ms() + 20_000, f"heal {name}") for name in names)]


def _versions(chance: Chance) -> Lines:
    """Gateways are upgraded across versions of the wire format, put back, or run one that its peer cannot read."""
    node, words = chance.node(), ("earlier-version", "oldest-version", "next-version", "later-version")
    lines: Lines = [(0, f"speaks {node} {chance.random.choice(words)}")]
    if chance.random.random() < 0.5:
        lines.append((chance.ms(100, 40_000), f"speaks {chance.node()} {chance.random.choice(words)}"))
    back_ms = 40_000 + chance.while_ms()
    lines += [(back_ms + chance.ms(10, 10_000), f"speaks {name} same") for name in chance.settings.nodes()]
    return _meanwhile(chance, lines, lose_power, cut_one, cut_all, move, kill, stand_still, lose_shelf)


def _rotation(chance: Chance) -> Lines:
    """The key is changed on both gateways, in any order in which one key is always common; steps may be skipped."""
    files, at_ms, lines = ("same", "old-and-new-key", "new-and-old-key", "other-key"), 0, Lines()
    reached = dict.fromkeys(chance.settings.nodes(), 0)
    while min(reached.values()) < len(files) - 1:
        node = chance.node()
        other = next(place for name, place in reached.items() if name != node)
        places = [place for place in range(reached[node] + 1, len(files)) if {place, other} != {0, len(files) - 1}]
        if places:
            reached[node] = chance.random.choice(places)
            lines.append((at_ms, f"speaks {node} {files[reached[node]]}"))
            at_ms += chance.ms(10, 20_000)
    return _meanwhile(chance, lines, lose_power, cut_one, cut_all, move, kill, stand_still, lose_shelf)


def _wrong_keys(chance: Chance) -> Lines:
    """A gateway's daemon comes back with a key, a secret or a cluster that its peer does not have."""
    node, words = chance.node(), ("other-key", "other-secret", "other-cluster")
    lines = for_a_while(chance, f"speaks {node} {chance.random.choice(words)}", f"speaks {node} same")
    return _meanwhile(chance, lines, lose_power, cut_one, cut_all, move, kill, stand_still)


@dataclass(frozen=True, slots=True)
class Extra:
    """A fault that comes besides, with dice of its own: the seeds that lack it stay as they are.

    A `share` of the seeds to which it `applies` has it, one to `most` times. It is left out where `off` says until
    when.
    """

    dice: str
    kind: Kind
    most: int
    share: float
    applies: Callable[[Settings], bool]
    off: str = ""


def _until_played(seeds: int) -> str:
    """What stands against a fault that is not known to break a pair: too few seeds were made to have it."""
    return f"until {ENOUGH} seeds with it hold: {seeds} did so far"


ENOUGH = 200
ERRORS = "until a survivor serves again after a human has assembled its last leg as told (seed 305 with short timers)"
FORGETS = (
    "until a leg whose superblock forgot that the other leg had come back is not taken for written apart (seed 1110 "
    "with short timers)"
)
STOPS = "until no healthy group is stopped beside a slow line (seed 7106)"

ALL_EXTRAS = (
    Extra("devices", _disobey, 3, 0.2, lambda settings: bool(settings.device_names())),
    Extra("clients", _cut_clients, 3, 1, lambda settings: bool(settings.hosts)),
    Extra("paths", _cut_path, 3, 1, lambda settings: bool(settings.reserve and settings.paths > 1)),
    Extra("clones", _clone, 2, 0.2, lambda _settings: True),
    Extra("slow shelves", _slow_shelf, 3, 0.2, _reserves),
    Extra("lossy storage network", _lossy_san, 3, 0.2, _reserves),
    Extra("forgetful targets", _forgetful_target, 3, 0.2, _forgets, off=FORGETS),
    Extra("long copies", _long_copies, 3, 0.2, _reserves),
    Extra("agents that wait for disks", _waiting_agents, 2, 0.2, _reserves),
    Extra("bad sectors", _bad_sectors, 2, 0.2, _reserves, off=ERRORS),
    Extra("slow starts", _slow_starts, 3, 0.2, lambda _settings: True, off=_until_played(142)),
    Extra("lost memory", _lost_memory, 2, 0.2, lambda _settings: True, off=_until_played(142)),
    Extra("lost run", _lost_run, 2, 0.2, lambda _settings: True),
    Extra("slow lines", _slow_line, 3, 0.2, lambda settings: settings.serial > 0, off=STOPS),
    Extra("rates of clocks", _rates, 1, 0.2, lambda _settings: True, off=_until_played(17)),
    Extra("shared outlets", _shared_outlet, 2, 0.2, _has_outlets, off=_until_played(18)),
    Extra("third machine", _third_machine, 2, 0.2, _reserves, off=_until_played(18)),
    Extra("deaf probes", _deaf_probes, 2, 0.2, _reserves),
    Extra("edits", _edits, 2, 0.2, _reserves, off=_until_played(38)),
    Extra("unseen", _unseen, 2, 0.2, _reserves, off=_until_played(33)),
    Extra("replayer", _replayer, 2, 0.2, lambda _settings: True),
    Extra("versions", _versions, 2, 0.1, lambda _settings: True),
    Extra("rotations", _rotation, 1, 0.1, lambda _settings: True),
    Extra("wrong keys", _wrong_keys, 1, 0.05, lambda _settings: True),
    Extra("repeated changes", _repeated_changes, 2, 0.1, _reserves),
)

EXTRAS = tuple(extra for extra in ALL_EXTRAS if not extra.off)
