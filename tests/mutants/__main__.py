"""`make mutants`: plants one bug at a time in the core, and sees whether anybody names it.

python tests/mutants [--jobs N] [--only TEXT] [--near TEXT] [--replay] [--minutes M] [--check] [--write]

With AOEHA_MUTANTS=N it takes a sample of those that were named before, and AOEHA_SEED repeats the choice.

A mutant is named by a rule of a judge, by the promise of an incident, or by the core's own assertion. A recorded trace
that changes names nobody. Exit code 1: a mutant that somebody has to notice was named by nobody, one that should be
beyond notice was named, or the table does not fit the code.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import campaign
import record
import table
from judging import SCENARIOS, Finding, Search
from mutant import Mutant

SURVIVORS_MAX = 12
WIDTH = 100


def main(argv: list[str] | None = None) -> int:
    """Try mutants and tell what came of each. Returns the exit code."""
    given = _arguments(argv)
    misfits = [*table.faults(), *(f"{name}: no mutant changes this file" for name in table.undecided())]
    if misfits or given.check:
        return _fail(misfits) if misfits else 0
    known = {name: finding.story for name, finding in record.recorded().items()}
    if sample := int(os.environ.get("AOEHA_MUTANTS", "0")):
        return _sampled(known, sample, given.jobs)
    chosen = sorted(
        (mutant for mutant in table.MUTANTS if given.only in str(mutant)), key=lambda one: str(one) in known
    )
    if not chosen:
        return _fail([f'no mutant has "{given.only}" in its place or name; docs/engineering/mutants.md lists them'])
    works = _replayed(chosen, known, given.near) if given.replay else _wanted(chosen, known, given)
    findings = _try(works, given.jobs, given.minutes * 60)
    if given.write:
        record.write(table.MUTANTS, findings)
    return _judged([mutant for mutant in chosen if str(mutant) in findings], findings)


def _wanted(
    chosen: Sequence[Mutant], known: Mapping[str, str], given: argparse.Namespace
) -> list[tuple[Mutant, Search]]:
    """For each mutant all stories that may name it: they are found by playing everything once without any."""
    _say(f"mutants: {len(chosen)} of {len(table.MUTANTS)}; first, what every incident and every seed meets")
    prepared = campaign.prepared(tuple(chosen), given.jobs)
    for fault in prepared.faults():
        _say(f"mutants: left out, for it breaks without any mutant: {fault}")
    return [(mutant, prepared.wanted(mutant, known.get(str(mutant), ""), given.near)) for mutant in chosen]


def _replayed(chosen: Sequence[Mutant], known: Mapping[str, str], near: str) -> list[tuple[Mutant, Search]]:
    """For each mutant the story that named it the last time, after the incidents that its searcher thinks near.

    Whoever adds an incident for a mutant needs no more; that the incident breaks nothing by itself is tested elsewhere.
    """
    names = tuple(path.stem for path in sorted(SCENARIOS.glob(f"*{near}*.txt"))) if near else ()
    stories = {str(mutant): _story(known[str(mutant)], campaign.SEEDS) for mutant in chosen if str(mutant) in known}
    again = [(mutant, stories.get(str(mutant), Search((), ()))) for mutant in chosen]
    return [(mutant, Search((*names, *search.incidents), search.seeds, ready=search.ready)) for mutant, search in again]


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes side by side")
    parser.add_argument("--only", default="", metavar="TEXT", help="those with this in their place or name")
    parser.add_argument("--near", default="", metavar="TEXT", help="play incidents with this in their name first")
    parser.add_argument("--replay", action="store_true", help="play only those, and what named each the last time")
    parser.add_argument("--minutes", type=float, default=inf, metavar="M", help="begin no other one after so long")
    parser.add_argument("--check", action="store_true", help="only see whether the table fits the code")
    parser.add_argument("--write", action="store_true", help=f"write what came of it to {record.PAGE.name}")
    return parser.parse_args(argv)


def _sampled(known: Mapping[str, str], number: int, jobs: int) -> int:
    """Ask of some mutants only the story that named each the last time. AOEHA_SEED repeats a choice."""
    choice = int(os.environ.get("AOEHA_SEED", time.time()))
    _say(f"mutants: a sample of {number}; AOEHA_SEED={choice} repeats it")
    named = [mutant for mutant in table.MUTANTS if str(mutant) in known and not mutant.survives]
    chosen = campaign.sample(named, number, choice)
    stories = {known[str(mutant)] for mutant in chosen}
    seeds = tuple(int(story.removeprefix("seed ")) for story in stories if story.startswith("seed "))
    clean = campaign.clean_seeds(seeds, jobs)
    works = [(mutant, _story(known[str(mutant)], clean)) for mutant in chosen]
    return _judged(chosen, _try(works, jobs))


def _story(name: str, clean: tuple[int, ...]) -> Search:
    if name.startswith("seed "):
        seed = int(name.removeprefix("seed "))
        return Search((), (seed,) if seed in clean else ())
    return Search((), (), ready=True) if " " in name else Search((name,), ())


def _try(works: Sequence[tuple[Mutant, Search]], jobs: int, seconds_max: float = inf) -> dict[str, Finding]:
    findings: dict[str, Finding] = {}
    begun_s = time.monotonic()
    for number, (mutant, finding) in enumerate(campaign.try_all(works, jobs), start=1):
        findings[str(mutant)] = finding
        said = f"{finding.by} by {finding.story}" if finding.by else f"NOBODY, of {finding.played} that meet it"
        if time.monotonic() - begun_s > seconds_max:
            _say(f"mutants: the time is over; {len(works) - number} were not tried")
            break
        _say(f"{number:4} {said:50} {finding.processor_s:5.1f} s  {mutant.rule:3} {mutant}"[: 2 * WIDTH])
    return findings


def _judged(chosen: Sequence[Mutant], findings: Mapping[str, Finding]) -> int:
    """Print the table and what is wrong in it."""
    named = [mutant for mutant in chosen if findings[str(mutant)].by]
    unnamed = [mutant for mutant in chosen if not findings[str(mutant)].by]
    for by in sorted({findings[str(mutant)].by for mutant in named}):
        _say(f"mutants: {sum(findings[str(mutant)].by == by for mutant in named):4} named by {by}")
    _say(f"mutants: {len(named)} of {len(chosen)} named ({100 * len(named) // max(1, len(chosen))} %)")
    faults = [f"{mutant.rule} {mutant}: nobody names it" for mutant in unnamed if not mutant.survives]
    faults += [
        f"{mutant}: it was said that nobody can notice it, and {findings[str(mutant)].story} does"
        for mutant in named
        if mutant.survives
    ]
    if len(unnamed) > SURVIVORS_MAX:
        faults.append(f"{len(unnamed)} mutants survive, and {SURVIVORS_MAX} may")
    for mutant in (mutant for mutant in unnamed if mutant.survives):
        _say(f"mutants: survives: {mutant}: {mutant.survives}")
    return _fail(faults) if faults else 0


def _fail(faults: Sequence[str]) -> int:
    for fault in faults:
        sys.stderr.write(f"mutants: {fault}\n")
    return 1


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
