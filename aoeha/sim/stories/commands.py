"""What can be done to a world: what each statement of a story (aoeha.scenario.statements) does in the simulator.

Seeded schedules are written in the same words. `wait`, `expect` and `never` are not here: they belong to the story.
"""

from collections.abc import Callable, Sequence

from aoeha.core.model.task import HostsTask, TaskKind
from aoeha.sim.stories.storage_commands import STORAGE_VERBS, restore_storage
from aoeha.sim.stories.words import CommandError, machine_of, milliseconds, resource_of
from aoeha.sim.world.link import Link
from aoeha.sim.world.machine import IMPORT_MS, Machine
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.power import MODES
from aoeha.sim.world.speech import SPEECHES
from aoeha.sim.world.world import World

__all__ = ["VERBS", "CommandError", "do", "milliseconds"]

CLIENT = "client"
HOSTS = "hosts"
"""What `break NODE ask_hosts` is about."""


def do(world: World, text: str) -> None:
    """Carry out one line. Raises CommandError when it cannot be understood, Violation when it breaks the pair."""
    verb, *words = text.replace(":", " ").split()
    act = VERBS.get(verb)
    if act is None:
        raise CommandError(f'cannot do "{text}": there is no command "{verb}"; known: {", ".join(sorted(VERBS))}')
    world.trace.line(">", text, "", "")
    world.count("fault", f"{verb} {words[-1]}" if verb in ("device", "disk", "break", "shelf") else verb)
    world.tell(Observer.incident_begun, text)
    try:
        act(world, words)
    except (KeyError, IndexError, ValueError) as error:
        raise CommandError(f'cannot do "{text}": {error!r}') from error
    world.look()


def _links(world: World, words: Sequence[str]) -> list[Link]:
    if not words:
        return list(world.links.values())
    if words[0] not in world.links:
        raise CommandError(f'there is no link "{words[0]}"; there are {", ".join(world.links)}')
    return [world.links[words[0]]]


def _sender(words: Sequence[str]) -> str | None:
    return words[-1] if "from" in words else None


def _cut(world: World, words: Sequence[str]) -> None:
    for link in _links(world, words):
        link.change(_sender(words), cut=True)


def _unplug(world: World, words: Sequence[str]) -> None:
    _cut(world, words)
    _report(world, words[0], "no carrier")


def _heal(world: World, words: Sequence[str]) -> None:
    for link in _links(world, words):
        link.heal()
        _report(world, link.name, "")


def _report(world: World, link: str, fault: str) -> None:
    for machine in world.machines.values():
        if machine.daemon is not None:
            machine.daemon.report_link(link, fault)


def _set(fault: str, read: Callable[[str], int]) -> Callable[[World, Sequence[str]], None]:
    def act(world: World, words: Sequence[str]) -> None:
        for link in _links(world, words):
            link.change(_sender(words), **{fault: read(words[1])})

    return act


def _bandwidth(world: World, words: Sequence[str]) -> None:
    for link in _links(world, words):
        link.change(None, baud=int(words[1]))


def _noise(world: World, words: Sequence[str]) -> None:
    _links(world, words)[0].make_noise(int(words[1]))


def _flap(world: World, words: Sequence[str]) -> None:
    link, period_ms = _links(world, words)[0], milliseconds(words[1])

    def swing(left: int) -> None:
        if world.healed:
            return
        if left % 2:
            link.change(None, cut=True)
        else:
            link.change(None, cut=False)
        if left:
            world.timeline.after(period_ms, swing, left - 1)

    swing(2 * int(words[2]) - 1)


def _boot(world: World, words: Sequence[str]) -> None:
    """Bring gateways up at once: where a story begins. Shelves and clients are always there."""
    for name in words:
        if name in (*world.storage.shelves, CLIENT):
            continue
        machine = machine_of(world, name)
        usual_ms, machine.boot_ms = machine.boot_ms, 0
        machine.mains = True
        machine.power_changed()
        machine.boot_ms = usual_ms


def _power(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[1])
    machine.mains = words[0] == "on"
    if machine.mains:
        machine.chassis_on = True
        world.power.switch_on(machine.name)
    machine.power_changed()


def _kill(world: World, words: Sequence[str]) -> None:
    machine_of(world, words[0]).kill_daemon()


