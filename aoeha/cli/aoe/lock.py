"""`aoeha aoe lock`: the config string and the holder of a target at each of its addresses."""

import argparse
from collections.abc import Sequence

from aoeha.cli.aoe.lock_record import brief, shown_record
from aoeha.cli.aoe.pair import Pair, find_pair, holder_name
from aoeha.cli.aoe.screen import NOT_KNOWN, print_document, print_table, printable
from aoeha.cli.aoe.sight import Spot, look
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit
from aoeha.fabric.aoe.frames import format_mac

__all__ = ["run"]

_HEADING = ("DEVICE", "ADDRESS", "IF", "HOLDER", "LOCK RECORD")


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each address, then the unchanged strings. Fail when an address does not answer."""
    pair = find_pair(arguments)
    sight = look(arguments, pair)
    device = str(sight.target)
    if arguments.output == "json":
        print_document([_document(device, spot, pair) for spot in sight.spots])
    elif sight.spots:
        print_table(_HEADING, (_cells(device, spot, pair) for spot in sight.spots))
        for spot in sight.answering:
            if spot.string:
                print(f"{device} at {format_mac(spot.mac)}: {printable(spot.string)}")
    for spot in sight.silent:
        print_error(f"cannot read {device} at {format_mac(spot.mac)}: no answer within {arguments.wait} ms")
    if not sight.spots:
        print_error(f"cannot see {device}: it did not answer on {', '.join(sight.interfaces)}")
    return Exit.DONE if sight.spots and not sight.silent else Exit.FAILED


def _cells(device: str, spot: Spot, pair: Pair | None) -> Sequence[str]:
    if spot.place is None:
        return (device, format_mac(spot.mac), NOT_KNOWN, NOT_KNOWN, "silent")
    holder = NOT_KNOWN if spot.owners is None else holder_name(spot.owners, pair)
    return (device, format_mac(spot.mac), spot.place.interface, holder, brief(spot.string))


def _document(device: str, spot: Spot, pair: Pair | None) -> dict[str, object]:
    record = shown_record(spot.string)
    return {
        "device": device,
        "address": format_mac(spot.mac),
        "interface": spot.place and spot.place.interface,
        "state": "silent" if spot.place is None else "answers",
        "holder": None if spot.owners is None else holder_name(spot.owners, pair),
        "reserved_for": None if spot.owners is None else [format_mac(owner) for owner in spot.owners],
        "config_string": None if spot.place is None else printable(spot.string),
        "lock_record": record
        and {"cluster": record.cluster, "group": record.group, "owner": record.owner, "epoch": record.epoch},
    }
