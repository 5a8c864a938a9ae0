"""docs/engineering/mutants.md: the score, who named each mutant the last time, and the survivors with their sentences.

The page is written by `make mutants MUTANTS_ARGUMENTS=--write` and read back: what named a mutant the last time is
asked first the next time.
"""

import re
from collections.abc import Mapping, Sequence

from judging import Finding
from mutant import ROOT, Mutant

__all__ = ["PAGE", "recorded", "write"]

PAGE = ROOT / "docs/engineering/mutants.md"
RULER = "<!-- from here on written by the tool -->\n"
ROW = re.compile(r"^\| ([RI]\d+) \| `([^`]+)` \| (.+) \| (.+?) by `?([^`|]+?)(?:\.txt)?`? \|$", re.MULTILINE)


def recorded() -> dict[str, Finding]:
    """Return for each mutant that was named the last time who did so."""
    if not PAGE.is_file():
        return {}
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {f"{_place(shown)}: {what}": Finding(by, story) for _rule, shown, what, by, story in rows}


def _shown(where: str) -> str:
    """`peer/membership.py:hear` as the page has it, `peer.membership:hear`: a path would have to begin at the root."""
    path, _, name = where.partition(":")
    return f"{path.removesuffix('.py').replace('/', '.')}:{name}"


def _place(shown: str) -> str:
    module, _, name = shown.partition(":")
    return f"{module.replace('.', '/')}.py:{name}"


def write(mutants: Sequence[Mutant], findings: Mapping[str, Finding]) -> None:
    """Write the part of the page below the ruler anew. What was not tried now stays as it was found before."""
    page = PAGE.read_text(encoding="utf-8")
    unnamed = {str(mutant): Finding() for mutant in mutants if _survivor(mutant) in page}
    head, known = page.partition(RULER)[0], {**unnamed, **recorded(), **findings}
    PAGE.write_text("\n".join((f"{head}{RULER}", *_lines(mutants, known), "")), encoding="utf-8")


def _lines(mutants: Sequence[Mutant], findings: Mapping[str, Finding]) -> list[str]:
    tried = [mutant for mutant in mutants if str(mutant) in findings]
    named = [mutant for mutant in tried if findings[str(mutant)].by]
    survivors = [mutant for mutant in tried if not findings[str(mutant)].by]
    by_core = sum(findings[str(mutant)].by == "the core" for mutant in named)
    by_promise = sum(findings[str(mutant)].by == "promise" for mutant in named)
    by_seeds = sum(findings[str(mutant)].story.startswith("seed ") for mutant in named)
    by_judge, share = len(named) - by_core - by_promise, 100 * len(named) // max(1, len(tried))
    return [
        "## The score",
        "",
        f"The table has {len(mutants)} mutants, of which {len(mutants) - len(tried)} were not tried yet.",
        f"{len(named)} of {len(tried)} are named ({share} %): {by_judge} by a rule of a judge,",
        f"{by_promise} by the promise of an incident, {by_core} by an assertion or another error of the core itself.",
        f"Seeds named {by_seeds} of them, incidents the others.",
        "",
        f"## The survivors: {len(survivors)}",
        "",
        *(f"{_survivor(mutant)} {mutant.survives}" for mutant in survivors),
        "",
        "## The table",
        "",
        "| rule | changed | what the core does then | named |",
        "|---|---|---|---|",
        *(_row(mutant, findings[str(mutant)]) for mutant in named),
    ]


def _survivor(mutant: Mutant) -> str:
    return f"- `{_shown(mutant.where)}` ({mutant.rule}): {mutant.what}."


def _row(mutant: Mutant, finding: Finding) -> str:
    incident = not finding.story.startswith("seed ") and " " not in finding.story
    story = f"`{finding.story}.txt`" if incident else finding.story
    return f"| {mutant.rule} | `{_shown(mutant.where)}` | {mutant.what} | {finding.by} by {story} |"
