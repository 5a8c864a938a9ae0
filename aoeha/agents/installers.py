"""Our agents where Pacemaker and people look for agents, and what their programs are called there.

A resource agent becomes /usr/lib/ocf/resource.d/aoeha/TYPE (`ocf:aoeha:TYPE`), a fence agent /usr/sbin/fence_TYPE. A
name that another project's program has is left to it; ours is fence_aoeha_TYPE then.
"""

import shlex
import sys
from pathlib import Path

from aoeha.agents.program_names import prefixed_name, program_name
from aoeha.agents.registry import AgentKind, agent_files

__all__ = ["FENCE_FOLDER", "OCF_FOLDER", "install_fence_wrappers", "install_ocf_wrappers"]

OCF_FOLDER = Path("/usr/lib/ocf/resource.d/aoeha")
FENCE_FOLDER = Path("/usr/sbin")
_MARK = "# Written by `aoeha agents install`."


def install_ocf_wrappers(folder: Path = OCF_FOLDER) -> tuple[Path, ...]:
    """Write one executable wrapper for each resource agent and return them. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_wrapped(folder / path.stem, path) for path in agent_files(AgentKind.RESOURCE))


def install_fence_wrappers(folder: Path = FENCE_FOLDER) -> tuple[Path, ...]:
    """Write one executable wrapper for each fence agent and return them. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    wrappers = []
    for path in agent_files(AgentKind.FENCE):
        wrapper = folder / program_name(path.stem)
        wrappers.append(_wrapped(wrapper if _is_ours(wrapper) else folder / prefixed_name(path.stem), path))
    return tuple(wrappers)


def _wrapped(wrapper: Path, agent: Path) -> Path:
    """Write a wrapper. It names this interpreter, which is the one that has our dependencies, whatever `python3` is."""
    command = f"exec {shlex.quote(sys.executable)} {shlex.quote(str(agent))}"
    wrapper.write_text(f'#!/bin/sh\n{_MARK}\n{command} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def _is_ours(wrapper: Path) -> bool:
    """Tell whether a name is free, or taken by an earlier wrapper of ours."""
    try:
        return _MARK in wrapper.read_text(errors="replace")[:200]
    except FileNotFoundError:
        return True
