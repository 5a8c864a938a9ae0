"""Failures planted into a drill: each must turn its verdict red, or the verdict is worth nothing."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aoeha.fabric.aoe.client import AoeClient
from aoeha.fabric.aoe.frames import Ata, Frame
from aoeha.rack.drills.scenario import Statement
from aoeha.rack.evidence.checking import MOUNTED, RECORDS
from aoeha.rack.machines.guest_client import RECORD_BYTES
from aoeha.rack.machines.host import CHECKOUT, RackError
from aoeha.rack.machines.rack import CLIENT, Rack

__all__ = ["NO_PLANT", "PLANTS", "Plant"]

Statements = tuple[Statement, ...]
Files = dict[str, tuple[str, str]]
LEG, STORAGE_SWITCH = "e2.0", "san"
GARBAGE_SECTOR, GARBAGE_SECTORS = 640 * 128, 2
LBA48, WRITE, WRITE_EXT = 0x40, 1, 0x34
SETTLE_S = 0.5


async def _nothing(_: Rack) -> None:
    return


def _same_files(files: Files) -> Files:
    return files


def _unchanged(statements: Statements) -> Statements:
    return statements


@dataclass(frozen=True, slots=True)
class Plant:
    """What is done to the play, to the gateways' files, and what just before everything is read back."""

    name: str
    about: str
    change: Callable[[Statements], Statements] = _unchanged
    before_reading: Callable[[Rack], Awaitable[None]] = _nothing
    files: Callable[[Files], Files] = _same_files


async def _lose_record(rack: Rack) -> None:
    """Overwrite one acknowledged record, as a rolled-back write would look."""
    await rack.link(CLIENT).ask("stop_records", deadline_ms=60_000)
    await rack.link(CLIENT).must(
        "dd", "if=/dev/zero", f"of={MOUNTED}/{RECORDS}", f"bs={RECORD_BYTES}", "count=1", "seek=5", "conv=notrunc,fsync"
    )


async def _second_writer(_: Rack) -> None:
    """Let a stranger on the storage network write to one leg, after it has made the shelf forget who holds that."""
    async with AoeClient([STORAGE_SWITCH]) as client:
        found = [each.address for each in await client.discover(500) if str(each.address.target) == LEG]
        if not found:
            raise RackError(f"cannot plant a second writer: nobody exports {LEG}")
        await client.reserve(found[0], (), force=True)
        port = client.port(STORAGE_SWITCH)
        write = Ata(LBA48 | WRITE, 0, GARBAGE_SECTORS, WRITE_EXT, GARBAGE_SECTOR, os.urandom(512 * GARBAGE_SECTORS))
        port.send(Frame(found[0].mac, port.address, found[0].target, 0, write))
        await asyncio.sleep(SETTLE_S)


def _careless_mirror(files: Files) -> Files:
    """Give both gateways a raid agent that leaves the core no choice and starts from whatever leg answers."""
    return _other_raid_agent(
        files,
        ("SuperblocksRead(device, uuid, tuple(found))", "SuperblocksRead(device, uuid, running=True)"),
        ("tuple(leg for leg in self.parameters.legs if _named(leg) in legs)", "await _present(self.parameters.legs)"),
        ('"mdadm", "--assemble", *how, device,', '"mdadm", "--assemble", "--run", device,'),
    )


def _careless_resync(files: Files) -> Files:
    """Give both gateways a raid agent that lets md copy and read as it likes, whichever node may write to the legs."""
    return _other_raid_agent(
        files,
        ("        await self._heed(running, limits)\n", ""),
        ("readonly=limits.freeze_resync", "readonly=False"),
        (
            "        if not limits.freeze_resync:\n            await self._hold",
            "        if True:\n            await self._hold",
        ),
        ("        await self._heed(array, limits)\n", "        await self._heed(array, MirrorLimits())\n"),
    )


def _other_raid_agent(files: Files, *changes: tuple[str, str]) -> Files:
    text = (CHECKOUT / "resources" / "raid.py").read_text()
    for careful, careless in changes:
        if careful not in text:
            raise RackError(f"cannot plant a careless raid agent: resources/raid.py has no {careful!r}")
        text = text.replace(careful, careless)
    return {**files, "/etc/aoeha/resources.d/raid.py": (text, "644")}


def _swap(old: str, *new: Statement) -> Callable[[Statements], Statements]:
    """Replace the first statement that reads `old`."""

    def change(statements: Statements) -> Statements:
        place = next((number for number, each in enumerate(statements) if each.source == old), None)
        if place is None:
            return statements
        return (*statements[:place], *new, *statements[place + 1 :])

    return change


def _say(kind: str, text: str = "", node: str = "") -> Statement:
    guests = (node,) if kind == "power" else ()
    return Statement(0, kind, text, node, guests, source=f"planted: {kind} {text} {node}".strip())


CUT_BOTH = (_say("cut", "serial1"), _say("cut", "ether1"))


def _kill_the_owner(statements: Statements) -> Statements:
    """Where the first cable is cut, or a shelf forgets, pull the plug of the gateway that serves as well."""
    first = next((each for each in statements if each.kind in {"cut", "cut-san", "split", "shelf"}), None)
    return _swap(first.source, first, _say("power", "off", "alpha"))(statements) if first else statements


def _plug_wrongly(statements: Statements) -> Statements:
    """Have the standby's plug feed nothing just before it is tested for the first time."""
    test = next((each for each in statements if each.kind == "command" and each.text.startswith("fence verify")), None)
    return _swap(test.source, _say("plug", "nothing", "beta"), test)(statements) if test else statements


def _plug_rightly(statements: Statements) -> Statements:
    """Leave out all that puts a wrong machine on a plug."""
    return tuple(each for each in statements if each.kind != "plug")


def _break_nothing(statements: Statements) -> Statements:
    """Leave out all that breaks something."""
    breaks = {"freeze", "crash", "cut", "cut-san", "cut-lan", "split", "shelf"}
    return tuple(each for each in statements if each.kind not in breaks and (each.kind, each.text) != ("power", "off"))


ALL_PLANTS = (
    Plant("lost-record", "an acknowledged record is overwritten", before_reading=_lose_record),
    Plant("second-writer", "somebody else writes to one leg", before_reading=_second_writer),
    Plant(
        "lying-switch",
        "the power switch says off and leaves the gateway on, cut off from its peer: a takeover without proof",
        change=_swap("power off alpha", _say("lie"), *CUT_BOTH),
    ),
    Plant(
        "daemon-stops",
        "the daemon is ended instead of killed, and takes its resources with it",
        change=_swap("kill alpha", _say("end", "", "alpha")),
    ),
    Plant("owner-dies", "the gateway that serves loses its power with the cable", change=_kill_the_owner),
    Plant("careless-mirror", "a gateway starts the mirror from a leg that was left out", files=_careless_mirror),
    Plant("careless-resync", "a mirror copies and reads what a fenced gateway wrote", files=_careless_resync),
    Plant("nothing-breaks", "nothing is broken at all", change=_break_nothing),
    Plant("wrong-plug", "the plug that should be the standby's feeds nothing", change=_plug_wrongly),
    Plant("right-plug", "every plug feeds the gateway whose it is", change=_plug_rightly),
    Plant("switch-works", "the power switch is not broken", change=_swap("device switch dead")),
)
PLANTS = {plant.name: plant for plant in ALL_PLANTS}
NO_PLANT = Plant("", "nothing is planted")
