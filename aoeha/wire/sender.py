"""Packs our beats: authenticated, and cut to the size that a link carries.

When not all groups fit, each message carries some of them, and the next one others: first those that changed since
they were last sent under this size limit, then those that were sent longest ago. Every message carries the digest of
the whole state, so the receiver can tell whether the groups that it kept from earlier messages are still true. It
covers what the version of the message tells, for the receiver knows no more.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from aoeha.core.model.beat import Beat, GroupBeat
from aoeha.core.model.replacing import replaced
from aoeha.wire.codec import (
    OLDEST_VERSION,
    VERSION,
    CodecError,
    Message,
    as_read,
    encode,
    encoded_size,
    state_digest,
)
from aoeha.wire.keys import Key

__all__ = ["Letter", "Sender"]


@dataclass(slots=True)
class Letter:
    """One message of a beat that is on its way. It is put into bytes when somebody asks for them."""

    message: Message
    version: int
    cluster: str
    key: Key
    _data: bytes = b""

    def data(self) -> bytes:
        """Return its bytes. Raises CodecError when a field does not fit the format."""
        if not self._data:
            self._data = encode(self.message, self.cluster, self.key.id, self.key.secret, self.version)
        return self._data

    def as_read(self) -> Message:
        """Return what the peer reads in these bytes."""
        return as_read(self.message, self.version)


@dataclass(slots=True)
class _Sent:
    """What was sent under one size limit: the letter of the present beat, and each group as last sent, and when."""

    letter: Letter | None = None
    groups: dict[str, tuple[int, GroupBeat]] = field(default_factory=dict)


class Sender:
    """Packs our beats. `nonces` gives our own nonce and the peer's to echo: `Receiver.nonces`.

    `signing` gives the key by which a beat with these nonces is signed: `Receiver.signing`. `version` gives the version
    that the peer understands: `Receiver.speaks`. `held` are the tags of our keys, and `knows` is the highest version
    that we know.
    """

    def __init__(
        self,
        cluster: str,
        signing: Callable[[], Key],
        nonces: Callable[[], tuple[bytes, bytes]],
        version: Callable[[], int] = lambda: OLDEST_VERSION,
        *,
        held: tuple[bytes, ...] = (),
        knows: int = VERSION,
    ) -> None:
        self._cluster = cluster
        self._signing = signing
        self._nonces = nonces
        self._version = version
        self._held = held
        self._knows = knows
        self._present_key = signing()
        self._present_version = version()
        self._beat: Beat | None = None
        self._present_nonces = (b"", b"")
        self._digest = b""
        self._sent: dict[int, _Sent] = {}

    def pack(self, beat: Beat, limit: int) -> bytes:
        """Return this beat in at most `limit` bytes; the same bytes for every link with the same limit.

        Raises CodecError when a field does not fit the format or the limit has no room for a single group.
        """
        return self.compose(beat, limit).data()

    def compose(self, beat: Beat, limit: int) -> Letter:
        """Return what `pack` puts into bytes. Raises CodecError when the limit has no room for a single group."""
        if beat is not self._beat and beat != self._beat:
            self._begin(beat)
        sent = self._sent.setdefault(limit, _Sent())
        if sent.letter is None:
            sent.letter = self._compose(beat, limit, sent)
        return sent.letter

    def _begin(self, beat: Beat) -> None:
        version = self._version()
        if self._beat is None or beat.groups != self._beat.groups or version != self._present_version:
            self._digest = state_digest(beat.groups, version)
        self._beat = beat
        self._present_nonces = self._nonces()
        self._present_key = self._signing()
        self._present_version = version
        for sent in self._sent.values():
            sent.letter = None

    def _compose(self, beat: Beat, limit: int, sent: _Sent) -> Letter:
        version = self._present_version
        chosen = _choose(beat, limit, sent, partial(encoded_size, version=version, held=len(self._held)))
        for group in chosen:
            sent.groups[group.name] = (beat.sequence, group)
        own, echo = self._present_nonces
        told = beat if chosen is beat.groups else replaced(beat, groups=chosen)
        message = Message(own, echo, told, len(beat.groups), self._digest, self._knows, self._held)
        return Letter(message, version, self._cluster, self._present_key)


def _choose(
    beat: Beat, limit: int, sent: _Sent, size: Callable[[int, Iterable[GroupBeat]], int]
) -> tuple[GroupBeat, ...]:
    """Return the groups of this message, in the beat's order. `size` tells its bytes by links and groups."""
    links = len(beat.link_ages_ms)
    if size(links, beat.groups) <= limit:
        return beat.groups

    def urgency(group: GroupBeat) -> int:
        sequence, as_sent = sent.groups.get(group.name, (0, None))
        return sequence if as_sent == group else -1

    chosen: list[GroupBeat] = []
    for group in sorted(beat.groups, key=urgency):
        if size(links, [*chosen, group]) > limit:
            # Not skipped in favour of a smaller one, or a large group would never have its turn.
            break
        chosen.append(group)
    if not chosen:
        raise CodecError(f"cannot fit a beat with {links} links into {limit} bytes; configure fewer links")
    return tuple(group for group in beat.groups if group in chosen)
