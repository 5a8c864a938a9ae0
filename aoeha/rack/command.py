"""`aoeha rehearse`: plays drills in the virtual rack and judges them."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from aoeha.rack.attempt import run_until_signal
from aoeha.rack.drill import Drill
from aoeha.rack.host import CHECKOUT, RackError
from aoeha.rack.plants import NO_PLANT, PLANTS
from aoeha.rack.scenario import ScenarioError, read

__all__ = ["add_arguments", "run"]

SCENARIOS = CHECKOUT / "tests" / "scenarios" / "rack"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the drill and how often."""
    parser.add_argument("drill", metavar="DRILL")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--plant", default="")


def run(arguments: argparse.Namespace) -> int:
    """Play."""
    scenario = read(SCENARIOS / f"{arguments.drill}.txt")
    drill = Drill(
        scenario,
        CHECKOUT / "etc/aoeha.toml",
        Path("evidence") / f"{scenario.name}-{int(time.time())}",
        PLANTS.get(arguments.plant, NO_PLANT),
    )
    drill.progress = lambda text: print(f"{time.time() % 1000:8.2f} {text}", flush=True)

    async def go() -> int:
        await drill.run()
        return 0

    return run_until_signal(go())
