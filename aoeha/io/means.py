"""What this process needs to carry anything out: descriptors, memory, processes. Their lack is no fault of others."""

import contextlib
import errno
import os

__all__ = ["lacking", "named_by"]

LACKS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
NO_THREAD = "can't start new thread"
"""The words of Python's threading module."""
SPARE = 8
"""What the look of an agent has open at once: the pipes of a program, a file, a socket of the kernel."""


def named_by(error: BaseException | None) -> str:
    """Return the lack that an error, or what caused it, tells of, or an empty string."""
    while error is not None:
        if isinstance(error, MemoryError):
            return os.strerror(errno.ENOMEM)
        if isinstance(error, RuntimeError) and str(error) == NO_THREAD:
            return "no thread can be started"
        if isinstance(error, OSError) and error.errno in LACKS:
            return os.strerror(error.errno)
        error = error.__cause__ or error.__context__
    return ""


def lacking() -> str:
    """Return why this process can open nothing more, or an empty string."""
    with contextlib.ExitStack() as opened:
        try:
            for _ in range(SPARE):
                opened.callback(os.close, os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            return named_by(error)
    return ""
