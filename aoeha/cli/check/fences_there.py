"""`aoeha check --fences --over "ssh beta"`: the same questions from the other gateway, by its own ways to them."""

import shlex
import subprocess
import sys
from pathlib import Path

from aoeha.config.schema import Configuration
from aoeha.config.view import config_tag

__all__ = ["ANSWERS", "asked_there"]

ANSWERS = "fences: every device answers from "
"""How the check ends that was good; the gateway's name follows."""

_STARTING_S = 30


def asked_there(configuration: Configuration, over: str, file: str | None, peer: str, *, named: bool) -> int:
    """Run the check on `peer` by the command `over`, print what it says, and return how many troubles that is.

    It must be the peer that answers, with this very configuration. `named`: tell it its name.
    """
    # ssh begins in another directory than this one.
    its_file = [str(Path(file).absolute())] if file else []
    words = ["aoeha", "check", "--fences", *(["--node", peer] if named else []), *its_file]
    limit_s = _STARTING_S + sum(fence.timeout_ms * 2 * (1 + len(fence.plug)) for fence in configuration.fences) / 1_000
    try:
        ran = subprocess.run(
            [*shlex.split(over), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _trouble(
            f"cannot ask from {peer}: `{over}` was not done within {limit_s:g} s; does it ask for something?"
        )
    except (OSError, ValueError) as error:
        return _trouble(f"cannot ask from {peer}: `{over}`: {error}")
    for text, stream in ((ran.stdout, sys.stdout), (ran.stderr, sys.stderr)):
        for line in text.splitlines():
            # What a person must verify is said here, once.
            if not line.startswith(("  ", "verify by hand")):
                print(f"{peer}: {line}", file=stream)
    if ran.returncode != 0:
        return _trouble(
            f"not every device answers from {peer}, or it was not asked: `{over}` ended with {ran.returncode}"
        )
    if f"{ANSWERS}{peer}" not in ran.stdout.splitlines():
        return _trouble(f"cannot ask from {peer}: it is not {peer} that `{over}` leads to")
    if f"fingerprint {config_tag(configuration):08x}" not in ran.stdout:
        return _trouble(f"{peer} has another configuration; copy the file")
    return 0


def _trouble(sentence: str) -> int:
    print(f"fences: {sentence}", file=sys.stderr)
    return 1
