"""The only entrance: one event in, the next state and what to do about it out.

    step(state, event) -> (state, actions)

Pure, total and bounded. The handlers process what the event says. Then every rule looks at the whole state and moves it
on, in one fixed order (`rules.RULES` says why). So a rule never depends on which event woke it, and a lost or repeated
event does no harm. The interpreter (daemon or simulator) owes three things: a Tick when `next_wake` says so, one
TaskDone for each StartTask, and one PersistDone for each Persist.
"""

from typing import assert_never

from aoeha.core.fencing import (
    devices,
    heard_after_off,
    power_fence,
    power_on,
    power_orders,
    power_restore,
    remembered_off,
)
from aoeha.core.memory import persisted
from aoeha.core.mirror import leg_membership, path_failover
from aoeha.core.model.actions import Action, StartTask
from aoeha.core.model.beat import Ledger
from aoeha.core.model.config import GroupConfig, Identity, PairConfig
from aoeha.core.model.events import (
    BeatHeard,
    CommandGiven,
    Event,
    LinkReported,
    MirrorsChanged,
    PersistDone,
    TargetStarted,
    TaskDone,
    Tick,
    UnreadHeard,
)
from aoeha.core.model.fence import FenceState
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.memory import GroupMemory, Memory
from aoeha.core.model.replacing import replaced
from aoeha.core.model.state import GroupState, LinkState, NodeState, PeerState, ResourceState
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import (
    ConflictTask,
    GenerationTask,
    HostsTask,
    LegTask,
    Observed,
    PathTask,
    PowerPurpose,
    PowerTask,
    RecordTask,
    ReservationTask,
    ResourceTask,
    SuperblockTask,
    TaskKind,
)
from aoeha.core.model.term import Term, Unremembered
from aoeha.core.operator import commands, pause
from aoeha.core.ownership import blockers, claims, client_reach, own_stall
from aoeha.core.peer import disk_heartbeat, membership, unread
from aoeha.core.resources import address_conflict, lifecycle
from aoeha.core.rules import Ask, ask_all
from aoeha.core.storage import generation, path_alarms, reservations, storage_fence

ACTIONS_MAX = 256


def initial(
    config: PairConfig, identity: Identity, memory: Memory | None, now_ms: int
) -> tuple[NodeState, tuple[Action, ...]]:
    """Start a daemon. On the same boot its memory is believed in full; after a reboot only the epochs are (R15, R16).

    Sequences start at the time: so they grow across the incarnations of a boot too, and an echo of an earlier
    incarnation's beat is never taken for an answer to one of ours (R10).
    """
    same_boot = memory is not None and memory.boot_id == identity.boot_id
    run_lost = memory is not None and memory.run_lost
    is_later = same_boot or run_lost
    known = {group.name: group for group in memory.groups} if memory is not None else {}
    tried = {device.name: device for device in memory.devices} if memory is not None else {}
    state = NodeState(
        config=config,
        identity=identity,
        now_ms=now_ms,
        started_ms=now_ms,
        listening_since_ms=now_ms,
        cold=not is_later,
        links=tuple(LinkState(name) for name in config.links),
        peer=_peer(memory, same_boot=same_boot),
        groups=tuple(
            _group(group, known.get(group.name), same_boot=same_boot, lost=run_lost or memory is None)
            for group in config.groups
        ),
        devices=tuple(devices.recalled(fence, tried.get(fence.name), same_boot=same_boot) for fence in config.fences),
        fence=remembered_off.recalled(config, memory, now_ms) if memory is not None and same_boot else FenceState(),
        sequence=now_ms,
        standby=memory is not None and memory.standby,
        paused=memory is not None and memory.paused,
        pause_number=memory.pause_number if memory is not None else 0,
        panicked_before=memory is not None and (memory.panicked_before if is_later else memory.panicked),
        unclean_boot=memory is not None and (memory.unclean_boot if is_later else not memory.left),
        kept_off=memory is not None and same_boot and memory.off is not None and memory.off.kept_off,
    )
    step = StepContext(state)
    pause.remind(step)
    devices.remind(step)
    power_on.remind(step)
    if memory is not None and same_boot:
        own_stall.revalidate(step, memory.peer_was_alive)
    return _settle(None, step, ask_all)


