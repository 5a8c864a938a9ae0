"""udev's rule and mdadm.conf: what makes mdadm assemble arrays that no command names."""

from dataclasses import dataclass
from pathlib import Path

from aoeha.preflight.arrays import SharedArray, array_key, is_leg, uuid_key
from aoeha.preflight.edits import AddLine, ReplaceLines
from aoeha.preflight.files import is_masked, read
from aoeha.preflight.finding import Finding

__all__ = ["automatic_assembly", "configuration_file", "local_arrays"]

CONFIGURATIONS = ("etc/mdadm/mdadm.conf", "etc/mdadm.conf")
UDEV_RULES = ("64-md-raid-assembly.rules", "65-md-incremental.rules")
IGNORE = "<ignore>"


@dataclass(frozen=True, slots=True)
class _Directive:
    """One directive of mdadm.conf: its keyword in full, its words, and its lines as (number, text)."""

    path: str
    keyword: str
    words: list[str]
    lines: list[tuple[int, str]]


def automatic_assembly(root: Path, arrays: tuple[SharedArray, ...] = ()) -> tuple[Finding, ...]:
    """Return what lets mdadm assemble an array that it sees, or names one of these arrays."""
    return (*_policy(root), *_listed(root, arrays))


def configuration_file(root: Path) -> str:
    """Return the path of the mdadm.conf that counts, below the root; Debian's when there is none."""
    return next((name for name in CONFIGURATIONS if (root / name).is_file()), CONFIGURATIONS[0])


def local_arrays(root: Path, arrays: tuple[SharedArray, ...]) -> frozenset[str]:
    """Return the keys of the arrays that mdadm.conf lists and that are not shared: this machine's own."""
    keys: set[str] = set()
    for directive in _array_lines(root):
        if not _is_shared(directive, arrays):
            keys.add(array_key(directive.words[1]))
            keys |= {uuid_key(value) for value in _values(directive, "uuid")}
            keys |= {value.rpartition(":")[2] for value in _values(directive, "name")}
    return frozenset(keys)


def _policy(root: Path) -> tuple[Finding, ...]:
    """Check the AUTO line. Only the first one counts (mdadm.conf(5))."""
    path = configuration_file(root)
    trigger = "udev assembles every array that it sees" if _udev_assembles(root) else "`mdadm --scan` assembles arrays"
    policy = next((line for line in _directives(root, path) if line.keyword == "AUTO"), None)
    if policy is None:
        sentence = f"{trigger}, because /{path} has no line `AUTO -all`"
        edit: AddLine | ReplaceLines = AddLine(path, "AUTO -all")
    elif not _assembles_nothing(policy.words[1:]):
        sentence = f"{trigger} that match `{' '.join(policy.words)}` in /{path}"
        (number, text), *rest = policy.lines
        edit = ReplaceLines(path, ((number, text, "AUTO -all"), *_commented_out(rest)))
    else:
        return ()
    if own := _unlisted_arrays(root):
        return (_list_first(path, sentence, own, policy),)
    return (Finding.fixed_by(edit, sentence),)


def _assembles_nothing(policies: list[str]) -> bool:
    return "-all" in policies and all(policy.startswith("-") for policy in policies)


def _list_first(path: str, sentence: str, own: tuple[str, ...], policy: _Directive | None) -> Finding:
    """With `AUTO -all` alone, arrays of this machine's own, its root perhaps, would be missing after the next boot."""
    details = " ".join(f"/dev/{name}" for name in own)
    change = f"sed -i '{policy.lines[0][0]}s/.*/AUTO -all/' /{path}" if policy else f"echo 'AUTO -all' >> /{path}"
    return Finding(
        f"{sentence}; {', '.join(own)} of this machine itself must be listed there before that line is written",
        f"mdadm --detail --brief {details} >> /{path} && {change}",
    )


def _listed(root: Path, arrays: tuple[SharedArray, ...]) -> tuple[Finding, ...]:
    return tuple(
        Finding.fixed_by(
            ReplaceLines(directive.path, _commented_out(directive.lines)),
            f"/{directive.path} lists the shared array {directive.words[1]}, so it is assembled at boot",
        )
        for directive in _array_lines(root)
        if _is_shared(directive, arrays)
    )


def _is_shared(directive: _Directive, arrays: tuple[SharedArray, ...]) -> bool:
    shared = frozenset[str]().union(*(array.keys for array in arrays))
    members = (name for value in _values(directive, "devices") for name in value.split(","))
    if any(map(is_leg, members)):
        return True
    if uuids := _values(directive, "uuid"):
        return any(uuid_key(uuid) in shared for uuid in uuids)
    return array_key(directive.words[1]) in shared


def _array_lines(root: Path) -> list[_Directive]:
    """Return every ARRAY that would be assembled, from mdadm.conf and the folder beside it."""
    path = configuration_file(root)
    drop_ins = sorted((root / f"{path}.d").glob("*.conf"))
    paths = (path, *(str(drop_in.relative_to(root)) for drop_in in drop_ins))
    found = (directive for path in paths for directive in _directives(root, path))
    return [line for line in found if line.keyword == "ARRAY" and len(line.words) > 1 and IGNORE not in line.words]


def _directives(root: Path, path: str) -> list[_Directive]:
    """Split mdadm.conf: a line that begins with a blank continues the one before; keywords may be cut short."""
    found: list[_Directive] = []
    for number, line in enumerate(read(root / path).split("\n"), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if line[0].isspace() and found:
            found[-1].words.extend(words)
            found[-1].lines.append((number, line))
            continue
        keyword = words[0].upper()
        full = next((name for name in ("AUTO", "ARRAY") if len(keyword) > 2 and name.startswith(keyword)), keyword)
        found.append(_Directive(path, full, words, [(number, line)]))
    return found


def _values(directive: _Directive, key: str) -> list[str]:
    pairs = (word.partition("=") for word in directive.words)
    return [value for name, _, value in pairs if name.lower() == key]


def _commented_out(lines: list[tuple[int, str]]) -> tuple[tuple[int, str, str], ...]:
    return tuple((number, text, f"# aoeha assembles this: {text}") for number, text in lines)


def _udev_assembles(root: Path) -> bool:
    return any(_is_active(root, rule) for rule in UDEV_RULES)


def _is_active(root: Path, rule: str) -> bool:
    own = root / "etc/udev/rules.d" / rule
    if own.is_symlink() or own.is_file():
        return not is_masked(own)
    return any((root / folder / "udev/rules.d" / rule).is_file() for folder in ("usr/lib", "lib"))


def _unlisted_arrays(root: Path) -> tuple[str, ...]:
    """Return the running arrays that have no leg on a shelf and that mdadm.conf doesn't list."""
    own = local_arrays(root, ())
    names = []
    for block in sorted((root / "sys/block").glob("md*")):
        members = [member.name for member in block.glob("slaves/*")]
        if members and not any(name.startswith("etherd!") for name in members) and not _names(root, block) & own:
            names.append(block.name)
    return tuple(names)


def _names(root: Path, block: Path) -> frozenset[str]:
    """Return a running array's keys: its kernel name, and the UUID that udev noted."""
    noted = read(root / "run/udev/data" / f"b{read(block / 'dev').strip()}")
    uuids = {uuid_key(line.partition("=")[2]) for line in noted.splitlines() if line.startswith("E:MD_UUID=")}
    return frozenset({array_key(block.name), *uuids})
