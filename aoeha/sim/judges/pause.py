"""Whether a pause of the pair is kept (R15): no node begins anything in it, and no node forgets it.

It is judged by messages alone. A node has given its own message about the pause in its newest beat, or had it in what
it remembered when its daemon started. It has heard others: commands that it has answered, beats that it accepted,
records that its peer has written. The message with the highest number counts; of two with the same number, the pause.
"""

from dataclasses import dataclass

from aoeha.core.model.actions import Answer
from aoeha.core.model.beat import Beat, BeatFlag
from aoeha.core.model.exits import Exit
from aoeha.core.model.memory import Memory
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.shelves import LockRecord
from aoeha.core.model.task import Task, TaskKind
from aoeha.sim.judges.orders import PowerOrders
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["PauseJudge"]

MOVES = (TaskKind.START, TaskKind.STOP, TaskKind.POWER_OFF, TaskKind.PREEMPT, TaskKind.TRANSFER)
"""What no node begins in a pause."""
DECIDED_BEFORE_MS = 2_000
"""What a node decided before it heard of the pause may have waited this long for its disk."""
VERBS = {"pause": True, "resume": False}


@dataclass(frozen=True, slots=True, order=True)
class Word:
    """A message about the pause. The lowest number comes first."""

    number: int = 0
    paused: bool = False


class PauseJudge(Observer):
    """Holds every node to the newest word that it has given or heard."""

    def __init__(self, world: World, orders: PowerOrders) -> None:
        self.world = world
        self._orders = orders
        self._given: dict[str, Word] = {}
        self._heard: dict[str, Word] = {}
        self._heard_ms: dict[str, int] = {}
        self._written: dict[str, Word] = {}
        self._asked: dict[int, bool] = {}
        self._owned: dict[tuple[str, str], int] = {}
        self._taken: dict[str, str] = {}

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """Wait for its answer."""
        del machine, arguments
        if verb in VERBS:
            self._asked[number] = VERBS[verb]

    def answered(self, machine: Gateway, answer: Answer) -> None:
        """A node that answers knows a word above all others, unless it knew the same one before.

        It answers at once, and gives its own word when its disk has it.
        """
        paused = self._asked.pop(answer.command_id, None)
        if paused is None or answer.exit_code is not Exit.DONE:
            return
        known = max(self._heard.get(machine.name, Word()), self._given.get(machine.name, Word()))
        if known.paused != paused:
            self._hear(machine, Word(known.number + 1, paused))

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """Whatever was not remembered is forgotten, heard words too."""
        self._given[machine.name] = Word(memory.pause_number, memory.paused) if memory is not None else Word()
        self._heard.pop(machine.name, None)
        self._owned = {key: epoch for key, epoch in self._owned.items() if key[0] != machine.name}
        self._taken.pop(machine.name, None)
        self._owned |= _owned(machine, memory) if memory is not None else {}

    def persisting(self, machine: Gateway, memory: Memory) -> None:
        """A node comes to own a group; its next beat tells whether it did so in a pause."""
        for key, epoch in _owned(machine, memory).items():
            if self._owned.get(key) != epoch:
                self._taken[machine.name] = f"{machine.name} takes {key[1]} at epoch {epoch}"
            self._owned[key] = epoch

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """A node gives its word: it is the newest that it gave before, or heard."""
        given = Word(beat.pause_number, BeatFlag.PAUSED in beat.flags)
        if self._is_bound(machine) and not given.paused:
            self._broken(f"{machine.name} has forgotten the pause of the pair, which nobody ended")
        taken = self._taken.pop(machine.name, "")
        if taken and given.paused and self._is_bound(machine):
            self._broken(f"{taken} in a pause of the pair")
        self._given[machine.name] = given

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """A node is told the other one's word."""
        del link
        self._hear(machine, Word(beat.pause_number, BeatFlag.PAUSED in beat.flags))

    def record_writing(self, machine: Gateway, group: str, record: LockRecord) -> None:
        """A word lies on a leg from now on; whether anybody reads it is another matter."""
        del group
        word = Word(record.pause_number, record.paused)
        self._written[machine.name] = max(self._written.get(machine.name, Word()), word)

    def task_started(self, machine: Gateway, task: Task) -> None:
        """No node begins anything in a pause."""
        ordered = task.kind is TaskKind.POWER_OFF and self._orders.holds_in_a_pause(machine)
        if task.kind in MOVES and not ordered and self._is_bound(machine):
            self._broken(f"{machine.name} begins to {task.kind.value} {task.subject} in a pause of the pair")

    def _hear(self, machine: Gateway, word: Word) -> None:
        if word > self._heard.get(machine.name, Word()):
            self._heard[machine.name], self._heard_ms[machine.name] = word, self.world.timeline.now_ms

    def _is_bound(self, machine: Gateway) -> bool:
        """Whether a node knows of a pause, and has known for long enough, and can know of no end of it."""
        given, heard = self._given.get(machine.name, Word()), self._heard.get(machine.name, Word())
        written = self._written.get(machine.config.peer, Word())
        if not max(given, heard).paused or (written > max(given, heard) and not written.paused):
            return False
        there_ms, now_ms = machine.present_since_ms, self.world.timeline.now_ms
        told_ms = max(self._heard_ms.get(machine.name, 0), now_ms if there_ms is None else there_ms)
        return given >= heard or now_ms - told_ms > DECIDED_BEFORE_MS

    def _broken(self, sentence: str) -> None:
        raise Violation("I5", self.world.timeline.now_ms, sentence)


def _owned(machine: Gateway, memory: Memory) -> dict[tuple[str, str], int]:
    """The groups that a node owns by a proof about its peer, and their epochs."""
    return {
        (machine.name, group.name): group.proof.epoch
        for group in memory.groups
        if group.holding and group.proof is not None and group.proof.kind is not ProofKind.RECORDED
    }
