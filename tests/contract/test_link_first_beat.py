"""The first beat of a restarted daemon, by a real process over real sockets and a real tty."""

import json
import os
import pty
import socket
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aoeha.core.model.beat import NEVER_MS, Beat, BeatFlag, Grant, GroupBeat, GroupPhase
from aoeha.daemon.first_beat import (
    BACK_WITHIN_MS,
    FIRST_SEQUENCE,
    Remembered,
    forget,
    remembered,
    save,
    send_first_beat,
)
from aoeha.io.clock import boot_id
from aoeha.io.link import SerialSettings, UdpSettings
from aoeha.io.state_file import read_state, write_state
from aoeha.wire.codec import UDP_LIMIT
from aoeha.wire.framing import Deframer
from aoeha.wire.keys import Key, key_tags
from aoeha.wire.receiver import Receiver, ReceiverMemory
from aoeha.wire.sender import Sender

KEY, REMOVED = Key(3, bytes(range(32))), Key(4, b"x" * 32)
GROUP = GroupBeat(
    "storage", GroupPhase.RUNNING, True, False, True, 7, 6, claim=4, claim_epoch=8, grant=Grant(9, "ab" * 16, 2, 1)
)
HEAVY = ("asyncio", "msgspec", "pyroute2", "serial", "jinja2", "logging", "subprocess", "pathlib", "argparse")

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: binds to an interface")]


class Pair:
    """Alpha, whose daemon has been killed, and beta, which hears on UDP through the loopback and on a tty."""

    def __init__(self, directory: Path) -> None:
        self.run = directory / "run"
        self.key_file = directory / "keys"
        self.key_file.write_text(f"{KEY.id} {KEY.secret.hex()}\n")
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.2", 0))
        self.udp.settimeout(5)
        self.near, far = pty.openpty()
        tty.setraw(far)
        self.device = os.ttyname(far)
        os.close(far)
        port = self.udp.getsockname()[1]
        self.links: tuple[SerialSettings | UdpSettings, ...] = (
            SerialSettings(self.device),
            UdpSettings("lo", "127.0.0.1", "127.0.0.2", port),
        )
        self.beta = Receiver(
            cluster="gw",
            keys=(KEY,),
            own_node="beta",
            peer_node="alpha",
            group_names=("storage",),
            nonce=b"beta-one",
            new_nonce=lambda: b"beta-two",
        )

    def close(self) -> None:
        self.udp.close()
        os.close(self.near)

    def last_beat(self, incarnation: int = 5) -> Beat:
        return Beat("alpha", boot_id(), incarnation, 900, 800, 7, BeatFlag.PROBED, (10, 20), (GROUP,))

    def content(self, beat: Beat | None = None) -> Remembered:
        return remembered(
            cluster="gw",
            peer="beta",
            key_file=str(self.key_file),
            memory=ReceiverMemory(b"beta-one"),
            links=self.links,
            beat=beat or self.last_beat(),
        )

    def save(self, beat: Beat | None = None) -> None:
        save(self.content(beat), KEY, str(self.run))

    def heard(self) -> tuple[bytes, bytes]:
        return Deframer().feed(os.read(self.near, 1_000))[0], self.udp.recv(2_000)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    try:
        yield made
    finally:
        made.close()


def test_the_peer_accepts_it_at_once_on_every_link(pair: Pair) -> None:
    pair.save()
    first = send_first_beat(str(pair.run))
    assert first
    assert (first.incarnation, first.links_sent, first.memory) == (6, 2, ReceiverMemory(b"beta-one"))
    by_serial, by_udp = pair.heard()
    expected = replace(
        pair.last_beat(),
        incarnation=6,
        sequence=FIRST_SEQUENCE,
        echo_sequence=0,
        flags=BeatFlag.RESTARTING,
        link_ages_ms=(NEVER_MS, NEVER_MS),
        back_within_ms=BACK_WITHIN_MS,
        groups=(replace(GROUP, claim=0, claim_epoch=0, grant=None),),
    )
    assert pair.beta.accept("serial", by_serial) == expected
    assert pair.beta.accept("lan", by_udp) == expected
    first.close()


def test_the_daemon_goes_on_where_the_first_beat_began(pair: Pair) -> None:
    pair.save()
    first = send_first_beat(str(pair.run))
    assert first
    pair.beta.accept("lan", pair.heard()[1])
    alpha = Receiver(
        cluster="gw",
        keys=(KEY,),
        own_node="alpha",
        peer_node="beta",
        group_names=("storage",),
        nonce=first.nonce,
        new_nonce=lambda: b"alphanew",
        memory=first.memory,
    )
    answer = Beat("beta", "cd" * 16, 1, 77, 0, 7, BeatFlag.PROBED, (10, 20), (GROUP,))
    assert alpha.accept("lan", Sender("gw", pair.beta.signing, pair.beta.nonces).pack(answer, UDP_LIMIT)) == answer
    second = replace(pair.last_beat(), incarnation=first.incarnation, sequence=FIRST_SEQUENCE + 1)
    assert pair.beta.accept("lan", Sender("gw", alpha.signing, alpha.nonces).pack(second, UDP_LIMIT)) == second
    first.close()


