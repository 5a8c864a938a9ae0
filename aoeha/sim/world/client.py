"""A client of one group: numbered records over a TCP session to the service address, found by ARP.

It writes the same record until it is acknowledged. Its ARP cache names the machine that it last heard answer for the
address; only a gratuitous announcement or the entry's end points it to another machine. A machine that takes the
address over does not know the session: it resets the session, and the client connects again. Without an answer TCP
retries at ever longer intervals; a tickle, sent to known clients by the machine that takes over, makes it retry at
once.
"""

from dataclasses import dataclass

__all__ = ["ARP_MS", "BACK_OFF_MAX_MS", "Client", "Peer"]

ARP_MS = 45_000
"""Linux keeps a confirmed neighbour for 30 s on average, then asks again for a while (arp(7))."""
BACK_OFF_FIRST_MS, BACK_OFF_MAX_MS = 200, 120_000


@dataclass(frozen=True, slots=True)
class Peer:
    """One boot of one machine."""

    machine: str
    boots: int


class Client:
    """What the client knows. Every method is given `now_ms`; the caller decides which machine answers."""

    def __init__(self, period_ms: int) -> None:
        self.period_ms = period_ms
        self.neighbour = ""
        self.session: Peer | None = None
        self._neighbour_until_ms = 0
        self._back_off_ms = 0
        self._try_ms = 0

    def address_of(self, answering: list[str], now_ms: int) -> str:
        """Return the machine to which packets go: the cached one while the entry lasts, else who answers ARP."""
        if not self.neighbour or now_ms >= self._neighbour_until_ms:
            self.neighbour = answering[0] if answering else ""
            self._neighbour_until_ms = now_ms + ARP_MS
        return self.neighbour

    def announced(self, machine: str, now_ms: int) -> None:
        """Hear a gratuitous ARP and a tickle: the address is there now, and the session is tried at once."""
        self.neighbour, self._neighbour_until_ms = machine, now_ms + ARP_MS
        self._back_off_ms = self._try_ms = 0

    def answered(self, peer: Peer, now_ms: int) -> bool:
        """Get an answer; tell whether it was a reset, by a kernel that does not know the session."""
        reset = self.session is not None and self.session != peer
        self.session = peer
        self._neighbour_until_ms = now_ms + ARP_MS
        self._back_off_ms = 0
        return reset

    def unanswered(self, now_ms: int) -> None:
        """Get none: TCP waits twice as long before it tries again."""
        self._back_off_ms = min(max(2 * self._back_off_ms, BACK_OFF_FIRST_MS), BACK_OFF_MAX_MS)
        self._try_ms = now_ms + self._back_off_ms

    def waits(self, now_ms: int) -> bool:
        """Whether it is not yet time to try again."""
        return now_ms < self._try_ms
