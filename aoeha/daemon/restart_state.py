"""What this daemon keeps in /run for its successor's first beat (first_beat.py), up to date with its last beat."""

from aoeha.core.model.beat import Beat
from aoeha.daemon.assembly import Blueprint, link_settings
from aoeha.daemon.first_beat import Remembered, is_saved, remembered, save
from aoeha.wire.codec import CodecError
from aoeha.wire.receiver import Receiver

__all__ = ["RestartState"]


class RestartState:
    """Saves before each beat that differs from the one before. `fault` says why it could not, or is empty."""

    def __init__(self, blueprint: Blueprint, receiver: Receiver, run_directory: str) -> None:
        self.fault = ""
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

    def keep(self, beat: Beat) -> None:
        """Save the data of a successor's first beat, if it changed."""
        content = remembered(
            cluster=self._pair.cluster,
            peer=self._pair.peer,
            key_file=self._key_file,
            peer_nonce=self._receiver.memory().peer_nonce,
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
