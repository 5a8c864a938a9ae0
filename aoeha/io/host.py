"""The machine as agents see it: programs that run under a deadline, and the directories of this pair."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

__all__ = ["Completed", "Host", "Place"]


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended. Output is text, undecodable bytes replaced, cut at 64 KiB."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Place:
    """The directories of this pair on this node."""

    cluster: str
    node: str
    run_directory: Path = field(default=Path("/run/aoeha"))
    state_directory: Path = field(default=Path("/var/lib/aoeha"))
    configuration_directory: Path = field(default=Path("/etc/aoeha"))


class Host(Protocol):
    """Given to every agent. The real one is aoeha.io.processes.ProcessHost."""

    place: Place

    async def run(
        self, *argv: str, deadline_ms: int, stdin: str = "", environment: dict[str, str] | None = None
    ) -> Completed:
        """Run a program without a shell and return its output.

        Its environment is built from scratch; `environment` is added to that.

        Past the deadline, or when the caller is cancelled, all that it started is killed and TimeoutError or
        CancelledError is raised, even if the program hangs in the kernel and cannot die yet. What it leaves behind
        when it ends well is killed too, unless a resource is being started: then it is a daemon of that resource.
        """
        ...

    async def end_service(self, service: str) -> None:
        """End the daemons that the starts of a resource, "GROUP.RESOURCE", have left behind."""
        ...
