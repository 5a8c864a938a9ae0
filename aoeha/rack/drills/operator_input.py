"""Commands that an operator types on a gateway in the course of a drill. What they print is evidence."""

import json
import shlex

from aoeha.rack.machines.guest_link import Completed
from aoeha.rack.machines.host import RackError
from aoeha.rack.machines.rack import Rack

__all__ = ["UnmetError", "answered", "run_command", "run_fatal", "run_refused"]

COMMAND_MS = 60_000


class UnmetError(Exception):
    """An expectation was not met. The message is a sentence with what was seen instead."""


async def run_command(rack: Rack, node: str, *argv: str) -> None:
    """Run a program that must end with exit code 0."""
    done = await _run(rack, node, argv)
    if done.code != 0:
        told = (done.err or done.out).strip()
        raise UnmetError(f"{shlex.join(argv)} on {node} ended with {done.code}: {told}")


async def run_refused(rack: Rack, node: str, code: str, *argv: str) -> None:
    """Run a command of aoeha that must end with another exit code, and be answered with this code."""
    done = await _run(rack, node, (*argv, "-o", "json"))
    if done.code in {0, None} or answered(done.out) != code:
        told = f"{done.out}{done.err}".strip()
        raise UnmetError(f"{shlex.join(argv)} on {node} ended with {done.code}, expected {code}: {told}")


def answered(out: str) -> str:
    """Return the code of the answer that a command printed last, empty where there is none."""
    try:
        last = json.loads(out.splitlines()[-1]) if out else {}
    except ValueError:
        return ""
    return str(last.get("code", "")) if isinstance(last, dict) and last.get("kind") == "done" else ""


async def run_fatal(rack: Rack, node: str, *argv: str) -> None:
    """Run a program during which its gateway must lose its power."""
    try:
        done = await _run(rack, node, argv)
    except RackError:
        if not rack.guests[node].is_on:
            return
        raise
    raise UnmetError(
        f"{shlex.join(argv)} ended with {done.code}, and {node} has power: {(done.err or done.out).strip()}"
    )


async def _run(rack: Rack, node: str, argv: tuple[str, ...]) -> Completed:
    done = await rack.link(node).run(*argv, deadline_ms=COMMAND_MS)
    rack.tell("command", node=node, argv=list(argv), code=done.code, out=done.out, err=done.err)
    return done
