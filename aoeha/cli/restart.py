"""`aoeha restart`: start the daemon anew, and leave everything that runs where it is."""

import argparse
import time

from aoeha.cli.control import ControlError, ask
from aoeha.cli.request import add_output, request
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["add_arguments", "run"]

BACK_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the form of the answer: it is always this gateway's daemon."""
    parser.description = (
        "Start the daemon of this gateway anew: it reads aoeha.toml and the keys again, and what runs goes on running. "
        "`systemctl reload aoeha` does the same. `systemctl restart aoeha` and `systemctl stop aoeha` hand everything "
        "over to the other gateway first."
    )
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Return when the new daemon answers."""
    code = request(arguments, "restart", {})
    return _await_new_daemon(arguments.socket) if code == Exit.DONE else code


def _await_new_daemon(path: str) -> int:
    """The old daemon has closed its socket before it answered: who answers there is the new one."""
    end = time.monotonic() + BACK_SECONDS
    while True:
        try:
            ask(path, "why", deadline_seconds=max(LOOK_EVERY_SECONDS, end - time.monotonic()))
        except ControlError as error:
            if time.monotonic() > end:
                sentence = f"the new daemon has not answered within {BACK_SECONDS:g} s: {error}"
                print_error(f"{sentence}; `journalctl -u aoeha` says why")
                return Exit.TIMED_OUT
            time.sleep(LOOK_EVERY_SECONDS)
        else:
            return Exit.DONE
