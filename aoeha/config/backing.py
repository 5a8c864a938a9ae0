"""Disks of a group that are not among its legs: a storage fence does not protect them (R2, H9)."""

import re
from collections.abc import Iterator

from aoeha.config.findings import KeyFinding
from aoeha.config.schema import Configuration, Group, Resource

__all__ = ["backing"]

_TARGET = re.compile(r"/dev/etherd/(e\d+\.\d+)(?:p\d+)?")
_LVM = "lvm"
_KINDS = {
    "raid": (
        "mirror",
        "which legs of another mirror hold every acknowledged write would not be known. Put it into a group of its own",
    ),
    "aoe": ("driver", "it must reach these legs and no others"),
}
_LEG_OF_NO_MIRROR = (
    "a leg that no mirror uses would count as one that holds every acknowledged write. Add it, or remove its "
    "[[group.leg]]"
)
LEGS_OF_MIRROR = 2
"""What R5 is made for: one leg may leave, and the other one has every acknowledged write."""


def backing(configuration: Configuration) -> Iterator[KeyFinding]:
    """Yield a finding for each disk of a group with legs that is not one of its legs."""
    for number, group in enumerate(configuration.groups):
        for path, sentence in (*_of_any_mirror(group), *(_of_mirrors(group) if group.legs else ())):
            yield KeyFinding(("group", number, *path), sentence)
        for inner, resource in enumerate(group.resources if group.legs else ()):
            for key, sentence, warning in _of_resource(group, resource):
                path = ("group", number, "resource", inner, "parameters", key)
                yield KeyFinding(path, sentence, warning=warning)


def _of_resource(group: Group, resource: Resource) -> Iterator[tuple[str, str, bool]]:
    named = {leg.name for leg in group.legs}
    names = ", ".join(sorted(named))
    proves = (
        "reservations of the legs count as proof that the other gateway cannot write, but it could still write there"
    )
    for target in _words(resource, "targets") if resource.type == "aoe" else ():
        if target not in named:
            yield "targets", f'expected legs of the group ({names}), got "{target}"; {_advice(proves)}', False
    for device in _words(resource, "legs"):
        if _leg_of(device) not in named:
            yield "legs", f'expected devices of the group\'s legs ({names}), got "{device}"; {_advice(proves)}', False
    stands_on = resource.parameters.get("device")
    if isinstance(stands_on, str) and stands_on.startswith("/dev/") and not _stands_on_legs(group, stands_on):
        sentence = f'"{stands_on}" is not on the legs of the group ({names}) as far as this file says; {proves}'
        yield "device", f"{sentence}. Name a device of a leg, or of a mirror in this group", True


def _of_any_mirror(group: Group) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Of two halves, whether or not the group names them as legs: what md does with more is not built yet."""
    for inner, resource in enumerate(group.resources):
        count = len(_words(resource, "legs"))
        if count > LEGS_OF_MIRROR:
            sentence = f"expected {LEGS_OF_MIRROR} halves of the mirror, got {count}; more are not built yet"
            yield ("resource", inner, "parameters", "legs"), sentence


def _of_mirrors(group: Group) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """One ledger of one mirror is kept for each group (R5): of two legs, which its own driver reaches."""
    if len(group.legs) > LEGS_OF_MIRROR:
        sentence = f"expected the {LEGS_OF_MIRROR} legs of one mirror, got {len(group.legs)}; more are not built yet"
        yield ("leg", LEGS_OF_MIRROR), sentence
    yield from _one_of(group, "raid", "legs", {_leg_of(device) for device in _all_words(group, "raid", "legs")})
    yield from _one_of(group, "aoe", "targets", set(_all_words(group, "aoe", "targets")))


def _one_of(group: Group, kind: str, key: str, used: set[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Require one resource of a kind, with all legs of the group. What is none of them has a finding of its own."""
    found = [(inner, resource) for inner, resource in enumerate(group.resources) if _is_of(resource, kind)]
    what, why = _KINDS[kind]
    if not found:
        yield ("leg", 0), f'expected a resource of type "{kind}" for the legs of the group, got none; {why}'
    for inner, resource in found[1:]:
        sentence = f'expected one {what} in the group, got "{resource.name}" beside "{found[0][1].name}"; {why}'
        yield ("resource", inner), sentence
    unused = sorted({leg.name for leg in group.legs} - used)
    if unused and len(found) == 1 and key in found[0][1].parameters:
        sentence = f"expected all legs of the group, {', '.join(unused)} is missing; {_LEG_OF_NO_MIRROR}"
        yield ("resource", found[0][0], "parameters", key), sentence


def _is_of(resource: Resource, kind: str) -> bool:
    """Tell whether a resource is of a kind. A mirror shows by its legs, also where its agent is not ours."""
    return resource.type == kind or (kind == "raid" and bool(_words(resource, "legs")))


def _all_words(group: Group, kind: str, key: str) -> list[str]:
    return [word for resource in group.resources if _is_of(resource, kind) for word in _words(resource, key)]


def _advice(proves: str) -> str:
    return f"{proves}; add a [[group.leg]] for it, or put it into another group"


def _words(resource: Resource, key: str) -> list[str]:
    value = resource.parameters.get(key, ())
    return [str(word) for word in value] if isinstance(value, (list, tuple)) else []


def _leg_of(device: str) -> str:
    match = _TARGET.fullmatch(device)
    return match[1] if match else ""


def _stands_on_legs(group: Group, device: str) -> bool:
    """Tell whether a device is a leg's or a mirror's of the group. With LVM in between, its name does not tell."""
    if any(resource.type == _LVM for resource in group.resources):
        return True
    arrays = [resource.parameters.get("device") for resource in group.resources if _words(resource, "legs")]
    return device in arrays or _leg_of(device) in {leg.name for leg in group.legs}
