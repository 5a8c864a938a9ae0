"""Planted bugs of the wire: which key signs, which version is spoken, and what is read of a later one (R17)."""

from typing import Any

from planted_bugs import Mutation

from aoeha.sim.world import holds
from aoeha.wire import receiver
from aoeha.wire.receiver import Receiver

__all__ = ["SPEECH_IN_SEEDS", "SPEECH_IN_STORIES"]


def first_of_the_file(_original: Any) -> Any:
    """Whatever the peer has, the first key of the file signs."""
    return lambda keys, _held, _heard_id: keys[0]


def first_of_the_file_for_records(_original: Any) -> Any:
    return lambda self: self._keys_in_order[0]


def whatever_the_peer_knows(_original: Any) -> Any:
    return lambda self: self._knows


def later_ones_are_none(original: Any) -> Any:
    """A lock record of a later format is no record at all."""

    def unpacked(*words: Any) -> Any:
        record = original(*words)
        return None if record is None or record.later else record

    return unpacked


SPEECH_IN_SEEDS = [
    Mutation("sign by the first key in a rotation", receiver, "signing_key", first_of_the_file, ("I5",), 6921),
]
ROTATION, UPGRADE = "new-key-first-before-the-peer-has-it", "upgrade-across-wire-versions"
SPEECH_IN_STORIES = (
    (Mutation("sign by the first key of the file", receiver, "signing_key", first_of_the_file, ("I5",)), ROTATION),
    (
        Mutation("sign records by the first key", Receiver, "known_key", first_of_the_file_for_records, ("I5",)),
        ROTATION,
    ),
    (Mutation("speak more than the peer knows", Receiver, "speaks", whatever_the_peer_knows, ("I5",)), UPGRADE),
    (
        Mutation("take a later record for none", holds, "_unpacked", later_ones_are_none, ("I5",)),
        "owner-of-a-later-record-format",
    ),
)
