"""Who waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command whose end somebody waits for."""

    command_id: int
    verb: str
    group: str
    until_ms: int
