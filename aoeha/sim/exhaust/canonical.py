"""States of the core made canonical, so that two that can never behave differently are one and the same.

What the abstraction keeps: everything that a decision reads, with the ages of beats in whole ticks (a tick is a
keepalive), up to the age from which nothing changes any more. Epochs, floors, claims, boot ids and incarnations stay as
they are, for each change of them costs a fault from a bounded budget.

What it changes:

- Time is rebased: now is always NOW_MS. An age is capped where it ceases to matter (deadtime, initdead, the restart
  window). A patience longer than LONG_MS (hold-back, leave, back-off, power-on, blocked, retry) is shortened to it: it
  still outlasts some events and not others.
- The numbers of beats are reduced to one bit: sent since the sender's last revalidation or stall (R10), or not. A beat
  in flight is newer than all that were accepted, or marked as overtaken. Two more comparisons are given up: whether a
  beat was sent before a confirmed power-off (here a power-off drops the beats in flight), and whether the peer has
  heard of a release (that only orders a fence race).
- The numbers of tasks are renumbered from 1 in their order.
- Where a group has legs, a moment less than a tick may pass, and then every age stays as it was (the rest is in
  exhaust_canonical_legs.py). What a beat says about the age of links is one bit, late or not.

What it does not model: reference hosts, of which this pair has none, so that none is ever pinged; and a second storage
interface, so that no leg has several paths.

What it loses: sentences, alarms (an alarm that stands is told again), that a device disobeyed (it is only reported),
ages of links in beats where no node stamps legs, the routine readings after the first (monitor, validation, reading of
a device), what a plug was last reported as for people, power orders of an operator (none is given here), and the expiry
of an operator's confirmation.
"""

from dataclasses import replace
from functools import cache
from typing import get_args

from aoeha.core.fencing.power_restore import remembered_ms
from aoeha.core.model.beat import Beat, GroupBeat, Ledger, Mark
from aoeha.core.model.config import FenceConfig, GroupConfig, Identity, PairConfig, ResourceConfig
from aoeha.core.model.fence import DeviceState, FencePhase, FenceState, Off
from aoeha.core.model.legs import (
    AddressState,
    FailedReturn,
    HeardLedger,
    HostsState,
    InterfacePath,
    LegState,
    LegWork,
    ShelfLinkState,
    ShelvesState,
    StorageFenceState,
)
from aoeha.core.model.memory import DeviceMemory, Memory, OffMemory
from aoeha.core.model.proof import Confirmation, Proof
from aoeha.core.model.shelf_patience import READING_MAX_MS
from aoeha.core.model.shelves import LockRecord
from aoeha.core.model.state import (
    Failures,
    GroupState,
    Leaving,
    LinkState,
    NodeState,
    PeerState,
    Question,
    ResourceState,
    Revalidation,
    UnreadBeat,
)
from aoeha.core.model.task import AddressRenewal, MirrorLimits, PathFailover, Task
from aoeha.core.model.term import Claim, Term, Unremembered
from aoeha.core.peer.disk_heartbeat import question_patience_ms
from aoeha.sim.exhaust.canonical_ledger import (
    LEASE_MS,
    PRESENT,
    TOP,
    awaits_answer,
    canonical_ledger,
    canonical_links,
    canonical_off,
    canonical_peer,
    canonical_stale,
    canonical_thresholds,
    canonical_told,
    ordinal,
    patience_ms,
)
from aoeha.sim.exhaust.canonical_legs import LONG_MS, NOW_MS, TICK_MS, age_ms, canonical_legs, due_ms
from aoeha.sim.exhaust.shelves import LEGS, canonical_task
from aoeha.sim.exhaust.unworded import UNWORDED_PANIC

__all__ = [
    "FRESH",
    "NOW_MS",
    "TICK_MS",
    "beat_as_heard",
    "canonical",
    "canonical_beat",
    "canonical_memory",
    "config",
]

NEVER_MS = 1 << 40
FRESH = 4
"""Added to what is left of a sequence when a beat is heard: above all that a canonical state accepted."""


