"""Plays a scenario in a rack and leaves evidence. Judges nothing: that is aoeha/rack/judges/verdict.py's work.

An expectation that is not met is written down and ends the play; what can still be read back is read back.
"""

import asyncio
import contextlib
import json
import random
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aoeha.rack.drills import old_disks
from aoeha.rack.drills.gateway_files import configured_timing, gateway_files
from aoeha.rack.drills.operator_input import UnmetError, run_command, run_fatal, run_refused
from aoeha.rack.drills.planted_faults import Plant
from aoeha.rack.drills.promises import Nevers
from aoeha.rack.drills.scenario import LINKS, Scenario, Statement, milliseconds
from aoeha.rack.evidence.checking import (
    MOUNTED,
    RECORDS,
    boot_checker,
    count_processes,
    mirror_name,
    mirror_state,
    read_back,
    read_legs,
    read_mismatches,
    read_reservations,
    show_what_hangs,
)
from aoeha.rack.machines.cables import garble, set_cables, set_medium, split_storage
from aoeha.rack.machines.evidence_folder import Evidence
from aoeha.rack.machines.guest_link import GuestEvent, GuestLink, now_ms
from aoeha.rack.machines.host import CHECKOUT, RackError
from aoeha.rack.machines.namespaces import JUDGED, UNJUDGED
from aoeha.rack.machines.prepared_legs import PreparedLegs
from aoeha.rack.machines.rack import CLIENT, GATEWAYS, SERVICE_ADDRESS, SHELVES, Rack, RackOptions

__all__ = ["Drill", "UnmetError"]

POLL_S = 0.05
RECORD_EVERY_MS = 20
PING_EVERY_MS = 50
RESTART_MS = 100
BEFORE_JUDGING_MS = 90_000
UNMET_PATIENCE_MS = 20_000
GROUP = "storage"
AOEHA = str(Path(sys.prefix) / "bin" / "aoeha")


