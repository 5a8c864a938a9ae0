"""What would happen if the node that serves died now, and whether a group is served at all (R19)."""

from dataclasses import dataclass, replace

from aoeha.core.fencing import forecast
from aoeha.core.model import law
from aoeha.core.model.beat import Ability, GroupPhase
from aoeha.core.model.law import Kind
from aoeha.core.model.state import (
    GroupState,
    NodeState,
    PeerCondition,
    phase_of,
)
from aoeha.core.ownership import owners
from aoeha.core.peer import membership

UNKNOWING = (
    PeerCondition.BOOTING,
    PeerCondition.UNREADABLE,
    PeerCondition.CHECKING_STORAGE,
    PeerCondition.STORAGE_ONLY,
)
"""In these conditions of the peer nobody can tell from here what it serves."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would happen if the serving node, `victim`, died now.

    `ready` tells whether `survivor` would take over, None where the survivor does not say. `takeover_ms` is how long
    that would take from the death on, 0 where it would not; `proof` is how it would prove the death. `again_ms` is in
    how long this node forgives what failed here and would try again, 0 where that is not what stops it.
    """

    victim: str
    survivor: str
    ready: bool | None
    takeover_ms: int = 0
    proof: str = ""
    sentence: str = ""
    again_ms: int = 0


def verdicts(state: NodeState) -> tuple[Verdict, ...]:
    """Return for each serving node what would happen if it died now, as its survivor forecasts it (R19)."""
    node, peer = state.config.node, state.config.peer
    serving = {owners.owner(state, group) for group in state.groups}
    found = [_of_ours(state)] if peer in serving else []
    return tuple(_told(each) for each in (*found, *([_of_the_peer(state)] if node in serving else ())))


def verdict(state: NodeState) -> str:
    """Return the verdicts in one sentence. A group that nobody serves comes before what might happen."""
    unserved = [group.name for group in state.groups if served(state, group) is False]
    if unserved:
        return f"NOBODY SERVES {', '.join(unserved)}{_last_heard(state)}"
    return "; ".join(each.sentence for each in verdicts(state)) or "nobody serves"


def _told(foreseen: Verdict) -> Verdict:
    """Complete the sentence, which so far holds the reason why the survivor is not ready, if it is not."""
    victim, survivor = foreseen.victim, foreseen.survivor
    if not foreseen.ready:
        word = "NOT KNOWN" if foreseen.ready is None else "NOT ready"
        return replace(foreseen, sentence=f"if {victim} died now: {word}: {foreseen.sentence}")
    seconds = f"{max(foreseen.takeover_ms, 100) / 1_000:.1f}".removesuffix(".0")
    sentence = f"if {victim} died now: {survivor} is ready to take over in about {seconds} s, {foreseen.proof}"
    return replace(foreseen, sentence=sentence)


def _last_heard(state: NodeState) -> str:
    heard_ms = state.heard_ms
    if membership.may_be_alive(state) or heard_ms is None:
        return ""
    return f": {state.config.peer} was last heard {(state.now_ms - heard_ms) // 1_000} s ago"


def _of_ours(state: NodeState) -> Verdict:
    """What this node would do if its peer died now."""
    node, peer = state.config.node, state.config.peer
    foreseen = forecast.forecast(state)
    if foreseen.blocked is not None:
        kind, sentence = foreseen.blocked.kind, foreseen.blocked.sentence
        if kind is Kind.UNPROVABLE:
            sentence = f"NOT PROTECTED: {sentence}"
        again_ms = _forgiven_in_ms(state) if kind is Kind.GIVEN_UP else 0
        if again_ms:
            sentence += f" (else it is forgiven in {again_ms / 1_000:.0f} s)"
        return Verdict(peer, node, False, 0, "", sentence, again_ms)
    return Verdict(peer, node, True, foreseen.takeover_ms, _proof(peer, foreseen.ability))


def _forgiven_in_ms(state: NodeState) -> int:
    given_up = [group.failures for group in state.groups if not group.holding and group.failures.given_up]
    return max((failures.until_ms - state.now_ms for failures in given_up), default=0)


def _of_the_peer(state: NodeState) -> Verdict:
    """What the peer says that it would do if this node died now."""
    node, peer, beat = state.config.node, state.config.peer, state.peer.beat
    not_ready = Verdict(node, peer, False)
    if law.stands(state, Kind.PAUSED):
        return replace(not_ready, sentence=law.PAUSED)
    if law.stands(state, Kind.DUPLICATE_NAME):
        # Nobody can tell which of the two speaks. That is unknown, and not a no.
        return replace(not_ready, ready=None, sentence=law.TESTS[Kind.DUPLICATE_NAME](state, None))
    if not membership.is_alive(state) or beat is None:
        return replace(not_ready, sentence=f"{peer} is {state.peer.condition.value}")
    if not membership.is_news(state):
        sentence = f"{node} was stalled and has not heard since what {peer} could do"
        return replace(not_ready, ready=None, sentence=sentence)
    told = beat.readiness
    for group in state.groups:
        theirs = state.peer_group(group.name)
        if theirs is None or not theirs.willing:
            return replace(not_ready, sentence=f"{peer} says that it could not serve {group.name}")
    if told is None:
        return replace(not_ready, ready=None, sentence=f"{peer} does not say whether it could prove {node} dead")
    if told.ability is Ability.NONE:
        sentence = f"{peer} says that it could not prove {node} dead; see: aoeha status on {peer}"
        return replace(not_ready, sentence=f"NOT PROTECTED: {sentence}")
    if not told.takeover_ms:
        return replace(not_ready, sentence=f"{peer} says that it would not take over; see: aoeha status on {peer}")
    return Verdict(node, peer, True, told.takeover_ms, _proof(node, told.ability))


def _proof(victim: str, ability: Ability) -> str:
    words = {Ability.STORAGE: f"{victim} fenced at the shelves", Ability.POWER: f"{victim} powered off"}
    return words.get(ability, "")


def served(state: NodeState, group: GroupState) -> bool | None:
    """Whether a node serves the group now. None while this node cannot know that.

    It cannot know while it listens after its start, while only the shelves tell of the peer (a stamp tells that it
    lives, and not what runs there), and in a pause, in which a daemon may end and leave its resources running. The last
    message of an owner that is silent otherwise is no answer: as far as this node can tell, no node serves the group.
    """
    owner, theirs = owners.owner(state, group), state.peer_group(group.name)
    if owner == state.config.node:
        return phase_of(group) is GroupPhase.RUNNING
    if state.peer.condition in UNKNOWING:
        return None
    if owner != state.config.peer or theirs is None:
        return False
    if membership.is_alive(state):
        return theirs.phase is GroupPhase.RUNNING
    return None if law.stands(state, Kind.PAUSED) else False
