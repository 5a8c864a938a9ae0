"""Exit codes of every verb and of the daemon. They are Pacemaker's where it has one, so that scripts carry over."""

from enum import IntEnum


class Exit(IntEnum):
    """What a script learns from the exit code alone."""

    DONE = 0
    FAILED = 1
    NO_PRIVILEGE = 4
    NOT_RUNNING = 7
    USAGE = 64
    PANIC_FAILED = 70
    BAD_CONFIGURATION = 78
    UNSAFE = 107
    CANNOT_DETERMINE = 112
    TIMED_OUT = 124
    INTERRUPTED = 130
