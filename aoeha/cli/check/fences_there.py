"""`aoeha check --fences --over "ssh beta"`: the same queries from the peer, over the peer's own paths."""

import shlex
import subprocess
import sys
from pathlib import Path

from aoeha.config.schema import Configuration
from aoeha.config.view import config_tag
from aoeha.core.model.text import shown

__all__ = ["ANSWERS", "asked_there"]

ANSWERS = "fences: every device answers from "
"""The last line of a successful check; the node's name follows."""

_STARTING_S = 30


def asked_there(configuration: Configuration, over: str, file: str | None, peer: str, *, named: bool) -> int:
    """Run the check on `peer` with the command `over`, print its output, and return the number of troubles.

    The peer itself must answer, with the same configuration. `named`: pass the peer's name as --node.
    """
    # ssh starts in another directory, so the path must be absolute. A shell there reads the words that it is given.
    its_file = [str(Path(file).absolute())] if file else []
    words = ["aoeha", "check", "--fences", *(["--node", peer] if named else []), *its_file]
    limit_s = _STARTING_S + sum(fence.timeout_ms * 2 * (1 + len(fence.plug)) for fence in configuration.fences) / 1_000
    try:
        ran = subprocess.run(
            [*shlex.split(over), *map(shlex.quote, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _trouble(f"cannot ask from {peer}: `{over}` did not end within {limit_s:g} s; does it prompt for input?")
    except (OSError, ValueError) as error:
        return _trouble(f"cannot ask from {peer}: `{over}`: {error}")
    for text, stream in ((ran.stdout, sys.stdout), (ran.stderr, sys.stderr)):
        for line in text.splitlines():
            # The list of what a person must verify is printed once, by this side.
            if not line.startswith(("  ", "verify by hand")):
                print(f"{peer}: {shown(line)}", file=stream)
    if ran.returncode != 0:
        return _trouble(
            f"not every device answers from {peer}, or it was not asked: `{over}` ended with {ran.returncode}"
        )
    if f"{ANSWERS}{peer}" not in ran.stdout.splitlines():
        return _trouble(f"cannot ask from {peer}: `{over}` does not lead to {peer}")
    if f"fingerprint {config_tag(configuration):08x}" not in ran.stdout:
        return _trouble(f"{peer} has a different configuration; copy the file")
    return 0


def _trouble(sentence: str) -> int:
    print(f"fences: {sentence}", file=sys.stderr)
    return 1
