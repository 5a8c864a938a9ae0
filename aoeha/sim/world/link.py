"""A medium between the two gateways, with everything that media do to messages.

A serial link carries frames (aoeha.wire.framing), a UDP link whole messages. Faults are set for each direction, named
by its sender. What was carried is recorded: somebody may play it again.

Most letters arrive as they were sent. They are put into bytes only where somebody may change or look at those: on a
link with a fault, within garbage, when a recording is played, for a machine that listens; and one of sixteen anywhere.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from aoeha.sim.world.timeline import Timeline
from aoeha.wire.codec import SERIAL_LIMIT, UDP_LIMIT
from aoeha.wire.framing import Deframer, frame
from aoeha.wire.sender import Letter

__all__ = ["Direction", "Link"]

LATENCY_MS = 1
RECORDED_MAX = 400
BYTES_EVERY = 16
BITS_A_BYTE, BUFFER_BYTES = 10, 4_096
"""A serial line's start bit and stop bit, and what a tty keeps that has not left yet."""

Arrival = Callable[[str, bytes | Letter], None]


@dataclass(slots=True)
class Direction:
    """What happens to messages of one sender. Percentages of messages; `delay_ms` for all, `spread_ms` at most.

    With a `baud` rate one message waits for the other, and what does not fit into the sender's buffer is lost.
    """

    cut: bool = False
    loss: int = 0
    duplicates: int = 0
    garbled: int = 0
    delay_ms: int = 0
    spread_ms: int = 0
    baud: int = 0
    busy_until_ms: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether messages arrive as they were sent."""
        late = self.delay_ms or self.spread_ms or self.baud
        return not (self.cut or self.loss or self.duplicates or self.garbled or late)


class Link:
    """One medium. `clean_since_ms` is since when both directions are without fault, None while one has any."""

    def __init__(self, name: str, *, serial: bool, timeline: Timeline, random: Random) -> None:
        self.name = name
        self.serial = serial
        self.limit = SERIAL_LIMIT if serial else UDP_LIMIT
        self.directions: dict[str, Direction] = {}
        self.clean_since_ms: int | None = 0
        self.recorded: deque[tuple[str, Letter]] = deque(maxlen=RECORDED_MAX)
        self._firsts: dict[tuple[str, str, int], Letter] = {}
        self._player = 0
        self._timeline = timeline
        self._random = random
        self._arrivals: dict[str, Arrival] = {}
        self._listeners: dict[str, list[Arrival]] = {}
        self._deframers: dict[str, Deframer] = {}
        self._other: dict[str, str] = {}

    def join(self, node: str, peer: str, arrival: Arrival) -> None:
        """Connect a node: what its peer sends comes to `arrival`."""
        self.directions[node] = Direction()
        self._other[node] = peer
        self._arrivals[node] = arrival
        self._deframers[node] = Deframer()

    def listen(self, node: str, arrival: Arrival) -> None:
        """Let another machine hear all messages to a node; not on a serial line, which has two ends."""
        assert not self.serial
        self._listeners.setdefault(node, []).append(arrival)

    def end_listening(self, node: str, arrival: Arrival) -> None:
        """Let them hear no more."""
        self._listeners[node].remove(arrival)

    def change(self, sender: str | None, **faults: int | bool) -> None:
        """Set faults of one direction, or of both."""
        for name, direction in self.directions.items():
            if sender in (None, name):
                for fault, value in faults.items():
                    setattr(direction, fault, value)
        self._note_cleanness()

    def heal(self) -> None:
        """End every fault. What is under way arrives when it does."""
        for name in self.directions:
            self.directions[name] = Direction()
        self._player += 1
        self._note_cleanness()

    def send(self, sender: str, letter: Letter) -> None:
        """Carry one message as the medium is at this moment."""
        self.recorded.append((sender, letter))
        beat = letter.message.beat
        self._firsts.setdefault((sender, beat.boot_id, beat.incarnation), letter)
        direction = self.directions[sender]
        if direction.is_clean:
            data = letter if letter.message.beat.sequence % BYTES_EVERY else self._on_the_medium(letter)
            self._timeline.after(LATENCY_MS, self._arrive, self._other[sender], data)
            return
        if direction.cut or self._happens(direction.loss):
            return
        self._send_badly(direction, self._other[sender], self._on_the_medium(letter))

    def replay(self, count: int) -> None:
        """Play recorded messages again, each to the node that it was meant for."""
        for sender, letter in self._random.choices(self.recorded, k=count) if self.recorded else ():
            data = self._on_the_medium(letter)
            self._timeline.after(self._random.randint(1, 200), self._arrive, self._other[sender], data)

    def play(self, count: int, every_ms: int) -> None:
        """Play so many again and again, until the link is healed: half of them from the first of each daemon."""
        self._player += 1
        self._play(self._player, count, every_ms)

    def _play(self, player: int, count: int, every_ms: int) -> None:
        if player != self._player:
            return
        for sender, *_ in self._random.choices([*self._firsts], k=count // 2) if self._firsts else ():
            mine = [letter for (name, *_), letter in self._firsts.items() if name == sender]
            data = self._on_the_medium(self._random.choice(mine))
            self._timeline.after(self._random.randint(1, every_ms), self._arrive, self._other[sender], data)
        self.replay(count - count // 2)
        self._timeline.after(every_ms, self._play, player, count, every_ms)

    def make_noise(self, count: int) -> None:
        """Put random bytes on the medium, for both nodes."""
        for node in self.directions:
            for _ in range(count):
                noise = self._random.randbytes(self._random.randint(1, 300))
                self._timeline.after(self._random.randint(1, 200), self._arrive, node, noise)

    def _send_badly(self, direction: Direction, receiver: str, data: bytes) -> None:
        queued_ms = self._queued_ms(direction, len(data)) if direction.baud else 0
        if queued_ms is None:
            return
        copies = 2 if self._happens(direction.duplicates) else 1
        if self._happens(direction.garbled):
            garbled = bytearray(data)
            garbled[self._random.randrange(len(garbled))] ^= 1 << self._random.randrange(8)
            data = bytes(garbled)
        for _ in range(copies):
            spread_ms = self._random.randint(0, direction.spread_ms) if direction.spread_ms else 0
            delay_ms = LATENCY_MS + direction.delay_ms + spread_ms + queued_ms
            self._timeline.after(delay_ms, self._arrive, receiver, data)

    def _queued_ms(self, direction: Direction, size: int) -> int | None:
        """How long a message takes until the last of it has left; None if there is no room for it."""
        now_ms = self._timeline.now_ms
        begun_ms = max(direction.busy_until_ms, now_ms)
        if (begun_ms - now_ms) * direction.baud > BUFFER_BYTES * BITS_A_BYTE * 1_000:
            return None
        direction.busy_until_ms = begun_ms + size * BITS_A_BYTE * 1_000 // direction.baud
        return direction.busy_until_ms - now_ms

    def _happens(self, percent: int) -> bool:
        return percent > 0 and self._random.randrange(100) < percent

    def _arrive(self, receiver: str, data: bytes | Letter) -> None:
        if not self.serial:
            self._arrivals[receiver](self.name, data)
            for arrival in self._listeners.get(receiver, ()):
                arrival(self.name, data)
        elif isinstance(data, Letter) and self._deframers[receiver].is_between_frames:
            self._arrivals[receiver](self.name, data)
        else:
            for message in self._deframers[receiver].feed(self._on_the_medium(data)):
                self._arrivals[receiver](self.name, message)

    def _on_the_medium(self, data: bytes | Letter) -> bytes:
        if isinstance(data, bytes):
            return data
        return frame(data.data()) if self.serial else data.data()

    def _note_cleanness(self) -> None:
        clean = all(direction.is_clean for direction in self.directions.values())
        if not clean:
            self.clean_since_ms = None
        elif self.clean_since_ms is None:
            self.clean_since_ms = self._timeline.now_ms
