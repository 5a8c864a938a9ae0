"""State files on a real disk: what was damaged is never believed, and never keeps a daemon from starting."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import PATIENCE_S

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from damage import damaged as spoilt_state

from aoeha.core.memory import contradiction
from aoeha.core.model.actions import StartTask
from aoeha.core.model.beat import Beat, BeatFlag, Grant, GroupBeat, GroupPhase
from aoeha.core.model.config import Identity
from aoeha.core.model.events import TaskDone, Tick
from aoeha.core.model.memory import DeviceMemory, GroupMemory, Memory, OffMemory
from aoeha.core.model.proof import Proof, ProofKind
from aoeha.core.model.task import PowerPurpose, PowerTask, TaskKind, TaskResult
from aoeha.core.model.term import Unremembered
from aoeha.core.step import initial, next_wake, step
from aoeha.daemon.fence_history import Attempt, FenceHistory
from aoeha.daemon.first_beat import _decoded, _saved_beat, remembered, save, send_first_beat
from aoeha.io.durable import MemoryStore
from aoeha.io.link import UdpSettings
from aoeha.io.state_file import DamagedError, opened, read_state, sealed, write_state
from aoeha.journal.codec import to_plain
from aoeha.sim.stories.settings import Settings
from aoeha.wire.codec import NONCE_SIZE, Message, encode, state_digest
from aoeha.wire.keys import Key
from aoeha.wire.receiver import ReceiverMemory

BOOT, OTHER_BOOT = "a" * 32, "b" * 32
CONFIG = Settings(reserve=1).configs()["alpha"]
NAME = CONFIG.groups[0].name
GROUP = GroupMemory(
    NAME, 7, 5, holding=True, proof=Proof(ProofKind.POWERED_OFF, NAME, 7, OTHER_BOOT), grant=None, claims=2
)
STRIP = DeviceMemory("strip", 77, distrusted="read beta as off while it ran", restore_tries_left=2)
MEMORY = Memory(
    BOOT,
    3,
    OTHER_BOOT,
    peer_was_alive=True,
    standby=False,
    panicked=False,
    groups=(GROUP,),
    devices=(STRIP,),
    off=OffMemory(OTHER_BOOT, (("strip", 77),)),
    saved_ms=60_000,
)
KEY = Key(3, bytes(range(32)))
GROUPS_HEARD = (GroupBeat("storage", GroupPhase.RUNNING, True, False, True, 7, 6),)
BEAT = Beat("alpha", BOOT, 5, 900, 0, 7, BeatFlag.PROBED, (10,), GROUPS_HEARD)
MESSAGE = Message(bytes(NONCE_SIZE), bytes(NONCE_SIZE), BEAT, 1, state_digest(GROUPS_HEARD))
FIRST_BEAT = {
    "names": ["alpha", "storage"], "peer": "beta", "beat": encode(MESSAGE, "gw", KEY.id, KEY.secret).hex(),
}  # fmt: skip
ATTEMPT = Attempt("strip", "beta", "off", "beta is silent", 1_000, 2_000, "timed out", "no answer", "2")
SAMPLE = int(os.environ.get("AOEHA_FLIP_SAMPLE", "61"))
"""One bit in so many is given to the daemon's own reader; with AOEHA_FLIP_SAMPLE=1 each of them is."""


def starts_with(memory: Memory | None) -> None:
    """A daemon starts with it and lives for a while."""
    state, _ = initial(CONFIG, Identity(BOOT, 9), memory, 100_000)
    for _ in range(20):
        state, _ = step(state, Tick(next_wake(state)))


def damaged(path: Path) -> Iterator[bytes]:
    """Write the file with one bit changed, for a sample of its bits, and yield what was written.

    Every bit is tried on the check that each reader begins with; what the daemon does then takes too long for each.
    """
    good = path.read_bytes()
    for bit in range(8 * len(good)):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        spoilt = bytes(changed)
        try:
            opened(spoilt)
        except DamagedError:
            if bit % SAMPLE == 0:
                path.write_bytes(spoilt)
                yield spoilt
        else:
            pytest.fail(f"bit {bit} of {path} may be flipped")
    path.write_bytes(good)
    sys.stdout.write(f"{path.name}: {8 * len(good):,} bits flipped, none believed\n")


def stored(tmp_path: Path) -> MemoryStore:
    """A store in which both copies lie."""
    store = MemoryStore(tmp_path / "run", tmp_path / "lib")
    assert not any(asyncio.run(store.remember(MEMORY)))
    store.close()
    return store


