"""`aoeha check --host`: the findings of this host, and the fix of those that a changed file can fix."""

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from aoeha.cli.screen import counted, print_error
from aoeha.core.model.exits import Exit
from aoeha.preflight import Finding, SharedArray, findings
from aoeha.preflight.repairs import Change, changes, write

__all__ = ["HostCheck", "check_host"]


@dataclass(frozen=True, slots=True)
class HostCheck:
    """What to do with the host whose root file system is at `root`. `node`: its name, empty for the host's name."""

    root: str = "/"
    node: str = ""
    fix: bool = False
    dry_run: bool = False


def check_host(host: HostCheck, arrays: tuple[SharedArray, ...]) -> Exit:
    """Print the findings and the changes. Return DONE when no finding is left, else FAILED or NO_PRIVILEGE."""
    root = Path(host.root)
    if not os.path.isdir(root):  # noqa: PTH112  pathlib's raises where a folder above may not be entered
        print_error(f"cannot check {root}: it is not a directory; name the mount point of the root file system")
        return Exit.FAILED
    found = findings(root, arrays)
    if host.fix:
        try:
            planned = changes(root, found)
            if host.dry_run:
                _show(planned)
            else:
                _write(planned)
        except OSError as error:
            return _failed(error)
    left = findings(root, arrays)
    _list([finding for finding in left if not (host.dry_run and finding.edit)])
    return _conclude(left, host)


def _show(planned: tuple[Change, ...]) -> None:
    for change in planned:
        sys.stdout.writelines(change.diff())
    sys.stdout.flush()


def _write(planned: tuple[Change, ...]) -> None:
    for change in planned:
        kept = write(change)
        file = shlex.quote(str(change.file))
        print(f"host: wrote {change.file}" + (f"; the old version is in {kept}" if kept else ", a new file"))
        print(f"  To undo: mv {shlex.quote(str(kept))} {file}" if kept else f"  To undo: rm {file}", flush=True)


def _failed(error: OSError) -> Exit:
    if isinstance(error, PermissionError):
        print_error(f"cannot change {error.filename}: permission denied; run this as root (sudo)")
        return Exit.NO_PRIVILEGE
    print_error(
        f"cannot change {error.filename}: {error.strerror}; earlier changes stay, and the command can be repeated"
    )
    return Exit.FAILED


def _list(left: list[Finding]) -> None:
    for finding in left:
        print(f"host: {finding.sentence}\n  {finding.fix}", file=sys.stderr)


def _conclude(left: tuple[Finding, ...], host: HostCheck) -> Exit:
    """Print what remains to be fixed. After a dry run all findings remain."""
    if not left:
        print("host: no findings")
        return Exit.DONE
    fixable = sum(finding.edit is not None for finding in left)
    where = "" if os.path.samefile(host.root, "/") else f" (in `chroot {shlex.quote(host.root)}`)"  # noqa: PTH121  `root` is a word of the command line
    if host.dry_run:
        how = f"--fix without --dry-run fixes {fixable} of them"
    elif fixable:
        how = (
            f"the commands above fix them{where}; `--fix` fixes {fixable} of them (`--fix --dry-run` shows the changes)"
        )
    else:
        how = f"the commands above fix them{where}"
    print(f"host: {counted(len(left), 'finding')}; {how}", file=sys.stderr)
    return Exit.FAILED
