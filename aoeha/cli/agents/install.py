"""`aoeha agents install`: install our agents for other clusters, and print how to undo that."""

from pathlib import Path

from aoeha.agents.installers import FENCE_FOLDER, OCF_FOLDER, install_fence_wrappers, install_ocf_wrappers
from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit

__all__ = ["install"]


def install(root: str) -> Exit:
    """Write the wrappers below `root`, list them, and print how to undo it."""
    try:
        written = (
            *install_ocf_wrappers(Path(root, OCF_FOLDER.relative_to("/"))),
            *install_fence_wrappers(Path(root, FENCE_FOLDER.relative_to("/"))),
        )
    except OSError as fault:
        print_error(f"cannot install agents: {fault.filename}: {fault.strerror}")
        return Exit.NO_PRIVILEGE if isinstance(fault, PermissionError) else Exit.FAILED
    for path in written:
        print(path)
    print(f"To undo: rm {' '.join(map(str, written))}")
    return Exit.DONE
