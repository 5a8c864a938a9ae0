"""Finds what could touch the shared disks on this host without aoeha, and how to fix it.

A standby that assembles the mirror at boot writes to legs that its peer owns. Homehost does not stop that: a foreign
array is started as md127 (measured). `AUTO -all` does. This package starts no process and needs no disk. It reads only
files below a root directory, so it can also check the image of another machine.
"""

from pathlib import Path

from aoeha.preflight.arrays import SharedArray
from aoeha.preflight.driver import driver_at_boot
from aoeha.preflight.finding import Finding
from aoeha.preflight.initramfs import early_assembly
from aoeha.preflight.mdadm import automatic_assembly
from aoeha.preflight.mounts import mounts_at_boot
from aoeha.preflight.services import services_at_boot
from aoeha.preflight.volumes import automatic_activation

__all__ = ["Finding", "SharedArray", "array_findings", "findings"]


def findings(root: Path = Path("/"), arrays: tuple[SharedArray, ...] = ()) -> tuple[Finding, ...]:
    """Return all findings, in the order in which they should be fixed."""
    return (*array_findings(root, arrays), *services_at_boot(root))


def array_findings(root: Path, arrays: tuple[SharedArray, ...]) -> tuple[Finding, ...]:
    """Return what could load the driver, assemble the arrays, or activate and mount what lies on them.

    Cheap enough for each start and each check of a standby: about a millisecond. The initramfs comes last, because it
    is built again from the files that come before.
    """
    return (
        *automatic_assembly(root, arrays),
        *driver_at_boot(root),
        *mounts_at_boot(root, arrays),
        *automatic_activation(root, arrays),
        *early_assembly(root),
    )
