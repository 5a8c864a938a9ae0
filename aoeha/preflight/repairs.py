"""Changes files at an operator's command: each change is atomic, and the old text is kept as a backup."""

import contextlib
import difflib
import errno
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from aoeha.preflight.edits import edited
from aoeha.preflight.finding import Finding

__all__ = ["Change", "changes", "write"]

SUFFIX = ".before-aoeha"
NEW_FILE_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Change:
    """One file's text before and after. `before` is None for a new file."""

    file: Path
    before: str | None
    after: str

    def diff(self) -> Iterator[str]:
        """Return the lines of a unified diff."""
        old = "/dev/null" if self.before is None else str(self.file)
        before, after = ((text or "").splitlines(keepends=True) for text in (self.before, self.after))
        for line in difflib.unified_diff(before, after, old, str(self.file)):
            printable = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            yield printable if line.endswith("\n") else f"{printable}\n\\ No newline at end of file\n"


def changes(root: Path, found: Iterable[Finding]) -> tuple[Change, ...]:
    """Return the combined edits of these findings, one change for each file. Raises OSError."""
    made: dict[str, Change] = {}
    for finding in found:
        if edit := finding.edit:
            change = made.get(edit.path) or _unchanged(root, edit.path)
            made[edit.path] = replace(change, after=edited(edit, change.after))
    return tuple(change for change in made.values() if change.before != change.after)


def write(change: Change) -> Path | None:
    """Make the change. Return the backup's path, or None for a new file. Raises OSError."""
    change.file.parent.mkdir(parents=True, exist_ok=True)
    kept = None
    if change.before is not None:
        kept = _unused(change.file)
        shutil.copy2(change.file, kept)
    _replace(change)
    return kept


def _unchanged(root: Path, path: str) -> Change:
    """Read a file for a change. A link is followed, but never out of the root directory."""
    file = (root / path).resolve()
    if not file.is_relative_to(root.resolve()):
        raise OSError(errno.EXDEV, f"it is a link that leads out of {root}", str(root / path))
    try:
        text = file.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return Change(file, None, "")
    return Change(file, text, text)


def _unused(file: Path) -> Path:
    """Return a backup's name that is not in use."""
    names = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    every = (file.with_name(f"{file.name}{SUFFIX}{name}") for name in names)
    return next(path for path in every if not os.path.lexists(path))


def _replace(change: Change) -> None:
    """Write a temporary file and rename it, so that no crash leaves half a file."""
    beside = change.file.with_name(f".{change.file.name}.{os.getpid()}.new")
    try:
        with beside.open("xb") as opened:
            os.fchmod(opened.fileno(), NEW_FILE_MODE)
            if change.before is not None:
                owner = change.file.stat()
                os.fchown(opened.fileno(), owner.st_uid, owner.st_gid)
                os.fchmod(opened.fileno(), owner.st_mode & 0o7777)
            opened.write(change.after.encode("utf-8", "surrogateescape"))
            opened.flush()
            os.fsync(opened.fileno())
        beside.replace(change.file)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
