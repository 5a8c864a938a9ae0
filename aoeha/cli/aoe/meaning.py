"""The consequences of a changed reservation, in sentences that an operator reads before the change."""

from collections.abc import Iterator
from dataclasses import dataclass

from aoeha.cli.aoe.guard import NOBODY
from aoeha.cli.aoe.pair import Leg, Pair, holder_name
from aoeha.cli.aoe.sight import Spot
from aoeha.fabric.aoe.frames import Target

__all__ = ["Plan", "meaning"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The hosts to reserve a target for (empty: release it), and the addresses that are `due` to be changed.

    `leg` is the pair's leg on this target, if any. `owner` is the owner of its group: a gateway, "nobody", or None
    when the owner is unknown here.
    """

    target: Target
    wanted: tuple[bytes, ...]
    due: tuple[Spot, ...]
    pair: Pair | None
    leg: Leg | None
    owner: str | None

    @property
    def may_be_in_use(self) -> bool:
        """Tell whether a gateway serves, or may serve, from this target."""
        return self.leg is not None and self.owner != NOBODY


def meaning(plan: Plan) -> Iterator[str]:
    """Yield the consequences of a plan, the most severe last."""
    holders = sorted({holder_name(spot.owners, plan.pair) for spot in plan.due if spot.owners})
    if holders:
        yield f"It is taken from {' and from '.join(holders)}."
    if plan.wanted:
        after = holder_name(plan.wanted, plan.pair)
        yield f"From then on only {after} can read and write {plan.target}; requests of other hosts hang, then fail."
    else:
        yield (
            f"From then on every host can write to {plan.target}. A host that was kept out and still runs repeats its "
            "old writes at once, over newer data: release nothing that a fenced gateway may still write to."
        )
    if plan.leg is not None and plan.pair is not None:
        yield _for_the_pair(plan.leg, plan.pair, plan)


def _for_the_pair(leg: Leg, pair: Pair, plan: Plan) -> str:
    after, owner = holder_name(plan.wanted, pair), plan.owner
    if owner == NOBODY:
        return (
            f"{leg.target} is a leg of {leg.group}, which no gateway owns: a gateway can start {leg.group} only when "
            "its legs are free or reserved for that gateway."
        )
    if owner is None:
        return (
            f"{leg.target} is a leg of {leg.group}, and this host cannot tell whether a gateway serves it; such a "
            "gateway will reboot itself when it finds its leg reserved for the other one: never force while the "
            "pair runs."
        )
    if not plan.wanted:
        return f"{owner} owns {leg.group} and reserves {leg.target} again by itself; until then no host is kept out."
    if after == owner:
        return f"{owner} owns {leg.group}: this gives its leg back, which {owner} does by itself whenever that is safe."
    if after in pair.storage:
        return (
            f"{owner} owns {leg.group} and will reboot itself when it finds its leg reserved for {after}: "
            "never force while the pair runs."
        )
    return (
        f"{owner} owns {leg.group} and loses this leg to a foreign host: its writes there hang, the mirror is "
        "degraded, and an alarm is raised: never force while the pair runs."
    )
