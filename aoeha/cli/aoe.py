"""`aoeha aoe discover` and `aoeha aoe stat`: what the storage network says, asked without the kernel's driver."""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aoeha.aoe.client import AoeClient, NoAnswerError, RefusedError, TargetAddress, TargetConfig, payload_bytes
from aoeha.aoe.frames import FrameError, Target, format_mac
from aoeha.aoe.identity import DiskIdentity
from aoeha.aoe.port import AoeError, NoPrivilegeError, ethernet_interfaces
from aoeha.cli.exits import Exit

__all__ = ["add_arguments", "run"]

_WAIT_MAX_MS = 60_000
_ASKED_AT_ONCE = 64
_NA = "(NA)"

_DISCOVER_HEADING = ("DEVICE", "IF", "ADDRESS", "PAYLOAD", "BUFFERS", "FIRMWARE", "CONFIG")
_STAT_HEADING = ("DEVICE", "SIZE", "IF", "PAYLOAD", "STATE", "HOLDER", "ADDRESS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `aoeha aoe` to a parser; `run` takes what it parsed."""
    verbs = parser.add_subparsers(dest="aoe_verb", required=True, metavar="VERB")
    discover = verbs.add_parser("discover", help="ask all interfaces which AoE targets are there")
    stat = verbs.add_parser("stat", help="size, state and holder of each AoE target, in the manner of aoe-stat")
    stat.add_argument(
        "devices", nargs="*", type=_device, metavar="DEVICE", help="e1.0: show only these, and fail when one is silent"
    )
    for verb in (discover, stat):
        verb.add_argument(
            "-i",
            "--interface",
            action="append",
            metavar="IF",
            help="where to ask; may be repeated, or several with commas (default: all Ethernet interfaces that are up)",
        )
        verb.add_argument(
            "--wait",
            type=_duration_ms,
            default=500,
            metavar="TIME",
            help="how long to collect answers (default: 500ms)",
        )
        verb.add_argument("-o", "--output", choices=("text", "json"), default="text")


def run(arguments: argparse.Namespace) -> int:
    """Ask the storage network and print. 0: done, 1: failed or somebody is missing, 4: only root may."""
    ask = _discover if arguments.aoe_verb == "discover" else _stat
    try:
        return asyncio.run(ask(_interfaces(arguments), arguments))
    except NoPrivilegeError as fault:
        _complain(fault)
        return Exit.NO_PRIVILEGE
    except AoeError as fault:
        _complain(fault)
        return Exit.FAILED


def _interfaces(arguments: argparse.Namespace) -> tuple[str, ...]:
    named = ",".join(arguments.interface or ())
    interfaces = tuple(filter(None, named.split(","))) or ethernet_interfaces()
    if not interfaces:
        raise AoeError("cannot ask anybody: no Ethernet interface is up; `ip link` shows those there are")
    return interfaces


@dataclass(frozen=True, slots=True)
class _Row:
    """One MAC address of one device, as `stat` shows it. None: not known. No owners: not reserved."""

    target: Target
    state: str
    mac: bytes | None = None
    interfaces: tuple[str, ...] = ()
    payload: int | None = None
    disk: DiskIdentity | None = None
    owners: tuple[bytes, ...] | None = None


async def _discover(interfaces: tuple[str, ...], arguments: argparse.Namespace) -> int:
    async with AoeClient(interfaces) as client:
        found = await client.discover(arguments.wait)
        payloads = [payload_bytes(config, client.port(config.address.interface).mtu) for config in found]
    pairs = list(zip(found, payloads, strict=True))
    if arguments.output == "json":
        _print_json([_discover_document(config, payload) for config, payload in pairs])
    elif found:
        _print_table(_DISCOVER_HEADING, (_discover_cells(config, payload) for config, payload in pairs))
    if not found:
        _complain(_nobody(interfaces, arguments.wait))
        return Exit.FAILED
    return Exit.DONE


def _discover_cells(config: TargetConfig, payload: int) -> Sequence[str]:
    at = config.address
    cells = (str(at.target), at.interface, format_mac(at.mac), str(payload), str(config.buffers))
    return (*cells, f"{config.firmware:#06x}", _printable(config.string))


def _discover_document(config: TargetConfig, payload: int) -> dict[str, object]:
    return {
        "device": str(config.address.target),
        "interface": config.address.interface,
        "address": format_mac(config.address.mac),
        "payload_bytes": payload,
        "buffers": config.buffers,
        "firmware": config.firmware,
        "config_string": _printable(config.string),
    }


async def _stat(interfaces: tuple[str, ...], arguments: argparse.Namespace) -> int:
    wanted: list[Target] = arguments.devices
    async with AoeClient(interfaces) as client:
        found = await client.discover(arguments.wait)
        turn = asyncio.Semaphore(_ASKED_AT_ONCE)
        asked = [config for config in found if not wanted or config.address.target in wanted]
        seen = await asyncio.gather(*(_look(client, config, turn, arguments.wait) for config in asked))
    missing = [target for target in wanted if target not in {row.target for row in seen}]
    rows = _merged([*seen, *(_Row(target, "silent") for target in missing)])
    if arguments.output == "json":
        _print_json([_stat_document(row) for row in rows])
    elif rows:
        _print_table(_STAT_HEADING, map(_stat_cells, rows))
    complaints = [f"cannot see {target}: it did not answer on {', '.join(interfaces)}" for target in missing]
    complaints += _different_sizes(rows)
    if not rows:
        complaints.append(_nobody(interfaces, arguments.wait))
    for complaint in complaints:
        _complain(complaint)
    return Exit.FAILED if complaints or any(row.state != "up" for row in rows) else Exit.DONE


async def _look(client: AoeClient, config: TargetConfig, turn: asyncio.Semaphore, wait_ms: int) -> _Row:
    """Ask one target address for its disk and its holder. What it doesn't answer stays unknown."""
    at = config.address
    payload = payload_bytes(config, client.port(at.interface).mtu)
    row = _Row(at.target, "up", at.mac, (at.interface,), payload)
    async with turn:
        try:
            row = replace(row, disk=await client.identify(at, wait_ms))
        except AoeError as fault:
            _complain(fault)
            return replace(row, state="silent" if isinstance(fault, NoAnswerError) else "failed")
        return replace(row, owners=await _owners(client, at, wait_ms))


async def _owners(client: AoeClient, at: TargetAddress, wait_ms: int) -> tuple[bytes, ...] | None:
    try:
        return await client.read_reservation(at, wait_ms)
    except (NoAnswerError, RefusedError):
        return None


def _merged(rows: Iterable[_Row]) -> list[_Row]:
    """One row for each MAC address: what was seen through several interfaces alike becomes one."""
    merged: dict[_Row, tuple[str, ...]] = {}
    for row in rows:
        key = replace(row, interfaces=())
        merged[key] = merged.get(key, ()) + row.interfaces
    lines = [replace(key, interfaces=interfaces) for key, interfaces in merged.items()]
    return sorted(lines, key=lambda row: (row.target, row.interfaces, row.mac or b""))


def _stat_cells(row: _Row) -> Sequence[str]:
    return (
        str(row.target),
        _NA if row.disk is None else _gigabytes(row.disk.sectors),
        ",".join(row.interfaces) or _NA,
        _NA if row.payload is None else str(row.payload),
        row.state,
        _NA if row.owners is None else ",".join(map(format_mac, row.owners)) or "nobody",
        _NA if row.mac is None else format_mac(row.mac),
    )


def _stat_document(row: _Row) -> dict[str, object]:
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
        f"{target} has different sizes at its addresses: {', '.join(map(str, sorted(each)))} bytes; two disks answer "
        "to one name"
        for target, each in sizes.items()
        if len(each) > 1
    ]


