"""Faults as seeded lines of text: what breaks, and when it is repaired."""

from aoeha.sim.stories.chance import Chance, Kind, Lines

__all__ = [
    "KINDS",
    "MISWIRED",
    "NEED_A_DEVICE",
    "cut_all",
    "cut_one",
    "cut_san",
    "for_a_while",
    "kill",
    "later",
    "lose_power",
    "lose_shelf",
    "move",
    "order_power",
    "site_blackout",
    "stand_still",
]


def for_a_while(chance: Chance, begin: str, end: str) -> Lines:
    """One line now, and a while later the one that ends it."""
    return [(0, begin), (chance.while_ms(), end)]


def later(delay_ms: int, lines: Lines) -> Lines:
    """The same lines, so much later."""
    return [(delay_ms + at_ms, line) for at_ms, line in lines]


def cut_all(chance: Chance) -> Lines:
    """Every link is cut."""
    return _cut_all_for(chance, chance.while_ms())


def _cut_all_for(chance: Chance, length_ms: int) -> Lines:
    names, spread_ms = chance.settings.link_names(), chance.random.choice((0, 0, 1_500))
    cuts = [(chance.random.randint(0, spread_ms), f"cut {name}") for name in names]
    return [*cuts, (spread_ms + length_ms, "heal")]


def _deaf(chance: Chance) -> Lines:
    node, length_ms = chance.node(), chance.while_ms()
    return [*((0, f"cut {name} from {node}") for name in chance.settings.link_names()), (length_ms, "heal")]


def cut_one(chance: Chance) -> Lines:
    """One link is cut, both ways or one way."""
    name = chance.link()
    begin = chance.random.choice((f"cut {name}", f"unplug {name}", f"cut {name} from {chance.node()}"))
    return for_a_while(chance, begin, f"heal {name}")


def _spoil(chance: Chance) -> Lines:
    name, percent = chance.link(), chance.random.choice((5, 30, 80))
    begin = chance.random.choice(
        (
            f"lose {name} {percent}",
            f"repeat {name} {percent}",
            f"garble {name} {percent}",
            f"delay {name} {chance.ms(20, 9_000)}ms",
            f"shuffle {name} {chance.ms(20, 9_000)}ms",
        )
    )
    return for_a_while(chance, begin, f"heal {name}")


def _disturb(chance: Chance) -> Lines:
    name = chance.link()
    return [
        (
            0,
            chance.random.choice(
                (
                    f"noise {name} {chance.random.randint(1, 20)}",
                    f"replay {name} {chance.random.randint(5, 60)}",
                    f"flap {name} {chance.around_deadtime()} {chance.random.randint(2, 6)}",
                )
            ),
        )
    ]


def lose_power(chance: Chance) -> Lines:
    """A gateway loses its power, or boots again."""
    node = chance.node()
    if chance.random.random() < 0.3:
        return [(0, f"reset {node}")]
    return for_a_while(chance, f"power off {node}", f"power on {node}")


def site_blackout(chance: Chance) -> Lines:
    """Both gateways lose their power, and have it again one after the other."""
    length_ms = chance.while_ms()
    late_ms = chance.random.choice((0, 3_000, 60_000))
    first, second = chance.settings.nodes()
    return [
        (0, f"power off {first}"),
        (chance.random.randint(0, 2_000), f"power off {second}"),
        (2_000 + length_ms, f"power on {first}"),
        (2_000 + length_ms + late_ms, f"power on {second}"),
    ]


def kill(chance: Chance) -> Lines:
    """A daemon is killed."""
    node = chance.node()
    if chance.random.random() < 0.6:
        return [(0, f"kill {node}")]
    return for_a_while(chance, f"crash {node}", f"start {node}")


def stand_still(chance: Chance) -> Lines:
    """A daemon, or a whole gateway, stands still."""
    verb = chance.random.choice(("pause", "freeze", "halt-clock"))
    return [(0, f"{verb} {chance.node()} {chance.around_deadtime()}")]


def _jump(chance: Chance) -> Lines:
    return [(0, f"jump {chance.node()} {chance.around_deadtime()}")]


def _disk(chance: Chance) -> Lines:
    node = chance.node()
    return for_a_while(chance, f"disk {node} {chance.random.choice(('full', 'hangs'))}", f"disk {node} ok")


def _break(chance: Chance) -> Lines:
    node, kind = chance.node(), chance.random.choice(("start", "stop", "monitor", "validate", "start", "stop"))
    how = chance.random.choice(("fail", "hang", "late", "unable"))
    return for_a_while(chance, f"break {node} {kind} {chance.resource()} {how}", f"mend {node}")


