"""The judgement of a drill, from its evidence alone. Shares no code with the daemon.

Red on anything that is missing: a fact that could not be read is not a fact that is well.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from aoeha.rack.evidence.outages import Outage, outages
from aoeha.rack.evidence.ownership_record import LOG_LAG_MS, is_proved, spans, turns
from aoeha.rack.evidence.record import Record, load
from aoeha.rack.evidence.wires_record import answerers, reservations, writers
from aoeha.rack.judges.alarms import uncalled

__all__ = ["Finding", "Verdict", "judge", "judge_record"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    about: str
    good: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`void` means that the machine stalled: the run shows nothing either way. A lost write shows, stall or not."""

    result: str
    findings: tuple[Finding, ...] = ()
    outages: tuple[Outage, ...] = ()
    acknowledged: int = 0
    lost: int | None = None
    stalled_ms: int = 0
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def complaints(self) -> list[str]:
        """The sentences of what was not good."""
        return [f"{finding.about}: {finding.sentence}" for finding in self.findings if not finding.good]

    @property
    def worst_ms(self) -> int | None:
        """The client's longest wait that had an end, None where none had."""
        waits = [wait for pause in self.outages for wait in (pause.address_ms, pause.write_ms)]
        return max((wait for wait in waits if wait is not None), default=None)


def judge(folder: Path) -> Verdict:
    """Judge an evidence folder."""
    try:
        return judge_record(load(folder))
    except (OSError, ValueError, KeyError) as error:
        broken = Finding("evidence", good=False, sentence=f"cannot be read: {type(error).__name__}: {error}")
        return Verdict("fail", (broken,))


def judge_record(record: Record) -> Verdict:
    """Judge what was loaded."""
    acknowledged = {event["number"] for event in record.of("acknowledged")}
    stalled_ms = _stalled_ms(record)
    records, lost = _records(record, acknowledged)
    findings = (
        _play(record), *records, *_disks(record), _owners(record), _mirrors(record), _proofs(record),
        _untouched(record),
        _seen(record), Finding("one writer", *writers(record)), Finding("one answerer", *answerers(record)),
        Finding("reservations", *reservations(record)),
        _power_offs(record), Finding("alarms", *uncalled(record)),
    )  # fmt: skip
    pauses = tuple(outages(record))
    limits_ms = record.drill.get("outage_limits_ms", {})
    findings = (*findings, *_came_back(pauses, record.drill["outage_max_ms"], limits_ms))
    result = "pass" if all(finding.good for finding in findings) else "fail"
    if stalled_ms > record.drill["deadtime_ms"] // 2 and not _lost_for_good(record, acknowledged):
        result = "void"
    return Verdict(result, findings, pauses, len(acknowledged), lost, stalled_ms)


def _stalled_ms(record: Record) -> int:
    """The longest stall from the first mark to the end of the play."""
    since = next((event["at_ms"] for event in record.of("mark")), 0)
    until = next((event["at_ms"] for event in record.of("played")), 1 << 62)
    return max((e["stalled_ms"] for e in record.of("stalled") if since <= e["at_ms"] <= until), default=0)


def _play(record: Record) -> Finding:
    unmet = record.facts.get("unmet", "")
    failures = [event["sentence"] for event in record.of("failed")]
    complaint = "; ".join(filter(None, [unmet, *failures]))
    return Finding("play", not complaint, complaint or "every expectation was met")


def _records(record: Record, acknowledged: set[int]) -> tuple[list[Finding], int | None]:
    """Every acknowledged record, as read back by the client and from each leg alone; and the greatest number lost."""
    findings = [Finding("records", bool(acknowledged), f"{len(acknowledged)} acknowledged")]
    losses: list[int | None] = []
    for name, read in _readings(record).items():
        if read is None:
            findings.append(Finding(name, good=False, sentence="its records were not read back"))
            losses.append(None)
            continue
        gone = sorted(_gone(read, acknowledged))
        losses.append(len(gone))
        sentence = (
            f"acknowledged and lost: {', '.join(map(str, gone[:5]))}" if gone else "holds every acknowledged record"
        )
        findings.append(Finding(name, not gone, sentence))
    known = [loss for loss in losses if loss is not None]
    return findings, max(known) if len(known) == len(losses) else None


def _lost_for_good(record: Record, acknowledged: set[int]) -> bool:
    """Whether the client, or every leg, lacks an acknowledged record: one leg may have left the mirror in a stall."""
    gone = {name: _gone(read, acknowledged) for name, read in _readings(record).items() if read is not None}
    return bool(gone.get("client", set()) | (gone.get("leg1", set()) & gone.get("leg2", set())))


def _readings(record: Record) -> dict[str, dict[str, Any] | None]:
    legs = record.facts.get("disks", {}).get("legs", {})
    return {"client": record.facts.get("client"), **{n: legs.get(n, {}).get("records") for n in ("leg1", "leg2")}}


def _gone(read: dict[str, Any], acknowledged: set[int]) -> set[int]:
    bad = set(read["bad"])
    return {number for number in acknowledged if number >= read["places"] or number in bad}