def _crash(world: World, words: Sequence[str]) -> None:
    machine_of(world, words[0]).kill_daemon(restart_ms=None)


def _speaks(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    machine.speech = SPEECHES[words[1]]
    machine.kill_daemon()
    world.note_speech()


def _start(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    machine.by_kernel(machine.start_daemon)


def _sleep(world: World, machine: Machine, words: Sequence[str]) -> None:
    if len(words) > 1:
        boots = machine.boots
        world.timeline.after(milliseconds(words[-1]), _wake, machine, boots)


def _wake(machine: Machine, boots: int) -> None:
    if machine.boots == boots and machine.alive:
        machine.resume()


def _pause(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    machine.pause()
    _sleep(world, machine, words)


def _freeze(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    machine.freeze(clock_runs=True)
    _sleep(world, machine, words)


def _halt_clock(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    machine.freeze(clock_runs=False)
    _sleep(world, machine, words)


def _resume(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    if machine.alive and (machine.frozen or machine.paused):
        machine.resume()


def _jump(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    if machine.alive:
        machine.jump(milliseconds(words[1]))


def _clone(world: World, words: Sequence[str]) -> None:
    world.clone(machine_of(world, words[0]).name)


def _disk(world: World, words: Sequence[str]) -> None:
    if words[1] not in ("ok", "full", "hangs"):
        raise CommandError("a disk is ok, full or hangs")
    machine_of(world, words[0]).disk = words[1]


def _starts(world: World, words: Sequence[str]) -> None:
    machine_of(world, words[0]).import_ms = milliseconds(words[-1])


def _clock(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    machine.clock_begins(machine.clock_ms(), int(words[1]))


def _runs(world: World, words: Sequence[str]) -> None:
    if words[1] not in world.resources:
        raise CommandError(f"the groups are {', '.join(world.resources)}")
    machine_of(world, words[0]).run_by_itself(words[1])


def _run(world: World, words: Sequence[str]) -> None:
    machine_of(world, words[0]).memories.is_full = words[1] == "full"


def _memory(world: World, words: Sequence[str]) -> None:
    """Lose what a daemon keeps for the next one, or put an older copy there."""
    machine = machine_of(world, words[0])
    kept, is_lost, now_ms = machine.memories, words[2] == "lost", world.timeline.now_ms
    if words[1] == "disk":
        kept.disk = None if is_lost else kept.put_back(now_ms, "")
    elif is_lost:
        kept.lose_run()
    else:
        kept.run = kept.put_back(now_ms, machine.boot_id)


def _break(world: World, words: Sequence[str]) -> None:
    name, kind, resource, how = words
    if how not in ("fail", "hang", "late", "unable"):
        raise CommandError("a task is broken by fail, hang, late or unable")
    machine = machine_of(world, name)
    asks = kind == TaskKind.ASK_HOSTS.value and resource == HOSTS
    machine.broken[TaskKind(kind).value, HostsTask.subject if asks else resource_of(world, resource)] = how


def _mend(world: World, words: Sequence[str]) -> None:
    for name in words or list(world.machines):
        machine = machine_of(world, name)
        machine.broken.clear()
        machine.worn.clear()


def _drop(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    if machine.active.get(resource_of(world, words[1])) == "running":
        world.services.end(machine, words[1])


def _wear(world: World, words: Sequence[str]) -> None:
    machine_of(world, words[0]).worn.add(resource_of(world, words[1]))


def _device(world: World, words: Sequence[str]) -> None:
    if words[1] not in MODES:
        raise CommandError(f"a device is {', '.join(MODES[:-1])} or {MODES[-1]}")
    world.power.set_mode(words[0], words[1])


def _miswire(world: World, words: Sequence[str]) -> None:
    world.power.miswire(words[0], machine_of(world, words[1]).name)


def _feeds(world: World, words: Sequence[str]) -> None:
    device, shelf, _, node = words
    if shelf not in world.storage.shelves:
        raise CommandError(f"the shelves are {' and '.join(world.storage.shelves)}")
    world.power.devices[device].feeds[machine_of(world, node).name] = shelf


def _third_machine(world: World, words: Sequence[str]) -> None:
    world.storage.third_machine = words[0] == "answers"


def _unpower(world: World, words: Sequence[str]) -> None:
    world.power.devices[words[0]].shares_power_of = machine_of(world, words[-1]).name


def _ask(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    world.ask(machine, words[1], dict(word.split("=", 1) for word in words[2:]))


def _move(world: World, words: Sequence[str]) -> None:
    for machine in world.machines.values():
        if machine.serves(words[0]):
            _ask(world, [machine.name, "switchover", f"group={words[0]}"])


def _vouch(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[0])
    if not machine.alive or "unseen" in words:
        _ask(world, [machine.config.peer, "confirm", f"node={machine.name}"])


def _edit(world: World, words: Sequence[str]) -> None:
    """Let a gateway's aoeha.toml differ from the other's, or be as it was."""
    machine = machine_of(world, words[0])
    if words[1] == "back":
        machine.end_edits()
    else:
        machine.edit(words[-1] if words[1] == "without" else "")


def _restore(world: World, _: Sequence[str]) -> None:
    """End every fault, bring power and daemons back, and let an operator end what operators began."""
    world.healed = True
    world.power.mend()
    for link in world.links.values():
        link.heal()
        _report(world, link.name, "")
    restore_storage(world)
    for machine in world.machines.values():
        world.unclone(machine.name)
        if machine.speech != SPEECHES["same"]:
            _speaks(world, (machine.name, "same"))
    world.storage.third_machine = False
    for machine in world.machines.values():
        machine.disk, machine.memories.is_full = "ok", False
        machine.import_ms = IMPORT_MS
        edited = machine.config.config_tag > 0
        machine.end_edits()
        if edited:
            machine.kill_daemon()
        machine.mains = machine.chassis_on = True
        if machine.frozen or machine.paused:
            machine.resume()
        machine.power_changed()
    _mend(world, ())
    for machine in world.machines.values():
        _bring_back(world, machine)


def _replug(world: World, words: Sequence[str]) -> None:
    machine = machine_of(world, words[1])
    world.power.devices[words[0]].miswired = ""
    machine.replug(words[:1])
    machine.kill_daemon()


def _bring_back(world: World, machine: Machine) -> None:
    daemon, wrong = machine.daemon, machine.distrusted()
    machine.replug(wrong)
    if daemon is None:
        machine.start_daemon()
    elif wrong:
        machine.kill_daemon()
    elif daemon.state is not None and daemon.state.paused:
        _ask(world, [machine.name, "resume"])
    elif daemon.state is not None and daemon.state.standby:
        _ask(world, [machine.name, "unstandby"])


VERBS: dict[str, Callable[[World, Sequence[str]], None]] = {
    "cut": _cut,
    "unplug": _unplug,
    "heal": _heal,
    "lose": _set("loss", int),
    "delay": _set("delay_ms", milliseconds),
    "repeat": _set("duplicates", int),
    "shuffle": _set("spread_ms", milliseconds),
    "garble": _set("garbled", int),
    "bandwidth": _bandwidth,
    "noise": _noise,
    "replay": lambda world, words: _links(world, words)[0].replay(int(words[1])),
    "player": lambda world, words: _links(world, words)[0].play(int(words[1]), milliseconds(words[-1])),
    "flap": _flap,
    "boot": _boot,
    "power": _power,
    "reset": lambda world, words: machine_of(world, words[0]).reset(),
    "kill": _kill,
    "crash": _crash,
    "speaks": _speaks,
    "start": _start,
    "pause": _pause,
    "freeze": _freeze,
    "halt-clock": _halt_clock,
    "resume": _resume,
    "jump": _jump,
    "starts": _starts,
    "clock": _clock,
    "runs": _runs,
    "run": _run,
    "memory": _memory,
    "clone": _clone,
    "unclone": lambda world, words: world.unclone(machine_of(world, words[0]).name),
    "disk": _disk,
    "break": _break,
    "mend": _mend,
    "drop": _drop,
    "wear": _wear,
    "device": _device,
    "miswire": _miswire,
    "replug": _replug,
    "feeds": _feeds,
    "unpower": _unpower,
    "third-machine": _third_machine,
    "ask": _ask,
    "move": _move,
    "vouch": _vouch,
    "edit": _edit,
    "restore": _restore,
} | STORAGE_VERBS
