"""The initramfs carries a copy of mdadm.conf from the day it was built, and may load the driver."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from aoeha.preflight.driver import without_driver
from aoeha.preflight.edits import AddLine
from aoeha.preflight.files import read
from aoeha.preflight.finding import Finding
from aoeha.preflight.mdadm import configuration_file

__all__ = ["early_assembly"]

COPY = re.compile(r"rescue|\.(bak|old|old-dkms|dpkg-\w+)$")
"""Images that no program rebuilds."""
MODULES = "etc/initramfs-tools/modules"
PLACEHOLDER = "ARRAY <ignore> UUID=00000000:00000000:00000000:00000000"
"""An array that does not exist: its line is all that Debian's hook looks for."""


@dataclass(frozen=True, slots=True)
class _Builder:
    """A program that builds images: where it and its md part are, and its command."""

    program: str
    hook: str
    command: str


INITRAMFS_TOOLS = _Builder(
    program="usr/sbin/update-initramfs",
    hook="usr/share/initramfs-tools/hooks/mdadm",
    command="update-initramfs -u -k {version}",
)
DRACUT = _Builder(
    program="usr/bin/dracut",
    hook="usr/lib/dracut/modules.d/90mdraid",
    command="dracut --force /boot/{image} {version}",
)


def early_assembly(root: Path) -> tuple[Finding, ...]:
    """Return what an initramfs of this machine could do before aoeha runs. A machine without one has no findings."""
    builder = next((each for each in (INITRAMFS_TOOLS, DRACUT) if _is_installed(root, each)), None)
    images = [path for path in sorted((root / "boot").glob("initr*-*")) if not COPY.search(path.name)]
    if builder is None or not images:
        return ()
    files = [configuration_file(root)]
    found: list[Finding] = []
    if builder is INITRAMFS_TOOLS:
        found += [*_driver(root), *_generated(root)]
        files += [MODULES] * (re.search(r"\baoe\b", read(root / MODULES)) is not None)
    newest = max(files, key=lambda name: _changed_ns(root / name))
    return (*found, *(_outdated(image.name, newest, builder) for image in images if _is_older(root, image, newest)))


def _driver(root: Path) -> tuple[Finding, ...]:
    edit = without_driver(root, MODULES)
    sentence = f"/{MODULES} loads the aoe driver in the initramfs, where nothing restricts it"
    return (Finding.fixed_by(edit, sentence),) if edit.lines else ()


def _generated(root: Path) -> tuple[Finding, ...]:
    """Debian's hook copies mdadm.conf only if it has an ARRAY line (read in mdadm 4.2-5's hooks/mdadm)."""
    path = configuration_file(root)
    if re.search(r"^ARRAY", read(root / path), re.MULTILINE):
        return ()
    sentence = (
        f"the initramfs is built with a generated mdadm.conf, which has no `AUTO -all` and lists every array in sight, "
        f"because /{path} has no ARRAY line"
    )
    return (Finding.fixed_by(AddLine(path, PLACEHOLDER), sentence),)


def _outdated(image: str, file: str, builder: _Builder) -> Finding:
    version = shlex.quote(re.sub(r"^(initrd\.img|initramfs)-", "", image).removesuffix(".img"))
    return Finding(
        f"/boot/{image} is older than /{file}, so it may carry one that assembles or loads at boot",
        builder.command.format(image=shlex.quote(image), version=version),
    )


def _is_installed(root: Path, builder: _Builder) -> bool:
    return (root / builder.program).exists() and (root / builder.hook).exists()


def _is_older(root: Path, image: Path, file: str) -> bool:
    return _changed_ns(image) < _changed_ns(root / file)


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
