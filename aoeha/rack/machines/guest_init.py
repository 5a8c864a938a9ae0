#!/usr/bin/python3 -IS
"""The first process of a guest: makes a private, writable root over the host's, then starts the guest's agent.

Runs inside the guest under the host's plain Python, before anything else exists there: standard library only, and no
program is started that is not needed, because a fork costs 20 ms in user-mode-linux. The kernel hands over one
environment variable, `AOEHA_GUEST`: the path of this guest's description (see aoeha/rack/machines/guest.py) on the
host.
"""

import ctypes
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
FINIT_MODULE, PIVOT_ROOT = 313, 155
READ_ONLY, DETACH, BIND = 1, 2, 4096
POWER_OFF = 0x4321FEDC
WORK = Path("/mnt")
ROOT = WORK / "root"


def check(result: int, what: str) -> None:
    """Raise OSError with the C library's reason when a call failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str, target: Path, kind: str, options: str = "", flags: int = 0) -> None:
    """Mount, making the directory first where that is possible."""
    if not target.is_dir():
        target.mkdir(parents=True)
    arguments = (source.encode(), str(target).encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    check(LIBC.mount(*arguments), f"mount {kind} on {target}")


def load_module(path: Path) -> None:
    """Load one kernel module by its file."""
    with path.open("rb") as file:
        check(LIBC.syscall(FINIT_MODULE, file.fileno(), b"", 0), f"load {path.name}")


def make_root(modules: Path, shares: list[dict[str, str]]) -> None:
    """Put a tmpfs over the read-only host root, mount what a system expects, and move there."""
    mount("tmpfs", WORK, "tmpfs", "mode=755")
    for name in ("upper", "work", "root"):
        (WORK / name).mkdir()
    load_module(modules / "kernel/fs/overlayfs/overlay.ko")
    mount("overlay", ROOT, "overlay", f"lowerdir=/,upperdir={WORK}/upper,workdir={WORK}/work")
    mount("proc", ROOT / "proc", "proc")
    mount("sysfs", ROOT / "sys", "sysfs")
    mount("devtmpfs", ROOT / "dev", "devtmpfs", "mode=755")
    # The guest boots its kernel alone: images below the host's /boot say nothing about it.
    mount("tmpfs", ROOT / "boot", "tmpfs", "mode=755")
    mount("devpts", ROOT / "dev/pts", "devpts", "mode=620,ptmxmode=666")
    for name in ("dev/shm", "run", "tmp"):
        mount("tmpfs", ROOT / name, "tmpfs", "mode=1777" if name != "run" else "mode=755")
    for share in shares:
        flags = 0 if share["mode"] == "rw" else READ_ONLY
        mount("none", ROOT / share["target"].lstrip("/"), "hostfs", share["source"], flags)
    old = ROOT / "run/old-root"
    old.mkdir()
    os.chdir(ROOT)
    check(LIBC.syscall(PIVOT_ROOT, b".", b"run/old-root"), "pivot_root")
    os.chroot(".")
    os.chdir("/")
    check(LIBC.umount2(b"/run/old-root", DETACH), "leave the host's root")
    Path("/run/old-root").rmdir()


def furnish(description: dict[str, object], modules: Path) -> None:
    """Write this guest's own files, and what tmpfiles.d would make on a real machine."""
    folder = Path("/lib/modules")
    folder.mkdir(exist_ok=True)
    if not (folder / modules.name).exists():
        (folder / modules.name).symlink_to(modules)
    for name in ("run/lock", "run/sendsigs.omit.d", "run/rpcbind", "run/mount", "var/lib/aoeha"):
        Path("/", name).mkdir(parents=True, exist_ok=True)
    for link, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        if not Path("/dev", link).exists():
            Path("/dev", link).symlink_to(target)
    Path("/proc/sys/kernel/hostname").write_text(str(description["name"]))
    files = description["files"]
    assert isinstance(files, dict)
    for path, file in files.items():
        written = Path(path)
        written.parent.mkdir(parents=True, exist_ok=True)
        if written.is_symlink():  # a masked file of the host's: the mode of /dev/null is no guest's to change
            written.unlink()
        written.write_text(file["text"])
        written.chmod(int(file["mode"], 8))


def raise_network(interfaces: list[dict[str, str]]) -> None:
    """Give the interfaces their names, sizes and addresses, in one run of ip. The kernel numbers them as it likes."""
    found = {path.joinpath("address").read_text().strip(): path.name for path in Path("/sys/class/net").iterdir()}
    lines = ["link set lo up"]
    lines.extend(f"link set {found[interface['mac']]} name new{number}" for number, interface in enumerate(interfaces))
    for number, interface in enumerate(interfaces):
        lines.append(f"link set new{number} name {interface['name']}")
        lines.append(f"link set {interface['name']} mtu {interface['mtu']} up")
        if interface["address"]:
            lines.append(f"addr add {interface['address']} brd + dev {interface['name']}")
    done = subprocess.run(
        ["/sbin/ip", "-batch", "-"], input="\n".join(lines), text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise OSError(f"network: {done.stderr.strip()}")


def reap(agent: int) -> None:
    """Be the parent of every orphan until the agent ends."""
    while True:
        pid, _ = os.wait()
        if pid == agent:
            return


def main() -> None:
    """Turn a bare kernel into the guest that the description asks for."""
    description = json.loads(Path(os.environ["AOEHA_GUEST"]).read_text())
    os.environ.clear()
    os.environ.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root", LANG="C.UTF-8", TERM="dumb")
    modules = Path(description["modules"])
    make_root(modules, description["shares"])
    furnish(description, modules)
    raise_network(description["interfaces"])
    sys.path.insert(0, description["checkout"])
    from aoeha.rack.machines import guest_agent  # noqa: PLC0415 (found only after the checkout is mounted)

    agent = os.fork()
    if agent == 0:
        os.setsid()
        guest_agent.serve(description["name"], description["driver"], description["port"])
        os._exit(0)
    reap(agent)


if __name__ == "__main__":
    try:
        main()
    except BaseException:  # noqa: BLE001 (whatever it is, the console must say so before the power goes)
        traceback.print_exc()
    LIBC.reboot(POWER_OFF)
