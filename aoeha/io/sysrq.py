"""An immediate reboot of this kernel without sync, so that no write that it still holds reaches a disk."""

import os
from pathlib import Path

__all__ = ["TRIGGER", "reboot_at_once"]

TRIGGER = Path("/proc/sysrq-trigger")


def reboot_at_once(trigger: Path = TRIGGER) -> None:
    """Reboot by sysrq b. Root may write the trigger whatever kernel.sysrq says (Documentation/admin-guide/sysrq.rst).

    Raises OSError when the kernel has no sysrq or this is a container; the caller then has to end the process, so that
    it takes no further decisions.
    """
    descriptor = os.open(trigger, os.O_WRONLY)
    try:
        os.write(descriptor, b"b")
    finally:
        os.close(descriptor)
