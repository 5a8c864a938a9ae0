"""`aoeha aoe paths`: for each path from this gateway to an address of a leg, whether it answers, and its holder."""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aoeha.cli.aoe.interfaces import asked_interfaces, usable
from aoeha.cli.aoe.lock_record import brief, shown_record
from aoeha.cli.aoe.pair import Pair, holder_name, read_pair
from aoeha.cli.aoe.screen import NOT_KNOWN, VerbError, print_document, print_table, printable
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit
from aoeha.fabric.aoe.client import AoeClient, TargetAddress, payload_bytes
from aoeha.fabric.aoe.frames import format_mac
from aoeha.fabric.aoe.port import AoeError

__all__ = ["run"]

_ASKED_AT_ONCE = 64
_HEADING = ("GROUP", "DEVICE", "ADDRESS", "IF", "STATE", "RTT", "PAYLOAD", "HOLDER", "LOCK RECORD")


@dataclass(frozen=True, slots=True)
class _Path:
    """One interface to one address of a leg. None: unknown. The round trip includes repeats of lost frames."""

    group: str
    place: TargetAddress
    state: str = "silent"
    round_trip_us: int | None = None
    payload: int | None = None
    owners: tuple[bytes, ...] | None = None
    string: bytes | None = None


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each path. Fail when a path does not answer."""
    pair = read_pair(arguments)
    if not pair.legs:
        raise VerbError(Exit.FAILED, "cannot show paths: no group of the configuration names its legs ([[group.leg]])")
    return asyncio.run(_show(pair, arguments))


async def _show(pair: Pair, arguments: argparse.Namespace) -> Exit:
    interfaces = asked_interfaces(arguments, tuple(pair.storage[pair.node]))
    open_interfaces, faults = usable(interfaces)
    wanted = [
        _Path(leg.group, TargetAddress(leg.target, mac, interface))
        for leg in pair.legs
        for mac in leg.addresses
        for interface in interfaces
    ]
    async with AoeClient(open_interfaces) as client:
        turn = asyncio.Semaphore(_ASKED_AT_ONCE)
        paths = await asyncio.gather(*(_try(client, path, faults, turn, arguments.wait) for path in wanted))
        errors = [*faults.values(), *_foreign_cards(client, open_interfaces, pair)]
    if arguments.output == "json":
        print_document([_document(path, pair) for path in paths])
    else:
        print_table(_HEADING, (_cells(path, pair) for path in paths))
    errors += [
        f"cannot reach {path.place}: no answer within {arguments.wait} ms" for path in paths if path.state == "silent"
    ]
    for error in errors:
        print_error(error)
    return Exit.FAILED if errors else Exit.DONE


async def _try(client: AoeClient, path: _Path, faults: dict[str, str], turn: asyncio.Semaphore, wait_ms: int) -> _Path:
    interface = path.place.interface
    if interface in faults:
        return replace(path, state="unusable")
    async with turn:
        begun_ns = time.monotonic_ns()
        try:
            config = await client.read_config(path.place, wait_ms)
        except AoeError:
            return path
        round_trip_us = (time.monotonic_ns() - begun_ns) // 1_000
        payload = payload_bytes(config, client.port(interface).mtu)
        path = replace(path, state="answers", round_trip_us=round_trip_us, payload=payload, string=config.string)
        try:
            return replace(path, owners=await client.read_reservation(path.place, wait_ms))
        except AoeError:
            return path


def _foreign_cards(client: AoeClient, interfaces: Sequence[str], pair: Pair) -> list[str]:
    """Return a sentence for each interface whose hardware address is not the configured one: shelves keep it out."""
    configured = pair.storage[pair.node]
    return [
        f"cannot trust {name}: its hardware address is {format_mac(client.port(name).address)} and the configuration "
        f"says {format_mac(configured[name])}, so that a reservation for {pair.node} keeps it out; correct "
        "its [[node]] table"
        for name in interfaces
        if name in configured and client.port(name).address != configured[name]
    ]


def _cells(path: _Path, pair: Pair) -> Sequence[str]:
    return (
        path.group,
        str(path.place.target),
        format_mac(path.place.mac),
        path.place.interface,
        path.state,
        NOT_KNOWN if path.round_trip_us is None else f"{path.round_trip_us / 1_000:.2f}ms",
        NOT_KNOWN if path.payload is None else str(path.payload),
        NOT_KNOWN if path.owners is None else holder_name(path.owners, pair),
        NOT_KNOWN if path.string is None else brief(path.string),
    )


def _document(path: _Path, pair: Pair) -> dict[str, object]:
    record = None if path.string is None else shown_record(path.string)
    return {
        "group": path.group,
        "device": str(path.place.target),
        "address": format_mac(path.place.mac),
        "interface": path.place.interface,
        "state": path.state,
        "round_trip_us": path.round_trip_us,
        "payload_bytes": path.payload,
        "holder": None if path.owners is None else holder_name(path.owners, pair),
        "reserved_for": None if path.owners is None else [format_mac(owner) for owner in path.owners],
        "config_string": None if path.string is None else printable(path.string),
        "lock_record": record and {"owner": record.owner, "epoch": record.epoch},
    }
