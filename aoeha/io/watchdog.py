"""The kernel's watchdog: it resets this machine unless it is fed in time (watchdog-api.rst, linux/watchdog.h).

Opening one starts it. A process that ends without writing the magic character leaves it running, and the close counts
as one more feeding (watchdog_release in the kernel's watchdog_dev.c): a successor has the whole time-out again.
"""

import errno
import fcntl
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Watchdog", "WatchdogError", "open_watchdog"]

GET_SUPPORT, SET_TIMEOUT, GET_TIMEOUT = 0x80285700, 0xC0045706, 0x80045707
"""WDIOC_*, as asm-generic/ioctl.h numbers them (x86, ARM, RISC-V)."""
SUPPORT = struct.Struct("=II32s")
"""struct watchdog_info: options, firmware version, identity."""
SECONDS = struct.Struct("=i")
CAN_STOP_BY_MAGIC = 0x0100
"""WDIOF_MAGICCLOSE. A driver without it stops whenever its descriptor is closed, also by kill -9."""
FOOD, MAGIC = b"\0", b"V"
OLD_DEVICE = os.makedev(10, 130)
"""/dev/watchdog is a second name of the kernel's first watchdog, without a folder in sysfs that describes it."""
REASONS = {
    errno.ENOENT: "there is no such device",
    errno.ENXIO: "there is no such device",
    errno.ENODEV: "there is no such device",
    errno.EBUSY: "another program has it; systemd does when RuntimeWatchdogSec is set",
}


class WatchdogError(Exception):
    """A watchdog cannot be used. The message is a sentence. `is_missing` when this machine has none of that name."""

    def __init__(self, sentence: str, *, is_missing: bool = False) -> None:
        super().__init__(sentence)
        self.is_missing = is_missing


@dataclass(frozen=True, slots=True)
class Watchdog:
    """A running watchdog. `timeout_ms` is what the driver granted. `caveats` are sentences about its limits.

    Every method may take as long as the driver likes: one behind a management controller can take seconds.
    """

    descriptor: int
    identity: str
    timeout_ms: int
    caveats: tuple[str, ...] = ()

    def feed(self) -> None:
        """Feed it: restart its time-out. Raises OSError."""
        os.write(self.descriptor, FOOD)

    def stop(self) -> None:
        """Stop it with the magic character and close it. Raises OSError, and then it keeps running."""
        try:
            os.write(self.descriptor, MAGIC)
        finally:
            os.close(self.descriptor)


def open_watchdog(device: str, timeout_ms: int) -> Watchdog:
    """Start a watchdog with this time-out, in whole seconds. After a WatchdogError it is not running."""
    try:
        descriptor = os.open(device, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        reason = REASONS.get(error.errno or 0, error.strerror)
        is_missing = reason == REASONS[errno.ENOENT]
        raise WatchdogError(f"cannot open the watchdog {device}: {reason}", is_missing=is_missing) from error
    try:
        options, identity = _support(descriptor)
    except OSError as error:
        # Not a byte was written: this may be anything.
        os.close(descriptor)
        raise WatchdogError(f"cannot use {device}: it is no watchdog ({error.strerror})") from error
    granted_ms = _set_timeout(descriptor, timeout_ms)
    caveats = tuple(_caveats(descriptor, options, timeout_ms, granted_ms))
    return Watchdog(descriptor, identity, granted_ms, caveats)


def _support(descriptor: int) -> tuple[int, str]:
    """Return the driver's options and name. Raises OSError for what is no watchdog."""
    if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
        raise OSError(errno.ENOTTY, "no character device")
    answer = fcntl.ioctl(descriptor, GET_SUPPORT, bytes(SUPPORT.size))
    options, _, identity = SUPPORT.unpack(answer)
    return options, identity.partition(b"\0")[0].decode(errors="replace")


def _set_timeout(descriptor: int, timeout_ms: int) -> int:
    """Return the time-out in force, 0 when the driver does not say. The driver may have its own, or round."""
    for operation, seconds in ((SET_TIMEOUT, timeout_ms // 1_000), (GET_TIMEOUT, 0)):
        try:
            answer = fcntl.ioctl(descriptor, operation, SECONDS.pack(seconds))
        except OSError:
            continue
        granted: int = SECONDS.unpack(answer)[0]
        return granted * 1_000
    return 0


def _caveats(descriptor: int, options: int, timeout_ms: int, granted_ms: int) -> list[str]:
    caveats = []
    if not granted_ms:
        caveats.append("its driver does not tell its time-out")
    elif granted_ms != timeout_ms:
        caveats.append(
            f"its driver granted {granted_ms // 1_000} s instead of the {timeout_ms // 1_000} s that were asked for"
        )
    if not options & CAN_STOP_BY_MAGIC:
        caveats.append("its driver stops it when the daemon is killed")
    if _has_no_way_out(descriptor):
        caveats.append("it cannot be stopped, so stopping aoeha reboots this machine; load its driver with nowayout=0")
    return caveats


def _has_no_way_out(descriptor: int) -> bool:
    """Tell whether the driver ignores the magic character, as far as this kernel says (CONFIG_WATCHDOG_SYSFS)."""
    device = os.fstat(descriptor).st_rdev
    name = "class/watchdog/watchdog0"
    if device != OLD_DEVICE:
        name = f"dev/char/{os.major(device)}:{os.minor(device)}"
    try:
        return Path("/sys", name, "nowayout").read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False
