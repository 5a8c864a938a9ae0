"""Services that systemd starts at boot, though only aoeha may start them."""

from pathlib import Path

from aoeha.preflight.files import is_masked
from aoeha.preflight.finding import Finding

__all__ = ["services_at_boot"]

UNITS = "etc/systemd/system"
NFS_SERVER = "nfs-server.service"


def services_at_boot(root: Path) -> tuple[Finding, ...]:
    """Return one finding for each target that starts the kernel's NFS server."""
    if is_masked(root / UNITS / NFS_SERVER):
        return ()
    return tuple(
        Finding(
            f"systemd starts the kernel's NFS server at boot ({wants.parent.name}), whichever gateway owns the volume",
            f"systemctl disable {NFS_SERVER}",
        )
        for wants in sorted((root / UNITS).glob(f"*.wants/{NFS_SERVER}"))
    )
