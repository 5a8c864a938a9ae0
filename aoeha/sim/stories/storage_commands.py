"""What statements about shelves, the storage network and clients do in the simulator."""

from collections.abc import Callable, Sequence

from aoeha.sim.stories.words import CommandError, machine_of, milliseconds
from aoeha.sim.world.leg import OTHER_ARRAY
from aoeha.sim.world.san import Way
from aoeha.sim.world.world import World

__all__ = ["STORAGE_VERBS", "restore_storage"]


def _shelf(world: World, words: Sequence[str]) -> None:
    name, what, *disk = words
    if name not in world.storage.shelves:
        raise CommandError(f"the shelves are {' and '.join(world.storage.shelves)}")
    shelf = world.storage.shelves[name]
    acts = {"silent": shelf.fall_silent, "ok": shelf.answer_again, "fails": shelf.fail}
    if what == "restarts":
        _change_disks(world, name, [word for word in disk if word != "holding"])
        shelf.restart(holding="holding" in disk)
    elif what in acts:
        acts[what]()
    else:
        raise CommandError("a shelf is silent, ok, restarts or fails")
    world.storage.disturbed([name])


def _change_disks(world: World, shelf: str, words: Sequence[str]) -> None:
    """Have other contents on a shelf's disks than before, if that is said."""
    for group, mirror in world.storage.mirrors.items() if words else ():
        leg = mirror.leg(shelf)
        match words:
            case ["loses", time]:
                lost = leg.lose(world.timeline.now_ms - milliseconds(time))
            case ["old"]:
                lost = leg.restore(world.snapshots[group, shelf])
            case ["empty"]:
                lost = leg.become(None)
            case _:
                lost = leg.become(OTHER_ARRAY)
        world.storage.disk_changed(group, leg, lost, forgot=words[0] == "loses")


def _snapshot(world: World, words: Sequence[str]) -> None:
    """Take copies of a shelf's disks."""
    for group, mirror in world.storage.mirrors.items():
        world.snapshots[group, words[0]] = mirror.leg(words[0]).snapshot()


def _copies(world: World, words: Sequence[str]) -> None:
    world.storage.copy_ms = milliseconds(words[1])


def _agents(world: World, _: Sequence[str]) -> None:
    world.work.looks.wait = True


def _slow(world: World, words: Sequence[str]) -> None:
    """Let addresses take so long over each answer, or as long as chance will have it between two times."""
    place, least_ms, most_ms = words[0], milliseconds(words[1]), milliseconds(words[-1])
    shelf = world.storage.shelves[place.partition("/")[0]]
    shelf.slow_down((least_ms, most_ms), world.storage.paths(place))
    world.storage.disturbed([shelf.name])


def _reserve(world: World, words: Sequence[str]) -> None:
    shelf, group, host = words
    for address in world.storage.shelves[shelf].addresses[group]:
        address.force_reservation(host, (host,))
    world.storage.disturbed([shelf])


def _cut_san(world: World, words: Sequence[str]) -> None:
    if words[0] in world.storage.shelves:
        names, places = list(world.machines), [words[0]]
    else:
        names, places = [machine_of(world, words[0]).name], list(words[1:] or world.storage.shelves)
    for place in places:
        world.storage.san.cut.update((name, path) for name in names for path in world.storage.paths(place))
    world.storage.disturbed()


def _split(world: World, _: Sequence[str]) -> None:
    for name, shelf in zip(world.machines, reversed(list(world.storage.shelves)), strict=True):
        _cut_san(world, [name, shelf])


def _join(world: World, _: Sequence[str]) -> None:
    _heal_san(world, [])


def _cut_interface(world: World, words: Sequence[str]) -> None:
    name, interface, *shelves = words
    if interface not in world.storage.san.interfaces:
        raise CommandError(f"the storage interfaces are {' and '.join(world.storage.san.interfaces)}")
    machine = machine_of(world, name)
    cut = {(machine.name, interface, shelf) for shelf in shelves or world.storage.shelves}
    world.storage.san.cut_interfaces.update(cut)
    world.storage.disturbed()


def _lose_san(world: World, words: Sequence[str]) -> None:
    """Lose so many percent of the frames there and back, or one way."""
    name, place, percent, *way = words
    ways = [Way(word) for word in way] or list(Way)
    world.storage.san.lose(machine_of(world, name).name, world.storage.paths(place), ways, int(percent))
    world.storage.disturbed()


def _queue(world: World, words: Sequence[str]) -> None:
    world.storage.san.queue_ms[machine_of(world, words[0]).name] = milliseconds(words[1])


def _repeat_changes(world: World, words: Sequence[str]) -> None:
    world.storage.san.repeats_ms[machine_of(world, words[0]).name] = milliseconds(words[1])


def _heal_san(world: World, words: Sequence[str]) -> None:
    if words and words[0] in world.storage.shelves:
        world.storage.san.heal_shelf(world.storage.paths(words[0]))
    for name in words or world.machines:
        world.storage.san.heal(name)
    world.storage.disturbed()


def _cut_clients(world: World, words: Sequence[str]) -> None:
    world.storage.cut_clients(machine_of(world, words[0]).name, cut=True)


def _lose_hosts(world: World, words: Sequence[str]) -> None:
    world.storage.cut_clients(machine_of(world, words[0]).name, lost=int(words[1]))


def _heal_clients(world: World, words: Sequence[str]) -> None:
    for name in words or list(world.machines):
        world.storage.cut_clients(machine_of(world, name).name)


def _recover(world: World, words: Sequence[str]) -> None:
    for name in words or world.storage.shelves:
        world.storage.recover(name)


def _assemble(world: World, words: Sequence[str]) -> None:
    """What `mdadm --assemble --run` and `mdadm --stop` leave behind."""
    group, shelf = words[1:]
    if machine_of(world, words[0]).alive and world.storage.shelves[shelf].answers:
        world.storage.mirrors[group].assemble({shelf}, (shelf,), short=True)


def restore_storage(world: World) -> None:
    """Let shelves and every way to them be as they were, and join gateways and clients again."""
    for shelf in world.storage.shelves.values():
        shelf.answer_again()
    world.storage.san.queue_ms.clear()
    _heal_san(world, ())
    _heal_clients(world, ())
    _recover(world, ())


STORAGE_VERBS: dict[str, Callable[[World, Sequence[str]], None]] = {
    "shelf": _shelf,
    "snapshot": _snapshot,
    "copies": _copies,
    "agents": _agents,
    "slow": _slow,
    "recover": _recover,
    "assemble": _assemble,
    "cut-san": _cut_san,
    "split": _split,
    "join": _join,
    "cut-interface": _cut_interface,
    "lose-san": _lose_san,
    "queue": _queue,
    "repeat-changes": _repeat_changes,
    "reserve": _reserve,
    "cut-clients": _cut_clients,
    "heal-clients": _heal_clients,
    "lose-hosts": _lose_hosts,
    "heal-san": _heal_san,
}
