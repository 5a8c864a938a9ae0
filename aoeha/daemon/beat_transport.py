"""The beats of all links: ours go out on every link, and each arrival goes to the core or into a counter."""

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
from aoeha.wire.unread_budget import UnreadBudget, unread_event

__all__ = ["BeatTransport"]


class BeatTransport:
    """Carries beats both ways. No message and no broken link stops it.

    `save_restart_state` is called with each beat before it is sent, so that a successor can begin where this one ended.
    """

    def __init__(
        self,
        links: Sequence[Link],
        sender: Sender,
        receiver: Receiver,
        inbox: Inbox,
        save_restart_state: Callable[[Beat], None],
    ) -> None:
        self.receiver = receiver
        self.unpackable = ""
        self._links = links
        self._sender = sender
        self._inbox = inbox
        self._save_restart_state = save_restart_state
        self._unread_budget = UnreadBudget()

    def open(self) -> str:
        """Start receiving on every link. Returns why another program keeps this node from hearing, or an empty text."""
        loop = asyncio.get_running_loop()
        for link in self._links:
            link.open(loop, self._arrived, self._reported)
        return "; ".join(link.fault for link in self._links if link.is_busy)

    def close(self) -> None:
        """Close every link."""
        for link in self._links:
            link.close()

    def send(self, beat: Beat) -> None:
        """Put a beat on every link. Each link sends it now or drops it."""
        self._save_restart_state(beat)
        for link in self._links:
            try:
                link.send(self._sender.pack(beat, link.limit))
            except CodecError as error:
                # The other links continue; housekeeping shows the reason while it lasts.
                self.unpackable = f"{link.name}: {error}"

    def counters(self) -> dict[str, dict[str, int]]:
        """Return the counters of each link: of its bytes, and of the messages in them."""
        return {link.name: {**link.counters, **self.receiver.count(link.name)} for link in self._links}

    def _arrived(self, name: str, data: bytes) -> None:
        now_ms = clock.now_ms()
        outcome = self.receiver.accept(name, data)
        if not isinstance(outcome, Rejected):
            self._inbox.hear(BeatHeard(now_ms, name, outcome))
        elif outcome.cause is not None and self._unread_budget.takes(name, outcome.cause, now_ms):
            self._inbox.offer(unread_event(now_ms, name, outcome.cause))

    def _reported(self, name: str, fault: str) -> None:
        self._inbox.insist(LinkReported(clock.now_ms(), name, fault))
