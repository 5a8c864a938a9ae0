"""What a target can do and promises: asked of Debian's vblade, and of scripted targets that behave as others do."""

import json
import os
import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import pytest
from test_aoe_vblade import San, inside

from aoeha.fabric.aoe.client import NoAnswerError, TargetAddress, TargetConfig
from aoeha.fabric.aoe.frames import Ata, Config, Frame, FrameError, Opaque, Reserve, Target, decode, encode
from aoeha.fabric.aoe.identity import DiskIdentity
from aoeha.fabric.aoe.probe import Capability, Family, ReservationAnswer, capability, probe

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and raw sockets"),
    pytest.mark.skipif(shutil.which("vblade") is None, reason="needs Debian's package vblade"),
]

SCRIPTED = Target(9, 0)
PLACE = TargetAddress(SCRIPTED, b"\x02\0\0\0\0\x01", "eth1")


@pytest.fixture
def san(tmp_path: Path) -> Iterator[San]:
    built = San(tmp_path)
    try:
        built.build()
        yield built
    finally:
        built.remove()


def identify_data(model: str) -> bytes:
    words = bytearray(512)
    swapped = model.ljust(40).encode()
    words[54:94] = b"".join(swapped[at : at + 2][::-1] for at in range(0, 40, 2))
    struct.pack_into("<I", words, 120, 2048)
    return bytes(words)


class Script(NamedTuple):
    """What a target says. `reserve`: told, unknown, unavailable, silent; dies, or dies when set: it ends there."""

    model: str
    firmware: int
    reserve: str


class ScriptedTarget:
    """e9.0 on s1: answers config queries and IDENTIFY, and reservations as its script says; keeps what it heard."""

    def __init__(self, san: San, script: Script) -> None:
        self.heard: list[Frame] = []
        self._script = script
        with inside(san.shelf):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88A2))
            self._socket.bind(("s1", 0x88A2))
        self._socket.settimeout(0.05)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                asked = decode(self._socket.recv(2000))
            except (TimeoutError, FrameError):
                continue
            if asked.response or asked.target not in (SCRIPTED, Target(0xFFFF, 0xFF)):
                continue
            self.heard.append(asked)
            own = self._socket.getsockname()[4]
            for error, body in self._answers(asked):
                answer = Frame(asked.source, own, SCRIPTED, asked.tag, body, response=True, error=error)
                self._socket.send(encode(answer))

    def _answers(self, asked: Frame) -> Iterator[tuple[int | None, Config | Ata | Reserve | Opaque]]:
        match asked.body:
            case Config():
                yield None, Config(0, b"", 16, self._script.firmware, 2, 1)
            case Ata():
                yield None, Ata(0, 0, 1, 0x40, 0, identify_data(self._script.model))
            case Reserve() if self._script.reserve == "told" or (
                asked.body.command == 0 and "set" in self._script.reserve
            ):
                yield None, Reserve(0, ())
            case Reserve() if self._script.reserve == "unknown":
                yield 1, Opaque(3, bytes(2))
            case Reserve() if self._script.reserve == "unavailable":
                yield 3, Opaque(3, bytes(2))
            case Reserve() if "dies" in self._script.reserve:
                self._ended.set()


def probed(san: San, address: TargetAddress, deadline_ms: int = 2000) -> Capability:
    return san.ask(lambda client: probe(client, address, deadline_ms), "eth1")


def test_vblade_can_fence_and_its_promises_are_those_that_were_measured(san: San) -> None:
    san.export("a", "e1.0", "s1", san.disk("disk", 1024 * 1024))
    address = san.address("e1.0", "eth1")
    seen = probed(san, address)
    assert (seen.address, seen.family, seen.can_fence, seen.owners) == (address, Family.VBLADE, True, ())
    assert seen.config.firmware == 0x4019
    promise = seen.promise
    assert (promise.lands_late, promise.holder_needs_force) == (False, False)
    assert (promise.forgets_reservation, promise.forgets_string, promise.string_set_once) == (True, True, True)
    assert seen.sentence.startswith("vblade: can fence; ")


def test_a_probe_changes_nothing_and_tells_a_holder(san: San) -> None:
    san.export("a", "e1.0", "s1", san.disk("disk", 1024 * 1024))
    address, holders = san.address("e1.0", "eth1"), (b"\x02\0\0\0\0\x07", b"\x02\0\0\0\0\x08")
    san.ask(lambda client: client.write_config(address, b"whose", deadline_ms=2000))
    san.ask(lambda client: client.reserve(address, holders, deadline_ms=2000))
    seen = probed(san, address)
    assert (seen.owners, seen.config.string) == (holders, b"whose")
    assert san.ask(lambda client: client.read_reservation(address, 2000)) == holders
    assert san.ask(lambda client: client.read_config(address, 2000)).string == b"whose"


