"""The entry point of the daemon: only what must precede its first beat, without slow imports.

A restarted daemon is silent from its predecessor's death to its own first beat, and the peer measures the silence. So
the lock that excludes a second daemon and the first beat come first. Everything else is imported afterwards.
"""

# An import of pathlib would take longer than everything that is done here.
# ruff: noqa: PTH103

import argparse
import fcntl
import os
import sys

from aoeha.core.model.exits import Exit
from aoeha.daemon.arguments import Settings, add_arguments, settings
from aoeha.daemon.first_beat import send_first_beat

__all__ = ["main"]


def main(arguments: argparse.Namespace) -> int:
    """Run the daemon until it has left, and return the exit code."""
    where = settings(arguments)
    try:
        lock = _lock(where)
    except OSError as error:
        sys.stderr.write(f"aoeha: cannot start: {error.strerror}: {where.run_directory}/daemon.lock\n")
        return Exit.FAILED
    if lock < 0:
        sys.stderr.write(
            f"aoeha: cannot start: another daemon runs with {where.run_directory}; `aoeha status` shows its state, "
            "`systemctl stop aoeha` hands its groups over and ends it\n"
        )
        return Exit.FAILED
    return _start(where)


def _lock(where: Settings) -> int:
    """Return the descriptor that holds the lock while this process lives, or -1 when another process has the lock."""
    os.makedirs(where.run_directory, mode=0o755, exist_ok=True)
    descriptor = os.open(f"{where.run_directory}/daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return -1
    return descriptor


def _start(where: Settings) -> int:
    first = send_first_beat(where.run_directory)
    from aoeha.daemon.service import serve  # noqa: PLC0415 - heavy: not before the first beat

    return serve(where, first)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="aoeha daemon", description=main.__doc__)
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
