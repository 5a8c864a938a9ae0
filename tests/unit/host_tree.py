"""A folder that stands for a machine's root file system."""

import subprocess
from pathlib import Path

from aoeha.preflight import Finding, SharedArray, findings
from aoeha.preflight.repairs import changes, write

UUID = "a0e4a000:00000000:00000000:00000001"
ARRAYS = (SharedArray("/dev/md/volume", UUID, ("/dev/etherd/e1.0", "/dev/etherd/e2.0")),)
MDADM = "etc/mdadm/mdadm.conf"


def put(root: Path, name: str, text: str = "") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def text_of(root: Path, name: str) -> str:
    return (root / name).read_text()


def tree(root: Path) -> dict[str, str]:
    """Everything below the root: each file's text, each link's goal."""
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def prepared(root: Path) -> Path:
    """A machine that leaves the shared disks alone."""
    put(root, MDADM, "HOMEHOST <system>\nAUTO -all\n")
    put(root, "etc/fstab", "UUID=1 / ext4 defaults 0 1\n")
    return root


def run_fix(root: Path, finding: Finding) -> None:
    """Run the command as an operator would, on the tree of this test."""
    command = finding.fix.replace(" /etc", f" {root}/etc")
    subprocess.run(["sh", "-c", command], check=True)


def fix(root: Path, found: tuple[Finding, ...]) -> list[Path | None]:
    return [write(change) for change in changes(root, found)]


def must_be_mended(root: Path, arrays: tuple[SharedArray, ...] = ARRAYS) -> tuple[Finding, ...]:
    """Mend the findings, which are there, by their commands and, from the same start, by their edits; return them."""
    found = findings(root, arrays)
    assert found
    before = tree(root)
    for finding in found:
        run_fix(root, finding)
    assert findings(root, arrays) == ()
    for name in set(tree(root)) - set(before):
        (root / name).unlink()
    for name, text in before.items():
        if not (root / name).is_symlink() and text_of(root, name) != text:
            (root / name).write_text(text)
    assert findings(root, arrays) == found
    fix(root, found)
    assert findings(root, arrays) == ()
    return found
