"""Code and configuration that run as root come from files that root alone can write: the file, and every folder above.

Whoever can write a folder can put another file in the place of one that is not his. A folder like /tmp, in which
everybody may make files and nobody may take another one's away (sticky), is as good as one of root's.
"""

import os
import stat
from pathlib import Path

__all__ = ["why_untrusted"]


def why_untrusted(file: Path | str) -> str:
    """Return who else could change what the file says, with the command that ends it, or ''.

    This process's own user counts as root does. A file that is not there, or not to be seen, is trusted: to read it
    fails, and says why.
    """
    try:
        named, real = Path(file).absolute(), Path(file).resolve()
    except (OSError, RuntimeError, ValueError):
        return ""
    for path in dict.fromkeys((real, *real.parents, named, *named.parents)):
        try:
            status = path.stat()
        except (OSError, ValueError):
            continue
        if why := _why(path, status):
            return why
    return ""


def _why(path: Path, status: os.stat_result) -> str:
    if status.st_uid not in (0, os.geteuid()):
        return f"{path} belongs to user {status.st_uid}; run: chown root {path}"
    is_shared = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    others = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != 0)
    if others and not is_shared:
        mode = stat.S_IMODE(status.st_mode)
        return f"other users may write to {path} (mode {mode:04o}); run: chmod go-w {path}"
    return ""
