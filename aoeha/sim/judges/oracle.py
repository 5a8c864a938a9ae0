"""What must never happen, judged from the world's own facts after every event. Shares no code with the core.

What a pair with power fences alone cannot promise is said here, not hidden:

- Every link cut at once looks like a dead peer where no shelf carries the owner's stamp. A healthy owner is then
  fenced. So I5 is judged only while some link is whole, or a shelf that both reach. And "never both" is judged only
  while the devices switch at once, the nodes have met since they booted, and neither was stalled while the silence was
  counted. A device that takes longer than the fence delay (2 s), or obeys only a later order, may carry out the orders
  of both nodes. Two nodes that booted apart without ever meeting have no common time from which to count a delay, nor
  have two of which one was stalled while the links fell silent, where no shelf settles it. Then both may be dark, and a
  human switches them on.
- No node remembers what no disk saved: an epoch of an owner that died with a full disk may come again, after its death.
- A target that restarts loses its reservation. Until the owner has reserved it again, or for good when the owner is
  gone, a fenced gateway that is alive writes there: only power proves more. Such writes are counted as `excused`.
- A plug that is not the victim's reports off while the victim keeps running. Proofs by a miswired device are excused
  from I1 and I3, and counted as `excused`.
- A second machine with an owner's name that is first heard as the owner falls silent cannot be told from its reboot:
  what follows is excused, and counted. Where both are heard it is not. A node that heard such a machine last cannot
  know which epoch the peer has reached either: it may count to the same one.
- A false confirmation by an operator is not excused: the world's operators only confirm machines that are off.
- A node that left the pair is not powered off, unless a leg still bears its name: it may serve again, unheard. A node
  that has to take that leg from it by force, because it was stalled or waited too long to rely on the leave, powers it
  off as well.
- An operator who switches a gateway off has a cause. Two operators who do so to each other's gateway leave both dark.
  So may an order that the victim, hearing nothing more, answers with a fence of its own. Then a human switches them on.
- Fences are bounded for each incident, not for each hour: a fault or a command begins another incident.
"""

from aoeha.core.model.actions import Answer
from aoeha.core.model.beat import Beat, BeatFlag, Grant, GroupBeat, GroupPhase
from aoeha.core.model.memory import Memory
from aoeha.core.model.proof import ProofKind
from aoeha.core.model.shelves import LockRecord
from aoeha.core.model.task import PowerTask, RecordTask, ResourceTask, Task, TaskKind
from aoeha.sim.judges import visibility
from aoeha.sim.judges.blind_fence import judge_blind_fence
from aoeha.sim.judges.leg_left import judge_leg_left
from aoeha.sim.judges.orders import PowerOrders
from aoeha.sim.judges.visibility import Blackout
from aoeha.sim.world.gateway import Gateway
from aoeha.sim.world.machine import Machine
from aoeha.sim.world.observer import Observer
from aoeha.sim.world.violation import Violation
from aoeha.sim.world.world import World

__all__ = ["Oracle"]

FENCES_MAX = 3
"""At most this often may one node be switched off in one incident."""
BLIND_FENCE_MS = 60_000
DUEL_TURN_MS = 2_000
"""How far apart the fences of two nodes that might fence each other are, plus a keepalive."""
HANDSHAKE_BEATS = 4
SLACK_MS = 1_500


