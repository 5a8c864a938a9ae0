"""Journals of a simulated pair, written as the daemon writes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aoeha.core.model.actions import Action
from aoeha.core.model.config import Identity, PairConfig
from aoeha.core.model.events import Event
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState
from aoeha.core.rules import Ask
from aoeha.core.step import initial, step
from aoeha.journal.records import Header, encode_header, encode_step
from aoeha.sim.world import daemon

__all__ = ["journals"]

WALL_MS = 1_700_000_000_000


@contextmanager
def journals(folder: Path) -> Iterator[None]:
    """Let every daemon that starts within write its journal to folder/NODE/, one file an incarnation."""
    boots: dict[str, list[str]] = {}

    def file_of(node: str, identity: Identity) -> Path:
        known = boots.setdefault(node, [])
        if identity.boot_id not in known:
            known.append(identity.boot_id)
        boot = known.index(identity.boot_id) + 1
        return folder / node / f"{boot:02}-{identity.incarnation:02}-0001.jsonl"

    def begin(
        config: PairConfig, identity: Identity, memory: Memory | None, now_ms: int
    ) -> tuple[NodeState, tuple[Action, ...]]:
        state, actions = initial(config, identity, memory, now_ms)
        (folder / config.node).mkdir(parents=True, exist_ok=True)
        header = Header("1", 1, now_ms, WALL_MS + now_ms, config, identity, memory, actions)
        file_of(config.node, identity).write_bytes(encode_header(header))
        return state, actions

    def go_on(state: NodeState, event: Event, ask: Ask) -> tuple[NodeState, tuple[Action, ...]]:
        after, actions = step(state, event, ask)
        with file_of(state.config.node, state.identity).open("ab") as journal:
            journal.write(encode_step(event, actions))
        return after, actions

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon, "initial", begin)
        patch.setattr(daemon, "step", go_on)
        yield
