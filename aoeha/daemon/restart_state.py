"""What this daemon keeps in /run for its successor's first beat (first_beat.py), up to date with its last beat.

The successor reads the key file anew. If that has no key any more that the peer has, the peer could not read it.
"""

from aoeha.config.findings import ConfigurationError
from aoeha.config.keys import load_keys
from aoeha.core.model.beat import Beat
from aoeha.daemon.assembly import Blueprint, link_settings
from aoeha.daemon.first_beat import Remembered, is_saved, remembered, save
from aoeha.wire.codec import CodecError
from aoeha.wire.keys import KEY_TAGS_MAX, key_tag
from aoeha.wire.receiver import Receiver

__all__ = ["RestartState"]


class RestartState:
    """Saves before each beat that differs from the one before. `fault` says why it could not, or is empty.

    `cut_off` says why the peer could not read a successor, or is empty, by the last look at the key file.
    """

    def __init__(self, blueprint: Blueprint, receiver: Receiver, run_directory: str) -> None:
        self.fault = self.cut_off = ""
        self._pair = blueprint.pair
        self._keys = blueprint.keys
        self._key_file = blueprint.configuration.key_file
        self._links = link_settings(blueprint)
        self._receiver = receiver
        self._run_directory = run_directory
        self._saved: Remembered | None = None
        self._was_removed = False

    def removed(self) -> str:
        """Return a sentence, once, if somebody removed what was saved; it is saved again with the next beat."""
        gone, self._was_removed = self._was_removed, False
        folder = f"{self._run_directory}/state"
        return f"{folder} was removed under the daemon; it is written again within 10 s" if gone else ""

    def look_at_keys(self, is_heard: bool) -> str:
        """Look at the key file, and return `cut_off`. Whoever tries a start tells of a file that cannot be used.

        What a peer that is heard has, it tells. One that is not may have taken keys away since, and what it reads on
        the shelves is signed by the key of now: that one must stay.
        """
        known, peer = self._receiver.memory(), self._pair.peer
        held = known.peer_held
        if not is_heard and (held or known.peer_key_id):
            held = (key_tag(self._receiver.known_key()),)
        self.cut_off = ""
        try:
            apart = 0 < len(held) < KEY_TAGS_MAX and not {*map(key_tag, load_keys(self._key_file))}.intersection(held)
        except ConfigurationError:
            return ""
        if apart:
            numbers = ", ".join(str(tag[0]) for tag in held)
            self.cut_off = (
                f"{self._key_file} has no key that {peer} has, which could not read a new daemon here. {peer} has "
                f"these, by number: {numbers}. Put one of them back, or give {peer} a key of this file first"
            )
        return self.cut_off

    def keep(self, beat: Beat) -> None:
        """Save the data of a successor's first beat, if it changed."""
        content = remembered(
            cluster=self._pair.cluster,
            peer=self._pair.peer,
            key_file=self._key_file,
            memory=self._receiver.memory(),
            links=tuple(self._links.values()),
            beat=beat,
        )
        is_gone = self._saved is not None and not is_saved(self._run_directory)
        self._was_removed = self._was_removed or is_gone
        if content == self._saved and not is_gone:
            return
        try:
            save(content, self._keys[0], self._run_directory)
        except (OSError, CodecError) as error:
            self._saved = None
            self.fault = f"cannot prepare a successor's first beat: {error}; a restart would look longer to the peer"
            return
        self._saved, self.fault = content, ""
