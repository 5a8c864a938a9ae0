"""LVM: volume groups on the shared arrays are activated by aoeha, not by udev when their disk appears."""

import re
from pathlib import Path

from aoeha.preflight.arrays import SharedArray, array_key, is_leg, uuid_key
from aoeha.preflight.edits import AddLine
from aoeha.preflight.files import read
from aoeha.preflight.finding import Finding
from aoeha.preflight.lvm_settings import settings
from aoeha.preflight.volume_groups import known_groups

__all__ = ["automatic_activation"]

PROGRAMS = ("usr/sbin/lvm", "sbin/lvm")
FOLDER = "etc/lvm"
LOCAL_FILE = f"{FOLDER}/lvmlocal.conf"
AUTOMATIC_LIST = "activation/auto_activation_volume_list"
LISTS = (AUTOMATIC_LIST, "activation/volume_list")
FILTERS = ("devices/global_filter", "devices/filter")
SAMPLE_LEGS = ("/dev/etherd/e0.0", "/dev/etherd/e12.3p1")
SAMPLE_ARRAY = SharedArray("/dev/md127", "0:0:0:0")
ANY_VOLUME_GROUP = "/dev/disk/by-id/lvm-pv-uuid-0"
"""A name that udev gives to each disk of a volume group: a filter that accepts it accepts the disk."""


def automatic_activation(root: Path, arrays: tuple[SharedArray, ...]) -> tuple[Finding, ...]:
    """Return a finding where LVM would activate what it finds on a leg or a shared array.

    The content of an array that is not assembled is unknown, so it counts as a volume group.
    """
    if not any((root / program).is_file() for program in PROGRAMS):
        return ()
    values = settings(read(root / FOLDER / "lvm.conf")) | settings(read(root / LOCAL_FILE))
    if (
        values.get("global/event_activation") == ("0",)
        or _are_hidden(values, arrays)
        or _are_left_out(root, values, arrays)
    ):
        return ()
    groups = known_groups(root, arrays)
    limits = [key for key in LISTS if key in values]
    if limits and not any(_names(values[key], groups.shared) for key in limits):
        return ()
    kept = values[AUTOMATIC_LIST] if AUTOMATIC_LIST in values else sorted(groups.own)
    listed = ", ".join(f'"{entry}"' for entry in kept if not _names((entry,), groups.shared))
    why = f"{AUTOMATIC_LIST} names one" if limits else f"/{FOLDER} sets no {AUTOMATIC_LIST}"
    return (
        Finding.fixed_by(
            AddLine(LOCAL_FILE, f"{AUTOMATIC_LIST} = [ {listed} ]" if listed else f"{AUTOMATIC_LIST} = []"),
            f"LVM activates volume groups on the shared disks as soon as it sees them: {why}",
        ),
    )


def _names(entries: tuple[str, ...], groups: frozenset[str]) -> bool:
    """Tell whether a list names one of these groups, or a volume of it. Tags are the operator's business."""
    return any(entry.partition("/")[0] in groups for entry in entries)


def _are_hidden(values: dict[str, tuple[str, ...]], arrays: tuple[SharedArray, ...]) -> bool:
    """Tell whether LVM's filters reject every leg and every shared array, whatever udev calls it."""
    legs = tuple(leg for array in arrays for leg in array.legs) or SAMPLE_LEGS
    names: list[tuple[str, ...]] = [(leg, ANY_VOLUME_GROUP) for leg in legs]
    for array in arrays or (SAMPLE_ARRAY,):
        by_uuid = f"/dev/disk/by-id/md-uuid-{array.uuid}"
        names.append((SAMPLE_ARRAY.device, array.device, by_uuid, ANY_VOLUME_GROUP))
    return all(any(_rejects(values.get(key, ()), disk) for key in FILTERS) for disk in names)


def _rejects(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    """Check one disk by all its names: the first accepted name accepts it, else a rejected name rejects it."""
    verdicts = {_verdict(patterns, name) for name in names}
    return "a" not in verdicts and "r" in verdicts


def _verdict(patterns: tuple[str, ...], name: str) -> str:
    """Return "a" or "r" of the first pattern that matches, or an empty string."""
    for pattern in filter(None, patterns):
        delimiter = pattern[1:2]
        expression = pattern[2:].partition(delimiter)[0] if delimiter else ""
        try:
            if re.search(expression, name):
                return pattern[0]
        except re.error:
            return "a"
    return ""


def _are_left_out(root: Path, values: dict[str, tuple[str, ...]], arrays: tuple[SharedArray, ...]) -> bool:
    """Tell whether LVM keeps to a devices file (lvmdevices(8)) that lists no leg and no shared array."""
    (name,) = values.get("devices/devicesfile", ("",)) or ("",)
    file = root / FOLDER / "devices" / (name or "system.devices")
    if values.get("devices/use_devicesfile") != ("1",) or not file.is_file():
        return False
    shared = frozenset[str]().union(*(array.keys for array in arrays))
    for line in read(file).splitlines():
        entry = dict(re.findall(r"(\w+)=(\S+)", line)) if not line.startswith("#") else {}
        device = entry.get("DEVNAME", "")
        array = uuid_key(entry.get("IDNAME", "")) if entry.get("IDTYPE") == "md_uuid" else array_key(device)
        if is_leg(device) or (array and array in shared):
            return False
    return True
