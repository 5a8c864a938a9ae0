"""A new daemon in the place of this one, while what runs goes on running (R15): `aoeha restart`, `systemctl reload`.

This process executes its own command line again, so its number stays, and the service manager notices nothing. The new
daemon sends its first beat at once, as one that was killed does, and adopts what runs. Nothing is left and nothing is
handed over: that is what SIGTERM means (`systemctl stop`, `systemctl restart`, a shutdown).

A daemon that could not start again would leave its gateway to be fenced. So a child reads first all that a start needs.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from aoeha.agents.running import said
from aoeha.core.model.conditions import Code
from aoeha.core.model.exits import Exit
from aoeha.daemon import assembly, early_signals
from aoeha.daemon.arguments import DRY_RUN, Settings
from aoeha.daemon.assembly import StartError
from aoeha.io.host import Host, Place
from aoeha.io.processes import ProcessHost
from aoeha.wire.codec import NO_NONCE

__all__ = ["RestartRefusedError", "become_successor", "prepare_successor", "try_start"]

TRY_DEADLINE_MS = 30_000
UNDER_WAY_MAX_S = 10.0
LOOK_EVERY_S = 0.1


class RestartRefusedError(Exception):
    """The daemon goes on as before. The message is a sentence; `code` and `exit_code` are the answer's."""

    def __init__(self, code: Code, exit_code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.exit_code = exit_code


async def prepare_successor(host: Host, under_way: Callable[[], str]) -> None:
    """Return when a new daemon can take over. `under_way` names what it would interrupt, empty for nothing.

    Raises RestartRefusedError.
    """
    environment = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    try:
        tried = await host.run(*_command_line(), DRY_RUN, deadline_ms=TRY_DEADLINE_MS, environment=environment)
    except (OSError, TimeoutError) as error:
        sentence = f"cannot restart: the new daemon cannot be tried: {error}"
        raise RestartRefusedError(Code.COMMAND_FAILED, Exit.FAILED, sentence) from error
    if tried.returncode != 0:
        sentence = f"cannot restart, and goes on as before: the new daemon would not start: {said(tried)}"
        raise RestartRefusedError(Code.COMMAND_FAILED, Exit.BAD_CONFIGURATION, sentence)
    end = asyncio.get_running_loop().time() + UNDER_WAY_MAX_S
    while what := under_way():
        if asyncio.get_running_loop().time() > end:
            sentence = f"cannot restart now: {what} is under way; try again, `aoeha status` shows when it has ended"
            raise RestartRefusedError(Code.COMMAND_REFUSED_BUSY, Exit.FAILED, sentence)
        await asyncio.sleep(LOOK_EVERY_S)


def become_successor() -> NoReturn:
    """Execute this daemon's command line again. Raises OSError when that is impossible."""
    sys.stderr.flush()
    early_signals.defer()  # it outlives the execution
    os.execv(sys.executable, _command_line())  # noqa: S606 - the command line is our own


def try_start(settings: Settings) -> int:
    """Read all that a start needs, say what is wrong with it, and change nothing. Return the exit code."""
    try:
        blueprint = assembly.read_blueprint(settings.config, settings.node)
        host = ProcessHost(Place(blueprint.pair.cluster, blueprint.pair.node))
        assembly.links(blueprint)
        receiver = assembly.receiver(blueprint, nonce=NO_NONCE, memory=None)
        assembly.agents(blueprint.configuration, settings.node, host, blueprint.keys, receiver)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    return Exit.DONE


def _command_line() -> tuple[str, ...]:
    return (sys.executable, *sys.orig_argv[1:])
