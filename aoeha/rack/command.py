"""`aoeha rehearse`: boots the user's own aoeha.toml on real kernels, breaks something, and judges what happened."""

import argparse
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from aoeha.rack.drills.campaign import FAILED, Campaign, Plan
from aoeha.rack.drills.planted_faults import NO_PLANT, PLANTS
from aoeha.rack.drills.scenario import Scenario, ScenarioError, milliseconds, read
from aoeha.rack.drills.tally import Tally, state_of_checkout
from aoeha.rack.machines.host import CHECKOUT, RackError, check_host

__all__ = ["add_arguments", "run"]

SCENARIOS = CHECKOUT / "tests" / "scenarios" / "rack"
CONFIGURATION = CHECKOUT / "etc" / "aoeha.toml"
DEMO = "demo"
WIDTH = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the drills, how often, and what to plant."""
    parser.add_argument(
        "drill", metavar="DRILL", nargs="+", help="a drill's name, a scenario file, `all`, or `list` to name them all"
    )
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="play each so often and print a table (1)")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="M",
        help="so many side by side, but those that want the machine for themselves at the end, one at a time (1)",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true", help="leave out what was passed in a row before, on this commit"
    )
    parser.add_argument("--plant", default="", metavar="FAILURE", help="plant a failure; the verdict must turn red")
    parser.add_argument("--config", default=str(CONFIGURATION), metavar="FILE", help="what to boot (etc/aoeha.toml)")
    parser.add_argument("--timing", action="append", default=[], metavar="KEY=VALUE", help="e.g. deadtime=1s")
    parser.add_argument("--slow", metavar="TIME", help="how slow a power switch is that the drill slows down, e.g. 5s")
    parser.add_argument("--evidence", default="evidence", metavar="FOLDER", help="where evidence is left (evidence)")
    parser.add_argument("--quiet", action="store_true", help="print verdicts only")


def run(arguments: argparse.Namespace) -> int:
    """Play what was asked for; 0 when every verdict was green."""
    if arguments.drill == ["list"]:
        print(*_named({path.stem: read(path).about for path in SCENARIOS.glob("*.txt")}), sep="\n")
        print("\nfor --plant:\n")
        print(*_named({plant.name: plant.about for plant in PLANTS.values()}), sep="\n")
        return 0
    try:
        paths = _paths(arguments.drill)
        scenarios = [_set(read(path), arguments) for path in paths]
        plan = _plan(arguments)
        tally = _tally(arguments, paths)
        check_host()
        return Campaign(plan, tally).play(scenarios)
    except (RackError, ScenarioError, ValueError) as error:
        print(f"aoeha: {error}", file=sys.stderr)
        return FAILED


def _named(abouts: Mapping[str, str]) -> Iterator[str]:
    """Names in one column, in their order, what they stand for in another."""
    indent = max(map(len, abouts)) + 2
    for name, about in sorted(abouts.items()):
        yield textwrap.fill(about, WIDTH, initial_indent=name.ljust(indent), subsequent_indent=" " * indent)


def _paths(drills: list[str]) -> list[Path]:
    """The scenario files of these drills, each once."""
    known = sorted(SCENARIOS.glob("*.txt"))
    paths: dict[Path, None] = {}
    for drill in drills:
        named = SCENARIOS / f"{drill}.txt"
        if drill == "all":
            paths.update(dict.fromkeys(path for path in known if path.stem != DEMO))
        elif named in known or Path(drill).exists():
            paths[named if named in known else Path(drill)] = None
        else:
            names = ", ".join(path.stem for path in known)
            raise ScenarioError(f'there is no drill "{drill}": choose from {names}, all')
    return list(paths)


def _set(scenario: Scenario, arguments: argparse.Namespace) -> Scenario:
    """The scenario with the timings and the power switch that were asked for."""
    timings = {key: value for key, _, value in (timing.partition("=") for timing in arguments.timing)}
    changed = replace(scenario, timings={**scenario.timings, **timings})
    return changed if arguments.slow is None else _slowed(changed, milliseconds(arguments.slow))


def _slowed(scenario: Scenario, time_ms: int) -> Scenario:
    statements = tuple(
        replace(each, time_ms=time_ms, source=f"slow power-switch by {time_ms}ms") if each.kind == "slow" else each
        for each in scenario.statements
    )
    return replace(scenario, statements=statements)


def _plan(arguments: argparse.Namespace) -> Plan:
    if arguments.plant and arguments.plant not in PLANTS:
        raise ScenarioError(f'cannot plant "{arguments.plant}": choose from {", ".join(PLANTS)}')
    if arguments.runs < 1 or arguments.jobs < 1:
        raise ScenarioError("cannot play less than one run at one place: --runs and --jobs are 1 or more")
    return Plan(
        Path(arguments.config), Path(arguments.evidence), PLANTS.get(arguments.plant, NO_PLANT),
        arguments.runs, arguments.jobs, shown=not arguments.quiet, resume=arguments.resume,
    )  # fmt: skip


def _tally(arguments: argparse.Namespace, paths: list[Path]) -> Tally | None:
    """Where runs are counted; None when they are not of the drills as they are."""
    changed = arguments.plant or arguments.timing or arguments.slow or Path(arguments.config) != CONFIGURATION
    if not changed and all(path.parent == SCENARIOS for path in paths):
        return Tally(Path(arguments.evidence), state_of_checkout())
    if arguments.resume:
        raise ScenarioError("cannot resume: only drills as they are, with nothing planted or set, are counted")
    return None
