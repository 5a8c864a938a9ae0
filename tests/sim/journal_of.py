"""Journals of a fake pair, written as the daemon writes them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from pair import Machine, Pair

from aoeha.core.model.actions import Action
from aoeha.core.model.events import Event
from aoeha.core.model.state import NodeState
from aoeha.journal.records import Header, encode_header, encode_step

__all__ = ["Machine", "Pair", "journals"]

WALL_MS = 1_700_000_000_000


@contextmanager
def journals(folder: Path) -> Iterator[None]:
    """Let every daemon that starts within write its journal to folder/NODE/, one file an incarnation."""
    files: dict[str, Path] = {}

    def write(
        machine: Machine, before: NodeState | None, event: Event | None, after: NodeState, actions: tuple[Action, ...]
    ) -> None:
        place = folder / machine.name
        if before is None or event is None:
            place.mkdir(parents=True, exist_ok=True)
            files[machine.name] = place / f"{machine.boot:02}-{machine.incarnation:02}-0001.jsonl"
            wall_ms = WALL_MS + after.now_ms
            header = Header("1", 1, after.now_ms, wall_ms, machine.config, after.identity, machine.memory, actions)
            files[machine.name].write_bytes(encode_header(header))
            return
        with files[machine.name].open("ab") as journal:
            journal.write(encode_step(event, actions))

    Pair.watchers.append(write)
    try:
        yield
    finally:
        Pair.watchers.remove(write)