@pytest.mark.parametrize(
    ("script", "family", "answer", "words"),
    [
        (
            Script("EtherDrive(R) kvblade", 2, "silent"),
            Family.KVBLADE,
            ReservationAnswer.SILENT,
            "it does not answer a query of its reservation",
        ),
        (
            Script("ggaoed", 0x100, "told"),
            Family.GGAOED,
            ReservationAnswer.TOLD,
            "ggaoed: can fence; writes that it took",
        ),
        (Script("ggaoed", 0x100, "unknown"), Family.GGAOED, ReservationAnswer.UNKNOWN_COMMAND, "knows no reservations"),
        (Script("qaoed", 0x400A, "silent"), Family.QAOED, ReservationAnswer.SILENT, "qaoed: can be used with power"),
        (Script("", 1, "unavailable"), Family.UNKNOWN, ReservationAnswer.REFUSED, "the disk behind it is unavailable"),
        (Script("Disk", 1, "told"), Family.UNKNOWN, ReservationAnswer.TOLD, '(calls itself "Disk"): can fence'),
    ],
)
def test_other_targets_are_known_by_their_own_name_and_by_what_they_answer(
    san: San, script: Script, family: Family, answer: ReservationAnswer, words: str
) -> None:
    with ScriptedTarget(san, script) as target:
        seen = probed(san, san.address("e9.0", "eth1"), 400)
    assert (seen.family, seen.reservation) == (family, answer)
    assert seen.can_fence == (answer is ReservationAnswer.TOLD)
    assert words in seen.sentence
    assert ("power fencing only" in seen.sentence) != seen.can_fence
    sent = [frame.body for frame in target.heard]
    assert all(isinstance(body, Config | Ata | Reserve) for body in sent)
    assert {body.command for body in sent if isinstance(body, Config | Reserve)} == {0}
    assert {body.command for body in sent if isinstance(body, Ata)} == {0xEC}


def test_who_names_itself_and_behaves_otherwise_is_unknown() -> None:
    def judged(model: str, firmware: int, answer: ReservationAnswer) -> Family:
        disk = DiskIdentity(2048, model, "", "")
        return capability(TargetConfig(PLACE, 16, firmware, 2, b""), disk, answer).family

    told, silent = ReservationAnswer.TOLD, ReservationAnswer.SILENT
    assert judged("Coraid EtherDrive vblade", 0x4019, told) is Family.VBLADE
    assert judged("Coraid EtherDrive vblade", 0x4019, silent) is Family.UNKNOWN
    assert judged("Coraid EtherDrive vblade", 0x0100, told) is Family.UNKNOWN
    assert judged("EtherDrive(R) kvblade", 2, told) is Family.UNKNOWN
    assert judged("not vblade", 0x4019, told) is Family.UNKNOWN


def test_who_says_nothing_at_all_is_not_called_unable(san: San) -> None:
    with pytest.raises(NoAnswerError):
        probed(san, PLACE, 200)


def test_who_goes_down_between_the_questions_is_not_called_unable(san: San) -> None:
    with ScriptedTarget(san, Script("ggaoed", 1, "dies")), pytest.raises(NoAnswerError):
        probed(san, san.address("e9.0", "eth1"), 400)


def test_the_verb_prints_a_table_and_each_sentence_once(san: San, capsys: pytest.CaptureFixture[str]) -> None:
    disk = san.disk("disk", 1024 * 1024)
    san.export("a", "e1.0", "s1", disk)
    san.export("b", "e1.0", "s2", disk)
    with ScriptedTarget(san, Script("kvblade", 2, "silent")):
        assert san.command("probe", "--wait", "400ms") == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["DEVICE", "IF", "ADDRESS", "FAMILY", "FIRMWARE", "RESERVATION", "FENCE"]
    table = {(row.split()[0], row.split()[1]): row.split()[3:] for row in rows[:3]}
    assert table == {
        ("e1.0", "eth1"): ["vblade", "0x4019", "told", "storage"],
        ("e1.0", "eth2"): ["vblade", "0x4019", "told", "storage"],
        ("e9.0", "eth1"): ["kvblade", "0x0002", "silent", "power", "only"],
    }
    first, second = rows[3:]
    assert first.startswith("e1.0: vblade: can fence; ")
    assert second.startswith("e9.0: kvblade: can be used with power fencing only: ")


def test_the_verb_fails_for_a_named_target_that_is_silent(san: San, capsys: pytest.CaptureFixture[str]) -> None:
    san.export("a", "e1.0", "s1", san.disk("disk", 1024 * 1024))
    assert san.command("probe", "e1.0", "e2.0", "-i", "eth1", "-o", "json") == 1
    said = capsys.readouterr()
    (target,) = json.loads(said.out)["targets"]
    assert (target["device"], target["family"], target["can_fence"]) == ("e1.0", "vblade", True)
    assert target["promise"]["forgets_reservation"] is True
    assert "cannot see e2.0" in said.err
