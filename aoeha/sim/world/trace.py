"""What happened, one line each, in fixed columns: seconds, who, what, code, subject.

Only what an operator would want to read: no beats, and no looks at what goes well. What nodes tell is shown by code and
subject, without its sentence: so a sentence may change, and the trace of an incident stays the same. A trace that is
`worded` has the sentences too; it is read, and never recorded.
"""

from aoeha.core.model.actions import Answer, Say
from aoeha.core.model.code_book import BOOK
from aoeha.core.model.code_entry import Kind
from aoeha.core.model.conditions import Condition, Level
from aoeha.core.model.events import TaskDone
from aoeha.core.model.task import Task, TaskKind, TaskResult
from aoeha.sim.world.timeline import Timeline

__all__ = ["Trace"]

WORDS = {
    (Kind.ALARM, Level.ALARM): "ALARM",
    (Kind.REBOOT, Level.ALARM): "ALARM",
    (Kind.REFUSAL, Level.WARNING): "refuses",
    (Kind.DECISION, Level.ALARM): "ALARM",
    (Kind.DECISION, Level.WARNING): "warns",
    (Kind.DECISION, Level.INFO): "says",
}
SHOWN = (TaskKind.START, TaskKind.STOP, TaskKind.POWER_OFF, TaskKind.POWER_ON)


class Trace:
    """Collects lines; costs nothing while `on` is False. `worded`: sentences stand beside the codes."""

    def __init__(self, timeline: Timeline, *, on: bool) -> None:
        self.on = on
        self.worded = False
        self.lines: list[str] = []
        self._timeline = timeline
        self._subjects: dict[tuple[str, int], Task] = {}

    def line(self, who: str, what: str, about: str, sentence: str) -> None:
        """Note one line."""
        if self.on:
            time_s = self._timeline.now_ms / 1_000
            self.lines.append(f"{time_s:9.3f} {who:<6} {what:<9} {about:<32} {sentence}".rstrip())

    def condition(self, who: str, said: Say) -> None:
        """A node tells something, or that an alarm is over."""
        told = said.condition
        self.told(who, "ends" if said.ends else WORDS[BOOK[told.code].kind, said.level], told)

    def told(self, who: str, what: str, condition: Condition) -> None:
        """Note a condition."""
        self.line(who, what, condition.code.value, self._with_words(str(condition.subject), condition.sentence))

    def answer(self, who: str, answer: Answer) -> None:
        """A node answers a command."""
        ended = f"exit code {answer.exit_code}"
        self.line(who, "answers", answer.code.value, self._with_words(ended, answer.sentence))

    def task(self, who: str, task: Task) -> None:
        """A task begins."""
        if not self.on:
            return
        self._subjects[who, task.id] = task
        if task.kind in SHOWN:
            self.line(who, task.kind.value.replace("_", " "), task.subject, "")

    def done(self, who: str, task_id: int, done: TaskDone) -> None:
        """A task ended; only what did not work is worth a line."""
        if not self.on:
            return
        task = self._subjects.pop((who, task_id), None)
        if task is not None and done.result not in (TaskResult.OK, TaskResult.CANCELLED):
            what = done.result.value.replace("_", " ")
            self.line(who, what, task.kind.value.replace("_", " "), task.subject)

    def _with_words(self, about: str, sentence: str) -> str:
        return f"{about:<26} {sentence}" if self.worded else about
