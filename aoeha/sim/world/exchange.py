"""How a gateway and one address of a shelf talk where an answer takes time or may be lost, as the product does it.

A question is sent again and again within its patience, and the first answer counts. The shelf comes to a frame when
half of the time is over that its answer takes, and does what it was asked each time that it was asked, whether or not
anybody waits for the answer any more. A change is three questions: who holds it, the change, and who holds it now. It
is not asked for unless the first one is answered (aoeha.fabric.aoe.client, .reservations, .records).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.san import San, Way
from aoeha.sim.world.shelf import Address, Answer
from aoeha.sim.world.stage import Stage

__all__ = ["Act", "Asker", "Exchange", "is_prompt"]

FIRST_WAIT_SHARE, WAIT_MAX_MS = 1 / 15, 500
"""A question is sent again after this share of its patience; then waits double, up to the longest one."""

Act = Callable[[], Answer | None]
Told = Callable[[Answer | None], None]


def is_prompt(san: San, node: str, address: Address) -> bool:
    """Whether an address answers this gateway at once, or not at all."""
    return address.slow_ms == (0, 0) and not san.is_lossy(node, address.name)


def _sent_at_ms(patience_ms: int) -> Iterator[int]:
    """When a question is sent."""
    at_ms, wait_ms = 0.0, patience_ms * FIRST_WAIT_SHARE
    while at_ms < patience_ms - 1:
        yield int(at_ms)
        at_ms, wait_ms = at_ms + wait_ms, min(2 * wait_ms, WAIT_MAX_MS)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, for how long one question may take, and whether somebody still waits for what comes of it."""

    machine: Gateway
    patience_ms: int
    waits: Callable[[], bool]


@dataclass(slots=True, eq=False)
class Question:
    """One question. `over`: it was answered, or the patience for it has ended."""

    act: Act
    told: Told
    asked_ms: int
    over: bool = False


class Exchange:
    """The questions of one asker to one address, one after the other. `took_ms`: how long the slowest answer took."""

    def __init__(self, stage: Stage, san: San, asker: Asker, address: Address) -> None:
        self._stage = stage
        self._san = san
        self._asker = asker
        self.address = address
        self.took_ms = 0

    def ask(self, act: Act, told: Told) -> None:
        """Have the address do something; `told` gets its first answer, None if there is none in time."""
        question, patience_ms = Question(act, told, self._stage.timeline.now_ms), self._asker.patience_ms
        by_kernel, after = self._asker.machine.by_kernel, self._stage.timeline.after
        for at_ms in _sent_at_ms(patience_ms):
            after(at_ms, by_kernel, self._send, question)
        after(patience_ms, by_kernel, self._hear, question, None)

    def _send(self, question: Question) -> None:
        if question.over or not self._asker.waits() or not self._passes(Way.REQUESTS):
            return
        takes_ms = self.address.takes_ms(self._stage.random)
        arrives_ms = takes_ms // 2
        self._stage.timeline.after(arrives_ms, self._arrive, question, takes_ms - arrives_ms)

    def _arrive(self, question: Question, back_ms: int) -> None:
        answer = question.act()
        if answer is not None and self._passes(Way.ANSWERS):
            self._stage.timeline.after(back_ms, self._asker.machine.by_kernel, self._hear, question, answer)

    def _hear(self, question: Question, answer: Answer | None) -> None:
        if not question.over and self._asker.waits():
            question.over = True
            if answer is not None:
                self.took_ms = max(self.took_ms, self._stage.timeline.now_ms - question.asked_ms)
            question.told(answer)

    def _passes(self, way: Way) -> bool:
        return self._san.passes(self._asker.machine.name, self.address.name, way)