def _gigabytes(sectors: int) -> str:
    """Billions of bytes with three digits, rounded down, as aoe-stat prints them."""
    thousandths = sectors * 512 // 1_000_000
    return f"{thousandths // 1000}.{thousandths % 1000:03}GB"


def _printable(string: bytes) -> str:
    return string.decode("ascii", errors="backslashreplace").translate({code: f"\\x{code:02x}" for code in range(32)})


def _print_json(targets: list[dict[str, object]]) -> None:
    print(json.dumps({"schema": 1, "targets": targets}, indent=2))


def _print_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    lines = [heading, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _nobody(interfaces: tuple[str, ...], wait_ms: int) -> str:
    return (
        f"cannot find any AoE target on {', '.join(interfaces)}: nobody answered within {wait_ms} ms; "
        "check the shelves, the cables and the MTU, or wait longer with --wait 2s"
    )


def _complain(sentence: object) -> None:
    print(f"aoeha: {sentence}", file=sys.stderr)


def _device(text: str) -> Target:
    try:
        return Target.parse(text)
    except FrameError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


def _duration_ms(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})(ms|s)", text, re.ASCII)
    duration_ms = int(match[1]) * (1000 if match[2] == "s" else 1) if match else 0
    if not 1 <= duration_ms <= _WAIT_MAX_MS:
        raise argparse.ArgumentTypeError(f'expected a time like "500ms" or "2s", at most 60s, got "{text}"')
    return duration_ms
