"""Exit codes of every verb. Pacemaker's numbers where it has one, so that scripts carry over."""

from enum import IntEnum

__all__ = ["Exit"]


class Exit(IntEnum):
    """What a script learns without reading."""

    DONE = 0
    FAILED = 1
    NO_PRIVILEGE = 4
    NOT_RUNNING = 7
    USAGE = 64
    BAD_CONFIGURATION = 78
    UNSAFE = 107
    CANNOT_DETERMINE = 112
    TIMED_OUT = 124
    INTERRUPTED = 130
