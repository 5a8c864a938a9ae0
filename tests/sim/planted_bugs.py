"""Planted bugs: each breaks one rule of the core, and a judge must notice (test_mutations.py)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aoeha.core.action_queue import ActionQueue
from aoeha.core.fencing import fence_race, power_fence, power_on, power_orders, power_proof, readiness
from aoeha.core.mirror import leg_membership, path_failover
from aoeha.core.model.actions import Persist
from aoeha.core.model.beat import Grant, GroupPhase
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.power_order import OrderStage
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.replacing import replaced
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import Revalidation
from aoeha.core.model.step_context import StepContext
from aoeha.core.model.task import MirrorLimits, PlugRead, PlugState, TaskResult
from aoeha.core.ownership import claims, client_isolation, group_beat, leave, own_stall, proofs
from aoeha.core.peer import disk_heartbeat, membership
from aoeha.core.resources import address_conflict, lifecycle, mirror_start, storage_loss
from aoeha.core.storage import address_lifetime, leg_ledger, reservations, start_choice, storage_fence, suspect_legs
from aoeha.core.storage.start_choice import Legs, Selection
from aoeha.sim.world import daemon
from aoeha.sim.world.shelf import Address
from aoeha.wire.receiver import Receiver, Rejected, Rejection


@dataclass(frozen=True)
class Mutation:
    """A rule broken on purpose: `target.name` becomes `make(original)`; `expected` are the invariants it may break.

    The search begins at `first_seed`: near a seed that meets what is rare, or minutes go by for nothing.
    """

    name: str
    target: Any
    function: str
    make: Callable[[Any], Any]
    expected: tuple[str, ...]
    first_seed: int = 0


def silence_is_proof(original: Any) -> Any:
    def proof(state: Any, group: Any) -> Any:
        known = original(state, group)
        if known is None and membership.is_silent(state):
            return Proof(ProofKind.POWERED_OFF, group.name, proofs.next_epoch(state, group), state.peer.boot_id)
        return known

    return proof


def failed_off_is_off(original: Any) -> Any:
    """Exit code 2 of a fence agent, taken as off."""

    def switched_off(step: Any, task: Any, done: Any) -> None:
        if done.result is TaskResult.OK:
            original(step, task, done)
        else:
            step.change_fence(read=((task.subject, PlugState.OFF),))
            power_fence._succeed(step)

    return switched_off


def unknown_is_off(original: Any) -> Any:
    def read_back(step: Any, task: Any, done: Any) -> None:
        unclear = done.outcome == PlugRead(PlugState.UNKNOWN)
        original(step, task, replace(done, outcome=PlugRead(PlugState.OFF)) if unclear else done)

    return read_back


def order_is_proof(original: Any) -> Any:
    """A device that took the order has carried it out."""

    def read_back(step: Any, task: Any, done: Any) -> None:
        original(step, task, replace(done, outcome=PlugRead(PlugState.OFF)) if done.result is TaskResult.OK else done)

    return read_back


def epoch_forgotten(_original: Any) -> Any:
    return lambda _state, group: group.held_epoch + 1


def any_grant_counts(_original: Any) -> Any:
    """A grant of an earlier claim is taken for an answer to the present one."""
    return lambda _state, group, theirs: group.claim is not None and theirs.grant is not None


def any_end_counts(original: Any) -> Any:
    """A late TaskDone of an earlier try ends the present one."""

    def task_done(step: Any, task: Any, done: Any) -> None:
        step.change_resource(task.group, task.subject, task_id=task.id)
        original(step, task, done)

    return task_done


def earlier_boots_count(original: Any) -> Any:
    def freshen(self: Receiver, link: str, message: Any, key_id: int) -> Any:
        if (message.beat.boot_id, message.beat.incarnation) != self._accepted:
            self._accepted = (message.beat.boot_id, message.beat.incarnation)
            self._newest = -1
            self._last_by_link.clear()
        return original(self, link, message, key_id)

    return freshen


def replays_count(original: Any) -> Any:
    def freshen(self: Receiver, link: str, message: Any, key_id: int) -> Any:
        outcome = original(self, link, message, key_id)
        repeated = isinstance(outcome, Rejected) and outcome.reason in (Rejection.REPLAY, Rejection.STALE)
        return self._complete(message) if repeated else outcome

    return freshen


def stopping_is_stopped(original: Any) -> Any:
    def phase(group: Any) -> GroupPhase:
        known = original(group)
        return GroupPhase.STOPPED if known is GroupPhase.STOPPING else known

    return phase


def always_in_time(_original: Any) -> Any:
    return lambda state, timing: state.now_ms + timing.leg_lost_after_ms


def pause_ignored(_original: Any) -> Any:
    return lambda _turn, _before_ms: None


def nothing_waits_for_the_disk(_original: Any) -> Any:
    def take(self: ActionQueue) -> Any:
        ready, self._waiting = tuple(self._waiting), []
        return tuple(sorted(ready, key=lambda action: isinstance(action, Persist)))

    return take


def nothing_adopted(original: Any) -> Any:
    return lambda config, identity, _memory, now_ms: original(config, identity, None, now_ms)


def pause_is_forgotten(original: Any) -> Any:
    def initial(config: Any, identity: Any, memory: Any, now_ms: int) -> Any:
        kept = replace(memory, paused=False) if memory is not None else None
        return original(config, identity, kept, now_ms)

    return initial


def everybody_ranks_first(_original: Any) -> Any:
    return lambda _state: True


def silence_after_a_moment(_original: Any) -> Any:
    return lambda state: (state.heard_ms or state.started_ms) + state.config.warntime_ms


def fence_on_suspicion(original: Any) -> Any:
    def reason(state: Any) -> str:
        late = any(link.heard_ms is None or state.now_ms - link.heard_ms > 2_000 for link in state.links)
        return original(state) or ("one link is quiet" if late and not any(g.holding for g in state.groups) else "")

    return reason


def failed_stop_is_stopped(original: Any) -> Any:
    def stopped(step: Any, group: Any, resource: Any, done: Any) -> None:
        original(step, group, resource, replace(done, result=TaskResult.OK))

    return stopped


def forced_back(original: Any) -> Any:
    """A hold that was lost is taken again by force."""

    def judged(step: Any, group: Any, leg: Any, address: Any) -> Any:
        lost = address.holder is Holder.PEER and address.held_epoch == group.held_epoch
        return replace(address, held_epoch=0) if lost else original(step, group, leg, address)

    return judged


def back_without_a_doubt(original: Any) -> Any:
    """A daemon that comes back takes what its legs show for leftovers, and has forgotten which it held."""

    def revalidate(step: Any, peer_was_alive: bool) -> None:
        original(step, peer_was_alive)
        for group in step.state.groups:
            bare = tuple(LegState(leg.name, tuple(AddressState(a.name) for a in leg.addresses)) for leg in group.legs)
            if group.holding:
                step.change_term(group.name, unverified=False)
            step.change_group(group.name, legs=bare)

    return revalidate


def nobody_else_answers(_original: Any) -> Any:
    return lambda _state, _group, _resource: ""


def clear_of_nothing(_original: Any) -> Any:
    return lambda *_given: MirrorLimits()


def copies_all_the_same(original: Any) -> Any:
    return lambda *given: replace(original(*given), freeze_resync=False)


def reads_all_the_same(original: Any) -> Any:
    return lambda *given: replace(original(*given), write_mostly=())


def ours_is_enough(_original: Any) -> Any:
    return lambda _group, leg, _lost: leg.shows_anywhere(Holder.US)


def sees_no_mark(_original: Any) -> Any:
    return lambda _turn, _name, _mirror, _seen: None


def ended_at_once(_original: Any) -> Any:
    return lambda state, boot_id: state.peer.boot_id not in ("", boot_id)


def chosen_once_for_all(original: Any) -> Any:
    """What superblocks told of the first start that lacked a leg is used for every later one."""
    known: dict[tuple[str, str], Any] = {}

    def chosen(step: Any, group: str, mirror: str) -> Any:
        choice, known_as = original(step, group, mirror), (step.state.config.node, group)
        is_short = choice is not None and choice.short
        return known.setdefault(known_as, choice) if is_short else known.get(known_as, choice)

    return chosen


def any_leg_will_do(original: Any) -> Any:
    def choose_legs(uuid: str, legs: Legs, superblocks: Any) -> Any:
        return Selection(legs.present, short=True) if legs.present else original(uuid, legs, superblocks)

    return choose_legs


MUTATIONS = (
    Mutation("skip the proof check", proofs, "proof_against_peer", silence_is_proof, ("I1",)),
    Mutation("accept exit code 2 as off", power_fence, "_switched_off", failed_off_is_off, ("I1",)),
    Mutation("take unknown as off", power_fence, "_read_back", unknown_is_off, ("I1",), 54),
    Mutation("forget the epoch", proofs, "next_epoch", epoch_forgotten, ("I1", "I6"), 4),
    Mutation("forget it over and over", proofs, "next_epoch", epoch_forgotten, ("I6", "R9"), 1),
    Mutation("start on a grant without its epoch", claims, "_grants_us", any_grant_counts, ("I1",), 95),
    Mutation(
        "count a late end of an earlier try", lifecycle, "task_done", any_end_counts, ("I1", "I4", "I5", "I6", "I8"), 87
    ),
    Mutation("trust a beat of an earlier boot", Receiver, "_freshen", earlier_boots_count, ("I1",), 3),
    Mutation("accept a replayed beat", Receiver, "_freshen", replays_count, ("I1",)),
    Mutation("hand over before the stop", group_beat, "phase_of", stopping_is_stopped, ("I4", "I1")),
    Mutation("ignore own pause", own_stall, "notice", pause_ignored, ("I5", "R10"), 78),
    Mutation("announce before persisted", ActionQueue, "take", nothing_waits_for_the_disk, ("I1",)),
    Mutation("forget to adopt after a restart", daemon, "initial", nothing_adopted, ("I1", "I4", "I5", "R9"), 12),
    Mutation("fence for one quiet link", power_fence, "_reason", fence_on_suspicion, ("I5", "R1"), 7),
    Mutation("call a failed stop stopped", lifecycle, "_stopped", failed_stop_is_stopped, ("I4", "I1", "R14"), 20),
)


def no_time_to_answer(_original: Any) -> Any:
    return lambda step: step.change(revalidation=Revalidation(step.state.revalidation.sequence, step.now_ms))


def nothing_is_switched(_original: Any) -> Any:
    return lambda _state: False


def legs_are_ours_still(original: Any) -> Any:
    def revalidate(step: StepContext, peer_was_alive: bool) -> None:
        original(step, peer_was_alive)
        for group in step.state.groups:
            if group.holding:
                step.change_term(group.name, unverified=False)

    return revalidate


def shelves_say_nothing(_original: Any) -> Any:
    return lambda _state: True


def seen_or_not(_original: Any) -> Any:
    return lambda _group: True


def fenced_for_one_silent_leg(_original: Any) -> Any:
    return lambda _state, group: group.holding and any(leg.shows(Holder.SILENT) for leg in group.legs)


def left_while_it_runs(_original: Any) -> Any:
    return lambda group: bool(group.yielding)


def left_to_anybody(_original: Any) -> Any:
    return lambda _state, group: all(leg.name in group.term.legs_transferred for leg in group.legs)


def stamped_by_anybody(_original: Any) -> Any:
    return lambda state, _group: disk_heartbeat.is_quiet(state)


def open_at_once(_original: Any) -> Any:
    return lambda _state, _group: True


def any_acknowledgement(original: Any) -> Any:
    """What the peer last said that it heard is taken for the newest."""

    def gate_is_open(state: Any, group: Any) -> Any:
        theirs = state.peer_group(group.name)
        return original(state, group) or (group.ledger is not None and theirs is not None and theirs.acknowledged > 0)

    return gate_is_open


def joining_waits_for_nobody(original: Any) -> Any:
    def gate_is_open(state: Any, group: Any) -> Any:
        return original(state, group) or any(leg.returning for leg in group.legs)

    return gate_is_open


def joining_looks_at_nobody(_original: Any) -> Any:
    """A leg is taken back although no leg of the mirror is seen to be ours."""
    return lambda group, mirror, leg: leg.returning or bool(leg_membership._others(group, mirror, leg))


def never_mind_who_vouches(_original: Any) -> Any:
    return lambda _state, _group, _resource: ""


def never_too_old(_original: Any) -> Any:
    return lambda _state, group: group.heard_ledger.ledger if group.heard_ledger is not None else None


def those_that_answer(original: Any) -> Any:
    return lambda state, group: tuple(leg for leg in original(state, group) if not leg.shows_anywhere(Holder.SILENT))


def never_in_vain(_original: Any) -> Any:
    return lambda _state, _group: ""


def plug_alone_is_proof(_original: Any) -> Any:
    """A power-off counts as soon as the plug reads off, whoever goes on beating."""
    return lambda _state: False


def settled_at_once(original: Any) -> Any:
    return lambda step, _settle_ms: original(step, 0)


def everybody_is_let_in(_original: Any) -> Any:
    """A reservation is remembered and shown, and changes nothing."""
    return lambda address, _host: address.answers


def always_news(_original: Any) -> Any:
    """What a beat says is so, though we were away and it may have waited in a buffer."""
    return lambda _state: True


def always_protected(_original: Any) -> Any:
    return lambda _state: ""


def any_order_is_carried_out(_original: Any) -> Any:
    """An order of before a pause, or one that is not to be carried out in it, goes on."""

    def reason(state: Any) -> str:
        order = state.order
        return "an order" if order is not None and order.stage is OrderStage.GOING_OFF else ""

    return reason


def never_back(_original: Any) -> Any:
    """What the peer's newest beat says is so, however old it may be."""
    return lambda _state, _group: False


