"""`aoeha fence verify NODE`: power-cycle NODE to verify that its plug feeds it, and say what to do if not.

The daemon decides and reports what it saw. Its fence history has the outlets by the devices' own names.
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
"""More attempts than one test of all devices of a level makes."""


def verify(arguments: argparse.Namespace) -> int:
    """Have the daemon run the test. On failure, name each outlet that is no longer trusted, and how to fix it."""
    node = arguments.about
    if not node:
        print_error("cannot verify: name the peer, whose power the test switches off: aoeha fence verify NODE")
        return Exit.USAGE
    code = name_was_typed(
        node,
        arguments.typed,
        f"You are about to power-cycle {node}, to verify that its plug feeds it.\n"
        f"{node} must be in standby. A wrong plug cuts the power of another machine instead. If that machine is this "
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
    """The attempts of the test, if the daemon tells them. The result of the test has been printed already."""
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
