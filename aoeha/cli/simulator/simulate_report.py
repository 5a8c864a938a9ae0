"""Plays scenarios and seeds, and prints their results (`aoeha simulate`)."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit
from aoeha.sim.stories.commands import CommandError, milliseconds
from aoeha.sim.stories.incidents import findings
from aoeha.sim.stories.parallel import outcomes
from aoeha.sim.stories.scenario import ScenarioError, perform, read, rewritten, text_of
from aoeha.sim.stories.shrink import shrink
from aoeha.sim.stories.swarm import Outcome, Story, play, story_of
from aoeha.sim.stories.tally import Tally
from aoeha.sim.stories.user_pair import given_story

__all__ = ["check_scenarios", "explain_seed", "play_scenarios", "play_seeds"]

BATCH = 64
REPORT_EVERY_S = 2.0
LOG_EVERY_S = 60.0
SHOWN_MAX = 20
Make = Callable[[int], Story]


def play_scenarios(files: list[str], *, rewrite: bool, worded: bool) -> Exit:
    """Print the trace of each file, or record it in the file. What is broken in a trace is its last line."""
    code = Exit.DONE
    for name in files:
        try:
            scenario = read(Path(name))
            if rewrite:
                text = rewritten(scenario)
                Path(name).write_text(text, encoding="utf-8")
                last = text.splitlines()[-1]
            else:
                trace = perform(scenario, worded=worded)
                print("\n".join(trace))
                last = trace[-1]
        except ScenarioError as error:
            print_error(f"cannot play {name}: {error}")
            return Exit.USAGE
        if " BROKEN " in last:
            code = Exit.FAILED
            if rewrite:
                print_error(f"{name} is recorded as one that breaks something: {' '.join(last.split())}")
    return code


def check_scenarios(files: list[str], jobs: int) -> Exit:
    """Play files in several processes; name those that break something or go otherwise than was recorded."""
    found = list(findings(map(Path, files), jobs))
    faults = sorted((each for each in found if each.fault), key=lambda each: each.path)
    for each in faults:
        print(f"{each.path}: {each.fault}")
    print(f"{len(found)} incidents, {len(faults)} of them go otherwise than recorded")
    return Exit.FAILED if faults else Exit.DONE


def explain_seed(arguments: argparse.Namespace) -> Exit:
    """Print the story of one seed as a scenario with its trace, shrunk while it still fails if so asked."""
    make = _maker(arguments)
    if make is None:
        return Exit.BAD_CONFIGURATION
    if arguments.config:
        print_error("cannot write a configured pair as a scenario: leave out --config")
        return Exit.USAGE
    story = make(arguments.seed)
    outcome = play(story)
    if arguments.shrink and outcome.broken:
        story = shrink(story, outcome.broken)
        outcome = play(story)
    story = replace(story, heals=story.heals and outcome.broken in ("", "I2", "I6", "I7"))
    print(text_of(story, outcome.sentence or "Anything is violated.", worded=arguments.verbose), end="")
    return Exit.FAILED if outcome.broken else Exit.DONE


def play_seeds(arguments: argparse.Namespace) -> Exit:
    """Try seeds. Print each violation with the command that repeats it, then the figures."""
    make = _maker(arguments)
    if make is None:
        return Exit.BAD_CONFIGURATION
    try:
        limit_s = milliseconds(arguments.duration) / 1_000 if arguments.duration else 0.0
    except CommandError as error:
        print_error(str(error))
        return Exit.USAGE
    tally, begun_s = Tally(), time.monotonic()
    said_s = begun_s
    for seed, outcome in _outcomes(arguments, make, begun_s + limit_s if limit_s else None):
        tally.add(seed, outcome)
        if outcome.broken and len(tally.failures) <= SHOWN_MAX:
            _print_failure(seed, outcome, arguments.config)
        now_s = time.monotonic()
        if now_s - said_s > (REPORT_EVERY_S if sys.stderr.isatty() else LOG_EVERY_S):
            said_s = now_s
            _print_progress(tally, now_s - begun_s, limit_s, arguments.runs)
    _print_end(tally, time.monotonic() - begun_s, arguments)
    return Exit.FAILED if tally.failures else Exit.DONE


def _outcomes(arguments: argparse.Namespace, make: Make, end_s: float | None) -> Iterator[tuple[int, Outcome]]:
    first = arguments.seed
    if end_s is None:
        yield from outcomes(range(first, first + arguments.runs), arguments.jobs, make)
        return
    while time.monotonic() < end_s:
        yield from outcomes(range(first, first + BATCH * arguments.jobs), arguments.jobs, make)
        first += BATCH * arguments.jobs


def _maker(arguments: argparse.Namespace) -> Make | None:
    """Return the function that turns a seed into a story. For a bad configuration print an error and return None."""
    if not arguments.config:
        return story_of
    from aoeha.config.findings import ConfigurationError  # noqa: PLC0415  loads every agent
    from aoeha.config.load import load  # noqa: PLC0415
    from aoeha.config.schema import SerialLink  # noqa: PLC0415
    from aoeha.config.view import pair_config  # noqa: PLC0415

    try:
        configuration = load(arguments.config)
    except ConfigurationError as error:
        print_error(f"cannot use {arguments.config}: {error}")
        return None
    configs = {node.name: pair_config(configuration, node.name) for node in configuration.nodes}
    serial = tuple(link.name for link in configuration.links if isinstance(link, SerialLink))
    return partial(given_story, configs, serial)


def _print_failure(seed: int, outcome: Outcome, config: str) -> None:
    print(f"seed {seed}: {outcome.sentence}")
    again = f"--config {config} --seed {seed} --runs 1" if config else f"--seed {seed} --shrink"
    print(f"  to repeat: aoeha simulate {again}", flush=True)


def _print_progress(tally: Tally, spent_s: float, limit_s: float, runs: int) -> None:
    share = min(spent_s / limit_s if limit_s else tally.runs / runs, 1.0)
    bar = "#" * int(share * 30)
    text = f"[{bar:<30}] {tally.runs} runs, {len(tally.failures)} violations, {spent_s:.0f} s"
    print(f"\r{text}", end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def _print_end(tally: Tally, spent_s: float, arguments: argparse.Namespace) -> None:
    simulated_s = sum(tally.simulated_ms) / 1_000
    incidents = sum(tally.faults)
    if arguments.figures:
        print("\n".join(tally.lines()))
        for name in tally.missing():
            print(f"never occurred: {name}")
    print(
        f"{tally.runs} runs, {incidents} incidents, {sum(tally.takeovers)} takeovers, "
        f"worst outage {tally.worst_outage_ms / 1_000:.1f} s, {len(tally.failures)} violations"
    )
    if arguments.bench:
        spent_s = max(spent_s, 0.001)
        an_hour = 3_600 * tally.runs / spent_s
        print(f"{simulated_s / spent_s:.0f} simulated seconds a second, {an_hour:.0f} runs an hour ({spent_s:.1f} s)")
