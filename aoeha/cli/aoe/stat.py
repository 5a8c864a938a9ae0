"""`aoeha aoe stat`: size, state and holder of each target, in the format of aoe-stat."""

import argparse
import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aoeha.cli.aoe.interfaces import asked_interfaces, nobody
from aoeha.cli.aoe.screen import NOT_KNOWN, hardware_list, print_document, print_table
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit
from aoeha.fabric.aoe.client import AoeClient, NoAnswerError, RefusedError, TargetAddress, TargetConfig, payload_bytes
from aoeha.fabric.aoe.frames import Target, format_mac
from aoeha.fabric.aoe.identity import DiskIdentity
from aoeha.fabric.aoe.port import AoeError

__all__ = ["run"]

_ASKED_AT_ONCE = 64
_HEADING = ("DEVICE", "SIZE", "IF", "PAYLOAD", "STATE", "HOLDER", "ADDRESS")


@dataclass(frozen=True, slots=True)
class _Row:
    """One MAC address of one device, as `stat` shows it. None: unknown. No owners: not reserved."""

    target: Target
    state: str
    mac: bytes | None = None
    interfaces: tuple[str, ...] = ()
    payload: int | None = None
    disk: DiskIdentity | None = None
    owners: tuple[bytes, ...] | None = None


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each MAC address of each target. Fail when one is silent or two disks share a name."""
    return asyncio.run(_ask(arguments))


async def _ask(arguments: argparse.Namespace) -> Exit:
    interfaces = asked_interfaces(arguments)
    wanted: list[Target] = arguments.devices
    async with AoeClient(interfaces) as client:
        found = await client.discover(arguments.wait)
        turn = asyncio.Semaphore(_ASKED_AT_ONCE)
        asked = [config for config in found if not wanted or config.address.target in wanted]
        seen = await asyncio.gather(*(_look(client, config, turn, arguments.wait) for config in asked))
    missing = [target for target in wanted if target not in {row.target for row in seen}]
    rows = _merged([*seen, *(_Row(target, "silent") for target in missing)])
    if arguments.output == "json":
        print_document([_document(row) for row in rows])
    elif rows:
        print_table(_HEADING, map(_cells, rows))
    errors = [f"cannot see {target}: it did not answer on {', '.join(interfaces)}" for target in missing]
    errors += _different_sizes(rows)
    if not rows:
        errors.append(nobody(interfaces, arguments.wait))
    for error in errors:
        print_error(error)
    return Exit.FAILED if errors or any(row.state != "up" for row in rows) else Exit.DONE


async def _look(client: AoeClient, config: TargetConfig, turn: asyncio.Semaphore, wait_ms: int) -> _Row:
    """Ask one target address for its disk and its holder. What it does not answer stays unknown."""
    at = config.address
    payload = payload_bytes(config, client.port(at.interface).mtu)
    row = _Row(at.target, "up", at.mac, (at.interface,), payload)
    async with turn:
        try:
            row = replace(row, disk=await client.identify(at, wait_ms))
        except AoeError as fault:
            print_error(str(fault))
            return replace(row, state="silent" if isinstance(fault, NoAnswerError) else "failed")
        return replace(row, owners=await _owners(client, at, wait_ms))


async def _owners(client: AoeClient, at: TargetAddress, wait_ms: int) -> tuple[bytes, ...] | None:
    try:
        return await client.read_reservation(at, wait_ms)
    except (NoAnswerError, RefusedError):
        return None


def _merged(rows: Iterable[_Row]) -> list[_Row]:
    """Return one row for each MAC address. Equal answers through several interfaces become one row."""
    merged: dict[_Row, tuple[str, ...]] = {}
    for row in rows:
        key = replace(row, interfaces=())
        merged[key] = merged.get(key, ()) + row.interfaces
    lines = [replace(key, interfaces=interfaces) for key, interfaces in merged.items()]
    return sorted(lines, key=lambda row: (row.target, row.interfaces, row.mac or b""))


def _cells(row: _Row) -> Sequence[str]:
    return (
        str(row.target),
        NOT_KNOWN if row.disk is None else _gigabytes(row.disk.sectors),
        ",".join(row.interfaces) or NOT_KNOWN,
        NOT_KNOWN if row.payload is None else str(row.payload),
        row.state,
        NOT_KNOWN if row.owners is None else hardware_list(row.owners) or "nobody",
        NOT_KNOWN if row.mac is None else format_mac(row.mac),
    )


def _document(row: _Row) -> dict[str, object]:
    disk = row.disk
    return {
        "device": str(row.target),
        "state": row.state,
        "address": None if row.mac is None else format_mac(row.mac),
        "interfaces": list(row.interfaces),
        "payload_bytes": row.payload,
        "size_bytes": None if disk is None else disk.size_bytes,
        "model": None if disk is None else disk.model,
        "firmware": None if disk is None else disk.firmware,
        "serial": None if disk is None else disk.serial,
        "reserved_for": None if row.owners is None else [format_mac(owner) for owner in row.owners],
    }


def _different_sizes(rows: Iterable[_Row]) -> list[str]:
    sizes: dict[Target, set[int]] = {}
    for row in rows:
        if row.disk is not None:
            sizes.setdefault(row.target, set()).add(row.disk.size_bytes)
    return [
        f"{target} has different sizes at its addresses: {', '.join(map(str, sorted(each)))} bytes; two disks use one "
        "target name"
        for target, each in sizes.items()
        if len(each) > 1
    ]


def _gigabytes(sectors: int) -> str:
    """Return billions of bytes with three digits, rounded down, as aoe-stat prints them."""
    thousandths = sectors * 512 // 1_000_000
    return f"{thousandths // 1000}.{thousandths % 1000:03}GB"