def _disks(record: Record) -> list[Finding]:
    mismatches = record.facts.get("mismatches")
    findings = [Finding("mirror", mismatches == 0, f"mismatch_cnt {'unknown' if mismatches is None else mismatches}")]
    legs: dict[str, Any] = record.facts.get("disks", {}).get("legs", {})
    for name in ("leg1", "leg2"):
        code = legs.get(name, {}).get("e2fsck_code")
        findings.append(Finding(f"{name} file system", code == 0, f"e2fsck ended with {code}"))
    return findings


def _owners(record: Record) -> Finding:
    seen = [(turn.node, turn.proof) for turn in turns(record)]
    told = ", ".join(f"{node} ({proof})" for node, proof in seen) or "nobody"
    if not record.drill["owners"]:
        return Finding("owners", good=True, sentence=f"{told}; the story names none")
    for history in record.drill["owners"]:
        wanted = [(turn["node"], turn["proof"]) for turn in history]
        if len(wanted) == len(seen) and all(
            node == saw and proof in {"", by} for (node, proof), (saw, by) in zip(wanted, seen, strict=True)
        ):
            return Finding("owners", good=True, sentence=told)
    expected = " or ".join(", ".join(turn["node"] for turn in history) for history in record.drill["owners"])
    return Finding("owners", good=False, sentence=f"{told}; expected {expected}")


def _mirrors(record: Record) -> Finding:
    """Where only power is proof: by the kernels' own logs and the plugs, never two gateways had the mirror at once."""
    held = spans(record)
    if record.drill["policy"] == "storage":
        return Finding("one mirror", good=bool(held), sentence="a fenced gateway may still have it assembled")
    for number, first in enumerate(held):
        for second in held[number + 1 :]:
            if second.node != first.node and second.from_ms < first.until_ms - LOG_LAG_MS:
                overlap = f"{second.node} assembled the mirror while {first.node} still had it"
                return Finding("one mirror", good=False, sentence=overlap)
    return Finding("one mirror", bool(held), f"{len(held)} spans, never two at once")


def _seen(record: Record) -> Finding:
    sentence = f"{record.unseen} frames went by unseen" if record.unseen else f"{len(record.wires)} stretches were seen"
    return Finding("wires", bool(record.wires) and not record.unseen, sentence)


def _power_offs(record: Record) -> Finding:
    """How often the power switch was told to switch something off, and did."""
    wanted = record.drill["power_offs"]
    count = sum(e["request"].startswith("off ") and e["answer"] == "ok" for e in record.of("request"))
    expected = "" if wanted in {None, count} else f", expected {wanted}"
    return Finding("power-offs", not expected, f"the power switch switched off {count} times{expected}")


def _proofs(record: Record) -> Finding:
    history = turns(record)
    for before, turn in pairwise(history):
        if turn.node != before.node and not is_proved(record, turn, before):
            sentence = (
                f"{turn.node} took over from {before.node} ({turn.proof}), and nothing but its own word bears that out"
            )
            return Finding("proof", good=False, sentence=sentence)
    return Finding(
        "proof", good=True, sentence="each takeover is borne out by the power log, the kernels or the operator"
    )


def _untouched(record: Record) -> Finding:
    """Where nothing may move, no resource was started or stopped after the first mark, and no power cut unbidden."""
    if not record.drill["untouched"]:
        return Finding("resources", good=True, sentence="may move in this drill")
    since = next((event["at_ms"] for event in record.of("mark")), 0)
    until = next((event["at_ms"] for event in record.of("played")), 1 << 62)
    moving = {"start", "stop"} if record.drill["power_offs"] else {"start", "stop", "power_off"}
    touched = [
        f"{entry.node}: {entry.fields['task']['kind']} {entry.fields['task']['subject']}"
        for entry in record.journal
        if since <= entry.at_ms <= until and entry.type == "StartTask" and entry.fields["task"].get("kind") in moving
    ]
    held = [span for span in spans(record) if since <= span.from_ms <= until or since <= span.until_ms <= until]
    touched += [f"{span.node}: the kernel assembled or stopped the mirror" for span in held]
    return Finding("resources", not touched, "; ".join(touched[:3]) or "nothing was started or stopped")


def _came_back(pauses: tuple[Outage, ...], limit_ms: int | None, limits_ms: dict[str, int]) -> list[Finding]:
    if not pauses:
        return [Finding("outage", good=False, sentence="nothing was measured")]
    # An earlier mark may have no end: what it broke is repaired after the next one, as where an operator is needed.
    gone = [pause.mark for pause in pauses[-1:] if pause.address_ms is None or pause.write_ms is None]
    if gone:
        return [Finding("outage", good=False, sentence=f"no answer after {', '.join(gone)}")]
    for pause in pauses:
        waited_ms, allowed_ms = max(pause.address_ms or 0, pause.write_ms or 0), limits_ms.get(pause.mark)
        if allowed_ms is not None and waited_ms > allowed_ms:
            waited = f"the client waited {waited_ms} ms after {pause.mark}, expected {allowed_ms} at most"
            return [Finding("outage", good=False, sentence=waited)]
    longest_ms = max(gap for pause in pauses for gap in (pause.address_ms or 0, pause.write_ms or 0))
    if limit_ms is not None and longest_ms > limit_ms:
        return [
            Finding("outage", good=False, sentence=f"the client waited {longest_ms} ms, expected {limit_ms} at most")
        ]
    return [Finding("outage", good=True, sentence="the client went on")]