def no_name_on_legs(_original: Any) -> Any:
    """Who left has left, whatever the legs show."""
    return lambda _state: False


def offered_for_being_cut_off(_original: Any) -> Any:
    """An owner gives way to whoever asks, though it hears a reference host."""
    return lambda state, group: group.holding and not group.yielding and membership.is_silent(state)


def claimed_without_clients(original: Any) -> Any:
    def should_claim(state: Any, group: Any) -> Any:
        return original(replaced(state, hosts=replaced(state.hosts, answering=1)), group)

    return should_claim


def whoever_speaks(original: Any) -> Any:
    """What a record says counts, though no beat of that boot was ever heard."""

    def peer_message(state: Any, group: Any) -> Any:
        said = group.shelf_link.said
        if said is None:
            return None
        peer = replaced(state.peer, boot_id=said.boot_id, incarnation=said.incarnation)
        return original(replaced(state, peer=peer), group)

    return peer_message


def stopped_for_no_claim(_original: Any) -> Any:
    return lambda _state, _group: True


def granted_while_it_runs(original: Any) -> Any:
    """What is being stopped is announced as stopped and granted in the record."""

    def word(state: Any, group: Any) -> Any:
        said, record = original(state, group), disk_heartbeat.peer_message(state, group)
        if not group.yielding or record is None or not record.message.claim:
            return said
        grant = Grant(record.message.claim_epoch, record.boot_id, record.incarnation, record.message.claim)
        return replace(said, holding=False, phase=GroupPhase.STOPPED, grant=grant, claim_floor=grant.epoch)

    return word


