"""`aoeha aoe discover`: list the targets on the storage network, without the kernel's driver."""

import argparse
import asyncio
from collections.abc import Sequence

from aoeha.cli.aoe.interfaces import asked_interfaces, nobody
from aoeha.cli.aoe.screen import print_document, print_table, printable
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit
from aoeha.fabric.aoe.client import AoeClient, TargetConfig, payload_bytes
from aoeha.fabric.aoe.frames import format_mac

__all__ = ["run"]

_HEADING = ("DEVICE", "IF", "ADDRESS", "PAYLOAD", "BUFFERS", "FIRMWARE", "CONFIG")


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each target address that answers."""
    return asyncio.run(_ask(arguments))


async def _ask(arguments: argparse.Namespace) -> Exit:
    interfaces = asked_interfaces(arguments)
    async with AoeClient(interfaces) as client:
        found = await client.discover(arguments.wait)
        payloads = [payload_bytes(config, client.port(config.address.interface).mtu) for config in found]
    pairs = list(zip(found, payloads, strict=True))
    if arguments.output == "json":
        print_document([_document(config, payload) for config, payload in pairs])
    elif found:
        print_table(_HEADING, (_cells(config, payload) for config, payload in pairs))
    if not found:
        print_error(nobody(interfaces, arguments.wait))
        return Exit.FAILED
    return Exit.DONE


def _cells(config: TargetConfig, payload: int) -> Sequence[str]:
    at = config.address
    cells = (str(at.target), at.interface, format_mac(at.mac), str(payload), str(config.buffers))
    return (*cells, f"{config.firmware:#06x}", printable(config.string))


def _document(config: TargetConfig, payload: int) -> dict[str, object]:
    return {
        "device": str(config.address.target),
        "interface": config.address.interface,
        "address": format_mac(config.address.mac),
        "payload_bytes": payload,
        "buffers": config.buffers,
        "firmware": config.firmware,
        "config_string": printable(config.string),
    }
