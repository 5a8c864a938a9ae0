"""`aoeha rehearse`: boots the user's own aoeha.toml on real kernels, breaks something, and judges what happened.

Each run is a process of its own, because a rack moves its process into a new network namespace.
"""

import argparse
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from aoeha.rack.attempt import run_until_signal
from aoeha.rack.drill import Drill
from aoeha.rack.guest import die_with_parent
from aoeha.rack.host import CHECKOUT, RackError, check_host
from aoeha.rack.plants import NO_PLANT, PLANTS
from aoeha.rack.report import one_line, table
from aoeha.rack.scenario import Scenario, ScenarioError, milliseconds, read
from aoeha.rack.timeline import Timeline
from aoeha.rack.verdict import Verdict, judge

__all__ = ["add_arguments", "run"]

SCENARIOS = CHECKOUT / "tests" / "scenarios" / "rack"
CONFIGURATION = CHECKOUT / "etc" / "aoeha.toml"
TRIES_MAX = 3
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAILED, RACK_FAILED, INTERRUPTED = 1, 75, 130
DEMO = "demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the drill, how often, and what to plant."""
    parser.add_argument("drill", metavar="DRILL", help="a drill's name, a scenario file, `all`, or `list`")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="play it so often and print a table (1)")
    parser.add_argument("--plant", default="", metavar="FAILURE", help="plant a failure; the verdict must turn red")
    parser.add_argument("--config", default=str(CONFIGURATION), metavar="FILE", help="what to boot (etc/aoeha.toml)")
    parser.add_argument("--timing", action="append", default=[], metavar="KEY=VALUE", help="e.g. deadtime=1s")
    parser.add_argument("--slow", metavar="TIME", help="how slow a power switch is that the drill slows down, e.g. 5s")
    parser.add_argument("--evidence", default="evidence", metavar="FOLDER", help="where evidence is left (evidence)")
    parser.add_argument("--quiet", action="store_true", help="print verdicts only")


def run(arguments: argparse.Namespace) -> int:
    """Play what was asked for; 0 when every verdict was green."""
    if arguments.drill == "list":
        for path in sorted(SCENARIOS.glob("*.txt")):
            print(f"{path.stem:<16}{read(path).about}")
        for plant in PLANTS.values():
            print(f"  --plant {plant.name:<16}{plant.about}")
        return 0
    try:
        scenarios = _scenarios(arguments)
        check_host()
        return _play_all(scenarios, arguments)
    except (RackError, ScenarioError, ValueError) as error:
        print(f"aoeha: {error}", file=sys.stderr)
        return FAILED


def _scenarios(arguments: argparse.Namespace) -> list[Scenario]:
    if arguments.plant and arguments.plant not in PLANTS:
        raise ScenarioError(f'cannot plant "{arguments.plant}": choose from {", ".join(PLANTS)}')
    if arguments.drill == "all":
        return [read(path) for path in sorted(SCENARIOS.glob("*.txt")) if path.stem != DEMO]
    path = SCENARIOS / f"{arguments.drill}.txt"
    if not path.exists():
        path = Path(arguments.drill)
    if not path.exists():
        known = ", ".join(sorted(each.stem for each in SCENARIOS.glob("*.txt")))
        raise ScenarioError(f'there is no drill "{arguments.drill}": choose from {known}, all')
    scenario = read(path)
    for timing in arguments.timing:
        key, _, value = timing.partition("=")
        scenario.timings[key] = value
    return [scenario if arguments.slow is None else _slowed(scenario, milliseconds(arguments.slow))]


def _slowed(scenario: Scenario, time_ms: int) -> Scenario:
    statements = tuple(
        replace(each, time_ms=time_ms, source=f"slow power-switch by {time_ms}ms") if each.kind == "slow" else each
        for each in scenario.statements
    )
    return replace(scenario, statements=statements)


def _play_all(scenarios: list[Scenario], arguments: argparse.Namespace) -> int:
    good = True
    for scenario in scenarios:
        verdicts: list[Verdict] = []
        for number in range(1, arguments.runs + 1):
            verdict = _play_until_it_counts(scenario, arguments, number)
            if verdict is None:
                return INTERRUPTED
            verdicts.append(verdict)
        passed = sum(verdict.result == "pass" for verdict in verdicts)
        good = good and passed == len(verdicts)
        if arguments.runs > 1:
            print(f"{scenario.name}: {passed} of {len(verdicts)} runs are green\n{table(verdicts)}", flush=True)
    return 0 if good else FAILED


def _play_until_it_counts(scenario: Scenario, arguments: argparse.Namespace, number: int) -> Verdict | None:
    """Play a run; one that the machine's stalls or the rack's own failure made worthless is shown and played again."""
    verdict: Verdict | None = None
    for tried in range(1, TRIES_MAX + 1):
        stamp = time.strftime("%Y%m%d-%H%M%S")
        folder = Path(arguments.evidence) / f"{scenario.name}-{stamp}-{os.getpid()}-{number}"
        code = _in_own_process(scenario, arguments, folder)
        if code == INTERRUPTED:
            return None
        verdict = judge(folder)
        if code == RACK_FAILED:
            verdict = replace(verdict, result="void")
        again = f" (try {tried} of {TRIES_MAX})" if verdict.result == "void" else ""
        print(f"{scenario.name} {number}/{arguments.runs}: {one_line(verdict)}{again}; evidence: {folder}", flush=True)
        if verdict.result != "void":
            break
    return verdict


def _in_own_process(scenario: Scenario, arguments: argparse.Namespace, folder: Path) -> int:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        die_with_parent(signal.SIGTERM)
        code = FAILED
        try:
            code = _play(scenario, arguments, folder)
        except RackError as error:
            code = RACK_FAILED
            print(f"aoeha: {error}", file=sys.stderr)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    # Whoever is told to end, the child is the one that cleans up; waitpid goes on after the handler.
    for number in SIGNALS:
        signal.signal(number, lambda number, _: os.kill(child, number))
    try:
        _, status = os.waitpid(child, 0)
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
    return os.waitstatus_to_exitcode(status)


def _play(scenario: Scenario, arguments: argparse.Namespace, folder: Path) -> int:
    drill = Drill(scenario, Path(arguments.config), folder, PLANTS.get(arguments.plant, NO_PLANT))
    if not arguments.quiet:
        timeline = Timeline()
        drill.progress = timeline.step
        drill.listen(timeline.take)

    async def play() -> int:
        await drill.run()
        return 0

    return run_until_signal(play())