def test_no_flipped_bit_of_the_memory_is_believed_in_either_copy(tmp_path: Path) -> None:
    store = stored(tmp_path)
    of_disk = replace(MEMORY, boot_id="", run_lost=True)
    for path, left in ((store.run_file, of_disk), (store.disk_file, MEMORY)):
        for spoilt in damaged(path):
            recalled = store.recall(BOOT)
            assert recalled.memory == left, "the other copy is used, and nothing else"
            (sentence,) = recalled.sentences
            assert f"is set aside as {path}.bad" in sentence
            assert not path.exists()
            assert Path(f"{path}.bad").read_bytes() == spoilt
        starts_with(left)


def test_both_copies_damaged_is_nothing_remembered_and_two_sentences(tmp_path: Path) -> None:
    store = stored(tmp_path)
    for path in (store.run_file, store.disk_file):
        path.write_bytes(path.read_bytes().replace(b"true", b"True"))
    recalled = store.recall(BOOT)
    assert recalled.memory is None
    assert len(recalled.sentences) == 2
    assert store.recall(BOOT).sentences == (), "it is told once"
    starts_with(None)


def test_no_flipped_bit_of_the_fence_history_is_believed(tmp_path: Path) -> None:
    history = FenceHistory(tmp_path)
    task = PowerTask(7, 10_000, "beta is silent", TaskKind.POWER_OFF, "strip", "beta", PowerPurpose.FENCE)
    history.record(None, (StartTask(task),))
    history.record(TaskDone(0, 7, TaskResult.TIMED_OUT, detail="no answer"), ())
    history.close()
    path = tmp_path / "fence_history.json"
    until = time.monotonic() + PATIENCE_S
    while b"no answer" not in (path.read_bytes() if path.exists() else b"") and time.monotonic() < until:
        time.sleep(0.01)
    assert len(FenceHistory(tmp_path).attempts()) == 1
    for _ in damaged(path):
        again = FenceHistory(tmp_path)
        assert again.attempts() == []
        assert "is set aside" in again.fault


def test_no_flipped_bit_of_the_first_beat_is_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys").write_text(f"{KEY.id} {KEY.secret.hex()}\n")
    group = GroupBeat("storage", GroupPhase.RUNNING, True, False, True, 7, 6)
    beat = Beat("alpha", BOOT, 5, 900, 800, 7, BeatFlag.PROBED, (10,), (group,))
    links = (UdpSettings("lo", "127.0.0.1", "127.0.0.2", 694),)
    content = remembered(
        cluster="gw",
        peer="beta",
        key_file=str(tmp_path / "keys"),
        memory=ReceiverMemory(b"beta-one"),
        links=links,
        beat=beat,
    )
    save(content, KEY, str(tmp_path))
    path = tmp_path / "state/first_beat.json"
    for _ in damaged(path):
        assert send_first_beat(str(tmp_path)) is None
        assert "is set aside" in capsys.readouterr().err


@pytest.mark.parametrize(
    "spoil",
    [
        lambda group: replace(group, epoch=6),
        lambda group: replace(group, proof=replace(group.proof, group="other")),
        lambda group: replace(group, proof=replace(group.proof, epoch=0)),
        lambda group: replace(group, claim_floor=-1),
    ],
)
def test_a_memory_that_no_daemon_saved_is_set_aside_though_its_checksum_is_right(
    tmp_path: Path, spoil: Callable[[GroupMemory], GroupMemory]
) -> None:
    store = stored(tmp_path)
    assert store.remember_in_run(replace(MEMORY, groups=(spoil(GROUP),), saved_ms=70_000)) == ""
    recalled = store.recall(BOOT)
    assert recalled.memory == replace(MEMORY, boot_id="", run_lost=True)
    assert "of group storage it says that" in recalled.sentences[0]


WHOLE = st.integers(-3, 12) | st.integers(-(2**63), 2**63)
WORDS = st.sampled_from([BOOT, OTHER_BOOT, "", NAME, "strip", "\x1b"])
PROOFS = st.none() | st.builds(Proof, st.sampled_from(ProofKind), WORDS, WHOLE, WORDS)
GROUPS = st.builds(
    GroupMemory,
    name=WORDS,
    epoch=WHOLE,
    claim_floor=WHOLE,
    holding=st.booleans(),
    proof=PROOFS,
    grant=st.none() | st.builds(Grant, WHOLE, WORDS, WHOLE, WHOLE),
    claims=WHOLE,
    held=st.lists(st.tuples(WORDS, WORDS), max_size=2).map(tuple),
    unremembered=st.none() | st.builds(Unremembered, PROOFS),
    generation=WHOLE,
)
DEVICES = st.builds(DeviceMemory, WORDS, WHOLE, WORDS, WORDS, WHOLE)
MEMORIES = st.builds(
    Memory,
    boot_id=WORDS,
    incarnation=WHOLE,
    peer_boot_id=WORDS,
    groups=st.lists(GROUPS, max_size=2).map(tuple),
    left=st.booleans(),
    paused=st.booleans(),
    pause_number=WHOLE,
    devices=st.lists(DEVICES, max_size=2).map(tuple),
    off=st.none() | st.builds(OffMemory, WORDS, st.lists(st.tuples(WORDS, WHOLE), max_size=2).map(tuple)),
    power_back_ms=WHOLE,
    saved_ms=WHOLE,
    run_lost=st.booleans(),
    panicked_before=st.booleans(),
    unclean_boot=st.booleans(),
    peer_config_tag=st.none() | WHOLE,
    peer_unlisted=st.booleans(),
)


