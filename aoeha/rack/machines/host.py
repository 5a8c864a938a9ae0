"""What the rack needs of the machine it runs on: packages, the guest kernel, root."""

import compileall
import os
import shutil
import subprocess
from pathlib import Path

__all__ = [
    "CHECKOUT",
    "DEBIAN_PACKAGES",
    "LINUX",
    "RackError",
    "check_host",
    "modules_folder",
    "preload",
    "prepare_checkout",
]

DEBIAN_PACKAGES = (
    "user-mode-linux", "vblade", "aoetools", "mdadm", "nfs-kernel-server", "nfs-common", "e2fsprogs", "xfsprogs",
    "resource-agents", "fence-agents", "libxml2-utils", "kmod", "iproute2", "util-linux",
    "gcc", "libc6-dev",
)  # fmt: skip
"""Debian packages that guests use. Installed without starting services and with aoetools' module load masked."""

CHECKOUT = Path(__file__).resolve().parents[3]
LINUX = Path("/usr/bin/linux.uml")
MODULES = Path("/usr/lib/uml/modules")
MENDS = ("xstate.c", "frames.c")
PROGRAMS = {
    "ip": "iproute2", "bridge": "iproute2", "unshare": "util-linux", "vblade": "vblade", "mdadm": "mdadm",
    "exportfs": "nfs-kernel-server", "mount.nfs": "nfs-common", "mkfs.ext4": "e2fsprogs", "modprobe": "kmod",
    "gcc": "gcc",
}  # fmt: skip


class RackError(Exception):
    """The rack cannot do what was asked. The message is a sentence that says what to do."""


def modules_folder() -> Path:
    """The folder of the guest kernel's modules, named by its version."""
    folders = sorted(MODULES.iterdir()) if MODULES.is_dir() else []
    if not folders:
        raise RackError(f"cannot find the guest kernel's modules below {MODULES}: install user-mode-linux")
    return folders[-1]


def check_host() -> None:
    """Raise RackError with everything that this machine lacks."""
    if os.geteuid() != 0:
        raise RackError("cannot build a rack: it makes network namespaces and taps, which needs root; run it with sudo")
    path = "/usr/sbin:/sbin:/usr/bin:/bin"
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)})
    if not LINUX.exists():
        missing.append("user-mode-linux")
    if missing:
        raise RackError(f"cannot build a rack: Debian packages are missing; apt install {' '.join(missing)}")
    if not Path("/dev/net/tun").exists():
        raise RackError("cannot build a rack: /dev/net/tun is missing; modprobe tun")


def preload(folder: Path) -> Path:
    """Build the library that linux.uml is started with: it works around faults of the guest kernel from outside."""
    library = folder / "mends.so"
    sources = [str(Path(__file__).with_name(name)) for name in MENDS]
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise RackError(f"cannot build {' and '.join(MENDS)}: {done.stderr.strip()}; apt install gcc libc6-dev")
    return library


def prepare_checkout() -> None:
    """Compile the checkout's modules: guests see it read-only and would compile them at each start."""
    for name in ("aoeha", "resources", "fencing"):
        compileall.compile_dir(CHECKOUT / name, quiet=2)
