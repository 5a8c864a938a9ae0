"""Our fence agents where Pacemaker and people look for fence agents: /usr/sbin/fence_NAME.

A name that somebody else's program has is left to it; ours is fence_aoeha_NAME then.
"""

import shlex
import sys
from pathlib import Path

from aoeha.agents.fence_names import beside, program_name
from aoeha.agents.registry import AgentKind, agent_files

__all__ = ["FENCE_FOLDER", "install_fence_wrappers"]

FENCE_FOLDER = Path("/usr/sbin")
_MARK = "# Written by `aoeha agents install`."


def install_fence_wrappers(folder: Path = FENCE_FOLDER) -> tuple[Path, ...]:
    """Write one executable wrapper per fence agent and return them. Raises OSError.

    A wrapper names this interpreter, which is the one that has our dependencies, whatever `python3` is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wrappers = []
    for path in agent_files(AgentKind.FENCE):
        wrapper = folder / program_name(path.stem)
        if not _is_ours(wrapper):
            wrapper = folder / beside(path.stem)
        command = f"exec {shlex.quote(sys.executable)} {shlex.quote(str(path))}"
        wrapper.write_text(f'#!/bin/sh\n{_MARK}\n{command} "$@"\n')
        wrapper.chmod(0o755)
        wrappers.append(wrapper)
    return tuple(wrappers)


def _is_ours(wrapper: Path) -> bool:
    """Tell whether a name is free, or taken by an earlier wrapper of ours."""
    try:
        return _MARK in wrapper.read_text(errors="replace")[:200]
    except FileNotFoundError:
        return True
