"""How emulated devices answer: as the real one would, or as it does on a bad day."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


class Manner(Enum):
    """What becomes of the answers."""

    HONEST = "does what it says"
    LIAR = "says that it did, and did nothing"
    DEAD = "takes everything and never answers"
    GARBAGE = "answers bytes that mean nothing"
    CUT = "answers the first half"
    NOISY = "garbles one answer in some, in the middle"
    ENDLESS = "answers without an end"


@dataclass
class Device:
    """What emulated devices share.

    `orders`: what it was told to switch, in order. It answers `delay_s` late. A noisy one garbles the first answer,
    and then one of every `noise_every`.
    """

    manner: Manner = Manner.HONEST
    delay_s: float = 0.0
    noise_every: int = 3
    orders: list[str] = field(default_factory=list)
    _answers: int = 0

    @property
    def obeys(self) -> bool:
        return self.manner is not Manner.LIAR

    def answer(self, reply: Callable[[bytes], None], text: str) -> None:
        data = self._distorted(text.encode("ascii"))
        if self.delay_s:
            asyncio.get_running_loop().call_later(self.delay_s, reply, data)
        else:
            reply(data)

    def _distorted(self, data: bytes) -> bytes:
        self._answers += 1
        middle = len(data) // 2
        match self.manner:
            case Manner.DEAD:
                return b""
            case Manner.GARBAGE:
                return bytes((7 * number + byte) % 256 for number, byte in enumerate(data))
            case Manner.CUT:
                return data[:middle]
            case Manner.NOISY if self._answers % self.noise_every == 1:
                return data[:middle] + b"\x7f\xfe" + data[middle + 2 :]
            case Manner.ENDLESS:
                return b"on off " * 20_000
        return data
