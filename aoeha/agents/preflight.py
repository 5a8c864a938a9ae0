"""What on this host could touch the shared disks by itself, whoever owns them, and the command that mends it.

A standby that assembles the mirror at boot writes to legs that its peer owns. Homehost does not stop that, a foreign
array is started as md127 (measured); `AUTO -all` does. Nothing here starts a process or needs the disks.
"""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finding", "automatic_assembly", "findings"]

MDADM_FILES = ("etc/mdadm/mdadm.conf", "etc/mdadm.conf")
UDEV_RULE = "64-md-raid-assembly.rules"
MODULE_FOLDERS = ("usr/lib/modules-load.d", "lib/modules-load.d", "run/modules-load.d", "usr/local/lib/modules-load.d")
INITRAMFS_HOOK = "usr/share/initramfs-tools/hooks/mdadm"
_SHARED_DEVICE = re.compile(r"^/dev/(etherd/|md)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the host: a sentence, and a shell command that mends it."""

    sentence: str
    mend: str


def findings(root: Path = Path("/")) -> tuple[Finding, ...]:
    """Return everything that is wrong, in the order in which it should be mended."""
    return (
        *automatic_assembly(root),
        *_modules_at_boot(root),
        *_mounts_at_boot(root),
        *_services_at_boot(root),
        *_initramfs(root),
    )


def automatic_assembly(root: Path, uuid: str = "") -> tuple[Finding, ...]:
    """Return what makes mdadm assemble arrays, the one with this UUID above all. Cheap enough for each start."""
    path = next((root / name for name in MDADM_FILES if (root / name).is_file()), root / MDADM_FILES[0])
    shown = f"/{path.relative_to(root)}"
    lines = _directives(path)
    found = []
    policies = [words for words in lines if words[0].upper() == "AUTO"]
    trigger = "udev assembles every array that it sees" if _udev_assembles(root) else "`mdadm --scan` assembles arrays"
    match policies:
        case []:
            found.append(
                Finding(
                    f"{trigger}, because {shown} has no line `AUTO -all`",
                    f"mkdir -p {shlex.quote(str(Path(shown).parent))} && echo 'AUTO -all' >> {shown}",
                )
            )
        case [[_, *words], *_] if words != ["-all"]:
            found.append(
                Finding(
                    f"{trigger} that match `AUTO {' '.join(words)}` in {shown}",
                    f"sed -i 's/^[[:space:]]*AUTO[[:space:]].*/AUTO -all/I' {shown}",
                )
            )
    for words in lines:
        named = f"UUID={uuid}".lower() in (word.lower() for word in words)
        if uuid and words[0].upper() == "ARRAY" and named and "<ignore>" not in words:
            found.append(
                Finding(
                    f"{shown} lists the shared array {uuid}, so it is assembled at boot",
                    f"sed -i '/^ARRAY.*{uuid}/Id' {shown}",
                )
            )
    return tuple(found)


def _directives(path: Path) -> list[list[str]]:
    """Return the words of each mdadm.conf line; a line that begins with a blank continues the one before."""
    lines: list[list[str]] = []
    for line in _read(path).splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if line[0].isspace() and lines:
            lines[-1].extend(words)
        else:
            lines.append(words)
    return lines


def _udev_assembles(root: Path) -> bool:
    masked = root / "etc/udev/rules.d" / UDEV_RULE
    if masked.is_symlink() or masked.is_file():
        return bool(_read(masked).strip()) and not _is_null(masked)
    return any((root / folder / "udev/rules.d" / UDEV_RULE).is_file() for folder in ("usr/lib", "lib"))


def _modules_at_boot(root: Path) -> Iterator[Finding]:
    names = {path.name: path for folder in MODULE_FOLDERS for path in (root / folder).glob("*.conf")}
    names |= {path.name: path for path in (root / "etc/modules-load.d").glob("*.conf")}
    for name, path in sorted(names.items()):
        if _is_null(path) or not _names_module(path, "aoe"):
            continue
        shown = f"/{path.relative_to(root)}"
        yield Finding(
            f"{shown} loads the aoe driver at boot, on every interface: it reads the shared disks before aoeha decides",
            f"mkdir -p /etc/modules-load.d && ln -sf /dev/null /etc/modules-load.d/{shlex.quote(name)}",
        )
    if _names_module(root / "etc/modules", "aoe"):
        yield Finding(
            "/etc/modules loads the aoe driver at boot, on every interface",
            "sed -i '/^[[:space:]]*aoe\\([[:space:]]\\|$\\)/d' /etc/modules",
        )


def _mounts_at_boot(root: Path) -> Iterator[Finding]:
    for line in _read(root / "etc/fstab").splitlines():
        words = line.split()
        if len(words) < 4 or not _SHARED_DEVICE.match(words[0]) or "noauto" in words[3].split(","):
            continue
        pattern = re.escape(words[0]).replace("|", r"\|")
        yield Finding(
            f"/etc/fstab mounts {words[0]} at {words[1]} at boot; a shared volume is mounted by aoeha alone",
            f"sed -i '\\|^{pattern}[[:space:]]|s|^|# aoeha mounts this: |' /etc/fstab",
        )


def _services_at_boot(root: Path) -> Iterator[Finding]:
    for wants in sorted((root / "etc/systemd/system").glob("*.wants/nfs-server.service")):
        if not _is_null(root / "etc/systemd/system/nfs-server.service"):
            yield Finding(
                f"systemd starts the kernel's NFS server at boot ({wants.parent.name}), whoever owns the volume",
                "systemctl disable nfs-server.service",
            )


def _initramfs(root: Path) -> Iterator[Finding]:
    """The initramfs carries a copy of mdadm.conf from the day it was built."""
    if not (root / INITRAMFS_HOOK).exists():
        return
    configuration = max((_changed(root / name) for name in MDADM_FILES), default=0)
    for image in sorted((root / "boot").glob("initrd.img-*")):
        if _changed(image) < configuration:
            yield Finding(
                f"/boot/{image.name} is older than mdadm.conf, so it may carry one that assembles at boot",
                f"update-initramfs -u -k {shlex.quote(image.name.removeprefix('initrd.img-'))}",
            )


def _names_module(path: Path, module: str) -> bool:
    return any(line.split()[:1] == [module] for line in _read(path).splitlines())


def _is_null(path: Path) -> bool:
    """Tell whether it is masked in systemd's way: a link to /dev/null."""
    return path.is_symlink() and os.readlink(path) == "/dev/null"  # noqa: PTH115  # the text of the link, not a path


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
