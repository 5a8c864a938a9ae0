"""`aoeha aoe reserve`: reserve a target for some hosts, so that no other host can read and write it."""

import argparse

from aoeha.cli.aoe.change import change
from aoeha.cli.aoe.pair import Pair, find_pair, read_pair
from aoeha.cli.aoe.screen import VerbError
from aoeha.core.model.exits import Exit

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Reserve the target for a gateway's storage interfaces, or for hosts by hardware address."""
    if arguments.gateway is None:
        return change(arguments, find_pair(arguments), arguments.hosts)
    pair = read_pair(arguments)
    return change(arguments, pair, _interfaces_of(arguments.gateway, pair))


def _interfaces_of(gateway: str, pair: Pair) -> tuple[bytes, ...]:
    if gateway not in pair.storage:
        known = " and ".join(pair.storage)
        raise VerbError(Exit.USAGE, f'cannot reserve for "{gateway}": the gateways are {known}')
    if not pair.hosts(gateway):
        raise VerbError(
            Exit.USAGE,
            f"cannot reserve for {gateway}: the configuration does not name its storage interfaces; add them to its "
            "[[node]] table, or give --hosts",
        )
    return tuple(sorted(pair.hosts(gateway)))
