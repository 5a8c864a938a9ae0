"""What a mirror keeps clear of, and for how long: as long as a fenced peer may write, or a leg of it is not sound."""

from dataclasses import replace
from typing import Any

import pytest

from aoeha.core.model.config import Identity, LegConfig
from aoeha.core.model.fence import Off
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.proof import Confirmation, Proof, ProofKind
from aoeha.core.model.state import LinkState, NodeState, ResourceState
from aoeha.core.model.task import MirrorLimits
from aoeha.core.model.term import Term
from aoeha.core.step import initial
from aoeha.core.storage import suspect_legs
from aoeha.sim.stories.settings import Settings

PAIR = Settings().configs()["beta"]
FENCED = "a" * 32
DEADTIME_MS = PAIR.deadtime_ms


def owner(proof: ProofKind = ProofKind.STORAGE_FENCED, *, durable: bool = True) -> NodeState:
    """A node that owns its group by a proof about the peer's boot FENCED."""
    legs = tuple(LegConfig(name, (name,), durable) for name in ("one", "two"))
    config = replace(PAIR, groups=tuple(replace(group, legs=legs) for group in PAIR.groups))
    state, _ = initial(config, Identity("b" * 32, 1), None, 0)
    held = tuple(replace(group, epoch=2, term=Term(Proof(proof, group.name, 2, FENCED))) for group in state.groups)
    return replace(state, groups=held, peer=replace(state.peer, boot_id=FENCED))


def heard(state: NodeState, at_ms: int) -> NodeState:
    return replace(state, links=(LinkState("link0", heard_ms=at_ms), *state.links[1:]))


def may_write(state: NodeState) -> bool:
    return suspect_legs.fenced_node_may_write(state, state.groups[0])


def caution(state: NodeState, **fields: dict[str, Any]) -> MirrorLimits:
    group = state.groups[0]
    legs = tuple(replace(LegState(name, (AddressState(name),)), **fields.get(name, {})) for name in ("one", "two"))
    mirror = ResourceState(group.resources[0].config, missing=())
    return suspect_legs.limits(state, replace(group, legs=legs), mirror)


def test_only_who_was_fenced_at_the_shelves_alone_may_write() -> None:
    assert may_write(owner())
    assert not any(may_write(owner(kind)) for kind in ProofKind if kind is not ProofKind.STORAGE_FENCED)


def test_a_new_boot_a_power_off_or_a_word_ends_it() -> None:
    state = owner()
    booted = replace(state, peer=replace(state.peer, boot_id="c" * 32, retired_boot_ids=(FENCED,)))
    assert may_write(booted), "one beat of a new boot may be a second machine's"
    assert may_write(replace(booted, now_ms=DEADTIME_MS)), "nor does time that passes unheard tell which it is"
    assert not may_write(heard(booted, DEADTIME_MS))
    assert not may_write(replace(state, fence=replace(state.fence, off_boot_id=FENCED)))
    assert not may_write(replace(state, fence=replace(state.fence, confirmed=Confirmation(FENCED, "root", 9_000))))
    assert not may_write(replace(state, last_off=Off(FENCED, 5_000, 1)))


def test_what_concerns_another_boot_does_not_end_it() -> None:
    state, other = owner(), "c" * 32
    confirmed = Confirmation(other, "root", 9_000)
    assert may_write(replace(state, fence=replace(state.fence, off_boot_id=other, confirmed=confirmed)))
    assert may_write(replace(state, last_off=Off(other, 5_000, 1)))
    assert may_write(replace(state, peer=replace(state.peer, boot_id=other, alternated_ms=1)))


@pytest.mark.parametrize(("after_ms", "is_gone"), [(1, True), (DEADTIME_MS - 1, True), (DEADTIME_MS, False)])
def test_a_boot_that_beats_on_after_its_power_off_is_not_gone(after_ms: int, is_gone: bool) -> None:
    state = heard(replace(owner(), last_off=Off(FENCED, 5_000, 1)), 5_000 + after_ms)
    assert may_write(state) is not is_gone


def test_nothing_is_copied_while_it_may_write_or_a_leg_is_tainted() -> None:
    gone = owner(ProofKind.POWERED_OFF)
    assert caution(owner()) == MirrorLimits(freeze_resync=True)
    assert caution(gone) == MirrorLimits()
    assert caution(gone, one={"suspect": True}) == MirrorLimits(freeze_resync=True, write_mostly=("one",))


def test_a_leg_that_lost_what_it_had_acknowledged_is_read_last_too() -> None:
    assert caution(owner(ProofKind.POWERED_OFF, durable=False), two={"reservation_lost": True}) == MirrorLimits(
        write_mostly=("two",)
    )
    assert caution(owner(ProofKind.POWERED_OFF, durable=True), two={"reservation_lost": True}) == MirrorLimits()


def test_no_leg_is_read_last_where_no_other_one_is_better() -> None:
    tainted = {"suspect": True}
    assert caution(owner(), one=tainted, two=tainted).write_mostly == ()
    assert caution(owner(), one=tainted, two={"copying": True}).write_mostly == ()


def test_a_leg_that_is_being_copied_is_no_concern() -> None:
    assert caution(owner(ProofKind.POWERED_OFF), one={"suspect": True, "copying": True}) == MirrorLimits()
