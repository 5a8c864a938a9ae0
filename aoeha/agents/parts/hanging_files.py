"""What is done with files that may hang: those of a shared volume, and those by which the kernel is told of its disks.

They are read and written by programs, never by this process. What waits in the kernel for a shelf cannot be killed. A
child that waits so is left behind, and ends when the shelf answers. A thread of the daemon that did would keep the
whole daemon: it could be neither ended nor replaced by a new one, and would hold its ports, its name and the watchdog
(measured with a volume that never answers).
"""

from pathlib import Path

from aoeha.agents.running import must_run
from aoeha.io.host import Host

__all__ = ["ask_figures", "make_directory", "missing_of", "read_file", "replace_file", "tell_kernel"]

FIND_MISSING = 'for one; do [ -d "$one" ] || { printf %s "$one"; exit 0; }; done'
TELL = 'while [ $# -gt 0 ]; do printf %s "$2" > "$1" || exit; shift 2; done'


async def make_directory(host: Host, directory: str, *, mode: int = 0o755) -> None:
    """Make a directory and its parents, if it is not there. Raises AgentError."""
    words = ("mkdir", "--parents", f"--mode={mode:o}", "--", directory)
    await must_run(host, *words, to=f"make the directory {directory}")


async def missing_of(host: Host, directories: tuple[str, ...]) -> str:
    """Return the first of these that is no directory, empty for none. Raises AgentError where that cannot be told."""
    found = await must_run(host, "sh", "-c", FIND_MISSING, "sh", *directories, to=f"look for {', '.join(directories)}")
    return found.stdout


async def ask_figures(host: Host, directory: str) -> None:
    """Ask the file system there how large it is, which one that hangs does not answer. Raises AgentError."""
    to = f"ask the file system at {directory}"
    await must_run(host, "stat", "--file-system", "--format=%S", "--", directory, to=to)


async def read_file(host: Host, path: Path, *, deadline_ms: int) -> str:
    """Return what a file holds. Raises AgentError."""
    return (await must_run(host, "cat", "--", str(path), deadline_ms=deadline_ms, to=f"read {path}")).stdout


async def replace_file(host: Host, path: Path, text: str, *, deadline_ms: int) -> None:
    """Put a file in the place of another one; a power loss leaves one of them whole. Raises AgentError.

    Two programs, not a shell that calls them: of a call that hangs only its own process is known.
    """
    scratch, to = f"{path}.new", f"write {path}"
    await must_run(host, "dd", f"of={scratch}", "conv=fsync", "status=none", deadline_ms=deadline_ms, stdin=text, to=to)
    await must_run(host, "mv", "--no-target-directory", "--", scratch, str(path), deadline_ms=deadline_ms, to=to)


async def tell_kernel(host: Host, *orders: tuple[Path, str], deadline_ms: int | None = None) -> None:
    """Write each of these words to its file of the kernel, one after the other. Raises AgentError."""
    words = [word for path, text in orders for word in (str(path), text)]
    to = " and ".join(f"write {text} to {path}" for path, text in orders)
    await must_run(host, "sh", "-c", TELL, "sh", *words, deadline_ms=deadline_ms, to=to)
