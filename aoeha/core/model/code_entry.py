"""What the code book says about one code."""

from dataclasses import dataclass
from enum import Enum

from aoeha.core.model.conditions import Level

__all__ = ["Entry", "Kind", "acknowledged", "alarm", "answer", "info", "loud", "reboot", "refusal", "state", "warning"]


class Kind(Enum):
    """How long a condition lasts.

    An ALARM stands until its home ends it. A REBOOT is an alarm that ends with this boot of the kernel, because the
    node reboots itself at once. A REFUSAL stands while a group is not started for that reason. A DECISION is told once.
    A STATE answers `aoeha why` where nothing is refused. An ANSWER ends a command.
    """

    ALARM = "alarm"
    REBOOT = "reboot"
    REFUSAL = "refusal"
    DECISION = "decision"
    STATE = "state"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. `home` is a path below aoeha/; `rules` are numbers of docs/rules.md; `remedy` is empty for nothing.

    `acknowledged`: `aoeha cleanup` ends the alarm, because only a human can know that it is over.
    """

    home: str
    kind: Kind
    level: Level
    rules: str
    meaning: str
    remedy: str = ""
    acknowledged: bool = False


def alarm(home: str, rules: str, meaning: str, remedy: str) -> Entry:
    """An alarm that its home ends."""
    return Entry(home, Kind.ALARM, Level.ALARM, rules, meaning, remedy)


def acknowledged(home: str, rules: str, meaning: str, remedy: str) -> Entry:
    """An alarm that `aoeha cleanup` may end."""
    return Entry(home, Kind.ALARM, Level.ALARM, rules, meaning, remedy, acknowledged=True)


def reboot(home: str, rules: str, meaning: str, remedy: str) -> Entry:
    """An alarm with which the node reboots itself."""
    return Entry(home, Kind.REBOOT, Level.ALARM, rules, meaning, remedy)


def refusal(home: str, rules: str, meaning: str, remedy: str) -> Entry:
    """A reason not to start a group."""
    return Entry(home, Kind.REFUSAL, Level.WARNING, rules, meaning, remedy)


def info(home: str, rules: str, meaning: str) -> Entry:
    """A decision that needs no attention."""
    return Entry(home, Kind.DECISION, Level.INFO, rules, meaning)


def warning(home: str, rules: str, meaning: str, remedy: str = "") -> Entry:
    """A decision that an operator should know of."""
    return Entry(home, Kind.DECISION, Level.WARNING, rules, meaning, remedy)


def loud(home: str, rules: str, meaning: str, remedy: str) -> Entry:
    """A decision that an operator should check, told once."""
    return Entry(home, Kind.DECISION, Level.ALARM, rules, meaning, remedy)


def state(home: str, rules: str, meaning: str) -> Entry:
    """A state that `aoeha why` reports."""
    return Entry(home, Kind.STATE, Level.INFO, rules, meaning)


def answer(home: str, rules: str, meaning: str, remedy: str = "") -> Entry:
    """An answer to a command. Its home is one of the files that give it."""
    return Entry(home, Kind.ANSWER, Level.INFO, rules, meaning, remedy)