@st.composite
def memories(draw: st.DrawFn) -> Memory:
    """Any memory that the types allow, mostly of the configured group on this boot."""
    memory: Memory = draw(MEMORIES)
    if draw(st.booleans()):
        groups = (replace(one, name=NAME, proof=one.proof and replace(one.proof, group=NAME)) for one in memory.groups)
        memory = replace(memory, boot_id=BOOT, groups=tuple(groups))
    return memory


@given(memories())
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_a_daemon_starts_with_every_memory_that_does_not_contradict_itself(memory: Memory) -> None:
    if not contradiction(memory):
        starts_with(memory)


@given(st.binary(max_size=300))
def test_whatever_lies_in_a_state_file_reading_it_never_raises(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(content)
    assert read_state(path, json.loads)[0] is None
    path.write_bytes(sealed(content))
    read_state(path, json.loads)


@given(spoilt_state([msgspec.json.encode(to_plain(MEMORY))]))
def test_a_memory_that_another_version_wrote_is_refused_or_a_daemon_starts_with_it(
    tmp_path_factory: pytest.TempPathFactory, state: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    store = MemoryStore(folder / "run", folder / "lib")
    write_state(store.run_file, state, sync=False)
    recalled = store.recall(BOOT)
    store.close()
    assert recalled.memory is not None or recalled.sentences or store.run_file.exists()
    starts_with(recalled.memory)


@given(spoilt_state([msgspec.json.encode([ATTEMPT])]))
def test_a_history_that_another_version_wrote_is_refused_in_words_or_read(
    tmp_path_factory: pytest.TempPathFactory, state: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fence_history.json"
    write_state(path, state, sync=False)
    history = FenceHistory(path.parent)
    history.close()
    assert history.fault or all(isinstance(attempt["device"], str) for attempt in history.attempts())


@given(spoilt_state([json.dumps(FIRST_BEAT).encode()]))
def test_a_first_beat_that_another_version_saved_is_the_saved_one_or_none(state: bytes) -> None:
    saved = None
    with contextlib.suppress(Exception):  # A daemon starts without a first beat after any of them.
        saved = _saved_beat(_decoded(state))
    assert saved in (None, BEAT)


def test_the_states_of_the_corpus_are_read(tmp_path: Path) -> None:
    assert _saved_beat(_decoded(json.dumps(FIRST_BEAT).encode())) == BEAT
    write_state(tmp_path / "fence_history.json", msgspec.json.encode([ATTEMPT]), sync=False)
    history = FenceHistory(tmp_path)
    history.close()
    assert history.attempts() == [msgspec.to_builtins(ATTEMPT)]
    assert stored(tmp_path).recall(BOOT).memory == MEMORY


@pytest.mark.parametrize("deep", [b"[" * 100_000, b"1" * 100_000, b'"\xff"'])
def test_what_no_decoder_takes_is_set_aside(tmp_path: Path, deep: bytes) -> None:
    (tmp_path / "any.json").write_bytes(sealed(deep))
    found, sentence = read_state(tmp_path / "any.json", json.loads)
    assert found is None
    assert "is set aside" in sentence


def test_what_is_sealed_is_json_for_people_and_opens_to_what_it_was() -> None:
    state = b'{"a": 1}'
    assert opened(sealed(state)) == state
    assert json.loads(sealed(state))["state"] == {"a": 1}
    with pytest.raises(DamagedError, match="cut off"):
        opened(sealed(state)[:-1])


def test_each_folder_that_had_to_be_made_is_for_root_alone(tmp_path: Path) -> None:
    write_state(tmp_path / "lib/aoeha/journal/any.json", b"{}", sync=True)
    for folder in ("lib", "lib/aoeha", "lib/aoeha/journal"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700
