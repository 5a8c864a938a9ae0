"""What this node would do if its peer died now: how it would prove the death, and how long that takes (home of R19).

Rules. Each node computes this for itself, because it alone knows what it can reach, and sends it in every beat. The
serving peer repeats it as its verdict. A node is ready when something would prove its peer dead, and nothing in the
table of `aoeha.core.model.law` would stop it at the time of the takeover: a ledger grows old meanwhile (R5). The time
is a sum of observed times: the silence, the delay of a fence race, the proof, and the last starts on this node. A time
that was never observed is assumed.

What this file does not know: whether a node dies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aoeha.core.fencing import devices, fence_race, readiness
from aoeha.core.model import law, shelf_patience
from aoeha.core.model.beat import Ability, Readiness
from aoeha.core.model.law import Act, Blocked, Kind
from aoeha.core.model.replacing import replaced
from aoeha.core.model.state import GroupState, NodeState
from aoeha.core.ownership import blockers
from aoeha.core.peer import disk_heartbeat
from aoeha.core.storage import storage_fence

START_GUESS_MS = 500
"""Assumed for a start that this node has not made since its daemon started."""
READING_GUESS_MS = 500
"""Assumed for a fence device that was not read yet."""
LEG_MS = 100
"""Assumed for preempting an address and reading its reservation again. A start on a slow leg takes far longer."""
START_ROUNDS = 100
"""So often the start of a resource waits for its legs, as seen (see `shelf_patience.ROUNDS`)."""
READINGS = 2
"""One reading of the records begins the count of a silence, and another one ends it (R6)."""
PROBE_MS = 250
"""Three questions on the network for a service address that a storage fence alone proves free (R12)."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would happen to the groups of a peer that dies now: what stops a takeover, or how long it takes.

    `ability` is what would prove the peer dead first. `takeover_ms` is 0 where `blocked` says why nothing would happen.
    """

    ability: Ability
    takeover_ms: int
    blocked: Blocked | None

    @property
    def as_told(self) -> Readiness:
        """What beats tell of the forecast."""
        return Readiness(self.ability, self.takeover_ms)


def forecast(state: NodeState) -> Forecast:
    """Return what this node would do if its peer died now."""
    ability = _ability(state)
    groups = [group for group in state.groups if not group.holding]
    taken_ms = state.config.deadtime_ms + fence_race.delay_ms(state) + _proof_ms(state, ability)
    then = replaced(state, now_ms=state.now_ms + taken_ms)
    for group in groups:
        blocked = law.first(then, Act.READY, group, TESTS)
        if blocked is not None:
            return Forecast(ability, 0, blocked)
    starts_ms = max((_starts_ms(group) for group in groups), default=0)
    return Forecast(ability, taken_ms + starts_ms, None)


def _ability(state: NodeState) -> Ability:
    if readiness.by_shelves(state):
        return Ability.STORAGE
    return Ability.POWER if devices.protected(state) else Ability.NONE


def _proof_ms(state: NodeState, ability: Ability) -> int:
    """How long a proof takes once the peer is silent, the reservations after it included."""
    legs = [leg for group in state.groups if not group.holding for leg in group.legs]
    slowest_ms = max(map(shelf_patience.slowest_ms, legs), default=0)
    heartbeat_ms = disk_heartbeat.every_ms(state.config) + READINGS * slowest_ms if legs else 0
    reserving_ms = 2 * LEG_MS * sum(len(leg.addresses) for leg in legs)
    if ability is Ability.POWER:
        return heartbeat_ms + _power_ms(state) + reserving_ms
    return heartbeat_ms + reserving_ms + PROBE_MS


def _power_ms(state: NodeState) -> int:
    """How long the first usable level takes to switch off, to be read back, and to settle."""
    waited_ms = 0
    for level in devices.levels(state):
        on_level = devices.on_level(state, level)
        if all(devices.would_do(device) for device in on_level):
            settle_ms = max(devices.settings(state, device.name).settle_ms for device in on_level)
            return waited_ms + 2 * max(device.took_ms or READING_GUESS_MS for device in on_level) + settle_ms
        # A level that is not believed fails at once; one that does not respond is waited for.
        silent = [device for device in on_level if not device.reachable and not device.distrusted]
        waited_ms += max((devices.settings(state, device.name).timeout_ms for device in silent), default=0)
    return 0


def _starts_ms(group: GroupState) -> int:
    """How long the starts take: as they did before, or as long as legs need that have become slow since."""
    slowest_ms = max(map(shelf_patience.slowest_ms, group.legs), default=0)
    return sum(
        max(resource.start_took_ms or START_GUESS_MS, 0 if resource.config.exclusive else START_ROUNDS * slowest_ms)
        for resource in group.resources
    )


def _futile(state: NodeState, group: GroupState | None) -> str:
    return storage_fence.in_vain(state, group) if group is not None and not group.holding else ""


def _unprovable(state: NodeState, _group: GroupState | None) -> str:
    return readiness.unprotected(state)


TESTS: Final[Mapping[Kind, law.Test]] = {
    **blockers.TESTS,
    Kind.FENCE_FUTILE: _futile,
    Kind.UNPROVABLE: _unprovable,
}
"""All conditions: those of the state, of the shelves, and of the proofs."""
