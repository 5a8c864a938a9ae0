"""One daemon from start to end: it is assembled, run and taken apart, with the work beside the loop."""

import asyncio
import os
import signal
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aoeha.config.this_machine import wrong_ports
from aoeha.core.memory import next_incarnation
from aoeha.core.model.actions import Action
from aoeha.core.model.conditions import Alarm, Code, Condition, Level, Subject
from aoeha.core.model.config import Identity, PairConfig
from aoeha.core.model.events import CommandGiven, Event, MirrorsChanged, TargetStarted
from aoeha.core.model.exits import Exit
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState
from aoeha.core.peer import membership
from aoeha.core.step import initial
from aoeha.daemon import assembly, early_signals
from aoeha.daemon.action_executor import ActionExecutor, Effects
from aoeha.daemon.advert_budget import AdvertBudget
from aoeha.daemon.arguments import Settings
from aoeha.daemon.assembly import Blueprint, StartError
from aoeha.daemon.beat_transport import BeatTransport
from aoeha.daemon.commands import Commands
from aoeha.daemon.event_log import EventLog
from aoeha.daemon.fence_history import FenceHistory
from aoeha.daemon.first_beat import FirstBeat, forget
from aoeha.daemon.inbox import Inbox
from aoeha.daemon.journal_file import JournalFile
from aoeha.daemon.loop import Loop
from aoeha.daemon.restart_state import RestartState
from aoeha.daemon.status import status_document
from aoeha.daemon.successor import RestartRefusedError, become_successor, prepare_successor
from aoeha.daemon.tasks import TaskRunner
from aoeha.io import clock, sysrq
from aoeha.io.containment import kill_leftovers
from aoeha.io.control_socket import ControlSocket
from aoeha.io.durable import MemoryStore
from aoeha.io.exclusion import NameTakenError, take_name
from aoeha.io.host import Place
from aoeha.io.mirror_watch import MirrorWatch
from aoeha.io.processes import ProcessHost
from aoeha.io.scheduling import enable_realtime, freeze_garbage
from aoeha.io.systemd import ServiceManager, journal_of
from aoeha.io.watchdog import WatchdogError
from aoeha.journal.records import Header
from aoeha.wire.codec import NONCE_SIZE
from aoeha.wire.keys import key_tags
from aoeha.wire.sender import Sender

__all__ = ["serve"]

HOUSEKEEPING_MS = 1_000
ANSWER_MARGIN_S = 0.05
"""Whoever asked for a restart gets the answer before the connections end."""
LEAVE_MARGIN_MS = 60_000
"""The time for a leave beyond the stop deadlines: the core waits 20 s for the peer to take over."""


def serve(settings: Settings, first: FirstBeat | None) -> int:
    """Run a daemon until it has left, and return its exit code. `first` was sent before this module was imported."""
    event_log = EventLog(journal=journal_of(2, os.environ))
    for warning in enable_realtime():
        event_log.say(Level.WARNING, _of_daemon(Code.DAEMON_NOTICE, settings.node, warning))
    try:
        blueprint = assembly.read_blueprint(settings.config, settings.node)
        with _taken_name(blueprint.pair):
            service = _Service(settings, first, blueprint, event_log)
            return asyncio.run(service.run())
    except StartError as error:
        sys.stderr.write(f"aoeha: cannot start: {error}\n")
        return error.code


def _taken_name(pair: PairConfig) -> socket.socket:
    """Exclude a second daemon of this node while the result is open. Raises StartError."""
    try:
        return take_name(pair.cluster, pair.node)
    except NameTakenError as error:
        raise StartError(
            Exit.FAILED,
            f"another daemon of node {pair.node} of cluster {pair.cluster} runs on this machine, perhaps with other "
            f"directories; `ss -xlp` names the process of @aoeha/{pair.cluster}/{pair.node}",
        ) from error
    except OSError as error:
        raise StartError(Exit.FAILED, f"cannot take the name of node {pair.node}: {error.strerror}") from error


