"""`aoeha aoe probe`: the capabilities of each target, and what its acknowledgements guarantee."""

import argparse
import asyncio
import dataclasses
from collections.abc import Iterable, Sequence

from aoeha.cli.aoe.interfaces import asked_interfaces, nobody
from aoeha.cli.aoe.screen import print_document, print_table, printable
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit
from aoeha.fabric.aoe.client import AoeClient, TargetAddress
from aoeha.fabric.aoe.frames import Target, format_mac
from aoeha.fabric.aoe.port import AoeError
from aoeha.fabric.aoe.probe import Capability, Family, probe

__all__ = ["run"]

_ASKED_AT_ONCE = 64
_HEADING = ("DEVICE", "IF", "ADDRESS", "FAMILY", "FIRMWARE", "RESERVATION", "FENCE")


def run(arguments: argparse.Namespace) -> int:
    """Print the capabilities of each target address. Fail when a named or discovered one does not answer."""
    return asyncio.run(_ask(arguments))


async def _ask(arguments: argparse.Namespace) -> Exit:
    interfaces = asked_interfaces(arguments)
    wanted: list[Target] = arguments.devices
    async with AoeClient(interfaces) as client:
        places = [config.address for config in await client.discover(arguments.wait)]
        asked = [place for place in places if not wanted or place.target in wanted]
        turn = asyncio.Semaphore(_ASKED_AT_ONCE)
        answers = await asyncio.gather(*(_probe(client, place, turn, arguments.wait) for place in asked))
    seen = [answer for answer in answers if isinstance(answer, Capability)]
    errors = [str(answer) for answer in answers if isinstance(answer, AoeError)]
    errors += [
        f"cannot see {target}: it did not answer on {', '.join(interfaces)}"
        for target in wanted
        if target not in {place.target for place in asked}
    ]
    if not seen and not errors:
        errors.append(nobody(interfaces, arguments.wait))
    if arguments.output == "json":
        print_document([_document(each) for each in seen])
    elif seen:
        print_table(_HEADING, map(_cells, seen))
        for sentence in _sentences(seen):
            print(sentence)
    for error in errors:
        print_error(error)
    return Exit.FAILED if errors else Exit.DONE


async def _probe(
    client: AoeClient, place: TargetAddress, turn: asyncio.Semaphore, wait_ms: int
) -> Capability | AoeError:
    async with turn:
        try:
            return await probe(client, place, wait_ms)
        except AoeError as fault:
            return fault


def _cells(seen: Capability) -> Sequence[str]:
    at = seen.address
    return (
        str(at.target),
        at.interface,
        format_mac(at.mac),
        seen.family.value,
        f"{seen.config.firmware:#06x}",
        seen.reservation.value,
        _fence(seen),
    )


def _fence(seen: Capability) -> str:
    if not seen.can_fence:
        return "power only"
    return "not measured" if seen.family is Family.UNKNOWN else "storage"


def _sentences(seen: Iterable[Capability]) -> list[str]:
    """Return each sentence once, preceded by its targets."""
    about: dict[str, list[str]] = {}
    for each in seen:
        names = about.setdefault(printable(each.sentence.encode()), [])
        if str(each.address.target) not in names:
            names.append(str(each.address.target))
    return [f"{', '.join(names)}: {sentence}" for sentence, names in about.items()]


def _document(seen: Capability) -> dict[str, object]:
    promise = dataclasses.asdict(seen.promise)
    return {
        "device": str(seen.address.target),
        "interface": seen.address.interface,
        "address": format_mac(seen.address.mac),
        "family": seen.family.value,
        "model": None if seen.disk is None else seen.disk.model,
        "firmware": seen.config.firmware,
        "buffers": seen.config.buffers,
        "sectors": seen.config.sectors,
        "config_string": printable(seen.config.string),
        "reservation": seen.reservation.value,
        "reserved_for": None if seen.owners is None else [format_mac(owner) for owner in seen.owners],
        "can_fence": seen.can_fence,
        "promise": promise,
        "sentence": seen.sentence,
    }
