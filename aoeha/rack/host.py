"""What the rack needs of the machine it runs on: packages, the guest kernel, root."""

import compileall
import os
import shutil
import subprocess
from pathlib import Path

__all__ = [
    "CHECKOUT",
    "DEBIAN_PACKAGES",
    "DEBIAN_PACKAGES_AMX",
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
)  # fmt: skip
"""Debian packages that guests use. Installed without starting services and with aoetools' module load masked."""

DEBIAN_PACKAGES_AMX = ("gcc", "libc6-dev")
"""Needed besides on processors with AMX, for aoeha/rack/xstate.c."""

CHECKOUT = Path(__file__).resolve().parents[2]
LINUX = Path("/usr/bin/linux.uml")
MODULES = Path("/usr/lib/uml/modules")
PROGRAMS = {
    "ip": "iproute2", "bridge": "iproute2", "unshare": "util-linux", "vblade": "vblade", "mdadm": "mdadm",
    "exportfs": "nfs-kernel-server", "mount.nfs": "nfs-common", "mkfs.ext4": "e2fsprogs", "modprobe": "kmod",
}  # fmt: skip


class RackError(Exception):
    """The rack cannot do what was asked. The message is a sentence that says what to do."""


def has_amx() -> bool:
    """Whether the processor has more register state than the guest kernel can keep."""
    return " amx_tile" in Path("/proc/cpuinfo").read_text()


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
    if has_amx() and not shutil.which("gcc", path=path):
        missing.extend(DEBIAN_PACKAGES_AMX)
    if missing:
        raise RackError(f"cannot build a rack: Debian packages are missing; apt install {' '.join(missing)}")
    if not Path("/dev/net/tun").exists():
        raise RackError("cannot build a rack: /dev/net/tun is missing; modprobe tun")


def preload(folder: Path) -> Path | None:
    """Build, where this processor needs it, the library that linux.uml must be started with."""
    if not has_amx():
        return None
    library = folder / "xstate.so"
    source = Path(__file__).with_name("xstate.c")
    done = subprocess.run(
        ["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RackError(f"cannot build {source.name} for a processor with AMX: {done.stderr.strip()}")
    return library


def prepare_checkout() -> None:
    """Compile the checkout's modules: guests see it read-only and would compile them at each start."""
    for name in ("aoeha", "resources", "fencing"):
        compileall.compile_dir(CHECKOUT / name, quiet=2)