class _Service:
    """The parts of one daemon. Only the loop writes the state; the others read it through `loop.state`."""

    def __init__(self, settings: Settings, first: FirstBeat | None, blueprint: Blueprint, event_log: EventLog) -> None:
        self.settings = settings
        self.first = first
        self.run_directory, self.state_directory = Path(settings.run_directory), Path(settings.state_directory)
        self.pair, self.configuration = blueprint.pair, blueprint.configuration
        self.event_log = event_log
        self.manager = ServiceManager(dict(os.environ))
        self.inbox = Inbox()
        place = Place(self.pair.cluster, self.pair.node, self.run_directory, self.state_directory)
        for process in kill_leftovers(place):
            sentence = f"killed process {process}: a task of an earlier daemon started it"
            event_log.say(Level.INFO, _of_daemon(Code.DAEMON_NOTICE, self.pair.node, sentence))
        self.store = MemoryStore(self.run_directory, self.state_directory)
        receiver = assembly.receiver(
            blueprint,
            nonce=first.nonce if first else os.urandom(NONCE_SIZE),
            memory=first.memory if first else None,
        )
        self.inheritance = RestartState(blueprint, receiver, settings.run_directory)
        held = key_tags(blueprint.keys)
        sender = Sender(self.pair.cluster, receiver.signing, receiver.nonces, receiver.speaks, held=held)
        self.road = BeatTransport(assembly.links(blueprint), sender, receiver, self.inbox, self.inheritance.keep)
        self.host = ProcessHost(place)
        self.tasks = TaskRunner(
            assembly.agents(blueprint.configuration, self.pair.node, self.host, blueprint.keys, receiver),
            self.inbox.insist,
        )
        plugs = {fence.name: fence.plug for fence in blueprint.configuration.fences}
        self.fences = FenceHistory(self.state_directory, plugs)
        self.commands = Commands(self._document, self.inbox.offer, event_log, self.fences, self._restart)
        self.performing = ActionExecutor(
            Effects(self.road.send, self.tasks, self.store, event_log, self.commands, _panic), self.inbox.insist
        )
        self.starts = AdvertBudget(self._target_started, clock.now_ms)
        self.adverts = assembly.adverts(blueprint, self.starts.heard)
        self.mirrors = MirrorWatch(self._mirrors_changed)
        self.watchdog_feeder = assembly.watchdog_feeder(
            blueprint, lambda level, sentence: self._say(level, Code.DAEMON_WATCHDOG, sentence)
        )
        self.loop, self.first_actions, self.journal = self._begin(clock.boot_id())
        self.control = ControlSocket(self.run_directory / "control.sock", self.commands.handle)
        self.leave_limit: asyncio.TimerHandle | None = None
        self.deaf = self.lost_control = ""
        self.faulty_since_ms: dict[Code, int] = {}
        self.exit_code = 0
        self.starts_anew = False
        self.hangups: set[asyncio.Task[None]] = set()

    def _begin(self, boot_id: str) -> tuple[Loop, tuple[Action, ...], JournalFile]:
        """Start the core from its stored memory, and record that memory in the journal."""
        recalled = self.store.recall(boot_id)
        for sentence in recalled.sentences:
            self._say(Level.ALARM, Code.DAEMON_STATE_DAMAGED, sentence)
        identity = Identity(boot_id, _incarnation(boot_id, recalled.memory, self.first))
        now_ms = clock.now_ms()
        state, actions = initial(self.pair, identity, recalled.memory, now_ms)
        header = Header(
            version=_version(),
            part=1,
            now_ms=now_ms,
            wall_ms=clock.wall_ms(),
            config=self.pair,
            identity=identity,
            memory=recalled.memory,
            actions=actions,
        )
        journal = JournalFile(self.state_directory / "journal", header)
        self.fences.record(None, actions)

        def record(before: NodeState, event: Event, answered: tuple[Action, ...]) -> None:
            journal.record(before, event, answered)
            self.fences.record(event, answered)

        loop = Loop(state, self.inbox, self.performing, record, self.watchdog_feeder.turned)
        return loop, actions, journal

    async def run(self) -> int:
        """Serve until Leave was performed, or until leaving took too long. Raises StartError before anything serves."""
        # Before the watchdog, which resets a gateway whose daemon ends after it has begun.
        self._open_links()
        await self._open_watchdog()
        self._listen_to_signals()
        self.adverts.listen()
        self.mirrors.listen()
        if self.first:
            self.first.close()
        warning = await self._open_control()
        if warning:
            self._say(Level.WARNING, Code.DAEMON_NOTICE, warning)
        housekeeping = asyncio.create_task(self._keep_house(), name="housekeeping")
        freeze_garbage()
        self.manager.ready()
        self._say(Level.INFO, Code.DAEMON_STARTED, f"aoeha {_version()} runs as {self.pair.node}")
        try:
            await self.loop.run(self.first_actions)
            if self.exit_code == 0 and not self.starts_anew:
                await self.watchdog_feeder.leave()
        finally:
            housekeeping.cancel()
            await self._take_apart()
        if self.starts_anew:
            become_successor()
        if self.exit_code == 0:
            # It has left: the daemon that starts next is not a successor that the peer waits for.
            forget(self.settings.run_directory)
        return self.exit_code

    def _open_links(self) -> None:
        """Hear the peer. A daemon that would be deaf because its port is taken does not start: it might fence."""
        if taken := self.road.open():
            raise StartError(Exit.FAILED, f"{taken}; does another daemon of this node run?")

    async def _open_watchdog(self) -> None:
        try:
            await self.watchdog_feeder.begin(clock.now_ms(), is_restart=self.first is not None)
        except WatchdogError as error:
            raise StartError(Exit.UNSAFE, f"a watchdog is required: {error}") from error

    async def _open_control(self) -> str:
        """Open the control socket. A daemon without one still serves."""
        try:
            return await self.control.open()
        except OSError as error:
            return f"cannot open {self.run_directory}/control.sock: {error.strerror}; no command can reach this daemon"

    async def _take_apart(self) -> None:
        await self.control.close()
        await self.tasks.close()
        self.road.close()
        self.adverts.close()
        self.mirrors.close()
        self.store.close()
        self.fences.close()
        self._tell_news()
        self.journal.close()
        self.manager.close()

    def _target_started(self, leg: str, address: str) -> None:
        self.inbox.insist(TargetStarted(clock.now_ms(), leg, address))

    def _mirrors_changed(self) -> None:
        self.inbox.insist(MirrorsChanged(clock.now_ms()))

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        early_signals.deliver()

    def _leave(self) -> None:
        """Hand all groups over and end. End by force, with a sentence, when that takes too long."""
        if self.leave_limit:
            self._say(Level.INFO, Code.DAEMON_NOTICE, "the daemon was told to leave again, and is leaving already")
            return
        stops_ms = sum(resource.stop_ms for group in self.pair.groups for resource in group.resources)
        limit_ms = 2 * stops_ms + LEAVE_MARGIN_MS
        self.leave_limit = asyncio.get_running_loop().call_later(limit_ms / 1_000, self._give_up_leaving, limit_ms)
        self.manager.stopping()
        self.inbox.insist(CommandGiven(clock.now_ms(), self.commands.next_id(), "leave", "root"))

    def _give_up_leaving(self, limit_ms: int) -> None:
        sentence = (
            f"cannot leave in order: not done within {limit_ms // 1_000} s; ending all the same, "
            f"what still runs here keeps running and {self.pair.peer} will fence this node"
        )
        self._say(Level.ALARM, Code.DAEMON_LEAVE_OVERDUE, sentence)
        self.exit_code = Exit.FAILED
        self.performing.left.set()

    def _hang_up(self) -> None:
        """Start anew, as `aoeha restart` does, once for however many of them."""
        if self.hangups:
            return
        attempt = asyncio.create_task(self._restart_by_signal(), name="restart")
        self.hangups.add(attempt)
        attempt.add_done_callback(self.hangups.discard)

    async def _restart_by_signal(self) -> None:
        try:
            await self._restart()
        except RestartRefusedError as refused:
            self._say(Level.WARNING, Code.DAEMON_NOTICE, str(refused))

    async def _restart(self) -> None:
        """Let a new daemon take this one's place, soon. Raises RestartRefusedError."""
        if (cut_off := self._look_at_keys()) and membership.may_be_alive(self.loop.state):
            sentence = f"cannot restart, and goes on as before: {cut_off}"
            raise RestartRefusedError(Code.COMMAND_FAILED, Exit.BAD_CONFIGURATION, sentence)
        await prepare_successor(self.host, self._under_way)
        if self.leave_limit or self.starts_anew:
            sentence = "cannot restart: the daemon ends already"
            raise RestartRefusedError(Code.COMMAND_REFUSED_LEAVING, Exit.FAILED, sentence)
        self._say(Level.INFO, Code.DAEMON_NOTICE, "the daemon starts anew, and what runs goes on running")
        # Who asks from now on shall get the new daemon's answer.
        self.control.stop_listening()
        self.starts_anew = True
        asyncio.get_running_loop().call_later(ANSWER_MARGIN_S, self.performing.left.set)

    def _look_at_keys(self) -> str:
        return self.inheritance.look_at_keys(membership.is_alive(self.loop.state))

    def _under_way(self) -> str:
        return "an operator's power order" if self.loop.state.order else self.tasks.change_under_way()

    async def _keep_house(self) -> None:
        """Once a second: feed systemd's watchdog if the loop turned, show the status line, report other faults."""
        turns, shown = -1, ""
        while True:
            if self.loop.turns != turns:
                self.manager.alive()
            turns = self.loop.turns
            why = self._why()
            if why != shown:
                self.manager.status(why)
                shown = why
            self._tell_news()
            await self._restore_control()
            self._look_at_keys()
            self.deaf = self.adverts.listen() or self.starts.fault() or self._changed_ports()
            self.mirrors.listen()
            await asyncio.sleep(HOUSEKEEPING_MS / 1_000)

    async def _restore_control(self) -> None:
        """Make the control socket anew if somebody removed it: else nobody could ask, stop or see this daemon."""
        if not self.control.is_lost():
            return
        warning = await self._open_control()
        is_lost = self.control.is_lost()
        anew = "" if is_lost else f"{self.run_directory}/control.sock was removed under the daemon; it is there again"
        sentence = "; ".join(filter(None, (anew, warning)))
        if sentence != self.lost_control:
            self._say(Level.WARNING, Code.DAEMON_NOTICE, sentence)
        self.lost_control = sentence if is_lost else ""

    def _changed_ports(self) -> str:
        """Why the shelves know this gateway by other hardware addresses than the file says, or ''."""
        return "; ".join(finding.sentence for finding in wrong_ports(self.configuration, self.pair.node))

    def _tell_news(self) -> None:
        for sentence in self.journal.news():
            self._say(Level.ALARM, Code.DAEMON_JOURNAL, sentence)
        if removed := self.inheritance.removed():
            self._say(Level.WARNING, Code.DAEMON_NOTICE, removed)

    def _say(self, level: Level, code: Code, sentence: str) -> None:
        self.event_log.say(level, _of_daemon(code, self.pair.node, sentence))

    def _own_alarms(self, now_ms: int) -> list[Alarm]:
        """What is wrong aside from the core, and since when."""
        lost = f"{self.journal.lost} records are missing" if self.journal.lost else ""
        faults = {
            Code.DAEMON_JOURNAL_LOST: lost,
            Code.DAEMON_BEATS: self.road.unpackable,
            Code.DAEMON_FIRST_BEAT: self.inheritance.fault,
            Code.DAEMON_KEYS: self.inheritance.cut_off,
            Code.DAEMON_WATCHDOG: self.watchdog_feeder.fault,
            Code.DAEMON_STORAGE_NETWORK: self.deaf,
            Code.DAEMON_FENCE_HISTORY: self.fences.fault,
        }
        self.faulty_since_ms = {code: self.faulty_since_ms.get(code, now_ms) for code in faults if faults[code]}
        return [
            Alarm(_of_daemon(code, self.pair.node, faults[code]), since_ms)
            for code, since_ms in self.faulty_since_ms.items()
        ]

    def _why(self) -> str:
        try:
            return str(self._document()["why"]["sentence"])
        except Exception as error:  # noqa: BLE001 - a bug in an explanation must not end what it explains
            return f"cannot explain: {error!r}"

    def _document(self) -> dict[str, Any]:
        now_ms = clock.now_ms()
        own = {
            "loop_lag_ms_max": self.loop.lag.greatest_ms(now_ms),
            "steps": self.loop.turns,
            "events_refused": self.inbox.refused,
            "beats_replaced": self.inbox.replaced,
            "adverts_held_back": self.starts.held_back,
            "records_lost": self.journal.lost,
            "sentences_unwritten": self.event_log.unwritten,
        }
        counters = {**self.road.counters(), "daemon": own}
        return status_document(
            self.loop.state, counters, self._own_alarms(now_ms), self.watchdog_feeder.sentence(now_ms)
        )


def _of_daemon(code: Code, node: str, sentence: str) -> Condition:
    return Condition(code, Subject.node(node), sentence)


def _panic() -> None:
    """Reboot this kernel at once. Where that is impossible, end this process, which must not decide any more."""
    try:
        sysrq.reboot_at_once()
    except OSError as error:
        sys.stderr.write(f"cannot reboot by sysrq: {error.strerror}\n")
    os._exit(Exit.PANIC_FAILED)


def _incarnation(boot_id: str, memory: Memory | None, first: FirstBeat | None) -> int:
    """Return an incarnation that no daemon of this boot has used."""
    if first:
        used = memory.incarnation if memory and memory.boot_id == boot_id else 0
        return max(used + 1, first.incarnation)
    return next_incarnation(memory, boot_id, clock.now_ms())


def _version() -> str:
    try:
        return version("aoeha")
    except PackageNotFoundError:
        return "unpackaged"
