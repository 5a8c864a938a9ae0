"""Reads files that may not exist."""

from pathlib import Path

__all__ = ["is_masked", "read"]


def read(path: Path) -> str:
    """Return a file's text, empty without a file. Bytes that are not text survive when written back."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def is_masked(path: Path) -> bool:
    """Tell whether it is masked in systemd's way: a link to /dev/null, or an empty file."""
    if path.is_symlink() and str(path.readlink()) == "/dev/null":
        return True
    try:
        return path.is_file() and path.stat().st_size == 0
    except OSError:
        return False