@cache
def config(node: str, peer: str, *, reserved: bool = False, mirrored: bool = False) -> PairConfig:
    """Return the small pair: one link, one group of one resource, one fence device, timers in ticks.

    With `reserved` its group has two legs, and a storage fence is enough; with `mirrored` they are halves of a mirror.
    """
    return PairConfig(
        cluster="gw",
        node=node,
        peer=peer,
        links=("link",),
        groups=(
            GroupConfig(
                "storage",
                preferred="alpha",
                resources=(ResourceConfig("disk", monitor_every_ms=NEVER_MS, mirror=mirrored),),
                restart_max=1,
                failure_window_ms=LONG_MS,
                legs=LEGS if reserved else (),
            ),
        ),
        fences=(FenceConfig("switch", monitor_every_ms=NEVER_MS),),
        keepalive_ms=TICK_MS,
        warntime_ms=TICK_MS * 6 // 5 if reserved else 2 * TICK_MS,
        deadtime_ms=3 * TICK_MS,
        initdead_ms=4 * TICK_MS,
        reboot_window_ms=6 * TICK_MS,
        boot_patience_ms=6 * TICK_MS,
        storage_suffices=reserved,
        hold_every_ms=TICK_MS,
        shelf_timeout_ms=READING_MAX_MS,
        ledger_lease_ms=LEASE_MS,
        generation_every_ms=0,
    )


def is_mirrored(state: NodeState) -> bool:
    """Whether the group is a mirror, so that there is a ledger."""
    return state.groups[0].resources[0].config.mirror


def canonical(state: NodeState) -> NodeState:
    """Return the one state that stands for all that behave like this one."""
    now_ms = state.now_ms
    known = {task.id: number for number, task in enumerate(state.tasks, start=1)}
    heard = [link.heard_ms for link in state.links if link.heard_ms is not None]
    listening_age_ms = now_ms - state.listening_since_ms
    if heard and state.listening_since_ms <= max(heard):
        listening_age_ms = state.config.deadtime_ms
    patience_ms = max(state.config.initdead_ms, state.config.deadtime_ms)
    started_cap_ms = max(
        patience_ms, state.config.boot_patience_ms if state.unclean_boot and not state.peer.heard else 0
    )
    listening_ms = NOW_MS - age_ms(now_ms - listening_age_ms, now_ms, patience_ms)
    reserved = any(group.legs for group in state.groups)
    done = replace(
        state,
        now_ms=NOW_MS,
        started_ms=NOW_MS - age_ms(state.started_ms, now_ms, started_cap_ms),
        listening_since_ms=listening_ms,
        links=tuple(_link(link, now_ms, state.config.deadtime_ms) for link in state.links),
        peer=replace(_peer(state, reserved=reserved), stale=canonical_stale(state)),
        groups=tuple(
            canonical_legs(state, _group(group, now_ms, known), listening_ms, known) for group in state.groups
        ),
        devices=tuple(_device(device, now_ms, known) for device in state.devices),
        fence=_fence(state, now_ms, known),
        tasks=tuple(replace(canonical_task(task), id=known[task.id]) for task in state.tasks),
        next_task_id=len(known) + 1,
        sequence=int(awaits_answer(state) and state.sequence > state.revalidation.sequence),
        next_beat_ms=due_ms(state.next_beat_ms, now_ms, TICK_MS) or NOW_MS,
        remembered=None if state.remembered is None else canonical_memory(state.remembered),
        leaving=_leaving(state.leaving, now_ms),
        revalidation=Revalidation(until_ms=due_ms(state.revalidation.until_ms, now_ms, state.config.deadtime_ms)),
        powered_on_ms=_since(state.powered_on_ms, now_ms, state.config.boot_patience_ms),
        last_off=canonical_off(state) if reserved else None,
        released_sequence=0,
        waiting=(),
        alarms=(),
        panic=None if state.panic is None else UNWORDED_PANIC,
        hosts=HostsState(),
    )
    if done.remembered is not None:
        # What is remembered of a time is as late as the time itself.
        done = replace(done, remembered=replace(done.remembered, power_back_ms=remembered_ms(done)))
    return _with_ledger(state, done, known) if is_mirrored(state) else done


