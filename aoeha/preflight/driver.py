"""Lists of modules that are loaded at boot: the aoe driver must not be among them."""

from pathlib import Path

from aoeha.preflight.edits import ReplaceLines, WriteFile
from aoeha.preflight.files import is_masked, read
from aoeha.preflight.finding import Finding

__all__ = ["driver_at_boot", "without_driver"]

OWN_FOLDER = "etc/modules-load.d"
VENDOR_FOLDERS = ("usr/local/lib/modules-load.d", "usr/lib/modules-load.d", "lib/modules-load.d")
DEBIAN_LIST = "etc/modules"
REPLACED = "# aoeha loads the aoe driver itself, restricted to the storage interfaces; this file replaces /{}.\n"


def driver_at_boot(root: Path) -> tuple[Finding, ...]:
    """Return every list that loads the driver. A file in /etc replaces the vendor's of that name: modules-load.d(5)."""
    own = {path.name: path for path in sorted((root / OWN_FOLDER).glob("*.conf"))}
    own_files = {_below(root, path): None for path in (*own.values(), root / DEBIAN_LIST) if not is_masked(path)}
    found = [Finding.fixed_by(without_driver(root, path), _sentence(path)) for path in own_files if _loads(root / path)]
    seen = set(own)
    for folder in VENDOR_FOLDERS:
        for path in sorted((root / folder).glob("*.conf")):
            if path.name not in seen and not is_masked(path) and _loads(path):
                found.append(_replaced(str(path.relative_to(root)), path))
            seen.add(path.name)
    return tuple(found)


def without_driver(root: Path, path: str) -> ReplaceLines:
    """Return the change that comments the driver out of a list of modules."""
    lines = enumerate(read(root / path).split("\n"), start=1)
    return ReplaceLines(
        path, tuple((number, line, f"# aoeha loads this: {line}") for number, line in lines if _is(line))
    )


def _replaced(shown: str, path: Path) -> Finding:
    """The vendor's file stays as it is; one of the same name in /etc keeps its other modules."""
    others = [
        line for line in read(path).splitlines() if line.strip() and line.strip()[0] not in "#;" and not _is(line)
    ]
    text = REPLACED.format(shown) + "".join(f"{line}\n" for line in others)
    return Finding.fixed_by(WriteFile(f"{OWN_FOLDER}/{path.name}", text), _sentence(shown))


def _sentence(path: str) -> str:
    return f"/{path} loads the aoe driver at boot, on every interface: it reads the shared disks before aoeha decides"


def _loads(path: Path) -> bool:
    return any(map(_is, read(path).splitlines()))


def _is(line: str) -> bool:
    return line.split()[:1] == ["aoe"]


def _below(root: Path, path: Path) -> str:
    """Return the file that a link means: Debian's modules-load.d/modules.conf is /etc/modules."""
    meant = path.resolve()
    inside = meant if meant.is_relative_to(root.resolve()) else path
    return str(inside.relative_to(root.resolve() if inside is meant else root))
