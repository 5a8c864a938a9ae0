"""The mirror of the exhaustive search: two halves, and the assembly of each node that has it started.

It does what md does (aoeha.sim.world.mirror), without time. A write goes to every leg of an assembly, is acknowledged
when all legs have it, and comes as soon as all accept it: nothing that a later write could break is missed. So all that
is left of the data is one bit a leg, whether it lacks an acknowledged write. Legs are durable here: a target that
restarts loses its reservation, and no data. No target reports errors, so the kernel never drops a leg by itself.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from aoeha.core.model.superblock import Superblock
from aoeha.core.model.task import ExaminedLeg, SuperblocksRead

__all__ = ["Assembly", "Disks", "Half"]


class Half(NamedTuple):
    """One leg's data and superblock. `stale`: it lacks an acknowledged write. `misses`: it calls the other one missing.

    `copying`: it calls itself not whole.
    """

    stale: bool = False
    misses: bool = False
    copying: bool = False


class Assembly(NamedTuple):
    """The mirror as a kernel has it: the places of whole legs, and of those that are being copied. Empty: stopped."""

    active: tuple[int, ...] = ()
    copying: tuple[int, ...] = ()

    @property
    def members(self) -> tuple[int, ...]:
        """All legs to which a write goes."""
        return (*self.active, *self.copying)


class Disks(NamedTuple):
    """What lies on the legs, and what each node's kernel has assembled of them.

    `takes` always names the places of legs that accept a node's writes. A method returns None where it cannot act.
    """

    halves: tuple[Half, Half] = (Half(), Half())
    assemblies: tuple[Assembly, Assembly] = (Assembly(), Assembly())

    def missing(self, index: int) -> tuple[int, ...]:
        """The legs that a node's mirror goes without."""
        members = self.assemblies[index].members
        return tuple(place for place in range(len(self.halves)) if place not in members)

    def stale(self, places: tuple[int, ...]) -> tuple[int, ...]:
        """Those of these legs that lack an acknowledged write."""
        return tuple(place for place in places if self.halves[place].stale)

    def examined(self, index: int, takes: tuple[int, ...], names: tuple[str, ...]) -> SuperblocksRead:
        """What a node finds on the legs, which have these names."""
        if self.assemblies[index].active:
            return SuperblocksRead("", "", running=True)
        found = (
            ExaminedLeg(name, name, place in takes, self._superblock(place, name) if place in takes else None)
            for place, name in enumerate(names)
        )
        return SuperblocksRead("", "", tuple(found))

    def _superblock(self, place: int, name: str) -> Superblock:
        half = self.halves[place]
        states = "".join("." if half.misses and other != place else "A" for other in range(len(self.halves)))
        return Superblock(name, "", 0, place, states, half.copying)

    def assembled(self, index: int, takes: tuple[int, ...], legs: tuple[int, ...], *, short: bool) -> "Disks | None":
        """Start the mirror from these legs as md does: see `aoeha.sim.world.mirror.Mirror.assemble`."""
        if self.assemblies[index].active:
            return self
        there = tuple(place for place in legs if place in takes)
        whole = [place for place in there if not self.halves[place].copying]
        fresh = [place for place in whole if not any(self.halves[other].misses for other in whole if other != place)]
        expects = not all(self.halves[place].misses for place in fresh)
        if not fresh or (len(there) < len(self.halves) and expects and not short):
            return None
        copying = tuple(place for place in there if self.halves[place].copying)
        return self._assembling(index, Assembly(tuple(fresh), copying))

    def evicted(self, index: int, takes: tuple[int, ...], place: int) -> "Disks | None":
        """Continue without a leg, if another leg can record that."""
        assembly = self.assemblies[index]
        active = tuple(one for one in assembly.active if one != place)
        if place not in assembly.members or not any(one in takes for one in active):
            return None
        return self._assembling(index, Assembly(active, tuple(one for one in assembly.copying if one != place)))

    def taken_back(self, index: int, takes: tuple[int, ...], place: int) -> "Disks | None":
        """Begin to copy a leg, unless it was written apart."""
        assembly, half = self.assemblies[index], self.halves[place]
        apart = half.misses and not half.copying
        if not assembly.active or place in assembly.members or place not in takes or apart:
            return None
        copying = Assembly(assembly.active, (*assembly.copying, place))
        return self._assembling(index, copying, {place: half._replace(copying=True)})

    def copied(self, index: int, takes: tuple[int, ...]) -> "Disks | None":
        """Finish the copy that is under way."""
        assembly = self.assemblies[index]
        if not assembly.copying or any(place not in takes for place in assembly.members):
            return None
        copy = Half(stale=bool(self.stale(assembly.active)))
        return self._assembling(index, Assembly(tuple(sorted(assembly.members))), dict.fromkeys(assembly.copying, copy))

    def written(self, index: int, takes: tuple[int, ...]) -> "Disks":
        """Let a node's kernel write, and acknowledge it if every leg of its mirror has it."""
        assembly = self.assemblies[index]
        if not assembly.active or any(place not in takes for place in assembly.members):
            return self
        old = self.missing(index)
        return self._with({place: self.halves[place]._replace(stale=True) for place in old})

    def stopped(self, index: int) -> "Disks":
        """A node's kernel has stopped the mirror, or is gone."""
        return self._assembling(index, Assembly()) if self.assemblies[index].active else self

    def _assembling(self, index: int, assembly: Assembly, halves: Mapping[int, Half] = MappingProxyType({})) -> "Disks":
        """The legs of an assembly record which legs are missing from it. Legs outside it record nothing."""
        known = [halves.get(place, half) for place, half in enumerate(self.halves)]
        misses = len(assembly.members) < len(known)
        told = {place: known[place]._replace(misses=misses) for place in assembly.active}
        assemblies = [*self.assemblies]
        assemblies[index] = assembly
        first, second = assemblies
        return self._with({**halves, **told})._replace(assemblies=(first, second))

    def _with(self, changed: Mapping[int, Half]) -> "Disks":
        first, second = (changed.get(place, half) for place, half in enumerate(self.halves))
        return self if (first, second) == self.halves else self._replace(halves=(first, second))
