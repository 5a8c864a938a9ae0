"""What a changed reservation means, in sentences, before an operator makes the change."""

from collections.abc import Iterator
from dataclasses import dataclass

from aoeha.cli.aoe.guard import NOBODY
from aoeha.cli.aoe.pair import Leg, Pair, holder_name
from aoeha.cli.aoe.sight import Spot
from aoeha.fabric.aoe.frames import Target

__all__ = ["Plan", "meaning"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom a target shall be reserved for (nobody: empty), and the addresses that are `due` because they show others.

    `leg` is what the target is to the pair, if anything; `owner` who owns its group: a gateway, "nobody", or None when
    nobody here can tell.
    """

    target: Target
    wanted: tuple[bytes, ...]
    due: tuple[Spot, ...]
    pair: Pair | None
    leg: Leg | None
    owner: str | None

    @property
    def may_be_in_use(self) -> bool:
        """Whether a gateway serves, or might serve, from this target."""
        return self.leg is not None and self.owner != NOBODY


def meaning(plan: Plan) -> Iterator[str]:
    """Yield the consequences of a plan, the gravest last."""
    holders = sorted({holder_name(spot.owners, plan.pair) for spot in plan.due if spot.owners})
    if holders:
        yield f"It is taken from {' and from '.join(holders)}."
    if plan.wanted:
        after = holder_name(plan.wanted, plan.pair)
        yield f"From then on {plan.target} lets {after} alone read and write; all others' requests hang, then fail."
    else:
        yield (
            f"From then on {plan.target} lets everybody write. A host that was kept out and still runs sends its old "
            "writes again at once, over newer data: release nothing that a fenced gateway may still write to."
        )
    if plan.leg is not None and plan.pair is not None:
        yield _for_the_pair(plan.leg, plan.pair, plan)


def _for_the_pair(leg: Leg, pair: Pair, plan: Plan) -> str:
    after, owner = holder_name(plan.wanted, pair), plan.owner
    if owner == NOBODY:
        return (
            f"{leg.target} is a leg of {leg.group}, which nobody owns: who starts it needs its legs free, or its own."
        )
    if owner is None:
        return (
            f"{leg.target} is a leg of {leg.group}, and nobody here can tell whether a gateway serves it; that "
            "gateway will reboot itself when it finds that its leg is reserved for the other: never force while the "
            "pair runs."
        )
    if not plan.wanted:
        return f"{owner} owns {leg.group} and reserves {leg.target} again by itself; until then nobody is kept out."
    if after == owner:
        return f"{owner} owns {leg.group}: this gives it its leg back, which it does by itself wherever that is safe."
    if after in pair.storage:
        return (
            f"{owner} owns {leg.group} and will reboot itself when it finds that its leg is reserved for {after}: "
            "never force while the pair runs."
        )
    return (
        f"{owner} owns {leg.group} and loses this leg to a stranger: its writes there hang, the mirror is degraded, "
        "and an alarm is raised: never force while the pair runs."
    )
