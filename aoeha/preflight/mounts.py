"""/etc/fstab: no file system on a shelf may be mounted at boot."""

from pathlib import Path

from aoeha.preflight.arrays import SharedArray, array_key, is_array, is_leg
from aoeha.preflight.edits import ReplaceLines
from aoeha.preflight.files import read
from aoeha.preflight.finding import Finding
from aoeha.preflight.mdadm import local_arrays

__all__ = ["mounts_at_boot"]

FILE = "etc/fstab"
SYSTEM_MOUNTS = ("/", "/boot", "/usr", "/var")
"""A service's volume is never mounted here, so an array that is belongs to this machine."""


def mounts_at_boot(root: Path, arrays: tuple[SharedArray, ...]) -> tuple[Finding, ...]:
    """Return the lines that mount a leg or an array, unless it is one of this machine's own or has `noauto`."""
    own = local_arrays(root, arrays)
    found = []
    for number, line in enumerate(read(root / FILE).split("\n"), start=1):
        device, target, kind, options, *_ = (*line.split(), "", "", "", "")
        if not kind or "noauto" in options.split(",") or not _is_shared(device, target, own):
            continue
        edit = ReplaceLines(FILE, ((number, line, f"# aoeha mounts this: {line}"),))
        sentence = f"/{FILE} mounts {device} at {target} at boot; a shared volume is mounted by aoeha alone"
        found.append(Finding.fixed_by(edit, sentence))
    return tuple(found)


def _is_shared(device: str, target: str, own: frozenset[str]) -> bool:
    if is_leg(device):
        return True
    return is_array(device) and target not in SYSTEM_MOUNTS and array_key(device) not in own
