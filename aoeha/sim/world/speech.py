"""How a daemon speaks to its peer: by which keys, of which cluster, in which versions of the wire format."""

import hmac
from dataclasses import dataclass

from aoeha.sim.world.test_key import KEY
from aoeha.wire.codec import OLDEST_VERSION, VERSION
from aoeha.wire.keys import Key
from aoeha.wire.sender import Letter

__all__ = ["SPEECHES", "Speech"]


@dataclass(frozen=True, slots=True)
class Speech:
    """What the daemon of a gateway has been given. `cluster` empty: what everybody has.

    `knows` is the highest version that it reads and speaks. With `version` it speaks no other one.
    """

    keys: tuple[Key, ...] = (KEY,)
    cluster: str = ""
    knows: int = VERSION
    version: int = 0

    def shares(self, other: "Speech") -> bool:
        """Whether either authenticates what the other one sends, of whatever version."""
        return self.cluster == other.cluster and not set(self.keys).isdisjoint(other.keys)

    def understands(self, other: "Speech") -> bool:
        """Whether either reads what the other one sends."""
        return self.shares(other) and self.version <= other.knows and other.version <= self.knows

    def record(self, line: bytes, key: Key) -> bytes:
        """Return a lock record as it is written: whoever knows a later version writes a later format, and says more."""
        if self.knows <= VERSION:
            return line
        mark, _, *words, key_id, _ = line.decode().split(" ")
        content = " ".join((mark, LATER_FORMAT, *words, "what-nobody-knows-yet", key_id))
        mac = hmac.digest(key.secret, b"aoeha lock record\n" + content.encode(), "sha256")[:16]
        return f"{content} {mac.hex()}".encode()

    def reads(self, letter: Letter) -> bool:
        """Whether a letter authenticates and is of a version that is known, without a look at its bytes."""
        same = letter.key in self.keys and not self.cluster and letter.cluster != OTHER_CLUSTER
        return same and letter.version <= self.knows


OTHER_CLUSTER = "another"
LATER_FORMAT = "4"
NEW_KEY = Key(KEY.id + 1, bytes(reversed(KEY.secret)))
SPEECHES = {
    "same": Speech(),
    "old-and-new-key": Speech(keys=(KEY, NEW_KEY)),
    "new-and-old-key": Speech(keys=(NEW_KEY, KEY)),
    "other-key": Speech(keys=(NEW_KEY,)),
    "other-secret": Speech(keys=(Key(KEY.id, bytes(reversed(KEY.secret))),)),
    "other-cluster": Speech(cluster=OTHER_CLUSTER),
    "earlier-version": Speech(knows=VERSION - 1),
    "oldest-version": Speech(knows=OLDEST_VERSION),
    "next-version": Speech(knows=VERSION + 1),
    "later-version": Speech(knows=VERSION + 1, version=VERSION + 1),
}
"""What a story can give a daemon, from its next start on."""
