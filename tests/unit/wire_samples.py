"""Beats, and a pair of gateways joined by nothing but what the test carries across."""

import itertools
from dataclasses import replace

from hypothesis import strategies as st

from aoeha.core.model.beat import NEVER_MS, Beat, BeatFlag, Grant, GroupBeat, GroupPhase
from aoeha.wire.codec import UDP_LIMIT, VERSION
from aoeha.wire.keys import Key, key_tags
from aoeha.wire.receiver import Receiver, ReceiverMemory, Rejected
from aoeha.wire.sender import Sender

KEY = Key(1, bytes(range(32)))
OTHER_KEY = Key(2, bytes(range(100, 140)))
CLUSTER = "gw"
BOOTS = ("aa" * 16, "bb" * 16, "cc" * 16, "dd" * 16)

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
boot_ids = st.binary(min_size=16, max_size=16).map(bytes.hex)
grants = st.builds(Grant, epoch=u32, boot_id=boot_ids, incarnation=u64, claim=u32)


def groups(names: tuple[str, ...]) -> st.SearchStrategy[tuple[GroupBeat, ...]]:
    return st.tuples(
        *(
            st.builds(
                GroupBeat,
                name=st.just(name),
                phase=st.sampled_from(GroupPhase),
                holding=st.booleans(),
                yielding=st.booleans(),
                willing=st.booleans(),
                epoch=u32,
                claim_floor=u32,
                claim=u32,
                claim_epoch=u32,
                grant=st.none() | grants,
            )
            for name in names
        )
    )


def beats(names: tuple[str, ...] = ("storage", "archive"), links_max: int = 8) -> st.SearchStrategy[Beat]:
    return st.builds(
        Beat,
        sender=st.just("alpha"),
        boot_id=boot_ids,
        incarnation=u64,
        sequence=u64,
        echo_sequence=u64,
        config_tag=u32,
        flags=st.integers(0, 15).map(BeatFlag),
        link_ages_ms=st.lists(st.integers(0, NEVER_MS // 10).map(lambda age: age * 10), max_size=links_max).map(tuple),
        groups=groups(names),
        back_within_ms=st.integers(0, 0xFFFF),
    )


def group(name: str = "storage", epoch: int = 3, grant: Grant | None = None) -> GroupBeat:
    return GroupBeat(name, GroupPhase.RUNNING, True, False, True, epoch, epoch, grant=grant)


def beat(sender: str, boot_id: str, incarnation: int, sequence: int, *group_beats: GroupBeat) -> Beat:
    return Beat(
        sender, boot_id, incarnation, sequence, 0, 7, BeatFlag.PROBED, (20, NEVER_MS), group_beats or (group(),)
    )


def fat_group(name: str, epoch: int = 3) -> GroupBeat:
    """A group that takes the most room: it claims and grants at once."""
    return replace(group(name, epoch, Grant(epoch, BOOTS[3], 9, 9)), claim=5, claim_epoch=epoch)


class Gateway:
    """One node's wire state: a receiver, a sender, and the next sequence. Nonces are unlike any other's."""

    _nonces = itertools.count(1)

    def __init__(
        self,
        name: str,
        boot_id: str,
        incarnation: int = 1,
        *,
        keys: tuple[Key, ...] = (KEY,),
        cluster: str = CLUSTER,
        memory: ReceiverMemory | None = None,
        group_names: tuple[str, ...] = ("storage",),
        knows: int = VERSION,
    ) -> None:
        self.name = name
        self.boot_id = boot_id
        self.incarnation = incarnation
        self.sequence = 0
        self.keys = keys
        self.receiver = Receiver(
            cluster=cluster,
            keys=keys,
            own_node=name,
            peer_node={"alpha": "beta", "beta": "alpha"}[name],
            group_names=group_names,
            nonce=self.new_nonce(),
            new_nonce=self.new_nonce,
            memory=memory,
            knows=knows,
        )
        receiver = self.receiver
        self.sender = Sender(
            cluster, receiver.signing, receiver.nonces, receiver.speaks, held=key_tags(keys), knows=knows
        )

    @classmethod
    def new_nonce(cls) -> bytes:
        return next(cls._nonces).to_bytes(8, "big")

    def send(self, *group_beats: GroupBeat, limit: int = UDP_LIMIT) -> bytes:
        self.sequence += 1
        return self.sender.pack(beat(self.name, self.boot_id, self.incarnation, self.sequence, *group_beats), limit)

    def restarted(self) -> "Gateway":
        """The next daemon on the same boot, with what /run kept."""
        return Gateway(self.name, self.boot_id, self.incarnation + 1, keys=self.keys, memory=self.receiver.memory())

    def hears(self, data: bytes, link: str = "lan") -> bool:
        return not isinstance(self.receiver.accept(link, data), Rejected)

    def why_not(self, data: bytes, link: str = "lan") -> str:
        outcome = self.receiver.accept(link, data)
        return outcome.reason.value if isinstance(outcome, Rejected) else "accepted"


def met_pair(**options: object) -> tuple[Gateway, Gateway]:
    """Return two gateways that accept each other."""
    alpha, beta = Gateway("alpha", BOOTS[0], **options), Gateway("beta", BOOTS[1], **options)  # type: ignore[arg-type]
    alpha.hears(beta.send())
    assert beta.hears(alpha.send())
    assert alpha.hears(beta.send())
    assert beta.hears(alpha.send())
    return alpha, beta
