"""The entry point of the daemon: only what must precede its first beat, without slow imports.

A restarted daemon is silent from its predecessor's death to its own first beat, and the peer measures the silence. So
the locks that exclude a second daemon and the first beat come first. Everything else is imported afterwards: also the
cluster's name, which a daemon takes for its node before it does anything else (service.py).
"""

# An import of pathlib would take longer than everything that is done here.
# ruff: noqa: PTH103

import argparse
import contextlib
import os
import sys

from aoeha.core.model.exits import Exit
from aoeha.daemon import early_signals
from aoeha.daemon.arguments import Settings, add_arguments, settings
from aoeha.daemon.first_beat import send_first_beat
from aoeha.io.exclusion import lock_directory

__all__ = ["main"]


def main(arguments: argparse.Namespace) -> int:
    """Run the daemon until it has left, and return the exit code."""
    early_signals.defer()
    where = settings(arguments)
    if getattr(arguments, "dry_run", False):
        from aoeha.daemon.successor import try_start  # noqa: PLC0415 - heavy: not before a first beat

        return try_start(where)
    try:
        os.makedirs(where.run_directory, mode=0o755, exist_ok=True)
        lock = lock_directory(where.run_directory)
    except OSError as error:
        sys.stderr.write(f"aoeha: cannot start: {error.strerror}: {where.run_directory}\n")
        return Exit.FAILED
    if lock < 0:
        return _refuse(where.run_directory)
    # A disk that is lost or read-only keeps nobody from serving, so it need not be lockable.
    with contextlib.suppress(OSError):
        os.makedirs(where.state_directory, mode=0o700, exist_ok=True)
        if lock_directory(where.state_directory) < 0:
            return _refuse(where.state_directory)
    return _start(where)


def _refuse(directory: str) -> int:
    sys.stderr.write(
        f"aoeha: cannot start: another daemon runs with {directory}; `aoeha status` shows its state, "
        "`systemctl stop aoeha` hands its groups over and ends it\n"
    )
    return Exit.FAILED


def _start(where: Settings) -> int:
    first = send_first_beat(where.run_directory)
    from aoeha.daemon.service import serve  # noqa: PLC0415 - heavy: not before the first beat

    return serve(where, first)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="aoeha daemon", description=main.__doc__)
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
