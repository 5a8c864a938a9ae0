"""Mutants of storage fences: how legs are preempted, and when that is a proof."""

from mutant import Mutant

__all__ = ["MUTANTS"]

FENCE = "storage/storage_fence.py"
COVERAGE = "storage/coverage.py"

MUTANTS = (
    Mutant(
        f"{FENCE}:first_leg_stands",
        "R18",
        "a first leg that nobody held decides no fence",
        "group.storage_fence.first_stands and (group.storage_fence.forced or _is_stuck(state, group))",
        "group.storage_fence.first_stands and group.storage_fence.forced",
    ),
    Mutant(
        f"{FENCE}:_power_goes_first",
        "R7",
        "slow legs are taken before power is asked for",
        "return not group.storage_fence.first_stands or state.fence.phase in POWER_UNDER_WAY",
        "return False",
    ),
    Mutant(
        f"{FENCE}:_is_free",
        "R11",
        "a leg is free when one of its addresses is",
        "return all(",
        "return any(",
    ),
    Mutant(
        f"{FENCE}:_is_free",
        "R11",
        "a leg is free as soon as nobody holds it",
        "and state.now_ms - address.since_ms >= patience_ms)",
        ")",
    ),
    Mutant(
        f"{FENCE}:_go_on",
        "R7",
        "a node whose first leg was taken back does not yield",
        "if _lost(step.state, group):",
        "if False:",
    ),
    Mutant(
        f"{FENCE}:_end_for_new_boot",
        "R2",
        "a storage fence goes on against a new boot of the peer, and proves that one's end",
        "if group.storage_fence.victim_boot_id in (None, step.state.peer.boot_id):",
        "if True:",
    ),
    Mutant(
        f"{FENCE}:_go_on",
        "R7",
        "a storage fence without force goes on though the peer is heard again",
        "if not fence.forced and not still_wanted:",
        "if False:",
    ),
    Mutant(
        f"{FENCE}:_is_read_since",
        "R7",
        "legs are taken by what was read before the fence began",
        "if read_ms is not None and read_ms >= since_ms:",
        "if read_ms is not None:",
    ),
    Mutant(
        f"{FENCE}:_holds_all",
        "R2",
        "one leg of the fence set is enough for a storage proof",
        "all(leg.shows(Holder.US)",
        "any(leg.shows(Holder.US)",
    ),
    Mutant(
        f"{FENCE}:_cannot_be_taken",
        "R7",
        "a fence begins though the first leg does not answer",
        "leg.shows_anywhere(Holder.SILENT) or leg.shows_anywhere(Holder.STRANGER)",
        "leg.shows_anywhere(Holder.STRANGER)",
    ),
    Mutant(
        f"{FENCE}:_watch_the_first",
        "R7",
        "the first leg stands without another look at it",
        "if read_ms is not None and read_ms >= due_ms:",
        "if read_ms is not None:",
        survives="Who finds the peer's name on the first leg takes it when the record there stood still: not so soon.",
    ),
    Mutant(
        f"{FENCE}:_is_due",
        "R7",
        "a storage fence does not wait for its turn",
        "wanted_ms + delay_ms",
        "wanted_ms",
    ),
    Mutant(
        f"{FENCE}:arbitrates",
        "R7",
        "no first leg decides who may ask for power",
        "return coverage.suffices(state) and any(",
        "return False and any(",
    ),
    Mutant(
        f"{FENCE}:peer_yielded_to",
        "R7",
        "a node that yields begins again at once",
        "state.now_ms < group.storage_fence.yielded_until_ms",
        "False",
    ),
    Mutant(
        f"{FENCE}:_refuse",
        "R18",
        "a leg that cannot be taken is told in turn with a graver reason",
        "if group.refusal is None or group.refusal.code is Code.TAKEOVER_REFUSED_LEG_NOT_RESERVED:",
        "if True:",
    ),
    Mutant(
        f"{COVERAGE}:doubt",
        "R20",
        "a node that used an address which nobody named calls the named ones a proof",
        "if any(leg.unlisted_addresses for group in state.groups for leg in group.legs):",
        "if False:",
    ),
    Mutant(
        f"{COVERAGE}:doubt",
        "R20",
        "a storage fence is a proof although the configurations differ",
        "if known.config_tag is not None and known.config_tag != state.config.config_tag:",
        "if False:",
    ),
    Mutant(
        f"{COVERAGE}:doubt",
        "R20",
        "a storage fence is a proof although the owner writes by an address that nobody named",
        "if known.unlisted:",
        "if False:",
    ),
)