def _peer(memory: Memory | None, *, same_boot: bool) -> PeerState:
    """What is known of the peer before it is heard. What makes this node refuse is believed after a reboot too."""
    if memory is None:
        return PeerState()
    return PeerState(
        boot_id=memory.peer_boot_id if same_boot else "",
        config_tag=memory.peer_config_tag,
        unlisted=memory.peer_unlisted,
    )


def step(state: NodeState, event: Event, ask: Ask = ask_all) -> tuple[NodeState, tuple[Action, ...]]:
    """Advance by one event. Pure: no clock, no I/O, no logging, no randomness.

    `ask` asks all rules, or at least those that would do something.
    """
    step = StepContext(state)
    step.change(now_ms=max(event.now_ms, state.now_ms))
    if own_stall.notice(step, state.now_ms):
        power_fence.give_up_after_stall(step)
    match event:
        case BeatHeard():
            before = (step.state.peer.boot_id, step.state.peer.incarnation, step.state.peer.sequence)
            membership.hear(step, event)
            if (step.state.peer.boot_id, step.state.peer.incarnation, step.state.peer.sequence) != before:
                heard_after_off.peer_spoke(step)
        case UnreadHeard():
            unread.hear(step, event)
        case LinkReported():
            membership.report_link(step, event)
        case TargetStarted():
            reservations.target_started(step, event)
        case MirrorsChanged():
            lifecycle.mirrors_changed(step)
        case TaskDone():
            _task_done(step, event)
        case CommandGiven():
            commands.give(step, event)
        case PersistDone():
            persisted(step, event)
        case Tick():
            pass
        case _:
            assert_never(event)
    return _settle(state, step, ask)


def next_wake(state: NodeState) -> int:
    """When a Tick is due at the latest: for the next beat, for a judgement that falls due, or for a fence under way."""
    wakes = [state.next_beat_ms]
    silence_ms = membership.silence_due_ms(state)
    if silence_ms > state.now_ms:
        wakes.append(silence_ms)
    due = [link.heard_ms + state.config.warntime_ms for link in state.links if link.heard_ms is not None]
    due += (state.fence.until_ms, state.revalidation.until_ms)
    for rules in (reservations, storage_fence, disk_heartbeat, unread):
        due += rules.next_wakes_ms(state)
    wakes += [due_ms for due_ms in due if due_ms > state.now_ms]
    return max(min(wakes), state.now_ms)


def check_invariants(before: NodeState | None, state: NodeState, actions: tuple[Action, ...]) -> None:
    """What must hold after every step (docs/rules.md, the invariants). A failure is a bug of ours and must be loud.

    `before` is the state that the step began with, None where a daemon starts.
    """
    for group in state.groups:
        term, grant = group.term, group.grant
        if term is not None:
            assert term.proof.group == group.name, "I1: held by the proof for another group"
            assert 0 < term.epoch <= group.epoch, "I1: held above the known epoch"
            assert grant is None or grant.epoch <= term.epoch, "I1: held and granted at once"
            if term.ledger is not None:
                _check_ledger(group, term.ledger, before.group(group.name).term if before is not None else None)
    for action in actions:
        if isinstance(action, StartTask) and action.task.kind is TaskKind.START:
            group = state.group(action.task.group)
            assert blockers.may_start(state, group) is None, "I1: started without a right"
    assert len(actions) <= ACTIONS_MAX, "a step must be bounded"


def _check_ledger(group: GroupState, ledger: Ledger, before: Term | None) -> None:
    """Assert what makes a start by the ledger safe: it names only legs that have every acknowledged write (I2)."""
    assert set(ledger.start) <= set(ledger.fence), "I2: a leg may be started from and need not be fenced"
    missing = {name for one in group.resources if one.config.mirror for name in one.missing or ()}
    started = {group.legs[place].name for place in ledger.start}
    assert not started & missing, "I2: a mirror may be started from a leg that it goes without"
    known = before.ledger if before is not None and before.proof == group.proof else None
    assert known is None or known == ledger or known.version < ledger.version, "I2: two ledgers of one version"


