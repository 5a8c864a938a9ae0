"""Our agents where Pacemaker looks for agents: /usr/lib/ocf/resource.d/aoeha/TYPE, as `ocf:aoeha:TYPE`."""

import shlex
import sys
from pathlib import Path

from aoeha.agents.registry import AgentKind, agent_files

__all__ = ["OCF_FOLDER", "install_ocf_wrappers"]

OCF_FOLDER = Path("/usr/lib/ocf/resource.d/aoeha")


def install_ocf_wrappers(folder: Path = OCF_FOLDER) -> tuple[Path, ...]:
    """Write one executable wrapper per resource agent and return them. Raises OSError.

    A wrapper names this interpreter, which is the one that has our dependencies, whatever `python3` is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wrappers = []
    for path in agent_files(AgentKind.RESOURCE):
        wrapper = folder / path.stem
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(path))} "$@"\n')
        wrapper.chmod(0o755)
        wrappers.append(wrapper)
    return tuple(wrappers)