def _with_ledger(state: NodeState, done: NodeState, known: dict[int, int]) -> NodeState:
    """Return a canonical state with all that only a mirror's needs to know."""
    unheard = all(link.heard_ms is None for link in state.links)
    started_ms = NOW_MS - age_ms(state.started_ms, state.now_ms, patience_ms(state))
    return replace(
        done,
        started_ms=min(started_ms, done.started_ms) if unheard else done.started_ms,
        links=canonical_links(state),
        peer=canonical_peer(done.peer, state),
        groups=tuple(canonical_ledger(state, group, known) for group in done.groups),
        sequence=TOP,
        revalidation=replace(done.revalidation, sequence=canonical_thresholds(state)[0]),
        last_groups=canonical_told(state.last_groups, state),
    )


def canonical_beat(beat: Beat, after: NodeState) -> Beat:
    """Return a beat as it travels: of its sequence and its echo little is left. The echo is the peer's matter."""
    late_ms = after.config.warntime_ms if after.groups[0].legs else 0
    sequence = int(awaits_answer(after) and beat.sequence > after.revalidation.sequence)
    groups = beat.groups
    if is_mirrored(after):
        sequence = ordinal(beat.sequence, after)
        groups = tuple(replace(one, ledger=one.ledger and replace(one.ledger, version=PRESENT)) for one in groups)
    return replace(
        beat,
        sequence=sequence,
        groups=groups,
        echo_sequence=beat.echo_sequence % FRESH,
        link_ages_ms=tuple(late_ms if link_ms >= late_ms else 0 for link_ms in beat.link_ages_ms) if late_ms else (),
        readiness=None,
    )


def beat_as_heard(beat: Beat, *, overtaken: bool) -> Beat:
    """Return a beat in flight as its receiver hears it: newer than all it knows, or older than the newest."""
    return replace(beat, sequence=-1 if overtaken else FRESH + beat.sequence)


def canonical_memory(memory: Memory) -> Memory:
    """Return what lies on disk without its sentences and times: a daemon that starts is as patient as a first one."""
    return replace(
        memory,
        power_back_ms=0,
        saved_ms=NOW_MS,
        groups=tuple(
            replace(group, proof=_proof(group.proof), unremembered=_unremembered(group.unremembered, {}))
            for group in memory.groups
        ),
        devices=tuple(
            _device_memory(device) for device in memory.devices if device.distrusted or device.restore_tries_left
        ),
    )


def _device_memory(memory: DeviceMemory) -> DeviceMemory:
    distrusted = "yes" if memory.distrusted else ""
    return replace(memory, distrusted=distrusted, disobeyed="", restore_tries_left=min(memory.restore_tries_left, 1))


def _link(link: LinkState, now_ms: int, deadtime_ms: int) -> LinkState:
    heard_ms = None if link.heard_ms is None else NOW_MS - age_ms(link.heard_ms, now_ms, deadtime_ms)
    return replace(link, heard_ms=heard_ms)


def _peer(state: NodeState, *, reserved: bool) -> PeerState:
    peer, beat = state.peer, state.peer.beat
    if beat is not None:
        beat = replace(beat, sequence=0, link_ages_ms=beat.link_ages_ms if reserved else (), readiness=None)
    return replace(
        peer,
        sequence=max(peer.sequence, 0) % FRESH,
        beat=beat,
        answered_ms=None,
        mark=None,
        booted_ms=0,
        question=_question(peer.question, state),
    )


def _question(question: Question | None, state: NodeState) -> Question | None:
    """For how long only the shelves could tell of the peer, as long as that matters."""
    if question is None:
        return None
    longest_ms = question_patience_ms(state.config)
    ages = (age_ms(at_ms, state.now_ms, longest_ms) for at_ms in (question.since_ms, question.open_ms))
    return Question(*(NOW_MS - age for age in ages))


def _group(group: GroupState, now_ms: int, known: dict[int, int]) -> GroupState:
    return replace(
        group,
        resources=tuple(_resource(resource, known) for resource in group.resources),
        term=None if group.term is None else _term(group.term, now_ms),
        unremembered=_unremembered(group.unremembered, known),
        hold_back_until_ms=due_ms(group.hold_back_until_ms, now_ms),
        failures=_failures(group.failures, now_ms),
        blocked_since_ms=_blocked_since(group.blocked_since_ms, now_ms),
        unserved_since_ms=None,
        refusal=None,
    )


def _unremembered(question: Unremembered | None, known: dict[int, int]) -> Unremembered | None:
    return (
        None
        if question is None
        else replace(question, proof=_proof(question.proof), task_id=known.get(question.task_id, 0))
    )