def _settle(before: NodeState | None, step: StepContext, ask: Ask) -> tuple[NodeState, tuple[Action, ...]]:
    """Let every rule look at the state, in the order of `rules.RULES`."""
    ask(step)
    actions = tuple(step.actions)
    check_invariants(before, step.state, actions)
    return step.state, actions


def _task_done(step: StepContext, done: TaskDone) -> None:
    task = next((task for task in step.state.tasks if task.id == done.task_id), None)
    if task is None:
        return
    step.change(tasks=tuple(t for t in step.state.tasks if t.id != task.id))
    match task:
        case SuperblockTask():
            lifecycle.superblocks_read(step, task, done)
        case GenerationTask():
            generation.task_done(step, task, done)
        case PowerTask():
            _power_task_done(step, task, done)
        case ReservationTask():
            reservations.task_done(step, task, done)
            path_alarms.judge(step, task.group)
            path_alarms.judge_interfaces(step, task.group, reservations.shown(done))
            storage_fence.note_first(step, task.group)
        case RecordTask(own=True):
            claims.records_read(step, task, done)
        case RecordTask():
            disk_heartbeat.task_done(step, task, done)
        case LegTask():
            leg_membership.task_done(step, task, done)
        case PathTask():
            path_failover.task_done(step, task, done)
        case HostsTask():
            client_reach.task_done(step, task, done)
        case ConflictTask():
            address_conflict.task_done(step, task, done)
        case ResourceTask():
            lifecycle.task_done(step, task, done)
            if task.kind is TaskKind.PROBE:
                heard_after_off.looked(step, task.group)
            if isinstance(done.outcome, Observed):
                path_alarms.note_used(step, task.group, done.outcome.used)
        case _:
            assert_never(task)


def _power_task_done(step: StepContext, task: PowerTask, done: TaskDone) -> None:
    match task.purpose:
        case PowerPurpose.FENCE:
            power_fence.task_done(step, task, done)
        case PowerPurpose.READING:
            devices.task_done(step, task, done)
        case PowerPurpose.RESTORE:
            power_restore.task_done(step, task, done)
        case PowerPurpose.ORDER:
            power_orders.task_done(step, task, done)
        case _:
            assert_never(task.purpose)


def _group(config: GroupConfig, memory: GroupMemory | None, *, same_boot: bool, lost: bool) -> GroupState:
    resources = tuple(ResourceState(resource) for resource in config.resources)
    legs = tuple(LegState(leg.name, tuple(AddressState(name) for name in leg.addresses)) for leg in config.legs)
    unremembered = _forgotten(memory) if lost else None
    if memory is None:
        return GroupState(config, resources, legs=legs, unremembered=unremembered)
    if not same_boot:
        epoch, floor = memory.epoch, memory.claim_floor
        known = GroupState(config, resources, epoch, claim_floor=floor, legs=legs, unremembered=unremembered)
        return replaced(known, generation=memory.generation)
    term = Term(memory.proof) if memory.holding and memory.proof is not None else None
    held_epoch = term.epoch if term is not None else 0
    return GroupState(
        config,
        resources,
        epoch=memory.epoch,
        term=term,
        claim_floor=memory.claim_floor,
        claims=memory.claims,
        grant=memory.grant,
        generation=memory.generation,
        unremembered=memory.unremembered,
        legs=tuple(_as_held(leg, memory.held, held_epoch) for leg in legs),
    )


def _forgotten(memory: GroupMemory | None) -> Unremembered:
    """What a daemon may have owned whose /run is lost: its last proof, as far as the disk tells."""
    if memory is not None and memory.holding:
        return Unremembered(memory.proof)
    return memory.unremembered or Unremembered() if memory is not None else Unremembered()


def _as_held(leg: LegState, held: tuple[tuple[str, str], ...], epoch: int) -> LegState:
    """A leg as it was remembered: held in this term or not. Only its target can tell whose it is now."""
    addresses = tuple(
        AddressState(address.name, held_epoch=epoch) if (leg.name, address.name) in held else address
        for address in leg.addresses
    )
    return LegState(leg.name, addresses)
