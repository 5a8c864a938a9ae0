"""How a daemon speaks to its peer: by which key, of which cluster, in which version of the wire format."""

from dataclasses import dataclass

from aoeha.sim.world.test_key import KEY
from aoeha.wire.codec import VERSION
from aoeha.wire.keys import Key
from aoeha.wire.sender import Letter

__all__ = ["SPEECHES", "Speech"]


@dataclass(frozen=True, slots=True)
class Speech:
    """What the daemon of a gateway has been given. `cluster` empty and `version` 0: what everybody has."""

    key: Key = KEY
    cluster: str = ""
    version: int = 0

    def reads(self, letter: Letter) -> bool:
        """Whether a letter authenticates and is of a version that is known, without a look at its bytes."""
        same = letter.key == self.key and not self.cluster and letter.cluster != OTHER_CLUSTER
        return same and letter.version <= VERSION


OTHER_CLUSTER = "another"
SPEECHES = {
    "same": Speech(),
    "other-key": Speech(key=Key(KEY.id + 1, bytes(reversed(KEY.secret)))),
    "other-secret": Speech(key=Key(KEY.id, bytes(reversed(KEY.secret)))),
    "other-cluster": Speech(cluster=OTHER_CLUSTER),
    "later-version": Speech(version=VERSION + 1),
}
"""What a story can give a daemon, from its next start on."""