def _drop(chance: Chance) -> Lines:
    node, resource = chance.node(), chance.resource()
    verb = chance.random.choice(("drop", "drop", "wear"))
    return [(0, f"{verb} {node} {resource}"), (chance.while_ms(), f"mend {node}")]


def _device(chance: Chance) -> Lines:
    name = chance.device()
    mode = chance.random.choice(("dead", "slow", "late", "vague"))
    return for_a_while(chance, f"device {name} {mode}", f"device {name} ok")


def _lost_with_its_device(chance: Chance) -> Lines:
    node, name = chance.node(), chance.device()
    lost: Lines = [(0, f"unpower {name} with {node}"), (0, f"power off {node}")]
    looked = [(chance.ms(5_000, 120_000), f"vouch {node}")] if chance.random.random() < 0.5 else []
    return [*lost, *looked, (chance.while_ms(), f"power on {node}")]


def _miswire(chance: Chance) -> Lines:
    """A plug is wired wrongly, and soon the links are cut for so long that it is used as a proof."""
    long_ms = chance.ms(2 * chance.settings.deadtime_ms, 4 * chance.settings.deadtime_ms)
    used = _cut_all_for(chance, long_ms) if chance.random.random() < 0.8 else order_power(chance)
    return [(0, f"miswire {chance.device()} {chance.node()}"), *later(1_000, used)]


def lose_shelf(chance: Chance) -> Lines:
    """A shelf restarts, or is silent for a while."""
    name, length_ms = chance.random.choice(("shelf1", "shelf2")), chance.while_ms()
    if chance.random.random() < 0.2:
        return [(0, f"shelf {name} restarts")]
    recovered = [(length_ms + chance.while_ms(), f"recover {name}")] if chance.random.random() < 0.5 else []
    return [(0, f"shelf {name} silent"), (length_ms, f"shelf {name} ok"), *recovered]


def _half_rack(chance: Chance) -> Lines:
    """A gateway and a shelf lose power in one instant; the shelf is back first, or last."""
    node, name = chance.node(), chance.random.choice(("shelf1", "shelf2"))
    return [
        (chance.random.choice((0, 0, 20_000)), f"power off {node}"),
        (0, f"shelf {name} silent"),
        (chance.while_ms(), f"shelf {name} restarts"),
        (chance.while_ms(), f"power on {node}"),
    ]


def _operator(chance: Chance) -> Lines:
    node, group = chance.node(), chance.group()
    choice = chance.random.randrange(7)
    if choice == 0:
        return for_a_while(chance, f"ask {node}: standby", f"ask {node}: unstandby")
    if choice == 1:
        return for_a_while(chance, f"ask {node}: leave", f"start {node}")
    if choice == 2:
        return [(0, f"ask {node}: confirm node={chance.node()[::-1]}")]
    if choice == 3:
        return [(0, f"vouch {node}")]
    if choice == 4:
        return [(0, f"power off {node}"), (chance.ms(2_000, 120_000), f"vouch {node}")]
    wait = chance.random.choice(("", " wait_ms=20000"))
    return [(0, f"ask {node}: switchover group={group}{wait}")]


def order_power(chance: Chance) -> Lines:
    """An operator takes power away, gives it back, or looks whether it could be done; the other one may be well."""
    victim = chance.node()
    asker = next(name for name in chance.settings.nodes() if name != victim)
    anyway = chance.random.choice(("", "", " anyway=yes"))
    match chance.random.randrange(5):
        case 0:
            off, on = f"ask {asker}: fence node={victim} act=off{anyway}", f"ask {asker}: fence node={victim} act=on"
            return for_a_while(chance, off, on)
        case 1:
            return [(0, f"ask {asker}: fence node={victim} act=reboot{anyway} wait_ms={chance.ms(2_000, 90_000)}")]
        case 2:
            verify = (chance.ms(5_000, 40_000), f"ask {asker}: fence-verify node={victim}")
            return [*for_a_while(chance, f"ask {victim}: standby", f"ask {victim}: unstandby"), verify]
        case 3:
            return [(0, f"ask {asker}: fence-test"), (chance.ms(30, 5_000), f"kill {chance.node()}")]
        case _:
            return [*_device(chance), (1_000, f"ask {asker}: fence node={victim} act=reboot{anyway}")]