def _failures(failures: Failures, now_ms: int) -> Failures:
    times = (NOW_MS,) * len(failures.at_ms)
    if not failures.given_up:
        return Failures(times)
    return Failures(times, "yes", due_ms(failures.until_ms, now_ms), failures.lacking)


def _term(term: Term, now_ms: int) -> Term:
    return replace(
        term,
        proof=replace(term.proof, detail=""),
        taken_sequence=0,
        taken_ms=0,
        yielding="yes" if term.yielding else "",
        retry_at_ms=due_ms(term.retry_at_ms, now_ms),
        reserve_at_ms=due_ms(term.reserve_at_ms, now_ms),
    )


def _resource(resource: ResourceState, known: dict[int, int]) -> ResourceState:
    return replace(
        resource,
        reason="",
        task_id=known.get(resource.task_id, 0),
        checked_ms=NOW_MS,
        untold=0,
        untold_since_ms=0,
        invalid_reason="",
        validated_ms=None if resource.validated_ms is None else NOW_MS,
        start_begun_ms=0,
        start_took_ms=0,
    )


def _device(device: DeviceState, now_ms: int, known: dict[int, int]) -> DeviceState:
    return replace(
        device,
        detail="",
        checked_ms=None if device.checked_ms is None else NOW_MS - age_ms(device.checked_ms, now_ms, TICK_MS),
        task_id=known.get(device.task_id, 0),
        distrusted="yes" if device.distrusted else "",
        contradicted="yes" if device.contradicted else "",
        asked_ms=0,
        took_ms=0,
        disobeyed="",
        restore_tries_left=min(device.restore_tries_left, 1),
        restore_task_id=known.get(device.restore_task_id, 0),
        plug=device.plug if device.restore_tries_left else None,
    )


def _fence(state: NodeState, now_ms: int, known: dict[int, int]) -> FenceState:
    fence = state.fence
    timed = fence.phase in (FencePhase.WAITING, FencePhase.BACKING_OFF, FencePhase.SETTLING)
    timed = timed or any(device.restore_tries_left for device in state.devices)
    return replace(
        fence,
        attempts=min(fence.attempts, 1),
        until_ms=due_ms(fence.until_ms, now_ms) if timed or fence.off_boot_id is not None else 0,
        tasks=tuple((known[task_id], device) for task_id, device in fence.tasks),
        failed="yes" if fence.failed else "",
        confirmed=None if fence.confirmed is None else replace(fence.confirmed, until_ms=NEVER_MS),
        read_off=None if fence.read_off is None else Off(fence.read_off.boot_id, NOW_MS, NEVER_MS),
    )


def _proof(proof: Proof | None) -> Proof | None:
    return None if proof is None else replace(proof, detail="")


def _leaving(leaving: Leaving | None, now_ms: int) -> Leaving | None:
    return None if leaving is None else Leaving(due_ms(leaving.by_ms, now_ms), min(leaving.beats, 3))


def _since(at_ms: int, now_ms: int, longest_ms: int) -> int:
    """Rebase the beginning of something that lasts, 0 for not begun."""
    return NOW_MS - age_ms(at_ms, now_ms, longest_ms) if at_ms else 0


def _blocked_since(at_ms: int, now_ms: int) -> int:
    """Rebase the beginning of a blockade; after LONG_MS its patience is over, however long it is."""
    if not at_ms:
        return 0
    waited_ms = (now_ms - at_ms) // TICK_MS * TICK_MS
    return NOW_MS - (NOW_MS // 2 if waited_ms >= LONG_MS else waited_ms)


JUDGED = (
    NodeState, Leaving, Revalidation, PeerState, LinkState, GroupState, Failures, Term, Claim, Unremembered,
    ResourceState, DeviceState, FenceState, Beat, Mark, Memory, Proof, Confirmation, *get_args(Task),
    AddressRenewal, Identity, Question, LegState, AddressState, StorageFenceState, ShelfLinkState, ShelvesState,
    LegWork, LockRecord, HeardLedger, HostsState, Ledger, Off, GroupBeat, InterfacePath, DeviceMemory, OffMemory,
    MirrorLimits, PathFailover, FailedReturn, UnreadBeat,
)  # fmt: skip
"""The types whose fields this file has judged; a test compares them with the list that was judged."""
