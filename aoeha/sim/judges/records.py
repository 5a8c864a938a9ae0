"""Whether every record that a client was told is safe is where it must be (I2).

That is every leg that no superblock calls missing, and every leg from which a mirror is started. An old write that
lands on a target which lost its reservation destroys what lies there. Then the record must be on the other leg, stay
there, and be read there, and the leg that lost it has it again when it has left and was copied. What is missing on legs
from which an operator has a group started all the same, and was told so (R22), is given up: by the command that a
standing alarm asks for, for that group, and with its next start. No rule helps against two such targets, nor if the
owner dies before it has seen that one lost its reservation; nor against targets that all forget what they acknowledged
(aoeha.sim.judges.forgotten); nor against a leg that md drops in its owner's last moments (aoeha.sim.judges.untold).
"""

from aoeha.core.model.actions import Say
from aoeha.core.model.conditions import Code
from aoeha.sim.judges.forgotten import Forgotten
from aoeha.sim.judges.untold import Untold
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.mirror import Assembly, Leg
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["RecordJudge"]

READ_SLACK_MS = 1_000
"""An owner that missed the advert finds the lost reservation at its next reading, and tells its mirror then."""


class RecordJudge(Observer):
    """Looks at what lies on legs whenever a mirror changes, and whenever a record is acknowledged."""

    def __init__(self, world: World, forgotten: Forgotten, untold: Untold) -> None:
        self.world = world
        self._forgotten = forgotten
        self._untold = untold
        self._told: set[tuple[str, str]] = set()
        self._given_up: set[tuple[str, str]] = set()
        self._copied_since_ms: dict[tuple[str, str], int] = {}

    def said(self, machine: Gateway, action: Say) -> None:
        """A node says that what lies on the legs of a group is too old."""
        if action.condition.code is Code.MIRROR_DATA_OLD:
            (self._told.discard if action.ends else self._told.add)((machine.name, action.condition.subject.name))

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """A human who was told that takes what is left."""
        del number, arguments
        if verb == "cleanup":
            told = {(name, group) for name, group in self._told if name == machine.name}
            self._told -= told
            self._given_up |= told

    def booted(self, machine: Gateway) -> None:
        """No alarm stands."""
        self._told = {(name, group) for name, group in self._told if name != machine.name}

    def mirror_started(self, machine: Gateway, group: str, assembly: Assembly) -> None:
        """Each of its legs must hold whatever was acknowledged."""
        given_up = (machine.name, group) in self._given_up
        self._given_up = {(name, known) for name, known in self._given_up if known != group}
        if given_up:
            self.world.count("excused", "an operator gave records up")
            self.world.storage.acknowledged[group] &= assembly.records
        for leg in assembly.active:
            self._judge_leg(group, leg, f"{machine.name} started {group} from")

    def resynced(self, machine: Gateway, group: str, lost: set[int]) -> None:
        """What one leg still had before must be there afterwards."""
        acknowledged = self.world.storage.acknowledged[group] & lost - self._forgotten.excused[group]
        if acknowledged:
            put_over = f"put over acknowledged record {min(acknowledged)} of {group} what had overwritten it"
            raise Violation("I2", self.world.timeline.now_ms, f"the resync of {machine.name} {put_over}")

    def leg_evicting(self, group: str, leg: Leg, survivors: list[Leg]) -> None:
        """A mirror never continues without the only leg that has a record, once its owner could know."""
        for survivor in survivors:
            for number in sorted(survivor.overwritten.keys() & leg.records):
                if _could_be_known(self.world, group, survivor.overwritten[number]):
                    sentence = f"{group} goes on with {survivor.shelf} alone, where record {number} was overwritten"
                    raise Violation("I2", self.world.timeline.now_ms, sentence)

    def copy_begun(self, machine: Gateway, group: str, leg: Leg, *, whole: bool) -> None:
        """What is overwritten from now on is no matter of this copy."""
        del machine, whole
        self._copied_since_ms[group, leg.shelf] = self.world.timeline.now_ms

    def copy_ended(self, machine: Gateway, group: str, leg: Leg) -> None:
        """What was overwritten before is there again, once the owner could know, if the other leg has it."""
        begun_ms, source = self._copied_since_ms[group, leg.shelf], self.world.storage.assemblies[machine.name, group]
        for number in sorted(leg.overwritten.keys() & source.records & self.world.storage.acknowledged[group]):
            at_ms = leg.overwritten[number]
            if at_ms < begun_ms and _could_be_known(self.world, group, at_ms):
                sentence = f"{leg.shelf} is a whole leg of {group} again, where record {number} was overwritten"
                raise Violation("I2", self.world.timeline.now_ms, sentence)

    def acknowledged(self, group: str, assembly: Assembly) -> None:
        """What was overwritten on a leg is read from the other one, once the owner could know."""
        read = assembly.read
        if all(leg.overwritten for leg in assembly.active):
            self.world.count("excused", "both legs overwritten")
            return
        for number in sorted(read.overwritten.keys() & assembly.records):
            if _could_be_known(self.world, group, read.overwritten[number]):
                sentence = f"record {number} of {group} is read from {read.shelf}, where it was overwritten"
                raise Violation("I2", self.world.timeline.now_ms, sentence)

    def judge_all(self) -> None:
        """Every acknowledged record must be on every leg that is in sync."""
        for group, mirror in self.world.storage.mirrors.items():
            whole = mirror.whole()
            if not whole:
                raise Violation("I2", self.world.timeline.now_ms, f"no leg of {group} is known to be whole")
            for leg in whole:
                self._judge_leg(group, leg, "nobody calls it missing:")

    def _judge_leg(self, group: str, leg: Leg, how: str) -> None:
        lost = self.world.storage.acknowledged[group] - leg.records - leg.overwritten.keys()
        lost -= self._forgotten.excused[group] | self._untold.excused[leg]
        if lost:
            sentence = f"{how} the leg on {leg.shelf}, which lacks acknowledged record {min(lost)} of {group}"
            raise Violation("I2", self.world.timeline.now_ms, sentence)


def _could_be_known(world: World, group: str, at_ms: int) -> bool:
    """Whether the owner that there was then is still there, and has looked at its targets since."""
    hold_every_ms = max(config.hold_every_ms for config in world.configs.values())
    started_ms, there_ms = world.storage.owner_times_ms(group)
    return at_ms > started_ms and world.timeline.now_ms - max(at_ms, there_ms) > hold_every_ms + READ_SLACK_MS
