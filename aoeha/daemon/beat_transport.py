"""All links together: our beats onto each of them, what arrives on any of them to the core or into a counter."""

import asyncio
from collections.abc import Callable, Sequence

from aoeha.core.model.beat import Beat
from aoeha.core.model.events import BeatHeard, LinkReported
from aoeha.daemon.inbox import Inbox
from aoeha.io import clock
from aoeha.io.link import Link
from aoeha.wire.codec import CodecError
from aoeha.wire.receiver import Receiver, Rejected
from aoeha.wire.sender import Sender

__all__ = ["BeatTransport"]


class BeatTransport:
    """Carries beats both ways. Nothing that arrives, and no link that breaks, stops it.

    `heir` is given each beat before it is sent, so that a successor can begin where this daemon ended.
    """

    def __init__(
        self, links: Sequence[Link], sender: Sender, receiver: Receiver, inbox: Inbox, heir: Callable[[Beat], None]
    ) -> None:
        self.receiver = receiver
        self.unpackable = ""
        self._links = links
        self._sender = sender
        self._inbox = inbox
        self._heir = heir

    def open(self) -> None:
        """Begin to receive on every link."""
        loop = asyncio.get_running_loop()
        for link in self._links:
            link.open(loop, self._arrived, self._reported)

    def close(self) -> None:
        """Let go of every link."""
        for link in self._links:
            link.close()

    def send(self, beat: Beat) -> None:
        """Put a beat on every link; each sends it now or drops it."""
        self._heir(beat)
        for link in self._links:
            try:
                link.send(self._sender.pack(beat, link.limit))
            except CodecError as error:
                # The other links go on; housekeeping shows the reason for as long as it holds.
                self.unpackable = f"{link.name}: {error}"

    def counters(self) -> dict[str, dict[str, int]]:
        """Return what happened on each link: to its bytes, and to what they held."""
        return {link.name: {**link.counters, **self.receiver.count(link.name)} for link in self._links}

    def _arrived(self, name: str, data: bytes) -> None:
        now_ms = clock.now_ms()
        outcome = self.receiver.accept(name, data)
        if not isinstance(outcome, Rejected):
            self._inbox.offer(BeatHeard(now_ms, name, outcome))

    def _reported(self, name: str, fault: str) -> None:
        self._inbox.offer(LinkReported(clock.now_ms(), name, fault))
