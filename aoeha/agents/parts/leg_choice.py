"""Which legs a mirror may be started from, and which one it may take in again while it runs.

Both are judged by the legs' own records, and by what the pair's ledger tells (R5).

With every leg readable the mirror starts from all that agree; with a leg missing only from one that had already
recorded the missing one as failed, or that the ledger calls complete: any other may lack writes that were acknowledged.
Event counts are left to mdadm: they may differ by one either way and prove nothing.
"""

from dataclasses import dataclass

from aoeha.agents.parts.superblock import LegRecord

__all__ = ["Legs", "Refusal", "Selection", "choose_legs", "why_not_take_back"]


@dataclass(frozen=True, slots=True)
class Legs:
    """A mirror's legs: all of them, those that have a device, and those known to hold every acknowledged write."""

    all: tuple[str, ...]
    present: tuple[str, ...]
    complete: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """The legs to assemble. `left_out` tells why each other one is not among them, one sentence each.

    `short`: fewer than their own records expect, so md has to be told that this is meant.
    """

    legs: tuple[str, ...]
    left_out: tuple[str, ...]
    short: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no set of legs is safe, and the way out."""

    sentence: str


def choose_legs(device: str, uuid: str, legs: Legs, records: dict[str, LegRecord]) -> Selection | Refusal:
    """Choose from `legs`, of which those in `records` have a readable superblock."""
    for record in records.values():
        if record.array_uuid != uuid:
            return Refusal(
                f"{record.leg} belongs to array {record.array_uuid}, not to {uuid}; "
                "correct `uuid` or `legs` in aoeha.toml (`mdadm --examine` shows what a disk belongs to)"
            )
    left_out = {leg: "it is absent" for leg in legs.all if leg not in legs.present}
    left_out |= {leg: "no md superblock could be read from it" for leg in legs.present if leg not in records}
    whole = [record for record in records.values() if record.role is not None and not record.recovering]
    if not whole:
        reasons = "; ".join(f"{leg}: {why}" for leg, why in left_out.items()) or "no leg holds complete data"
        return Refusal(f"there is no leg to start {device} from: {reasons}; bring the shelf of the other leg back")
    for first in whole:
        for second in whole:
            if _calls(first, second) and _calls(second, first):
                return _split(device, first, second)
    for record in whole:
        callers = [other.leg for other in whole if _calls(other, record)]
        if callers:
            left_out[record.leg] = f"{callers[0]} recorded it as failed"
    chosen = [record for record in whole if record.leg not in left_out]
    unaccounted = _unaccounted(chosen, len(legs.all))
    short = bool(unaccounted) and len(chosen) + len(_rebuilding(records)) < len(legs.all)
    if short:
        complete = [record for record in chosen if record.leg in legs.complete]
        if not complete:
            return _may_lack_writes(device, chosen[0], left_out)
        others = (record.leg for record in chosen if record not in complete)
        left_out |= dict.fromkeys(others, "it may lack acknowledged writes")
        chosen = complete
    usable = [record.leg for record in chosen] + [leg for leg in _rebuilding(records) if leg not in left_out]
    sentences = tuple(f"{leg} is left out: {why}" for leg, why in left_out.items())
    return Selection(tuple(leg for leg in legs.all if leg in usable), sentences, short)


def why_not_take_back(
    device: str, uuid: str, leg: str, working: tuple[str, ...], records: dict[str, LegRecord]
) -> Refusal | None:
    """Judge a leg that shall be copied onto from `working` ones. None when it lacks writes at most.

    md re-adds a half that was written apart without complaint, and then both differ silently (measured).
    """
    to = f"take {leg} back into {device}"
    ours, others = records.get(leg), [records[name] for name in working if name in records]
    if ours is None:
        return Refusal(
            f"cannot {to}: it has no md superblock. If this disk shall become the mirror's other half, run "
            f"`mdadm {device} --add {leg}`; it is overwritten"
        )
    if ours.array_uuid != uuid:
        return Refusal(
            f"cannot {to}: it belongs to array {ours.array_uuid}, not to {uuid}; look at what its shelf exports"
        )
    if not others or len(others) < len(working):
        return Refusal(f"cannot {to}: the superblock of the leg that works cannot be read; see `dmesg`")
    apart = next((other.leg for other in others if _calls(ours, other)), None)
    if apart is None:
        return None
    return Refusal(
        f"cannot {to}: it recorded {apart} as failed, which works, so both were written apart. If what {leg} alone "
        f"holds may be lost, run `mdadm --zero-superblock {leg}` and `mdadm {device} --add {leg}`"
    )


def _calls(caller: LegRecord, named: LegRecord) -> bool:
    return named.role is not None and caller.calls_missing(named.role)


def _rebuilding(records: dict[str, LegRecord]) -> list[str]:
    return [record.leg for record in records.values() if record.role is None or record.recovering]


def _unaccounted(chosen: list[LegRecord], places: int) -> list[int]:
    """Return the places of the mirror that no chosen leg fills and that not every chosen leg calls missing."""
    filled = {record.role for record in chosen}
    return [
        place
        for place in range(places)
        if place not in filled and not all(record.calls_missing(place) for record in chosen)
    ]


def _split(device: str, first: LegRecord, second: LegRecord) -> Refusal:
    return Refusal(
        f"{first.leg} and {second.leg} each record the other as failed: both halves of {device} were written "
        "apart from each other. Decide which one to keep, give up the other with "
        f"`mdadm --zero-superblock {second.leg}` (or {first.leg}), start, and add it back with `mdadm {device} --add`"
    )


def _may_lack_writes(device: str, leg: LegRecord, left_out: dict[str, str]) -> Refusal:
    reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
    return Refusal(
        f"{leg.leg} alone may lack acknowledged writes: it does not record the other leg as failed, and that one "
        f"cannot be used ({reasons}). Bring it back, or, knowing that newer writes on it are lost, run "
        f"`mdadm --assemble --run {device} {leg.leg}` and `mdadm --stop {device}` here, and start again"
    )
