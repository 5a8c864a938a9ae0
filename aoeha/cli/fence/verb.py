"""`aoeha fence`: switch the peer's power, test the fence devices, and show the history of attempts."""

import argparse

from aoeha.cli.fence.history import show_history
from aoeha.cli.fence.verify import verify
from aoeha.cli.request import add_output, parsed_duration, request
from aoeha.cli.screen import print_error
from aoeha.cli.typed_name import name_was_typed
from aoeha.core.model.exits import Exit

__all__ = ["add_arguments", "run"]

USAGE = """aoeha fence NODE [--off | --on | --reboot] [--anyway]
                            switch through the daemon, which takes over on the proof
       aoeha fence test [DEVICE | --all]
                            read every plug; switches nothing
       aoeha fence verify NODE [--level N]
                            power-cycle NODE to verify that its plug feeds it
       aoeha fence history [-n COUNT] [-o {text,json}]
                            every attempt to switch a gateway's power"""
USUAL_WAIT = "3m"
"""Two levels of two orders of 10 s, a reading each, and the end of the beats take less than this."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the act and its target."""
    parser.usage = USAGE
    parser.add_argument("what", metavar="NODE|test|verify|history", help="the peer's name, or an act")
    parser.add_argument("about", nargs="?", metavar="NAME", help="test: one device; verify: the peer's name")
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--off", action="store_const", dest="act", const="off", help="switch it off, and leave it off")
    act.add_argument("--on", action="store_const", dest="act", const="on", help="switch it on")
    act.add_argument(
        "--reboot",
        action="store_const",
        dest="act",
        const="reboot",
        help="switch it off, then on; the default of these three follows after_fence",
    )
    parser.add_argument("--all", action="store_true", help="test: every device (the default)")
    parser.add_argument("--level", metavar="N", help="verify: the devices of this level (1)")
    parser.add_argument(
        "--anyway", action="store_true", help="also during a pause, or when no gateway could serve meanwhile"
    )
    parser.add_argument("--typed", metavar="NODE", help="the name again, for scripts without a terminal")
    parser.add_argument(
        "--wait",
        type=parsed_duration,
        default=USUAL_WAIT,
        metavar="DURATION",
        help=f"give up waiting for the end after DURATION ({USUAL_WAIT}); exit code 124 then",
    )
    parser.add_argument("-n", "--number", type=int, default=50, metavar="COUNT", help="history: how many (50)")
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the act that the first argument names."""
    what = arguments.what
    if arguments.act and what in ("test", "verify", "history"):
        print_error(f"cannot understand the command: {what} takes no --{arguments.act}")
        return Exit.USAGE
    match what:
        case "history":
            return show_history(arguments)
        case "test" if arguments.all and arguments.about:
            print_error(f"cannot understand the command: {arguments.about} or --all")
            return Exit.USAGE
        case "test":
            return request(arguments, "fence-test", {"device": arguments.about} if arguments.about else {})
        case "verify":
            return verify(arguments)
        case _:
            return _fence(arguments)


def _fence(arguments: argparse.Namespace) -> int:
    node, act = arguments.what, arguments.act
    if arguments.about:
        print_error(f'cannot understand the command: what is "{arguments.about}" after {node}?')
        return Exit.USAGE
    words = {"node": node} | ({"act": act} if act else {}) | ({"anyway": "yes"} if arguments.anyway else {})
    code = 0
    if act != "on":
        code = name_was_typed(
            node,
            arguments.typed,
            f"You are about to switch off the power of {node}. Its groups move to this gateway if it can serve them.\n"
            f"To move them without an outage: aoeha switchover, or aoeha standby {node} on {node}.",
        )
    return code or request(arguments, "fence", words)