def _pause_the_pair(chance: Chance) -> Lines:
    """A human pauses the pair on one node and ends that on either; a fault may happen meanwhile."""
    node = chance.node()
    between = (f"kill {node}", f"crash {node}", f"power off {node}", f"move {chance.group()}")
    lines = for_a_while(chance, f"ask {chance.node()}: pause", f"ask {chance.node()}: resume")
    return [*lines, (chance.ms(30, 40_000), chance.random.choice(between))]


def move(chance: Chance) -> Lines:
    """Switchovers, and what may come between."""
    lines = [(0, f"move {chance.group()}")]
    for _ in range(chance.random.randint(0, 2)):
        between = (
            f"move {chance.group()}",
            f"kill {chance.node()}",
            f"pause {chance.node()} {chance.around_deadtime()}",
        )
        lines.append((chance.ms(30, 4_000), chance.random.choice(between)))
    return lines


def _move_with_a_stuck_stop(chance: Chance) -> Lines:
    node, how = chance.node(), chance.random.choice(("fail", "hang", "late", "unable"))
    group = chance.group()
    resource = chance.random.choice(chance.settings.resource_names(group))
    return [(0, f"break {node} stop {resource} {how}"), (10, f"move {group}"), (chance.while_ms(), f"mend {node}")]


def _move_over_slow_links(chance: Chance) -> Lines:
    delay_ms = chance.ms(50, chance.settings.deadtime_ms)
    slow = [(0, f"delay {name} {delay_ms}ms") for name in chance.settings.link_names()]
    moves = [(chance.ms(100, 30_000), line) for _, line in (*move(chance), *move(chance))]
    return [*slow, *moves, (40_000, "heal")]


def _split_with_a_bad_device(chance: Chance) -> Lines:
    modes = [
        f"device {name} {chance.random.choice(('dead', 'vague', 'late'))}" for name in chance.settings.device_names()
    ]
    length_ms = chance.while_ms()
    mended = [(length_ms + 1_000, f"device {name} ok") for name in chance.settings.device_names()]
    return [*((0, mode) for mode in modes), *cut_all(chance), (length_ms, "heal"), *mended]


def _start_fails_everywhere(chance: Chance) -> Lines:
    resource, length_ms = chance.resource(), chance.ms(90_000, 200_000)
    nodes = chance.settings.nodes()
    broken = [(0, f"break {node} start {resource} fail") for node in nodes]
    return [*broken, *((10, f"drop {node} {resource}") for node in nodes), (length_ms, "mend")]


def _reboot_with_dead_devices(chance: Chance) -> Lines:
    names, length_ms = chance.settings.device_names(), chance.ms(60_000, 150_000)
    return [
        *((0, f"device {name} dead") for name in names),
        (10, f"reset {chance.node()}"),
        *((length_ms, f"device {name} ok") for name in names),
    ]


def cut_san(chance: Chance) -> Lines:
    """A gateway loses its way to one shelf, or to both."""
    node, name = chance.node(), chance.random.choice(("", "", " shelf1", " shelf2"))
    return for_a_while(chance, f"cut-san {node}{name}", f"heal-san {node}")


def _cut_san_and_links(chance: Chance) -> Lines:
    """A gateway loses its links, and with them its way to one shelf or to both."""
    return [*cut_all(chance), *cut_san(chance)]


KINDS: dict[str, Kind] = {
    "cut one": cut_one,
    "cut all": cut_all,
    "deaf": _deaf,
    "spoil": _spoil,
    "disturb": _disturb,
    "lose power": lose_power,
    "site blackout": site_blackout,
    "kill": kill,
    "stand still": stand_still,
    "jump": _jump,
    "disk": _disk,
    "break": _break,
    "drop": _drop,
    "device": _device,
    "lost with its device": _lost_with_its_device,
    "shelf": lose_shelf,
    "half rack": _half_rack,
    "operator": _operator,
    "order about power": order_power,
    "pause of the pair": _pause_the_pair,
    "move": move,
    "move with a stuck stop": _move_with_a_stuck_stop,
    "move over slow links": _move_over_slow_links,
    "split with a bad device": _split_with_a_bad_device,
    "start fails everywhere": _start_fails_everywhere,
    "reboot with dead devices": _reboot_with_dead_devices,
    "cut san": cut_san,
    "cut san and links": _cut_san_and_links,
}
"""Kinds of faults that a seed may choose; a miswired plug comes apart, because it excuses from a promise, and so does
what only some pairs have."""

NEED_A_DEVICE = (_device, order_power, _lost_with_its_device, _split_with_a_bad_device, _reboot_with_dead_devices)
MISWIRED = _miswire
