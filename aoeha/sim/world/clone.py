"""A machine that uses a gateway's name and keys: a spare machine was booted with the gateway's image.

It sits on the network, not on the serial lines. Its daemon owns nothing and reaches no shelf: it hears the gateway's
peer, as the gateway does, and beats as a gateway that has found nothing running.
"""

from functools import partial
from random import Random

from aoeha.core.model.beat import NEVER_MS, Beat, BeatFlag, GroupBeat, GroupPhase
from aoeha.core.model.config import PairConfig
from aoeha.sim.world.link import Link
from aoeha.sim.world.test_key import KEY
from aoeha.sim.world.timeline import Timeline
from aoeha.wire.codec import NONCE_SIZE
from aoeha.wire.keys import key_tags
from aoeha.wire.receiver import Receiver, Rejected
from aoeha.wire.sender import Letter, Sender

__all__ = ["Clone"]


class Clone:
    """One start of such a machine, from its boot to its end."""

    def __init__(self, config: PairConfig, links: list[Link], timeline: Timeline, random: Random) -> None:
        self.config = config
        self.boot_id = random.randbytes(16).hex()
        self.is_on = True
        self._links = [link for link in links if not link.serial]
        self._timeline = timeline
        self._heard: Beat | None = None
        self._sequence = 0
        self._receiver = Receiver(
            cluster=config.cluster,
            keys=(KEY,),
            own_node=config.node,
            peer_node=config.peer,
            group_names=[group.name for group in config.groups],
            nonce=random.randbytes(NONCE_SIZE),
            new_nonce=partial(random.randbytes, NONCE_SIZE),
        )
        receiver = self._receiver
        self._sender = Sender(config.cluster, receiver.signing, receiver.nonces, receiver.speaks, held=key_tags((KEY,)))
        for link in self._links:
            link.listen(config.node, self._arrive)
        self._beat()

    def switch_off(self) -> None:
        """End it."""
        self.is_on = False
        for link in self._links:
            link.end_listening(self.config.node, self._arrive)

    def _arrive(self, link: str, data: bytes | Letter) -> None:
        outcome = self._receiver.accept(link, data.data() if isinstance(data, Letter) else data)
        if not isinstance(outcome, Rejected):
            self._heard = outcome

    def _beat(self) -> None:
        if not self.is_on:
            return
        self._timeline.after(self.config.keepalive_ms, self._beat)
        self._sequence += 1
        heard = self._heard
        beat = Beat(
            sender=self.config.node,
            boot_id=self.boot_id,
            incarnation=1,
            sequence=self._sequence,
            echo_sequence=heard.sequence if heard is not None else 0,
            config_tag=self.config.config_tag,
            flags=BeatFlag.PROBED | (heard.flags & BeatFlag.PAUSED if heard is not None else BeatFlag(0)),
            link_ages_ms=(NEVER_MS,) * len(self.config.links),
            groups=tuple(self._group(group.name) for group in self.config.groups),
            pause_number=heard.pause_number if heard is not None else 0,
        )
        for link in self._links:
            link.send(self.config.node, self._sender.compose(beat, link.limit))

    def _group(self, name: str) -> GroupBeat:
        """Nothing runs here; the epochs are those that the peer tells of."""
        groups = self._heard.groups if self._heard is not None else ()
        theirs = next((group for group in groups if group.name == name), None)
        epoch, floor = (theirs.epoch, theirs.claim_floor) if theirs is not None else (0, 0)
        return GroupBeat(name, GroupPhase.STOPPED, False, False, True, epoch, floor)
