"""`aoeha simulate`: the real decision code on a simulated pair under faults. It needs no root and no hardware."""

import argparse

from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the scenarios to play, or the number of seeds to try."""
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="print the trace of this file")
    parser.add_argument("-v", "--verbose", action="store_true", help="print sentences beside the codes of a trace")
    parser.add_argument("--check", action="store_true", help="report scenarios whose trace differs from the record")
    parser.add_argument("--rewrite", action="store_true", help="record the trace of each scenario in its file again")
    parser.add_argument(
        "--config", default="", metavar="FILE", help="the pair to simulate (default: one for each seed)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    parser.add_argument("--runs", type=int, default=100, metavar="N", help="how many seeds (100)")
    parser.add_argument("--duration", default="", metavar="TIME", help="run for this time (45m) instead of --runs")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processors to use (1)")
    parser.add_argument("--trace", action="store_true", help="print the story of the one seed of --seed")
    parser.add_argument("--shrink", action="store_true", help="print the seed's failure as a short scenario")
    parser.add_argument("--figures", action="store_true", help="print how often each event and fault occurred")
    parser.add_argument("--bench", action="store_true", help="print simulated seconds per second")


def run(arguments: argparse.Namespace) -> int:
    """Simulate. Return 0 without a violation, 1 with one, 64 or 78 when the input cannot be read."""
    shown = not (arguments.check or arguments.rewrite) if arguments.scenarios else arguments.trace or arguments.shrink
    if arguments.verbose and not shown:
        print_error("cannot use -v: no trace is printed, and a recorded one has no sentences")
        return int(Exit.USAGE)
    from aoeha.cli.simulator import simulate_report  # noqa: PLC0415  loads the core and the world

    if arguments.scenarios:
        if arguments.check:
            return int(simulate_report.check_scenarios(arguments.scenarios, arguments.jobs))
        rewrite, worded = arguments.rewrite, arguments.verbose
        return int(simulate_report.play_scenarios(arguments.scenarios, rewrite=rewrite, worded=worded))
    if arguments.trace or arguments.shrink:
        return int(simulate_report.explain_seed(arguments))
    return int(simulate_report.play_seeds(arguments))
