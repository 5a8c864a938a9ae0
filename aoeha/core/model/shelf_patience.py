"""How long a shelf is waited for: as long as its addresses were last seen to need (R3, R18).

Rules. An address that answered slowly is given more time, for what it was last seen to need decides: a reading gets
`READING_SHARE` times that, a change `QUESTIONS` times as much, because it asks who holds the address, changes it, and
asks again. What it needed is forgotten by and by, so that one lost frame does not make it silent. No reading lasts
longer than `READING_MAX_MS`, nor longer than an address of ours lives without renewal, and never less than
`shelf_timeout`.

An address that does not answer in that time is silent, and nobody waits for it. One that was given less time than it
needs is not silent for that; for an owner whose mirror waits for it, the second of the longest readings decides. A
patient reading beside the ordinary ones finds out whether a silent address is only slow. So a leg that is gone never
delays what is done with another one.

What starts, stops or looks at a resource, or returns a leg to its mirror, reads and writes many times in turn, and each
time waits for the slowest leg.
It gets so much more time than its configuration says, `ACT_EXTRA_MAX_MS` at most: killed in the middle, it would begin
anew and never end.

What this file does not know: who asks, and what for.
"""

from aoeha.core.model.config import PairConfig
from aoeha.core.model.legs import AddressState, LegState
from aoeha.core.model.shelves import Holder
from aoeha.core.model.state import GroupState
from aoeha.core.model.task import TaskKind

READING_MAX_MS = 5_000
"""No answer is waited for longer than that (R18)."""
READING_SHARE = 2
"""A reading gets so many times what its slowest address was last seen to need."""
QUESTIONS = 3
"""A change asks so many questions, one after the other."""
PROMPT_MS = 50
"""An answer that takes less counts as one that takes no time."""
ROUNDS = {
    TaskKind.START: 150,
    TaskKind.STOP: 100,
    TaskKind.MONITOR: 20,
    TaskKind.RETURN_LEG: 150,
    TaskKind.RENEW_GENERATION: 20,
}
"""So often an act upon a resource or a leg may wait for the legs. Seen at 300 ms an answer: 60 times for the start of a
mirror, 100 times for the mount of a file system that was not unmounted, 34 times for the superblocks of two legs."""
ACT_EXTRA_MAX_MS = 300_000
"""No act upon a resource gets more time than that beside what its configuration says (R18)."""
KEPT_OF_8 = 7
"""What an address was seen to need becomes less with each reading, by an eighth."""


def needs_ms(known_ms: int, took_ms: int) -> int:
    """What an address needs, by what was known before and by what its newest answer took."""
    return max(took_ms if took_ms >= PROMPT_MS else 0, known_ms * KEPT_OF_8 // 8)


def longest_ms(config: PairConfig, *, renewing: bool) -> int:
    """How long a reading may take at most. `renewing`: addresses of ours live on only by what it finds."""
    lives_ms = config.address_lifetime_ms if renewing else READING_MAX_MS
    return max(config.shelf_timeout_ms, min(READING_MAX_MS, lives_ms))


def reading_ms(config: PairConfig, group: GroupState, *, renewing: bool = False) -> int:
    """How long the next reading may take: an address that is silent is not waited for."""
    wanted_ms = READING_SHARE * max(map(slowest_ms, group.legs), default=0)
    return min(max(config.shelf_timeout_ms, wanted_ms), longest_ms(config, renewing=renewing))


def change_ms(config: PairConfig, leg: LegState) -> int:
    """How long a change of a leg's reservation may take."""
    wanted_ms = QUESTIONS * READING_SHARE * slowest_ms(leg)
    return min(max(config.shelf_timeout_ms, wanted_ms), change_max_ms(config))


def change_max_ms(config: PairConfig) -> int:
    """How long a change may take at most."""
    return QUESTIONS * longest_ms(config, renewing=False)


def needs_at_most_ms(known_ms: int) -> int:
    """What an address needs that did not answer the longest reading, where that was less than it was to be given."""
    return known_ms // READING_SHARE


def is_slow(config: PairConfig, leg: LegState) -> bool:
    """Whether an address of a leg needs more time than a shelf is given at first."""
    return any(is_too_short(config.shelf_timeout_ms, address) for address in leg.addresses)


def is_too_short(deadline_ms: int, address: AddressState) -> bool:
    """Whether an address that answers could not have answered a reading in this time."""
    return address.holder is not Holder.SILENT and READING_SHARE * address.needs_ms > deadline_ms


def act_ms(kind: TaskKind, configured_ms: int, group: GroupState) -> int:
    """How long an act upon a resource may take: what its configuration says, and what slow legs need besides."""
    slowest = max(map(slowest_ms, group.legs), default=0)
    return configured_ms + min(ROUNDS[kind] * slowest, ACT_EXTRA_MAX_MS)


def slowest_ms(leg: LegState) -> int:
    """What the slowest address of a leg needs for an answer: a silent one is not waited for."""
    return max((address.needs_ms for address in leg.addresses if address.holder is not Holder.SILENT), default=0)