def only_those_who_looked(original: Any) -> Any:
    return lambda state: original(state) if state.may_be_judged else {}


def only_what_shows_the_peer(_original: Any) -> Any:
    """A claimer to which the legs were left already no longer looks for the owner's words."""
    return lambda _state, group: not group.holding and any(leg.shows_anywhere(Holder.PEER) for leg in group.legs)


PROMISE = "promise"
"""What a story itself promises may be broken before the oracle names the invariant behind it."""
IN_STORIES = (
    (
        Mutation("start from any leg", start_choice, "choose_legs", any_leg_will_do, ("I2",)),
        "owner-dies-before-its-look-ends",
    ),
    (
        Mutation("leave in the middle of an order", leave, "_is_switching", nothing_is_switched, ()),
        "order-cut-short-by-a-leave",
    ),
    *(
        (
            Mutation(
                f"trust the legs after a stall: {story}", own_stall, "revalidate", legs_are_ours_still, ("I2", "R10")
            ),
            story,
        )
        for story in ("superblocks-read-before-a-stall", "ledger-of-a-term-after-a-stall")
    ),
    (
        Mutation("end the wait after a stall as it begins", own_stall, "_wait_for_an_answer", no_time_to_answer, ()),
        "empty-legs-before-a-peer-that-boots",
    ),
    (Mutation("both rank first in a duel", fence_race, "_ranks_first", everybody_ranks_first, ("I5",)), "fence-duel"),
    (
        Mutation("believe a leave of before a sleep", membership, "may_be_back", never_back, ("I1",)),
        "leave-heard-after-a-sleep",
    ),
    (
        Mutation("believe a leave of an earlier boot", membership, "may_be_back", never_back, ("I1",)),
        "leave-heard-after-a-sleep-and-a-reboot",
    ),
    (
        Mutation("believe one beat of a new boot", membership, "has_ended", ended_at_once, ("I1",)),
        "second-machine-of-an-owners-name",
    ),
    (
        Mutation("believe a leave of long ago", membership, "may_be_back", never_back, ("I1", "I5", "R3")),
        "leave-heard-after-a-sleep-and-a-reboot",
    ),
    (
        Mutation("believe a leave while the clock stood still", membership, "may_be_back", never_back, ("I1",)),
        "leave-heard-after-the-clock-stood-still",
    ),
    (
        Mutation("force the legs of one that left", disk_heartbeat, "shows_peer", no_name_on_legs, ("I5",)),
        "leave-of-long-ago",
    ),
    (
        Mutation("fence for what could not be started", storage_fence, "in_vain", never_in_vain, ("I5",)),
        "cold-start-with-one-shelf",
    ),
    (
        Mutation("fence an owner whom no leg shows", storage_fence, "in_vain", never_in_vain, ("I5",)),
        "cold-start-on-other-paths",
    ),
    (
        Mutation("believe an ordered plug at once", power_proof, "awaits_silence", plug_alone_is_proof, ("I1",)),
        "operator-fences-through-a-wrong-plug",
    ),
    (Mutation("believe an order that was taken", power_fence, "_read_back", order_is_proof, ("I1",)), "device-lies"),
    (Mutation("take a refusal for off", power_fence, "_switched_off", failed_off_is_off, ("I1",)), "device-refuses"),
    (
        Mutation(
            "believe a plug while its gateway is heard", power_proof, "awaits_silence", plug_alone_is_proof, ("I1",)
        ),
        "blocked-owner-on-a-wrong-plug",
    ),
    (
        Mutation("fence for a cry of long ago", membership, "is_news", always_news, ("I5",)),
        "cry-for-help-of-long-ago",
    ),
    (
        Mutation("call a pair protected that is not", readiness, "unprotected", always_protected, ("I8",)),
        "devices-dead-for-long",
    ),
    (
        Mutation("go on with an order in a pause", power_orders, "reason", any_order_is_carried_out, ("I5",)),
        "order-overtaken-by-a-pause",
    ),
    (
        Mutation("offer what clients reach", client_isolation, "offers", offered_for_being_cut_off, ("I5",)),
        "offer-that-nobody-needs",
    ),
    (
        Mutation("claim without hearing a host", claims, "_should_claim", claimed_without_clients, ("I5",)),
        "offer-that-nobody-claims",
    ),
    (
        Mutation("stop before the claim", client_isolation, "_is_claimed", stopped_for_no_claim, ("I5",)),
        "offer-that-nobody-claims",
    ),
    (
        Mutation("believe the words of a boot never heard", disk_heartbeat, "peer_message", whoever_speaks, ("I1",)),
        "offer-to-one-that-never-heard-it",
    ),
    (
        Mutation("grant in the record before the stop", client_isolation, "_word", granted_while_it_runs, ("I4", "I1")),
        "offer-to-a-standby-with-clients",
    ),
    (
        Mutation("evict before the peer knows", leg_ledger, "gate_is_open", open_at_once, ("I2",)),
        "leg-lost-unheard-and-the-owner-dies",
    ),
    (
        Mutation("count an earlier acknowledgement", leg_ledger, "gate_is_open", any_acknowledgement, ("I2",)),
        "leg-lost-unheard-and-the-owner-dies",
    ),
    (
        Mutation("let a leg join before the peer knows", leg_ledger, "gate_is_open", joining_waits_for_nobody, ("I1",)),
        "leg-joins-unheard-as-the-other-is-lost",
    ),
    (
        Mutation(
            "let a leg join with no other in sight", leg_membership, "_keeps_another", joining_looks_at_nobody, ("I1",)
        ),
        "leg-joins-unheard-as-the-other-is-lost",
    ),
    (
        Mutation("take an expired address again", address_lifetime, "unvouched", never_mind_who_vouches, ("I1", "I3")),
        "leg-joins-unheard-as-the-other-is-lost",
    ),
    (
        Mutation("start by a ledger that is too old", leg_ledger, "current", never_too_old, ("I2",)),
        "leg-lost-unheard-long-ago",
    ),
    (
        Mutation("start by the choice of an earlier start", mirror_start, "chosen", chosen_once_for_all, ("I2",)),
        "leg-that-started-alone-is-old-now",
    ),
    (
        Mutation("skip a leg that does not answer", leg_ledger, "fence_legs", those_that_answer, ("I1",)),
        "one-leg-out-of-the-takers-reach",
    ),
    (
        Mutation("start at once after a power-off", power_proof, "read_off", settled_at_once, ("I1",)),
        "frames-in-a-switch-outlive-their-sender",
    ),
    (
        Mutation("keep nobody out of a reserved leg", Address, "admits", everybody_is_let_in, ("I1",)),
        "frames-in-a-switch-meet-a-reservation",
    ),
    (
        Mutation("leave the legs before the stop", reservations, "_stopped_for_the_peer", left_while_it_runs, ("I4",)),
        "switchover-with-reservations",
    ),
    (
        Mutation("leave legs to a fenced gateway that lives", reservations, "are_passed_on", left_to_anybody, ("I1",)),
        "leaves-beside-a-fenced-gateway-that-lives",
    ),
    (
        Mutation("stamp what is not our own", disk_heartbeat, "_stamping", stamped_by_anybody, ("I1",)),
        "links-cut-while-nobody-owns",
    ),
    (
        Mutation("force a lost reservation back", reservations, "_judged", forced_back, ("I1", "R3")),
        "frozen-owner-with-a-stopped-clock",
    ),
    (
        Mutation(
            "call for a fence for one silent shelf", storage_loss, "_is_blind", fenced_for_one_silent_leg, ("R13",)
        ),
        "all-links-cut-one-shelf-silent",
    ),
    (
        Mutation(
            "take the address by the storage fence alone",
            address_conflict,
            "why_not_yet",
            nobody_else_answers,
            ("I1", "I3"),
        ),
        "zombie-of-a-pause",
    ),
    (
        Mutation(
            "fence an owner that stamps its legs", disk_heartbeat, "confirms_silence", shelves_say_nothing, ("I5",)
        ),
        "all-links-cut",
    ),
    (
        Mutation("fence one from a cold start", disk_heartbeat, "confirms_silence", shelves_say_nothing, ("I5",)),
        "returned-while-all-links-are-cut",
    ),
    (
        Mutation("force legs back after a restart", own_stall, "revalidate", back_without_a_doubt, ("I1",)),
        "adopted-after-a-storage-fence",
    ),
    (
        Mutation("keep clear of no leg", suspect_legs, "limits", clear_of_nothing, ("I2",)),
        "fenced-writes-before-the-resync",
    ),
    (
        Mutation("resync while a fenced peer may write", suspect_legs, "limits", copies_all_the_same, ("I2",)),
        "fenced-writes-as-the-resync-begins",
    ),
    (
        Mutation("read a leg that a fenced peer wrote to", suspect_legs, "limits", reads_all_the_same, ("I2",)),
        "fenced-writes-before-the-resync",
    ),
    (
        Mutation("go on with such a leg alone", leg_membership, "_may_be_last", ours_is_enough, ("I2",)),
        "fenced-writes-on-the-last-leg",
    ),
    (
        Mutation("overlook the mark on such a leg", suspect_legs, "observed", sees_no_mark, ("I2",)),
        "fenced-writes-and-a-new-daemon",
    ),
    (
        Mutation("hurry a driver whatever waits", path_failover, "_begin_by_ms", always_in_time, ("I2", "R5")),
        "path-and-shelf-lost-together",
    ),
    (
        Mutation("forget the pause with the daemon", daemon, "initial", pause_is_forgotten, ("I5",)),
        "paused-pair-while-a-daemon-is-replaced",
    ),
    (
        Mutation("switch off again though no shelf is seen", power_on, "_could_serve", seen_or_not, ("I5",)),
        "blind-owner-and-a-peer-that-has-power-again",
    ),
)
"""Rules for incidents so rare that seeds alone would take too long to meet them."""
