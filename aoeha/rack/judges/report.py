"""Verdicts as text: one line for a run, and a table over many."""

from collections import defaultdict
from statistics import median

from aoeha.rack.evidence.phases import Stages
from aoeha.rack.judges.verdict import Verdict

__all__ = ["one_line", "stages_line", "table"]


def _seconds(milliseconds: int | None) -> str:
    return "never" if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def one_line(verdict: Verdict) -> str:
    """The verdict in one line."""
    lost = (
        "acknowledged writes could not be counted"
        if verdict.lost is None
        else f"{verdict.lost} acknowledged writes lost"
    )
    pauses = "; ".join(
        f"{pause.mark}: address {_seconds(pause.address_ms)}, writes {_seconds(pause.write_ms)}"
        for pause in verdict.outages
    )
    word = {"pass": "GREEN", "fail": "RED", "void": "VOID"}[verdict.result]
    parts = [f"{word}: {lost} of {verdict.acknowledged}"]
    if pauses:
        parts.append(f"the client's outage: {pauses}")
    if verdict.result == "void":
        stalled = f"the machine stalled for {_seconds(verdict.stalled_ms)}" if verdict.stalled_ms else "the rack failed"
        parts.append(f"{stalled}, so this run shows nothing")
    return "; ".join([*parts, *(verdict.complaints if verdict.result == "fail" else [])])


def stages_line(stages: Stages, took_ms: int) -> str:
    """How long a run took, and where that time went; what is missing to the whole was spent around it."""
    parts = [f"{stage} {stage_ms / 1000:.1f}" for stage, stage_ms in stages.items()]
    parts.append(f"around it {(took_ms - sum(stages.values())) / 1000:.1f}")
    return f"{took_ms / 1000:.1f} s: {', '.join(parts)}"


def table(verdicts: list[Verdict]) -> str:
    """Minimum, median and maximum of everything that was measured, in seconds, over the runs that count."""
    figures: dict[tuple[str, str], list[float]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.result != "pass":
            continue
        for pause in verdict.outages:
            for name, value in (("address gap", pause.address_ms), ("NFS write gap", pause.write_ms)):
                if value is not None:
                    figures[pause.mark, name].append(value / 1000)
            for step, value in pause.steps.items():
                figures[pause.mark, f"  until {step}"].append(value / 1000)
            if pause.processes is not None:
                figures[pause.mark, "processes started"].append(float(pause.processes))
    rows = [f"{'mark':<16}{'figure':<26}{'runs':>5}{'min':>9}{'median':>9}{'max':>9}"]
    for (mark, name), values in figures.items():
        digits = 0 if name == "processes started" else 2
        numbers = "".join(f"{value:9.{digits}f}" for value in (min(values), median(values), max(values)))
        rows.append(f"{mark:<16}{name:<26}{len(values):>5}{numbers}")
    return "\n".join(rows)
