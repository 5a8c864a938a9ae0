"""`aoeha keygen`: create or rotate the secret that both gateways share."""

import argparse
import contextlib
import os
import secrets
from pathlib import Path

from aoeha.cli.screen import print_error
from aoeha.core.model.exits import Exit
from aoeha.wire.keys import SECRET_SIZE_MIN, KeyFileError, parse_keys

__all__ = ["add_arguments", "run"]

DEFAULT_FILE = "/etc/aoeha/keys"
KEY_ID_MAX = 255
HEAD = """\
# aoeha keys: the first one that both gateways have signs, all are accepted.
# Both gateways need the same file, readable by root only.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file and --rotate."""
    parser.add_argument("file", nargs="?", default=DEFAULT_FILE, metavar="FILE", help=f"the key file ({DEFAULT_FILE})")
    parser.add_argument(
        "--rotate", action="store_true", help="add a key to the file that is accepted but not yet used for signing"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the file, or add to it. An existing file is never overwritten."""
    file = Path(arguments.file)
    try:
        return _rotate(file) if arguments.rotate else _make(file)
    except PermissionError:
        print_error(f"cannot write {file}: permission denied; run this as root (sudo)")
        return Exit.NO_PRIVILEGE
    except OSError as error:
        print_error(f"cannot write {file}: {error.strerror}; {_advice(file)}")
        return Exit.FAILED


def _make(file: Path) -> int:
    try:
        _write_new(file, HEAD + _new_line(1))
    except FileExistsError:
        print_error(
            f"cannot create {file}: it exists, and a new key would cut this gateway off from its peer; "
            "use --rotate to change keys without an interruption"
        )
        return Exit.UNSAFE
    print(f"Wrote {file} with a new key. Copy it to the other gateway: scp -p {file} PEER:{file}")
    return Exit.DONE


def _rotate(file: Path) -> int:
    try:
        text = file.read_text(encoding="ascii")
        keys = parse_keys(text, str(file))
    except FileNotFoundError:
        print_error(f"cannot add a key to {file}: there is no such file; create it without --rotate")
        return Exit.FAILED
    except (KeyFileError, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, KeyFileError) else f"{file}: cannot read it as text"
        print_error(f"cannot add a key: {why}; fix the file, or move it away and create a new one for both gateways")
        return Exit.BAD_CONFIGURATION
    used = {key.id for key in keys}
    free = [number for number in range(keys[-1].id + 1, KEY_ID_MAX + 1) if number not in used]
    free += [number for number in range(1, keys[-1].id) if number not in used]
    if not free:
        print_error(
            f"cannot add a key to {file}: all {KEY_ID_MAX} key numbers are used; remove old keys on both gateways"
        )
        return Exit.FAILED
    _replace(file, text + ("" if text.endswith("\n") else "\n") + _new_line(free[0]))
    print(
        f"Added key {free[0]} to {file}. It is accepted, but does not sign yet. To continue, do each step on\n"
        "both gateways, in whichever order, and `aoeha restart` after each (what runs goes on running):\n"
        "  1. copy this file to the other gateway\n"
        f"  2. move the line of key {free[0]} to the top: it signs as soon as the other gateway has it\n"
        "  3. remove the lines of the old keys\n"
        "`aoeha restart` refuses a file without a key that the other gateway has."
    )
    return Exit.DONE


def _new_line(number: int) -> str:
    return f"{number} {secrets.token_hex(SECRET_SIZE_MIN)}\n"


def _replace(file: Path, text: str) -> None:
    """Write a temporary file and rename it, so that no crash leaves half a key file."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        _write_new(beside, text)
        beside.replace(file)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def _write_new(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        os.fchmod(descriptor, 0o600)
        opened.write(text)
        opened.flush()
        os.fsync(descriptor)


def _advice(file: Path) -> str:
    return f"create the directory: mkdir -p {file.parent}" if not file.parent.is_dir() else "check the disk"