def test_no_incarnation_and_no_nonce_is_used_twice(pair: Pair) -> None:
    pair.save()
    firsts = [send_first_beat(str(pair.run)) for _ in range(3)]
    assert [first.incarnation for first in firsts if first] == [6, 7, 8]
    assert len({first.nonce for first in firsts if first}) == 3
    for first in firsts:
        assert first
        first.close()


def test_a_standby_stays_one_and_a_leave_is_not_repeated(pair: Pair) -> None:
    leaving = BeatFlag.STANDBY | BeatFlag.LEAVING | BeatFlag.PROBED
    assert pair.content(replace(pair.last_beat(), flags=leaving)).beat.flags == BeatFlag.STANDBY | BeatFlag.RESTARTING


def test_what_is_equal_needs_no_second_save(pair: Pair) -> None:
    later = replace(pair.last_beat(), sequence=901, echo_sequence=801, link_ages_ms=(30, 40))
    assert pair.content(later) == pair.content()
    assert pair.content(replace(later, groups=(replace(GROUP, holding=False),))) != pair.content()


def test_one_broken_link_does_not_keep_the_others_silent(pair: Pair) -> None:
    pair.links = (SerialSettings("/dev/nonesuch"), UdpSettings("nonesuch", "127.0.0.1", "127.0.0.2"), pair.links[1])
    pair.save()
    first = send_first_beat(str(pair.run))
    assert first
    assert first.links_sent == 1
    assert pair.beta.accept("lan", pair.udp.recv(2_000))


@pytest.mark.parametrize(
    "spoil",
    [
        {"beat": ""},
        {"beat": "00" * 118},
        {"beat": None},
        {"incarnation": "many"},
        {"key_file": "/nonexistent"},
        {"links": 7},
        {"peer_nonce": "x"},
        {"names": []},
    ],
)
def test_a_spoilt_file_costs_only_the_first_beat(pair: Pair, spoil: dict[str, object]) -> None:
    pair.save()
    file = pair.run / "state" / "first_beat.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | spoil))
    first = send_first_beat(str(pair.run))
    assert first is None or spoil == {"names": []}
    for content in ("", "{", "[]", "null", "\xff"):
        file.write_text(content)
        assert send_first_beat(str(pair.run)) is None


def test_a_beat_of_another_boot_is_not_sent(pair: Pair) -> None:
    pair.save(replace(pair.last_beat(), boot_id="ee" * 16))
    assert send_first_beat(str(pair.run)) is None


def test_a_key_that_was_removed_since_costs_no_first_beat(pair: Pair) -> None:
    save(pair.content(), REMOVED, str(pair.run))
    first = send_first_beat(str(pair.run))
    assert first
    first.close()
    assert isinstance(pair.beta.accept("lan", pair.heard()[1]), Beat)


def test_it_is_signed_by_the_first_key_that_the_peer_has(pair: Pair) -> None:
    newer = f"9 {'ab' * 32}\n{pair.key_file.read_text()}"
    pair.key_file.write_text(newer)
    save(replace(pair.content(), memory=ReceiverMemory(b"beta-one", key_tags((KEY,)))), KEY, str(pair.run))
    first = send_first_beat(str(pair.run))
    assert first
    first.close()
    assert isinstance(pair.beta.accept("lan", pair.heard()[1]), Beat)


def test_what_an_earlier_program_saved_is_enough(pair: Pair) -> None:
    save(pair.content(), KEY, str(pair.run))
    document, _ = read_state(str(pair.run / "state" / "first_beat.json"), json.loads)
    assert document is not None
    kept = {name: value for name, value in document.items() if name not in ("peer_held", "peer_key_id", "peer_knows")}
    write_state(str(pair.run / "state" / "first_beat.json"), json.dumps(kept).encode(), sync=False)
    first = send_first_beat(str(pair.run))
    assert first
    first.close()
    assert first.memory == ReceiverMemory(b"beta-one")


def test_after_a_clean_leave_nothing_is_sent(pair: Pair) -> None:
    pair.save()
    forget(str(pair.run))
    forget(str(pair.run))
    assert send_first_beat(str(pair.run)) is None


def test_what_is_saved_is_for_root_alone(pair: Pair) -> None:
    pair.save()
    state = pair.run / "state"
    assert state.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in state.iterdir()] == [0o600]
    assert KEY.secret.hex() not in (state / "first_beat.json").read_text()


def test_it_leaves_a_new_process_early_and_imports_nothing_heavy(pair: Pair) -> None:
    pair.save()
    program = (
        "import sys; from aoeha.daemon.first_beat import send_first_beat; "
        f"first = send_first_beat({str(pair.run)!r}); print(first.links_sent, *sys.modules)"
    )
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    data = pair.udp.recv(2_000)
    took_ms = 1_000 * (time.monotonic() - began)
    links_sent, *modules = process.communicate(timeout=10)[0].split()
    assert links_sent == "2"
    assert isinstance(pair.beta.accept("lan", data), Beat)
    assert not set(HEAVY) & set(modules)
    assert took_ms < 1_000