class Oracle(Observer):
    """Watches one world."""

    def __init__(self, world: World, orders: PowerOrders) -> None:
        self.world = world
        self._orders = orders
        self.duel = ""
        self._fooled = False
        self._misled: set[str] = set()
        self._commanded = False
        self._epochs: dict[tuple[str, int], str] = {}
        self._granted: set[tuple[str, str, Grant]] = set()
        self._heard: dict[tuple[str, str, int, str], int] = {}
        self._boots_heard: dict[str, list[str]] = {}
        self._remembered: dict[str, Memory | None] = {}
        self._fences: dict[str, int] = {}
        self._fenced_dead: set[str] = set()
        self._ordered: set[str] = set()
        self._announced: dict[tuple[str, str], bool] = {}
        self._left_ms: dict[str, int] = {}
        self._given_up: set[tuple[str, str]] = set()
        self._asked_ms: dict[str, int] = {}
        self._named_on_legs: set[str] = set()
        self._blackouts: dict[str, Blackout] = {}
        self._both_since_ms: dict[str, int] = {}
        self._whole_since_ms: dict[tuple[str, str], int] = {}
        self._strangers: set[str] = set()

    def looked(self) -> None:
        """Judge what runs where."""
        first, second = self.world.machines.values()
        self._note_service()
        for group in self.world.resources:
            one, other = first.runs_any(group), second.runs_any(group)
            if one and other and not self._is_reserved(group):
                self._two_run(group, f"{one} runs on {first.name} and {other} on {second.name}")
            self._watch_address(group)

    def incident_begun(self) -> None:
        """Count fences from here."""
        self._fences.clear()

    def command_given(self, machine: Gateway, number: int, verb: str, arguments: dict[str, str]) -> None:
        """From now on a stop may have been asked for."""
        del machine, number, verb, arguments
        self._commanded = True

    def task_started(self, machine: Gateway, task: Task) -> None:
        """A node acts on a resource, on its peer's power or on its legs."""
        match task:
            case ResourceTask(kind=TaskKind.START):
                peer = self._peer(machine)
                running = peer.runs_any(task.group)
                if running and not self._is_reserved(task.group):
                    self._two_run(task.group, f"{machine.name} starts {task.subject} beside {running} on {peer.name}")
            case ResourceTask(kind=TaskKind.STOP):
                self._judge_stop(machine, task)
            case PowerTask(kind=TaskKind.POWER_OFF) if self._orders.is_open(machine):
                self._ordered.add(task.node)
                self.world.count("order", "fence by an operator")
            case PowerTask(kind=TaskKind.POWER_OFF):
                self._ordered.discard(task.node)
                self._judge_fence(machine, self.world.machines[task.node])
            case RecordTask(record=LockRecord(message=GroupBeat() as message)):
                self._judge_word(machine, message, probed=True)
            case _:
                pass

    def preempting(self, machine: Gateway, group: str) -> None:
        """A node is about to take a leg that shows its peer: that is a fence where the peer serves from it."""
        victim = self._peer(machine)
        self._named_on_legs.add(victim.name)
        unasked = not (self._has_asked(victim) or self.excused or self._was_blind(victim))
        if victim.alive and victim.runs_whole(group) and unasked:
            self._judge_cause(machine, victim)

    def transferring(self, machine: Gateway, group: str) -> None:
        """A node is about to transfer a leg to its peer."""
        if not self.excused:
            judge_leg_left(self.world, machine, self._peer(machine), group)

    def overlapped(self, machine: Gateway, task: Task) -> None:
        """What a start or stop would undo must have ended, or its end would be taken for another's."""
        act = f"{task.kind.value} {task.subject}"
        self._broken("I4", f"{machine.name} begins to {act} before the last act on it ended")

    def sent(self, machine: Gateway, beat: Beat) -> None:
        """A node tells the world how it stands: that must be true, and remembered."""
        if any(group.phase is GroupPhase.BLOCKED for group in beat.groups):
            self._asked_ms[machine.name] = self.world.timeline.now_ms
        for group in beat.groups:
            self._judge_word(machine, group, probed=BeatFlag.PROBED in beat.flags)
        if BeatFlag.LEAVING in beat.flags:
            self._left_ms[machine.name] = self.world.timeline.now_ms
            self._given_up.update((machine.name, group.name) for group in beat.groups)
            self._named_on_legs.discard(machine.name)

    def record_writing(self, machine: Gateway, group: str, record: LockRecord) -> None:
        """A stamp lands in a leg's record: a node that owned nothing must not put itself in the owner's place."""
        owner = self._epochs.get((group, record.epoch), "nobody")
        if record.message is None and owner != machine.name and not self.excused:
            self._broken("I1", f"{machine.name} stamps {group} at epoch {record.epoch}, which {owner} owned")

    def _judge_word(self, machine: Gateway, group: GroupBeat, *, probed: bool) -> None:
        """What is said, in a beat or a record, must be true as it is said, and what is promised remembered."""
        running = machine.runs_any(group.name)
        if running and group.phase is GroupPhase.STOPPED and probed:
            self._broken("I4", f"{machine.name} announces {group.name} as stopped while {running} runs there")
        if group.grant is not None and running:
            self._broken("I4", f"{machine.name} grants {group.name} while {running} runs there")
        if group.grant is not None:
            self._granted.add((machine.name, group.name, group.grant))
        self._announced[machine.name, group.name] = group.holding
        if group.holding:
            self._given_up.discard((machine.name, group.name))
            if (group.name, group.epoch) not in self._epochs:
                self._judge_right(machine, group)
            owner = self._epochs.setdefault((group.name, group.epoch), machine.name)
            if owner != machine.name and not self.excused and machine.name not in self._misled:
                self._broken("I1", f"both nodes owned {group.name} at epoch {group.epoch}")
        remembered = self._remembered.get(machine.name)
        known = next((g for g in remembered.groups if g.name == group.name), None) if remembered else None
        floor = known.claim_floor if known is not None else 0
        if group.claim_floor > floor or (group.grant is not None and (known is None or known.grant != group.grant)):
            self._broken("I1", f"{machine.name} announced a promise about {group.name} that it did not remember")

    def began(self, machine: Gateway, memory: Memory | None) -> None:
        """What a node announces from now on may build on this."""
        self._remembered[machine.name] = memory
        for group in self.world.resources:
            self._announced.pop((machine.name, group), None)

    def persisted(self, machine: Gateway, memory: Memory) -> None:
        """So it may on this."""
        self._remembered[machine.name] = memory

    def heard(self, machine: Gateway, link: str, beat: Beat) -> None:
        """A beat is believed: it must be new, and of the newest boot."""
        key = (machine.name, beat.boot_id, beat.incarnation, link)
        if beat.sequence <= self._heard.get(key, -1):
            self._broken("I1", f"{machine.name} believed a beat on {link} for the second time")
        self._heard[key] = beat.sequence
        self._strangers.discard(machine.name)
        if beat.boot_id in self.world.clone_boot_ids:
            self._misled.add(machine.name)
            return  # Two machines of one name are heard in turn: neither boot is the earlier one.
        self._misled.discard(machine.name)
        boots = self._boots_heard.setdefault(machine.name, [])
        if beat.boot_id in boots[:-1]:
            self._broken("I1", f"{machine.name} believed a beat of an earlier boot on {link}")
        if beat.boot_id not in boots:
            boots.append(beat.boot_id)

    def write_landed(self, machine: Gateway, group: str, *, foreign: bool, forgotten: bool) -> None:
        """A record reached a leg. A node must not write any more once another one has started the mirror."""
        if self._is_reserved(group):
            if foreign and forgotten:
                self.world.count("excused", "target that forgot")
            elif foreign:
                self._broken("I1", f"a write of {machine.name} to {group} landed after it was started elsewhere")
            return
        running = self._peer(machine).runs_any(group)
        if running:
            self._two_run(group, f"a write of {machine.name} landed while {running} runs on {self._peer(machine).name}")

    def returned(self, machine: Gateway, since_ms: int) -> None:
        """A node is back after a stall."""
        self._blackouts[machine.name] = Blackout(since_ms, self.world.timeline.now_ms)

    def booted(self, machine: Gateway) -> None:
        """A kernel boots, and has not heard its peer yet."""
        self._strangers.add(machine.name)
        self._fenced_dead.discard(machine.name)
        self._ordered.discard(machine.name)
        self._left_ms.pop(machine.name, None)
        self._asked_ms.pop(machine.name, None)
        self._remembered[machine.name] = machine.memory_disk
        self._forget_epochs(machine)

    def fenced(self, orderer: Gateway, victim: Gateway) -> None:
        """A fence device took the power of a running gateway."""
        self._fences[victim.name] = self._fences.get(victim.name, 0) + 1
        self._fenced_dead.add(victim.name)
        if self._fences[victim.name] > FENCES_MAX:
            self._broken("I7", f"{victim.name} was fenced {self._fences[victim.name]} times in one incident")
        if orderer.name in self._fenced_dead and not orderer.alive:
            self.duel = self._duel_excuse(orderer, victim)
            if not self.duel:
                self._broken("I5", f"{orderer.name} and {victim.name} have fenced each other")
            self.world.count("excused", self.duel)

    def answered(self, machine: Gateway, answer: Answer) -> None:
        """A request was answered."""
        if not answer.sentence.strip():
            self._broken("I8", f"{machine.name} answers {answer.code.value} and no sentence")

    @property
    def excused(self) -> bool:
        """Whether a plug was ever wired wrongly, or a clone was taken for the reboot of an owner that was away."""
        return self.world.power.was_miswired or self._fooled

    def settled(self) -> str:
        """What still keeps the healed pair from being well, empty for nothing."""
        for group in self.world.resources:
            serving = [machine.name for machine in self.world.machines.values() if machine.serves(group)]
            if len(serving) != 1:
                return f"{group} is served by {' and '.join(serving) or 'nobody'}"
        excused = {*self._fenced_dead, *self._left_ms}
        absent = [m.name for m in self.world.machines.values() if m.daemon is None and m.name not in excused]
        return f"{' and '.join(absent)} has no daemon" if absent else ""

    def never_settled(self, bound_ms: int, sentence: str) -> None:
        """The healed pair is not well in time."""
        self._broken("I6", f"{sentence} {bound_ms // 1_000} s after all faults ended")

    def _forget_epochs(self, machine: Gateway) -> None:
        """What this node owned and its disk did not take is forgotten: the number may be used again."""
        memory = machine.memory_disk
        kept = {group.name: group.epoch for group in memory.groups} if memory is not None else {}
        for (group, epoch), owner in list(self._epochs.items()):
            if owner == machine.name and epoch > kept.get(group, 0):
                del self._epochs[group, epoch]

    def _duel_excuse(self, orderer: Gateway, victim: Gateway) -> str:
        """Why both nodes may have been fenced, empty for no reason."""
        if self.world.power.was_slow:
            return "duel through a slow device"
        if orderer.name in self._ordered or victim.name in self._ordered:
            return "fenced each other by an operator's order"
        one, other = self._boots_heard.get(orderer.name, []), self._boots_heard.get(victim.name, [])
        if victim.boot_id not in one and orderer.boot_id not in other:
            return "duel of two that never met"
        suffices = any(config.storage_suffices for config in self.world.configs.values())
        arbitrated = suffices and any(self._is_reserved(group) for group in self.world.resources)
        lately = self._was_away_lately(orderer) or self._was_away_lately(victim)
        if self.world.power.is_tried_again() and not arbitrated:
            return "duel of two that tried again"
        return "duel of two that counted from different times" if lately and not arbitrated else ""

    def _was_away_lately(self, machine: Gateway) -> bool:
        """Whether the silence that this node counted began after its stall, not when the links fell silent."""
        back_ms = self._blackouts.get(machine.name, Blackout()).until_ms
        turns_ms = 2 * (DUEL_TURN_MS + machine.config.keepalive_ms)
        patience_ms = machine.config.deadtime_ms + turns_ms + SLACK_MS
        return back_ms > 0 and self.world.timeline.now_ms - back_ms < patience_ms

    def _peer(self, machine: Gateway) -> Machine:
        return self.world.machines[machine.config.peer]

    def _is_reserved(self, group: str) -> bool:
        """Whether the shelves keep out a node that is not the owner: then two may have it started, and one writes."""
        config = next(iter(self.world.configs.values()))
        return any(known.legs for known in config.groups if known.name == group)

    def _both_answer(self, group: str) -> bool:
        """Whether two living kernels have the address of a group."""
        first, address = self.world.resources[group][0], self.world.resources[group][-1]
        return address != first and all(
            machine.alive and not machine.frozen and machine.active.get(address) == "running"
            for machine in self.world.machines.values()
        )

    def _watch_address(self, group: str) -> None:
        """Note since when two kernels have had an address; they may for as long as an address lives (R12)."""
        if not self._both_answer(group):
            self._both_since_ms.pop(group, None)
            return
        now_ms = self.world.timeline.now_ms
        first, second = self.world.machines.values()
        lifetime_ms, since_ms = first.config.address_lifetime_ms, self._both_since_ms.get(group)
        if since_ms is None:
            self._both_since_ms[group] = now_ms
            self.world.timeline.after(lifetime_ms + 1, self.world.changed)
        elif now_ms - since_ms > lifetime_ms:
            sentence = f"{first.name} and {second.name} have answered for {group} for {now_ms - since_ms} ms"
            self._two_run(group, sentence)

    def _two_run(self, group: str, sentence: str) -> None:
        if self.excused:
            self.world.count("excused", "clone" if self._fooled else "miswired plug")
            return
        resources = self.world.resources[group]
        first, second = self.world.machines.values()
        address = resources[-1]
        only_address = len(resources) > 1 and all(
            name not in first.active or name not in second.active for name in resources[:-1]
        )
        both_answer = address in first.active and address in second.active
        self._broken("I3" if only_address and both_answer else "I1", sentence)

    def _judge_right(self, machine: Gateway, group: GroupBeat) -> None:
        """A node that granted or rebooted does not own the group again; one that left has not owned it since.

        A node that was powered off is not heard.
        """
        remembered, daemon = self._remembered.get(machine.name), self.world.machines[machine.name].daemon
        known = next((g for g in remembered.groups if g.name == group.name), None) if remembered else None
        proof = known.proof if known is not None and known.holding else None
        victim = self._peer(machine)
        heard = victim.alive and visibility.whole_link_ms(self.world, machine, victim) > self._patience_ms(machine)
        if proof is not None and proof.kind is ProofKind.POWERED_OFF and heard:
            self._broken("I1", f"{machine.name} owns {group.name} by a power-off of {victim.name}, which it hears")
        if daemon is None or proof is None or proof.kind not in (ProofKind.HANDED_OVER, ProofKind.REBOOTED):
            return
        by_a_clone = proof.kind is ProofKind.REBOOTED and proof.peer_boot_id in self.world.clone_boot_ids
        if by_a_clone and visibility.whole_link_ms(self.world, machine, victim) == 0:
            self._fooled = True
            return
        giver = victim.name
        granted = any(
            (grant.epoch, grant.boot_id) == (group.epoch, machine.boot_id) and grant.incarnation <= daemon.incarnation
            for granter, name, grant in self._granted
            if (granter, name) == (giver, group.name)
        )
        if not granted and victim.daemon is not None and self._announced.get((giver, group.name)):
            self._broken("I1", f"{machine.name} owns {group.name}, {giver} {proof.kind.value}, which has it again")
        if proof.kind is ProofKind.HANDED_OVER and not granted and (giver, group.name) not in self._given_up:
            self._broken("I1", f"{machine.name} owns {group.name} at epoch {group.epoch}, which {giver} never granted")

    def _judge_stop(self, machine: Gateway, task: Task) -> None:
        """Without a request, a broken resource or an unverified ownership, a node never stops what runs well (I5)."""
        if self._commanded or self.excused or machine.troubled or not machine.runs_whole(task.group):
            return
        patience_ms = 2 * self._patience_ms(machine)
        if machine.config.reference_hosts and visibility.may_make_way(
            self.world, machine, patience_ms=patience_ms, slack_ms=SLACK_MS
        ):
            return
        self._broken("I5", f"{machine.name} stops {task.group}, which runs well, and nobody asked for it")

    def _judge_fence(self, machine: Gateway, victim: Gateway) -> None:
        """A fence needs a cause: no whole link for long enough, or a victim that cannot stop what it should."""
        self.world.count("order", "fence")
        if self._has_asked(victim) or self.excused or self._was_blind(victim):
            return
        clean, patience_ms = self._judge_cause(machine, victim), self._patience_ms(machine)
        left_ms = self._left_ms.get(victim.name) if victim.left and victim.name not in self._named_on_legs else None
        listened = clean and left_ms is not None and machine.present_since_ms is not None
        if listened and max(min(clean), machine.present_since_ms or 0) < (left_ms or 0) - patience_ms:
            self._broken("I5", f"{machine.name} fences {victim.name}, which left the pair in order")

    def _judge_cause(self, machine: Gateway, victim: Gateway) -> list[int]:
        """Nothing is taken from a node that can be heard or seen. Returns since when links have been whole."""
        patience_ms, whole_ms = self._patience_ms(machine), visibility.whole_link_ms(self.world, machine, victim)
        clean = [link.clean_since_ms for link in self.world.links.values() if link.clean_since_ms is not None]
        fences = f"{machine.name} fences {victim.name}"
        if whole_ms > patience_ms:
            self._broken("I5", f"{fences}, to which a whole link has led for {whole_ms} ms")
        stamped_ms = visibility.stamped_for_ms(self.world, machine, victim, self._whole_since_ms)
        if stamped_ms > patience_ms:
            self._broken("I5", f"{fences}, which has stamped a shelf that both reach for {stamped_ms} ms")
        self._judge_hasty_fence(machine, victim, clean)
        if machine.name in self._strangers:
            judge_blind_fence(self.world, machine, victim, self._patience_ms(machine))
        return clean

    def _has_asked(self, victim: Gateway) -> bool:
        """Whether a node in trouble said a while ago that it cannot stop what it should; a begun fence is finished."""
        asked_ms = self._asked_ms.get(victim.name)
        lately = asked_ms is not None and self.world.timeline.now_ms - asked_ms < BLIND_FENCE_MS
        return lately and victim.troubled

    def _was_blind(self, victim: Gateway) -> bool:
        """Whether a node saw no shelf a while ago: it may have asked to be fenced, and a begun fence is finished."""
        until_ms = self.world.storage.blind_until_ms.get(victim.name)
        return until_ms is not None and self.world.timeline.now_ms - until_ms < BLIND_FENCE_MS

    def _patience_ms(self, machine: Gateway) -> int:
        return machine.config.deadtime_ms + HANDSHAKE_BEATS * machine.config.keepalive_ms + SLACK_MS

    def _note_service(self) -> None:
        """Note since when every machine has had every group whole."""
        for name, machine in self.world.machines.items():
            for group in self.world.resources:
                if not machine.alive or not machine.runs_whole(group):
                    self._whole_since_ms.pop((name, group), None)
                else:
                    self._whole_since_ms.setdefault((name, group), self.world.timeline.now_ms)

    def _judge_hasty_fence(self, machine: Gateway, victim: Gateway, clean: list[int]) -> None:
        """No node may be judged by a silence during which the judge was stalled (R10)."""
        blackout, config, now_ms = self._blackouts.get(machine.name), machine.config, self.world.timeline.now_ms
        if blackout is None or not clean or blackout.until_ms - blackout.since_ms <= config.deadtime_ms:
            return
        there_ms = now_ms if victim.present_since_ms is None else victim.present_since_ms
        heard_before = max(min(clean), there_ms) < blackout.since_ms - config.deadtime_ms
        hasty = now_ms - blackout.until_ms < config.deadtime_ms - 2 * config.keepalive_ms
        if heard_before and hasty:
            self._broken("I5", f"{machine.name} fences {victim.name} for a silence during which it was away itself")

    def _broken(self, invariant: str, sentence: str) -> None:
        raise Violation(invariant, self.world.timeline.now_ms, sentence)
