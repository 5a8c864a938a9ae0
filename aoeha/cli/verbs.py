"""The verbs of `aoeha`: the module of each verb, and the dispatch of a command line to it."""

import argparse
import contextlib
import importlib
import os
import sys
from typing import NamedTuple

from aoeha.cli.control import DEFAULT_SOCKET
from aoeha.cli.parser import Parser
from aoeha.cli.request import DEFAULT_WAIT
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["VERBS", "Verb", "run_verb"]


class Verb(NamedTuple):
    """One verb. Its module has `add_arguments(parser)` and `run(arguments) -> int`. No dataclass: see control.Reply."""

    summary: str
    module: str
    speaks_to_daemon: bool = True


VERBS = {
    "status": Verb("show the state of the pair, and why", "aoeha.cli.status"),
    "events": Verb("show decisions, refusals and alarms", "aoeha.cli.events"),
    "standby": Verb("hand everything over and stay out", "aoeha.cli.standby"),
    "unstandby": Verb("end standby", "aoeha.cli.unstandby"),
    "pause": Verb("let the pair move nothing until it is resumed (maintenance mode)", "aoeha.cli.pause"),
    "resume": Verb("end a pause", "aoeha.cli.resume"),
    "why": Verb("say in one sentence why the pair is in its present state", "aoeha.cli.why"),
    "switchover": Verb("move a group to the other gateway", "aoeha.cli.switchover"),
    "confirm": Verb("confirm that the peer is powered off", "aoeha.cli.confirm"),
    "cleanup": Verb("clear failures and retry", "aoeha.cli.cleanup"),
    "fence": Verb("switch the peer's power, and test the fence devices", "aoeha.cli.fence.verb"),
    "restart": Verb("start the daemon anew; what runs goes on running", "aoeha.cli.restart"),
    "check": Verb("validate the configuration and this host", "aoeha.cli.check.verb", speaks_to_daemon=False),
    "agents": Verb("list the types of resources and fence devices", "aoeha.cli.agents.verb", speaks_to_daemon=False),
    "keygen": Verb("create the key that both gateways share", "aoeha.cli.keygen", speaks_to_daemon=False),
    "aoe": Verb(
        "look at AoE targets, and reserve them by hand, without a kernel driver",
        "aoeha.cli.aoe.verb",
        speaks_to_daemon=False,
    ),
    "replay": Verb("replay decisions from the journal", "aoeha.cli.simulator.replay", speaks_to_daemon=False),
    "simulate": Verb("simulate a pair under faults", "aoeha.cli.simulator.simulate", speaks_to_daemon=False),
    "rehearse": Verb("boot a pair in a virtual rack and inject faults", "aoeha.rack.command", speaks_to_daemon=False),
    "daemon": Verb("run the daemon of this gateway", "aoeha.cli.daemon", speaks_to_daemon=False),
}


class _Version(argparse.Action):
    """Prints the version. Finding it takes longer than a start, so it is looked up only on demand."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            print(f"aoeha {version('aoeha')}")
        except PackageNotFoundError:
            print("aoeha (not installed: run from the source tree)")
        parser.exit()


def run_verb(words: list[str]) -> int:
    """Parse the command line, run the verb and return its exit code."""
    chosen = next((word for word in words if not word.startswith("-")), "")
    if chosen and chosen not in VERBS:
        print_error(f'cannot understand the command: there is no verb "{chosen}"{_suggestion(chosen)}')
        return Exit.USAGE
    if chosen and VERBS[chosen].speaks_to_daemon:
        words = _spelled_out_wait(words)
    try:
        arguments = _parser(chosen).parse_args(words)
        code = int(importlib.import_module(VERBS[arguments.verb].module).run(arguments))
        sys.stdout.flush()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else Exit.FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of the pipe (head, grep -q) has closed it. Python must not flush the rest into it at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    return code


def _parser(chosen: str) -> argparse.ArgumentParser:
    """Return the parser of all verbs. Only the chosen verb has its arguments."""
    parser = Parser(
        prog="aoeha",
        description="High availability for a pair of AoE storage gateways.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=16),
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    subparsers = parser.add_subparsers(
        dest="verb",
        metavar="VERB",
        required=True,
        parser_class=Parser,
        prog="aoeha",  # Given here because argparse would import its help formatter and shutil to find it.
    )
    for name, verb in VERBS.items():
        subparser = subparsers.add_parser(name, help=verb.summary, description=f"{verb.summary.capitalize()}.")
        if name != chosen:
            continue
        if verb.speaks_to_daemon:
            subparser.add_argument("--socket", default=DEFAULT_SOCKET, metavar="PATH", help="the daemon's socket")
        importlib.import_module(verb.module).add_arguments(subparser)
    return parser


def _suggestion(word: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  for a typo only

    guess = get_close_matches(word, VERBS, n=1)
    return f"; did you mean `aoeha {guess[0]}`?" if guess else "; `aoeha --help` lists them"


def _spelled_out_wait(words: list[str]) -> list[str]:
    """Let `--wait NODE` work: the word after --wait is its duration only if it reads as one."""
    spelled = list(words)
    for number, word in enumerate(words[:-1]):
        if word == "--wait" and not words[number + 1][:1].isdigit():
            spelled[number] = f"--wait={DEFAULT_WAIT}"
    return spelled
