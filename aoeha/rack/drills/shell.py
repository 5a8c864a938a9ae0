"""Boots a small rack and runs one command in a guest: for trying agents by hand.

python -m aoeha.rack.drills.shell [--storage] [--dual-homed] [--guests alpha,client] GUEST -- COMMAND ...
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path

from aoeha.rack.machines.evidence_folder import Evidence
from aoeha.rack.machines.host import CHECKOUT, RackError
from aoeha.rack.machines.rack import GATEWAYS, SHELVES, Rack, RackOptions

__all__ = ["INTERRUPTED", "main", "run_until_signal"]

INTERRUPTED = 130


def run_until_signal(work: Coroutine[None, None, int]) -> int:
    """Run to the end; SIGINT and SIGTERM cancel the work, which then cleans up behind itself."""

    async def guarded() -> int:
        task = asyncio.create_task(work)
        told: list[int] = []

        def stop(number: int) -> None:
            # Only the first one: a second would break off the cleaning up.
            if not told:
                task.cancel()
            told.append(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
        try:
            return await task
        except asyncio.CancelledError:
            print("interrupted; the rack is cleaned up", file=sys.stderr)
            return INTERRUPTED

    return asyncio.run(guarded())


async def _attempt(arguments: argparse.Namespace) -> int:
    folder = Path(tempfile.mkdtemp(prefix="aoeha-attempt-"))
    environment = {"PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(CHECKOUT)}
    files = {"/etc/aoeha/aoeha.toml": ((CHECKOUT / "etc/aoeha.toml").read_text(), "644")}
    async with Rack(Evidence(folder), RackOptions(gateway_files=files, dual_homed=arguments.dual_homed)) as rack:
        guests = {*SHELVES, arguments.guest, *filter(None, arguments.guests.split(","))}
        if arguments.storage:
            guests.add(GATEWAYS[0])
        await rack.boot(*sorted(guests))
        if arguments.storage:
            await rack.make_storage()
        link = rack.link(arguments.guest)
        done = await link.run(
            *arguments.command, deadline_ms=arguments.deadline_s * 1000, folder=str(CHECKOUT), environment=environment
        )
        print(done.out, end="")
        print(done.err, end="", file=sys.stderr)
    print(f"journals and consoles: {folder}", file=sys.stderr)
    return done.code if done.code is not None else 124


def main() -> int:
    """Parse and go."""
    parser = argparse.ArgumentParser(
        prog="python -m aoeha.rack.drills.shell", description="Run a command in a guest of a rack."
    )
    parser.add_argument("guest", help="alpha, beta, shelf1, shelf2 or client")
    parser.add_argument(
        "--guests", default="", help="more guests to boot, separated by commas; both shelves always are"
    )
    parser.add_argument("--dual-homed", action="store_true", help="shelves and gateways are on two storage switches")
    parser.add_argument("--storage", action="store_true", help="run etc/make-storage.sh on alpha first")
    parser.add_argument(
        "--deadline-s", type=int, default=120, help="seconds after which the command is killed (%(default)s)"
    )
    parser.add_argument("command", nargs="+", help="the command, after --; its working folder is the checkout")
    arguments = parser.parse_args()
    try:
        return run_until_signal(_attempt(arguments))
    except RackError as error:
        print(f"aoeha: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
