"""`aoeha aoe`: inspect and change the targets of the storage network without the kernel's driver.

discover, stat, probe, paths and lock only read. reserve and release change a target. Each verb is a module with
`run(arguments) -> int`, which is imported when the verb is called.
"""

import argparse
import importlib
import re

from aoeha.cli.aoe.screen import VerbError
from aoeha.cli.control import DEFAULT_SOCKET
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit
from aoeha.fabric.aoe.frames import FrameError, Target
from aoeha.fabric.aoe.port import AoeError, NoPrivilegeError

__all__ = ["add_arguments", "run"]

_WAIT_MAX_MS = 60_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `aoeha aoe` to a parser. `run` takes its result."""
    verbs = parser.add_subparsers(dest="aoe_verb", required=True, metavar="VERB")
    discover = verbs.add_parser("discover", help="list the AoE targets on all interfaces")
    stat = verbs.add_parser("stat", help="show size, state and holder of each AoE target, in the format of aoe-stat")
    probe = verbs.add_parser(
        "probe", help="show the capabilities of each target, and what its acknowledgements guarantee"
    )
    paths = verbs.add_parser("paths", help="test every path from this gateway's storage interfaces to the pair's legs")
    lock = verbs.add_parser("lock", help="show a target's config string at each address, with its lock record")
    reserve = verbs.add_parser("reserve", help="reserve a target for some hosts; see the warnings")
    release = verbs.add_parser("release", help="release a target, so that every host can write to it; see the warnings")
    for verb in (stat, probe):
        verb.add_argument(
            "devices",
            nargs="*",
            type=_device,
            metavar="TARGET",
            help="e1.0: only these targets, and fail when one does not answer",
        )
    for verb in (lock, reserve, release):
        verb.add_argument("target", type=_device, metavar="TARGET", help="e1.0")
    hosts = reserve.add_mutually_exclusive_group(required=True)
    hosts.add_argument("--for", dest="gateway", metavar="NODE", help="a gateway: all its storage interfaces")
    hosts.add_argument("--hosts", type=_hardware_list, metavar="MAC[,MAC...]", help="hosts, by hardware address")
    for verb in (reserve, release):
        _add_caution(verb)
    for verb in (paths, lock, reserve, release):
        _add_pair(verb)
    for verb in (discover, stat, probe, paths, lock, reserve, release):
        _add_network(verb)
    for verb in (discover, stat, probe, paths, lock):
        verb.add_argument("-o", "--output", choices=("text", "json"), default="text", help="output format")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb and return its exit code, 4 without the privilege."""
    try:
        return int(importlib.import_module(f"aoeha.cli.aoe.{arguments.aoe_verb}").run(arguments))
    except NoPrivilegeError as fault:
        print_error(str(fault))
        return Exit.NO_PRIVILEGE
    except VerbError as fault:
        print_error(str(fault))
        return fault.code
    except AoeError as fault:
        print_error(str(fault))
        return Exit.FAILED


def _add_network(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "-i",
        "--interface",
        action="append",
        metavar="IF",
        help="the interface to use; may be repeated or take several, separated by commas (default: for the pair's legs "
        "this gateway's storage interfaces, else all Ethernet interfaces that are up)",
    )
    verb.add_argument(
        "--wait", type=_duration_ms, default=500, metavar="TIME", help="how long to wait for answers (500ms)"
    )


def _add_pair(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-c", "--config", metavar="FILE", help="the configuration (/etc/aoeha/aoeha.toml)")
    verb.add_argument(
        "--node", default="", metavar="NAME", help="the name of this node (default: the output of hostname -s)"
    )


def _add_caution(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--force",
        action="store_true",
        help="take the target from any holder, and while the pair runs; read the warnings",
    )
    verb.add_argument("--yes", action="store_true", help="do not ask for the target's name (for scripts)")
    verb.add_argument("--dry-run", action="store_true", help="show the changes without making them")
    verb.add_argument("--socket", default=DEFAULT_SOCKET, metavar="PATH", help="the daemon's socket")


def _device(text: str) -> Target:
    try:
        return Target.parse(text)
    except FrameError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from fault


def _hardware_list(text: str) -> tuple[bytes, ...]:
    addresses = text.lower().split(",")
    if not all(re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", address, re.ASCII) for address in addresses):
        raise argparse.ArgumentTypeError(f'expected hardware addresses like "02:00:00:00:00:0a", got "{text}"')
    hosts = {bytes.fromhex(address.replace(":", "")) for address in addresses}
    if any(host[0] & 1 for host in hosts):
        raise argparse.ArgumentTypeError(f'expected addresses of single hosts, got a group address in "{text}"')
    return tuple(sorted(hosts))


def _duration_ms(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})(ms|s)", text, re.ASCII)
    duration_ms = int(match[1]) * (1000 if match[2] == "s" else 1) if match else 0
    if not 1 <= duration_ms <= _WAIT_MAX_MS:
        raise argparse.ArgumentTypeError(f'expected a time like "500ms" or "2s", at most 60s, got "{text}"')
    return duration_ms
