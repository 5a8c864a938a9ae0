"""The rules in the order in which each step asks them, and why each stands where it stands.

Each rule looks at the whole state and moves it on. So the order is part of the rules: a rule sees what the rules before
it have decided in this step. A test holds that each rule stands after those that it names, and that the book of rules
has the same order.

What this file does not know: what an event says. `step` has processed that before.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aoeha.core import beats, memory, unserved
from aoeha.core.fencing import power_fence, power_on, power_orders, power_restore, readiness, storage_fencing
from aoeha.core.mirror import leg_membership, path_failover
from aoeha.core.model.state import NodeState
from aoeha.core.model.step_context import StepContext
from aoeha.core.operator import commands, pause
from aoeha.core.ownership import claims, client_isolation, client_reach, own_stall
from aoeha.core.peer import membership, unread
from aoeha.core.resources import address_conflict, lifecycle, storage_loss
from aoeha.core.storage import generation, leg_ledger, reservations

Decide = Callable[[StepContext], None]
Ask = Callable[[StepContext], None]
"""Asks all rules in order, or at least those that would do something."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule in its place: by which rules of the book it decides, after which others it must stand, and why there."""

    decide: Decide
    numbers: str
    after: tuple[Decide, ...]
    because: str


RULES: tuple[Rule, ...] = (
    Rule(membership.judge, "R1 R6 R10", (), "every other rule asks whether the peer lives"),
    Rule(pause.learn, "R15", (), "a pause that this beat brings stops the acts of this same step"),
    Rule(
        own_stall.decide,
        "R10",
        (membership.judge,),
        "a node that may have been fenced must know so before it acts as an owner",
    ),
    Rule(
        leg_ledger.learn,
        "R4 R5",
        (membership.judge,),
        "the fence that follows needs the fence set of the newest beat",
    ),
    Rule(
        storage_fencing.decide,
        "R2 R7 R11",
        (membership.judge, pause.learn, leg_ledger.learn),
        "before the power fence: its first leg decides whether power may be asked for",
    ),
    Rule(
        power_fence.decide,
        "R7 R8",
        (membership.judge, pause.learn, storage_fencing.decide),
        "before ownership: a proof that is complete now is used now",
    ),
    Rule(
        claims.decide,
        "R2 R9 R13",
        (membership.judge, own_stall.decide, storage_fencing.decide, power_fence.decide),
        "takes, grants, claims and releases by the proofs and beats known now",
    ),
    Rule(
        reservations.decide,
        "R3",
        (claims.decide,),
        "after ownership: what is owned since this step is reserved before anything of it starts",
    ),
    Rule(
        client_isolation.stamp,
        "R6 R13",
        (claims.decide, reservations.decide),
        "after ownership and reservations: an owner stamps what it holds, at its epoch",
    ),
    Rule(
        address_conflict.decide,
        "R12",
        (claims.decide,),
        "after ownership: the network is probed beside the assembly, not after it",
    ),
    Rule(
        client_reach.decide,
        "R13 R25",
        (claims.decide,),
        "may make an owner yield; the stop begins in this step",
    ),
    Rule(
        client_isolation.decide,
        "R13",
        (claims.decide, client_reach.decide),
        "the same where no link is left",
    ),
    Rule(
        storage_loss.decide,
        "R13",
        (claims.decide,),
        "may block a group; a blocked group must not be stopped or started below",
    ),
    Rule(
        leg_membership.decide,
        "R4 R5",
        (reservations.decide,),
        "publishes the ledger before it acts on it; the beat at the end carries it",
    ),
    Rule(
        generation.decide,
        "R22",
        (reservations.decide, leg_membership.decide),
        "after the legs: it marks those of which the mirror consists now",
    ),
    Rule(
        path_failover.decide,
        "R5",
        (leg_membership.decide,),
        "after the legs: a driver may be hurried only while no leg is moving",
    ),
    Rule(
        lifecycle.decide,
        "R14",
        (
            claims.decide,
            reservations.decide,
            address_conflict.decide,
            client_reach.decide,
            client_isolation.decide,
            storage_loss.decide,
            leg_membership.decide,
        ),
        "starts and stops only after every rule that could forbid it",
    ),
    Rule(
        claims.decide,
        "R4 R9",
        (lifecycle.decide,),
        "again, if anything changed since: what was stopped is released in this step",
    ),
    Rule(
        power_orders.decide,
        "R8",
        (power_fence.decide, lifecycle.decide),
        "an operator's power-on waits until the groups run, which `lifecycle` has just decided",
    ),
    Rule(
        power_on.decide,
        "R7",
        (power_fence.decide, power_orders.decide),
        "the same for a fenced peer; after orders, for an operator's order goes first",
    ),
    Rule(
        power_restore.decide,
        "R7 R8",
        (power_orders.decide, power_on.decide),
        "what the two before did not switch on and a given-up fence still owes",
    ),
    Rule(
        readiness.decide,
        "R8",
        (power_fence.decide, power_orders.decide, power_restore.decide),
        "after all that changes a device: the alarm tells how the step ends",
    ),
    Rule(
        commands.decide,
        "R15",
        (claims.decide, lifecycle.decide),
        "answers callers by the state that the step ends with",
    ),
    Rule(
        unserved.decide,
        "R18",
        (claims.decide, lifecycle.decide),
        "tells what none of the rules above has ended",
    ),
    Rule(unread.judge, "R17", (), "ends an alarm; nothing else depends on it"),
    Rule(
        own_stall.panic,
        "R10",
        (own_stall.decide, claims.decide, lifecycle.decide),
        "last of the rules: any rule above may have decided that this node must reboot",
    ),
    Rule(
        beats.send,
        "R1",
        (commands.decide, own_stall.panic),
        "the beat tells the state that the step ends with",
    ),
    Rule(
        memory.remember,
        "R16",
        (beats.send,),
        "saves what changed; its action is put first, so that no promise leaves before it is saved",
    ),
)


def ask_all(step: StepContext) -> None:
    """Ask every rule once, in order. A rule that is listed twice is not asked again about a state that it has seen."""
    seen: dict[Decide, NodeState] = {}
    for rule in RULES:
        if seen.get(rule.decide) is not step.state:
            seen[rule.decide] = step.state
            rule.decide(step)
