"""Decides which messages count: they must be authentic, of this pair, from the peer, fresh and complete.

Freshness without clocks. Each side has a nonce, sends it in every beat, and echoes the other's.
- An incarnation of the peer (boot id and daemon start) that we have not met counts only when its beat echoes our
  present nonce: so it was made after we chose that nonce. We then take a new nonce, so that no other recording can
  ever echo the present one: every incarnation before this one is gone for good.
- Within the accepted incarnation the sequence must grow on each link. The same sequence counts once per link,
  because each link's age is measured by its own copies; a copy that lags far behind the newest does not count, so
  that no attacker can keep a dead peer's link young with a stock of recordings from another link.
- What to echo is learned from authentic beats even before they count, else two strangers would wait for each
  other. Recordings can teach us a wrong one. So whatever waits for an echo has its turn: the links in turn, for nobody
  can play recordings to a serial line, and on each link the newest first. The incarnation that is accepted, or that
  the daemon before us had accepted, has every second turn: recordings never make it deaf. Of the other turns every
  second one belongs to those that have counted on between each of our last beats: recordings that are played again and
  again do not, so a few of our beats find the living among them. Once it is heard again, nothing else waits.
- What waits for an echo makes us speak an older version of the format, or sign by another key, only while the accepted
  incarnation is silent.
- A beat is signed by a key that whoever it answers has: the first of ours that it tells of, else the one by which it
  was heard. While nobody is heard for long, our other keys have every second turn.

A restarted daemon starts with a fresh nonce of its own and remembers only the peer's, and which keys the peer has
(`memory`): so it is accepted by the first beat that it sends. What it hears first echoes its own nonce; whatever the
peer sent before that does not count, or what the daemon before it had heard could be played to it.

Slices. A beat with more groups than fit arrives in several messages (sender.py). Groups of earlier messages are
filled in when the digest says that they are still what the sender has; until then the message is INCOMPLETE and
yields no beat. A beat without a group's slice thereby neither renews nor revokes anything.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from aoeha.core.model.beat import Beat, GroupBeat
from aoeha.core.model.replacing import replaced
from aoeha.core.model.unread import Unread
from aoeha.wire.codec import (
    NO_NONCE,
    OLDEST_VERSION,
    UDP_LIMIT,
    VERSION,
    CodecError,
    Envelope,
    Message,
    decode,
    is_authentic,
    name_tag,
    names_by_tag,
    peek_envelope,
    peek_introduction,
    state_digest,
)
from aoeha.wire.keys import Key, signing_key

__all__ = ["CANDIDATES_MAX", "LAG_MAX", "SILENT_BEATS", "Cause", "Receiver", "ReceiverMemory", "Rejected", "Rejection"]

LAG_MAX = 32
CANDIDATES_MAX = 64
"""So many incarnations wait for an echo on each link. The live one waits for a turn of each at most."""
STREAK = 3
"""Who counts on between so many of our beats in a row goes on like the living: recordings mostly repeat themselves."""
SILENT_BEATS = 3
"""So many beats of ours without a new one of the accepted incarnation: an older version may have taken its place."""
KEYS_SILENT_BEATS = 32
"""So many, and both key files may have changed: longer than a restart of the peer takes."""

_Incarnation = tuple[str, int]


class Rejection(Enum):
    """Why a message did not count. The value is the name of its counter."""

    TOO_BIG = "too_big"
    GARBAGE = "garbage"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_CLUSTER = "wrong_cluster"
    WRONG_KEY = "wrong_key"
    OWN_BEAT = "own_beat"
    WRONG_SENDER = "wrong_sender"
    NOT_ECHOED = "not_echoed"
    REPLAY = "replay"
    STALE = "stale"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that did not count. Where people can do something about it, `cause` tells what."""

    reason: Rejection
    cause: "Cause | None" = None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a message cannot be read. `number` is its version or key id. `runs`: it shows that the peer runs (R17)."""

    kind: Unread
    number: int = 0
    boot_id: str = ""
    runs: bool = False


@dataclass(frozen=True, slots=True)
class ReceiverMemory:
    """What a daemon keeps in /run for its successor: the peer's nonce, which the first beat echoes, and its keys.

    `peer_held` are the tags of the keys that the peer tells of, `peer_key_id` is the key by which it was heard last,
    and `peer_knows` the version that it knows; empty and 0 for not known.
    """

    peer_nonce: bytes
    peer_held: tuple[bytes, ...] = ()
    peer_key_id: int = 0
    peer_knows: int = 0


@dataclass(slots=True)
class _Candidate:
    """An incarnation that is authentic but not accepted yet: its latest nonce, its keys, and when we last echoed it.

    `went_on`: it has counted on since our last beat. `streak` is between how many of our beats in a row it did so.
    """

    sequence: int
    nonce: bytes
    key_id: int
    held: tuple[bytes, ...] = ()
    echoed: int = 0
    went_on: bool = True
    streak: int = 0


class Receiver:
    """Checks the messages that arrive on all links of this node.

    `nonce` must be fresh for every start of the daemon, `new_nonce` gives another one; both are NONCE_SIZE random
    bytes. `group_names` are those of our configuration: groups of the peer that it does not name are left out. `knows`
    is the highest version that is read. Raises CodecError when two configured names cannot be told apart on the wire.
    """

    def __init__(
        self,
        *,
        cluster: str,
        keys: Sequence[Key],
        own_node: str,
        peer_node: str,
        group_names: Sequence[str],
        nonce: bytes,
        new_nonce: Callable[[], bytes],
        memory: ReceiverMemory | None = None,
        knows: int = VERSION,
    ) -> None:
        self._cluster_tag = name_tag(cluster)
        self._keys = {key.id: key for key in keys}
        self._own_node = own_node
        self._peer_node = peer_node
        self._names = names_by_tag((own_node, peer_node, *group_names))
        self._group_names = list(group_names)
        self._group_order = {name: position for position, name in enumerate(group_names)}
        self._nonce = nonce
        self._new_nonce = new_nonce
        known = memory or ReceiverMemory(NO_NONCE)
        self._peer_nonce, self._peer_held, self._peer_key_id = known.peer_nonce, known.peer_held, known.peer_key_id
        self._told_version = known.peer_knows
        self._knows = knows
        self._keys_in_order = tuple(keys)
        self._key_turn = 0
        self._signing = self.known_key()
        self._accepted: _Incarnation | None = None
        self._newest = self._oldest = -1
        self._last_by_link: dict[str, int] = {}
        self._known: dict[str, tuple[int, GroupBeat]] = {}
        self._candidates: dict[str, dict[_Incarnation, _Candidate]] = {}
        self._link_turns: dict[str, int] = {}
        self._turn = 0
        self._known_has_the_turn = True
        self._unread: dict[_Incarnation, int] = {}
        self._silent_beats = 0
        self._peer_knows = OLDEST_VERSION
        self._counters: dict[str, dict[str, int]] = {}

    def accept(self, link: str, data: bytes) -> Beat | Rejected:
        """Return the peer's beat with all its groups, or why these bytes do not count. Never raises."""
        return self._counted(link, self._judge(link, data))

    def accept_read(self, link: str, message: Message, key_id: int) -> Beat | Rejected:
        """Do so with a message that this key of ours authenticates, and of this cluster, as `decode` returns it."""
        return self._counted(link, self._freshen(link, message, key_id))

    def _counted(self, link: str, outcome: Beat | Rejected) -> Beat | Rejected:
        name = outcome.reason.value if isinstance(outcome, Rejected) else "accepted"
        self.count(link)[name] += 1
        return outcome

    def count(self, link: str) -> dict[str, int]:
        """Return the counters of one link, by `accepted` and the values of Rejection."""
        if link not in self._counters:
            self._counters[link] = dict.fromkeys(("accepted", *(each.value for each in Rejection)), 0)
        return self._counters[link]

    def nonces(self) -> tuple[bytes, bytes]:
        """Return our nonce and the nonce to echo. Call it once per beat: those that wait for an echo take turns."""
        self._silent_beats += 1
        self._see_who_goes_on()
        waiting = [link for link, candidates in self._candidates.items() if candidates]
        known_now = self._peer_nonce != NO_NONCE and self._known_has_the_turn
        if not waiting or known_now:
            self._known_has_the_turn = False
            self._signing = self._key_of_the_turn()
            return self._nonce, self._peer_nonce
        self._turn += 1
        self._known_has_the_turn = True
        link = min(waiting, key=lambda name: self._link_turns.get(name, 0))
        candidate = self._next_candidate(link)
        self._link_turns[link] = candidate.echoed = self._turn
        # As with versions, below: what does not count yet changes what we say only while nobody is heard who counts.
        is_heard = self._accepted is not None and self._silent_beats <= SILENT_BEATS
        self._signing = (
            self.known_key() if is_heard else signing_key(self._keys_in_order, candidate.held, candidate.key_id)
        )
        return self._nonce, candidate.nonce

    def _see_who_goes_on(self) -> None:
        for candidate in (one for waiting in self._candidates.values() for one in waiting.values()):
            candidate.streak = candidate.streak + 1 if candidate.went_on else 0
            candidate.went_on = False

    def _next_candidate(self, link: str) -> _Candidate:
        """Whose turn it is. Of those never echoed, the one heard last (last in the dict) is most likely to be alive."""
        waiting = list(reversed(self._candidates[link].values()))
        living = [one for one in waiting if one.streak >= STREAK] if self._turn // 2 % 2 else []
        return min(living or waiting, key=lambda one: one.echoed)

    def signing(self) -> Key:
        """Return the key by which the beat is signed that carries the nonces given out last."""
        return self._signing

    def known_key(self) -> Key:
        """Return the key by which to sign for the peer that is accepted, or was by the daemon before us."""
        return signing_key(self._keys_in_order, self._peer_held, self._peer_key_id)

    def _key_of_the_turn(self) -> Key:
        best = self.known_key()
        # A daemon that starts may have got another file, as the peer may at the same time: it has no time to lose.
        first = SILENT_BEATS if self._peer_nonce != NO_NONCE else 0
        patience = KEYS_SILENT_BEATS if self._accepted is not None else first
        others = [key for key in self._keys_in_order if key is not best]
        if self._silent_beats <= patience or not others:
            return best
        self._key_turn += 1
        return best if self._key_turn % 2 else others[self._key_turn // 2 % len(others)]

    def speaks(self) -> int:
        """Return the highest version of the wire format that both gateways know: the oldest until the peer told."""
        return min(self._knows, self._peer_knows)

    def told_version(self) -> int:
        """Return the highest version that the peer has said it knows, ours while it has said nothing."""
        return self._told_version or self._knows

    def memory(self) -> ReceiverMemory:
        """Return the memory for the next start of this daemon. It changes when the peer's nonce does, or its keys."""
        return ReceiverMemory(self._peer_nonce, self._peer_held, self._peer_key_id, self._told_version)

    def _judge(self, link: str, data: bytes) -> Beat | Rejected:
        if len(data) > UDP_LIMIT:
            return Rejected(Rejection.TOO_BIG)
        try:
            return self._identify(link, data) or self._freshen(link, decode(data, self._names), data[1])
        except CodecError:
            return Rejected(Rejection.GARBAGE)

    def _identify(self, link: str, data: bytes) -> Rejected | None:
        envelope = peek_envelope(data)
        if envelope.cluster_tag != self._cluster_tag:
            return Rejected(Rejection.WRONG_CLUSTER, Cause(Unread.CLUSTER))
        key = self._keys.get(envelope.key_id)
        if key is None:
            return Rejected(Rejection.WRONG_KEY, Cause(Unread.KEY, envelope.key_id))
        if not is_authentic(data, key.secret):
            return Rejected(Rejection.WRONG_KEY, Cause(Unread.SECRET, envelope.key_id))
        if OLDEST_VERSION <= envelope.version <= self._knows:
            return None
        return Rejected(Rejection.UNKNOWN_VERSION, self._of_another_version(link, envelope, data))

    def _of_another_version(self, link: str, envelope: Envelope, data: bytes) -> Cause:
        """What an authentic message of a version that we cannot read shows. It is answered like any other."""
        version = envelope.version
        who = peek_introduction(data)
        incarnation = (who.boot_id, who.incarnation)
        if who.sender != name_tag(self._peer_node):
            return Cause(Unread.VERSION, version, who.boot_id)
        self._consider(link, incarnation, _Candidate(who.sequence, who.nonce, envelope.key_id))
        runs = who.echo_nonce == self._nonce and who.sequence > self._unread.get(incarnation, -1)
        if runs:
            self._unread[incarnation] = who.sequence
            while len(self._unread) > CANDIDATES_MAX:
                del self._unread[next(iter(self._unread))]
        return Cause(Unread.VERSION, version, who.boot_id, runs)

    def _freshen(self, link: str, message: Message, key_id: int) -> Beat | Rejected:
        beat = message.beat
        if beat.sender != self._peer_node:
            if beat.sender == self._own_node:
                return Rejected(Rejection.OWN_BEAT, Cause(Unread.OWN_NAME, boot_id=beat.boot_id))
            return Rejected(Rejection.WRONG_SENDER, Cause(Unread.OTHER_NAME, boot_id=beat.boot_id))
        incarnation = (beat.boot_id, beat.incarnation)
        if incarnation != self._accepted:
            if message.echo_nonce != self._nonce:
                # A new incarnation that does not count yet can make us say less: an older version that took the peer's
                # place could not read us, and would never echo our nonce. Only what counts makes us say more.
                if self._silent_beats >= SILENT_BEATS:
                    self._peer_knows = max(min(self._peer_knows, message.knows), OLDEST_VERSION)
                candidate = _Candidate(beat.sequence, message.nonce, key_id, message.held)
                self._consider(link, incarnation, candidate)
                return Rejected(Rejection.NOT_ECHOED)
            self._meet(incarnation)
            self._oldest = beat.sequence
        if beat.sequence <= self._last_by_link.get(link, -1) or beat.sequence < self._oldest:
            return Rejected(Rejection.REPLAY)
        if beat.sequence < self._newest - LAG_MAX:
            return Rejected(Rejection.STALE)
        self._last_by_link[link] = beat.sequence
        if beat.sequence > self._newest:
            self._newest = beat.sequence
            self._peer_knows = self._told_version = max(message.knows, OLDEST_VERSION)
            self._peer_nonce, self._peer_key_id = message.nonce, key_id
            self._peer_held = message.held or self._peer_held
            self._candidates.clear()
            self._silent_beats = 0
        return self._complete(message)

    def _meet(self, incarnation: _Incarnation) -> None:
        self._accepted = incarnation
        self._nonce = self._new_nonce()
        self._known_has_the_turn = False
        self._newest = -1
        self._peer_held = ()
        self._last_by_link.clear()
        self._known.clear()

    def _consider(self, link: str, incarnation: _Incarnation, heard: _Candidate) -> None:
        if self._accepted and incarnation[0] == self._accepted[0] and incarnation[1] < self._accepted[1]:
            # An earlier daemon of the accepted boot: a recording, or what its serial line still held.
            return
        candidates = self._candidates.setdefault(link, {})
        candidate = candidates.pop(incarnation, None)
        if candidate is None:
            candidate = heard
        elif heard.sequence > candidate.sequence and heard.nonce != candidate.nonce:
            heard.streak = candidate.streak
            candidate = heard
        elif heard.sequence > candidate.sequence:
            candidate.sequence, candidate.key_id, candidate.went_on = heard.sequence, heard.key_id, True
            candidate.held = heard.held or candidate.held
        candidates[incarnation] = candidate
        while len(candidates) > CANDIDATES_MAX:
            del candidates[next(iter(candidates))]

    def _complete(self, message: Message) -> Beat | Rejected:
        beat = message.beat
        if len(beat.groups) == message.group_total:
            # All of them: any other known group is no longer configured there.
            self._known = {} if beat.sequence == self._newest else self._known
            self._learn(beat)
            return self._ordered(beat, beat.groups)
        self._learn(beat)
        groups = {name: group for name, (_, group) in self._known.items()}
        if len(groups) != message.group_total or state_digest(groups.values()) != message.state_digest:
            return Rejected(Rejection.INCOMPLETE)
        return self._ordered(beat, groups.values())

    def _learn(self, beat: Beat) -> None:
        for group in beat.groups:
            if beat.sequence >= self._known.get(group.name, (-1,))[0]:
                self._known[group.name] = (beat.sequence, group)

    def _ordered(self, beat: Beat, groups: Iterable[GroupBeat]) -> Beat:
        if groups is beat.groups and [group.name for group in groups] == self._group_names:
            return beat
        ours = [group for group in groups if group.name in self._group_order]
        return replaced(beat, groups=tuple(sorted(ours, key=lambda group: self._group_order[group.name])))
