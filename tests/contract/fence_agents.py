"""One of our fence agents, as the daemon makes it and as the program that it also is."""

import asyncio
import sys
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from aoeha.agents.registry import build_fence_agent
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

FENCING = Path(__file__).parents[2] / "fencing"
PROGRAM_LIMIT_S = 60

K = TypeVar("K")
T = TypeVar("T")


def agent(kind: str, table: Mapping[str, Any]) -> Any:
    """An agent with parameters as they stand in aoeha.toml."""
    return build_fence_agent(kind, "switch", table, ProcessHost(Place("gw", "beta")))


async def together(scenes: Mapping[K, Awaitable[T]]) -> dict[K, T]:
    """Play scenes that mostly wait at the same time; what each of them gave."""
    return dict(zip(scenes, await asyncio.gather(*scenes.values()), strict=True))


async def run(stdin: str, *argv: str) -> tuple[int, str, str]:
    """Run a program; its exit code, and what it said on both ways."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), PROGRAM_LIMIT_S)
    except BaseException:
        process.kill()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def run_agent(kind: str, **options: object) -> tuple[int, str, str]:
    """Run one of our fence agents as a program, with its options on standard input."""
    lines = "".join(f"{name}={value}\n" for name, value in options.items())
    return await run(lines, sys.executable, str(FENCING / f"{kind}.py"))
