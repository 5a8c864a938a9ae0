"""Tells shared arrays from this machine's own, by the names and UUIDs that files give them."""

import re
from dataclasses import dataclass

__all__ = ["SharedArray", "array_key", "is_array", "is_leg", "uuid_key"]

LEG_FOLDER = "/dev/etherd/"


@dataclass(frozen=True, slots=True)
class SharedArray:
    """A mirror that only aoeha may assemble: its device, its UUID as mdadm prints it, its legs' devices."""

    device: str
    uuid: str
    legs: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """Return the names that a file may use for it."""
        return frozenset((array_key(self.device), uuid_key(self.uuid)))


def is_leg(device: str) -> bool:
    """Tell whether it is a disk of a shelf, as the kernel's driver names it."""
    return device.startswith(LEG_FOLDER)


def is_array(device: str) -> bool:
    """Tell whether it is an md array, or a partition of one."""
    return re.match(r"/dev/(md|disk/by-id/md-)", device) is not None


def array_key(device: str) -> str:
    """Return what is common to an array's many names: /dev/md0, /dev/md/0 and md0p1 are "0"."""
    if found := re.match(r"/dev/disk/by-id/md-uuid-([0-9a-fA-F:]+)", device):
        return uuid_key(found[1])
    if found := re.match(r"/dev/disk/by-id/md-name-(?:.*:)?(.+?)(?:-part\d+)?$", device):
        return found[1]
    name = re.sub(r"^(/dev/)?(md/|md(?=_?d?\d))?", "", device)
    return re.sub(r"(?<=\d)p\d+$", "", name)


def uuid_key(uuid: str) -> str:
    """Return a UUID's digits; files write them with colons, dots, hyphens or none."""
    return re.sub(r"[^0-9a-f]", "", uuid.lower())