class Drill:
    """One run of one scenario."""

    def __init__(
        self, scenario: Scenario, configuration: Path, folder: Path, plant: Plant, prepared: PreparedLegs | None = None
    ) -> None:
        self.scenario = scenario
        self.evidence = Evidence(folder)
        self.plant = plant
        self.prepared = prepared if any(each.kind == "storage" for each in scenario.statements) else None
        self._files = plant.files(gateway_files(configuration, scenario))
        self._daemons: set[str] = set()
        self._rebooted: set[str] = set()
        self._boots: Counter[str] = Counter()
        self._logged: list[tuple[str, str]] = []
        self._ran = GATEWAYS[0]
        self._listeners: list[Callable[[GuestEvent], None]] = []
        self.progress: Callable[[str], None] = lambda _: None

    def listen(self, listener: Callable[[GuestEvent], None]) -> None:
        """Add a watcher of this run's events."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Play it all, read everything back, tear down. Raises RackError when the rack itself fails."""
        toml = self._files["/etc/aoeha/aoeha.toml"][0]
        deadtime = milliseconds(configured_timing(toml, "deadtime"))
        self.evidence.save("aoeha.toml", toml)
        self.evidence.save("drill.json", self._description(deadtime))
        options = RackOptions(gateway_files=self._files, dual_homed=self.scenario.dual_homed, prepared=self.prepared)
        async with Rack(self.evidence, options) as rack:
            for listener in self._listeners:
                rack.listen(listener)
            rack.listen(self._keep_log)
            rack.on_boot(self._booted)
            facts: dict[str, Any] = {}
            try:
                await self._play(rack)
            except UnmetError as unmet:
                facts["unmet"] = str(unmet)
                self.progress(f"not met: {unmet}")
                await show_what_hangs(rack)
            except RackError:
                await show_what_hangs(rack)
                raise
            await self._collect(rack, facts)
            self.evidence.save("facts.json", facts)

    def _description(self, deadtime_ms: int) -> dict[str, Any]:
        return {
            "name": self.scenario.name,
            "about": self.scenario.about,
            "owners": [[{"node": turn.node, "proof": turn.proof} for turn in turns] for turns in self.scenario.owners],
            "policy": configured_timing(self._files["/etc/aoeha/aoeha.toml"][0], "fence_policy"),
            "power_offs": self.scenario.power_offs,
            "outage_max_ms": self.scenario.outage_max_ms,
            "outage_limits_ms": dict(self.scenario.outage_limits_ms),
            "untouched": self.scenario.untouched,
            "alarms": self.scenario.alarms,
            "foreign": self.scenario.foreign,
            "deadtime_ms": deadtime_ms,
            "plant": self.plant.name,
            "group": GROUP,
        }

    async def _play(self, rack: Rack) -> None:
        nevers = Nevers(rack, self.status)
        for statement in self.plant.change(self.scenario.statements):
            rack.tell("play", line=statement.line, text=statement.source)
            self.progress(statement.source)
            if statement.kind.startswith("never "):
                nevers.begin(statement)
            else:
                await self._perform(rack, statement)
            if nevers.broken:
                raise UnmetError(nevers.broken)
        await self.plant.before_reading(rack)

    async def _perform(self, rack: Rack, statement: Statement) -> None:
        node, text, time_ms = statement.node, statement.text, statement.time_ms
        match statement.kind:
            case "boot":
                await rack.boot(*statement.guests)
            case "storage":
                await rack.make_storage()
            case "daemon":
                self._daemons.update(statement.guests)
                await asyncio.gather(*(self._start_daemon(rack.link(guest)) for guest in statement.guests))
            case "client":
                await self._start_client(rack.link(CLIENT))
            case "mark":
                rack.rank(JUDGED)
                self._rebooted.clear()
                self._logged.clear()
                self._boots = Counter(rack.boots)
                rack.tell("mark", name=text, processes=await count_processes(rack))
            case "power" if text == "off":
                await asyncio.gather(*(self._pull_plug(rack, guest) for guest in statement.guests))
            case "power":
                await asyncio.gather(*(rack.power_on(guest) for guest in statement.guests))
            case "return":
                await asyncio.gather(*(self._power_on_later(rack, guest, time_ms) for guest in statement.guests))
            case "freeze":
                rack.spawn(rack.pause(node, time_ms))
                await asyncio.sleep(0)
            case "cut" | "heal":
                for link in (text,) if text else LINKS:
                    set_medium(rack, link.rstrip("1"), works=statement.kind == "heal")
            case "cut-san" | "heal-san" | "cut-san2" | "heal-san2" | "cut-lan" | "heal-lan":
                verb, _, switch = statement.kind.partition("-")
                set_cables(rack, switch, (node,), works=verb == "heal")
            case "split" | "join":
                split_storage(rack, apart=statement.kind == "split")
            case "garble-serial":
                await garble(rack, time_ms)
            case "device":
                rack.power.die()
            case "slow":
                rack.power.delay_ms = time_ms
            case "lie":
                rack.power.lies = True
            case "end":
                await rack.link(node).ask("signal", name="aoeha", signal=int(signal.SIGTERM))
            case "kill":
                await rack.link(node).ask("signal", name="aoeha", signal=int(signal.SIGKILL))
            case "pause":
                await rack.link(node).ask("signal", name="aoeha", signal=int(signal.SIGSTOP))
            case "crash":
                await rack.link(node).ask("signal", name="aoeha", signal=int(signal.SIGKILL), stop=True)
            case "shelf":
                await self._restart_targets(rack, statement.guests[0])
            case "snapshot":
                await old_disks.take(rack, statement.guests[0])
            case "restore disk":
                await old_disks.put_back(rack, statement.guests[0])
            case "ask" | "command":
                await run_command(rack, node, AOEHA, *shlex.split(text))
            case "refused":
                await run_refused(rack, node, statement.code, AOEHA, *shlex.split(text))
            case "fatal":
                await run_fatal(rack, node, AOEHA, *shlex.split(text))
            case "operator":
                await run_command(rack, node, *shlex.split(text))
            case "plug":
                rack.rewire(node, text)
            case "wait":
                await asyncio.sleep(time_ms / 1000)
            case _:
                await self._expect(rack, statement)

    async def _booted(self, name: str, link: GuestLink, *, by_itself: bool) -> None:
        if by_itself:
            self._rebooted.add(name)
        if name in self._daemons:
            self.evidence.keep_journals(name)
            await self._start_daemon(link)

    async def _start_daemon(self, link: GuestLink) -> None:
        if self.scenario.watchdog:
            await link.must("modprobe", "softdog", "nowayout=0")
        argv = [AOEHA, "daemon", "-c", "/etc/aoeha/aoeha.toml"]
        environment = {"NOTIFY_SOCKET": "/run/notify", "PYTHONPATH": str(CHECKOUT)}
        await link.ask("serve", name="aoeha", argv=argv, restart_ms=RESTART_MS, environment=environment)

    async def _start_client(self, link: GuestLink) -> None:
        await link.must(
            "mount", "-t", "nfs4", "-o", "vers=4.2,hard,proto=tcp", f"{SERVICE_ADDRESS}:/", MOUNTED, deadline_ms=60_000
        )
        await link.ask("records", path=f"{MOUNTED}/{RECORDS}", every_ms=RECORD_EVERY_MS)
        await link.ask("probe", address=SERVICE_ADDRESS, every_ms=PING_EVERY_MS)

    @staticmethod
    async def _power_on_later(rack: Rack, guest: str, within_ms: int) -> None:
        await asyncio.sleep(random.uniform(0, within_ms / 1000))
        await rack.power_on(guest)

    @staticmethod
    async def _pull_plug(rack: Rack, node: str) -> None:
        await rack.power_off(node)
        rack.tell("unplugged", node=node)

    @staticmethod
    async def _restart_targets(rack: Rack, shelf: str) -> None:
        for _, switch in rack.storage:
            await rack.link(shelf).ask("signal", name=f"vblade on {switch}", signal=int(signal.SIGKILL))

    async def _expect(self, rack: Rack, statement: Statement) -> None:
        node, time_ms = statement.node, statement.time_ms
        match statement.kind:
            case "expect served" if node == "somebody":
                await self._until(statement, lambda: self._somebody_runs(rack))
            case "expect served":
                await self._until(statement, lambda: self._runs(rack, node))
                await self._tell_who_runs(rack, node)
            case "expect ready":
                await self._until(statement, lambda: self._ready(rack, node))
            case "expect holds":
                await self._until(statement, lambda: self._holds(rack, node))
            case "expect lives":
                await self._until(statement, lambda: self._lives_on(rack, node))
            case "expect boots":
                await self._until(statement, lambda: self._has_booted(rack, node))
            case "expect says":
                await self._until(statement, lambda: self._says(rack, node, statement.text))
            case "expect alarm":
                await self._until(statement, lambda: self._alarm(rack, node, statement.text))
            case "expect logs":
                await self._until(statement, lambda: self._logs(node, statement.text))
            case "expect reboots":
                await self._until(statement, lambda: self._reboots(node))
            case "expect writes":
                await self._expect_writes(rack, statement)
            case "expect mirror":
                await self._until(statement, lambda: self._mirror(rack, whole=statement.text == "whole"))
            case "expect quiet":
                before = await self._picture(rack)
                end = now_ms() + time_ms
                while now_ms() < end:
                    await asyncio.sleep(0.2)
                    after = await self._picture(rack)
                    changed = [who for who, what in before.items() if who in after and after[who] != what]
                    if changed:
                        raise UnmetError(
                            f"{statement.source}: on {changed[0]} {before[changed[0]]} became {after[changed[0]]}"
                        )

    @staticmethod
    async def _until(statement: Statement, look: Callable[[], Awaitable[str]]) -> None:
        """Look again and again until there is no complaint."""
        end = now_ms() + statement.time_ms
        while True:
            try:
                complaint = await look()
            except RackError as error:
                complaint = str(error)
            if not complaint:
                return
            if now_ms() >= end:
                break
            await asyncio.sleep(POLL_S)
        raise UnmetError(f"{statement.source}: {complaint}")

    @staticmethod
    async def status(rack: Rack, node: str) -> dict[str, Any]:
        """A gateway's status document. RackError when its daemon does not answer."""
        lines = await rack.link(node).ask("control", verb="status", deadline_ms=5_000)
        document = lines[-1].get("document") if lines else None
        if not isinstance(document, dict):
            raise RackError(f"{node} gave no status")
        return document

    def _keep_log(self, event: GuestEvent) -> None:
        if event.kind == "line" and event.facts["source"] == "aoeha":
            self._logged.append((event.guest, event.facts["text"]))

    async def _logs(self, node: str, text: str) -> str:
        said = any(who == node and text in line for who, line in self._logged)
        return "" if said else f"{node}'s daemon did not say it"

    async def _reboots(self, node: str) -> str:
        return "" if node in self._rebooted else f"{node}'s kernel goes on"

    async def _tell_who_runs(self, rack: Rack, node: str) -> None:
        self._ran = node
        rack.tell("runs", node=node, processes=await count_processes(rack))
        rack.tell("reserved", legs=await read_reservations(rack, node))

    async def _somebody_runs(self, rack: Rack) -> str:
        complaints = []
        for gateway in GATEWAYS:
            try:
                complaint = await self._runs(rack, gateway)
            except RackError as error:
                complaint = str(error)
            if not complaint:
                await self._tell_who_runs(rack, gateway)
                return ""
            complaints.append(f"{gateway}: {complaint}")
        return "; ".join(complaints)

    async def _runs(self, rack: Rack, node: str) -> str:
        document = await self.status(rack, node)
        group = next(group for group in document["groups"] if group["name"] == GROUP)
        if group["phase"] == "running" and group["owner"] == node:
            return ""
        return f"{group['phase']}, owner {group['owner']}; {document['why']}"

    async def _holds(self, rack: Rack, node: str) -> str:
        legs = await read_reservations(rack, node)
        ours = len(legs) == len(SHELVES) * len(rack.storage) and all(holders == [node] for holders in legs.values())
        return "" if ours else f"the shelves say {legs}"

    async def _has_booted(self, rack: Rack, node: str) -> str:
        return "" if rack.boots[node] > self._boots[node] else f"no kernel of {node} has come up"

    async def _lives_on(self, rack: Rack, node: str) -> str:
        if rack.boots[node] != self._boots[node]:
            return f"a new kernel of {node} has come up"
        await rack.link(node).read("/proc/uptime")
        return ""

    async def _ready(self, rack: Rack, node: str) -> str:
        document = await self.status(rack, node)
        peer = next(each for each in document["nodes"] if not each["self"])
        links = [link["name"] for link in document["links"] if link["state"] != "up"]
        if peer["state"] == "online" and "NOT ready" not in document["verdict"] and not links:
            return ""
        return f"peer {peer['state']}, links not up: {links}; {document['verdict']}; {document['why']}"

    async def _says(self, rack: Rack, node: str, text: str) -> str:
        document = await self.status(rack, node)
        document.pop("counters", None)
        said = json.dumps(document, ensure_ascii=False)
        return "" if text in said else f"status says {document['alarms']}; {document['why']}"

    async def _alarm(self, rack: Rack, node: str, code: str) -> str:
        documents = [await self.status(rack, each) for each in GATEWAYS if node in {"", each}]
        told = [alarm["code"] for document in documents for alarm in document["alarms"]]
        return "" if code in told else f"alarms are {', '.join(told) or 'none'}"

    def _last_owner_first(self) -> list[str]:
        """The gateways; a fenced one may still have its mirror assembled."""
        return sorted(GATEWAYS, key=lambda gateway: gateway != self._ran)

    async def _mirror(self, rack: Rack, *, whole: bool) -> str:
        for gateway in self._last_owner_first():
            with contextlib.suppress(RackError):
                if await mirror_name(rack.link(gateway)):
                    is_whole, text = await mirror_state(rack.link(gateway))
                    return "" if is_whole is whole else text
        return "no gateway has the mirror"

    async def _picture(self, rack: Rack) -> dict[str, str]:
        """What each gateway says of the group; a gateway that says nothing is left out."""
        picture = {}
        for gateway in GATEWAYS:
            with contextlib.suppress(RackError, OSError):
                document = await self.status(rack, gateway)
                group = next(group for group in document["groups"] if group["name"] == GROUP)
                if group["phase"] != "unknown":
                    picture[gateway] = f"{group['phase']} at epoch {group['epoch']}"
        return picture

    async def _expect_writes(self, rack: Rack, statement: Statement) -> None:
        """Wait for a record that was begun after now, and for an answer of the address: either may come first."""
        acknowledged, answered = asyncio.Event(), asyncio.Event()
        began = now_ms()

        def watch(event: GuestEvent) -> None:
            if event.kind == "acknowledged" and event.at_ms - event.facts["took_ms"] >= began:
                acknowledged.set()
            if event.kind == "answered" and event.at_ms >= began:
                answered.set()

        rack.listen(watch)
        try:
            async with asyncio.timeout(statement.time_ms / 1000):
                await acknowledged.wait()
                await answered.wait()
        except TimeoutError:
            missing = "the address did not answer" if acknowledged.is_set() else "no record was acknowledged"
            raise UnmetError(f"{statement.source}: {missing}") from None
        rack.tell("writes", processes=await count_processes(rack))

    async def _collect(self, rack: Rack, facts: dict[str, Any]) -> None:
        """Read back whatever can be read; what can't be is left out, and missing facts are red."""
        rack.tell("played")
        rack.rank(UNJUDGED)
        self.progress("reading every record back: by the client, from the mirror, from each leg alone")
        patience_ms = UNMET_PATIENCE_MS if "unmet" in facts else BEFORE_JUDGING_MS
        booting = asyncio.create_task(boot_checker(rack))
        for name, reading in (
            ("written", lambda: rack.link(CLIENT).ask("stop_records", deadline_ms=patience_ms)),
            ("client", lambda: read_back(rack)),
            ("mismatches", lambda: self._mismatches(rack)),
            ("disks", lambda: read_legs(rack, booting)),
        ):
            try:
                facts[name] = await asyncio.wait_for(reading(), patience_ms / 1000)
            except (RackError, TimeoutError) as error:
                facts[f"{name}_missing"] = str(error) or "took too long"
        booting.cancel()
        await asyncio.gather(booting, return_exceptions=True)
        rack.tell("read")

    async def _mismatches(self, rack: Rack) -> int:
        why = "no gateway has the mirror"
        for gateway in self._last_owner_first():
            try:
                if await mirror_name(rack.link(gateway)):
                    return await read_mismatches(rack.link(gateway))
            except RackError as error:
                why = str(error)
        raise RackError(why)
