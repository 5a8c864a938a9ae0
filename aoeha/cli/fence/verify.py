"""`aoeha fence verify NODE`: off and on again: is it NODE that hangs on its plug? And if not, what to do.

The daemon decides and says what it saw. Which outlets that were, by the devices' own names, is in its fence history.
"""

import argparse
from typing import Any

from aoeha.cli.control import ControlError, ask
from aoeha.cli.request import request
from aoeha.cli.screen import print_error
from aoeha.cli.typed_name import name_was_typed
from aoeha.core.model.exits import Exit

__all__ = ["verify"]

ATTEMPTS = "20"
"""More than one test makes of all devices of a level."""


def verify(arguments: argparse.Namespace) -> int:
    """Have it tested. Where it fails, name each outlet that is believed no more, and how it is mended."""
    node = arguments.about
    if not node:
        print_error("cannot verify: name the other gateway, whose power it takes away: aoeha fence verify NODE")
        return Exit.USAGE
    code = name_was_typed(
        node,
        arguments.typed,
        f"You are about to take the power of {node} away and to give it back, to see whether it is {node} that hangs "
        "on its plug.\nIt must be in standby. Whatever hangs on a wrong plug loses its power instead. If that is this "
        f"gateway, the plugs are swapped: leave {node} in standby and swap them before anything else.",
    )
    level = {"level": arguments.level} if arguments.level else {}
    code = code or request(arguments, "fence-verify", {"node": node, **level})
    if code == Exit.FAILED:
        for device in _distrusted(arguments.socket):
            print_error(_what_to_do(node, device, _outlet(arguments.socket, device, node)))
    return code


def _distrusted(socket: str) -> list[str]:
    fences = _document(socket, "status").get("fences") or []
    return [str(fence.get("name")) for fence in fences if fence.get("state") == "DISTRUSTED"]


def _outlet(socket: str, device: str, node: str) -> str:
    attempts = _document(socket, "fence-history", number=ATTEMPTS).get("attempts") or []
    about = [each for each in attempts if (each.get("device"), each.get("node")) == (device, node)]
    return str(about[-1].get("plug") or "") if about else ""


def _document(socket: str, verb: str, **words: str) -> dict[str, Any]:
    """What can be learned; the test's own answer has been given whether or not this one comes."""
    try:
        return ask(socket, verb, words).document or {}
    except ControlError:
        return {}


def _what_to_do(node: str, device: str, outlet: str) -> str:
    plug = f"plug {outlet} of {device}" if outlet else f"the plug of {node} at {device}"
    return (
        f"{plug} is not known to be all that feeds {node}, so {device} proves nothing until it is: find out what hangs "
        f"on {plug}, plug {node} in there or correct plug.{node} of that [[fence]] in aoeha.toml on both gateways, "
        f"then: aoeha fence verify {node}"
    )
