"""The kernel's filter keeps of what goes over a wire just what the rack reads in it."""

import os
import socket
import subprocess
import threading

import pytest
from namespaces import inside, namespace

from aoeha.fabric.aoe.frames import Ata, Config, ConfigCommand, Frame, Reserve, ReserveCommand, Target, encode
from aoeha.rack.machines.rack import guest_of
from aoeha.rack.machines.wires import Wires

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")]

SHELF, ALPHA, LAN = (bytes.fromhex(mac) for mac in ("027701000031", "027701000011", "027700000012"))
ETH_P_ALL = 0x0003
ADDRESS = socket.inet_aton("192.0.2.10")
ANOTHER = socket.inet_aton("192.0.2.11")


def from_shelf(body: Ata | Config | Reserve, to: bytes = ALPHA, tag: int = 7) -> bytes:
    return encode(Frame(to, SHELF, Target(1, 0), tag, body, response=True))


def from_gateway(body: Ata | Config | Reserve) -> bytes:
    return encode(Frame(SHELF, ALPHA, Target(1, 0), 7, body))


def ping(source: bytes, protocol: int = socket.IPPROTO_ICMP) -> bytes:
    return bytes(6) + LAN + b"\x08\x00" + bytes(9) + bytes([protocol]) + bytes(2) + source + bytes(30)


def arp(sender: bytes) -> bytes:
    return bytes(6) + LAN + b"\x08\x06" + bytes(14) + sender + bytes(28)


WRITE, READ = Ata(0x41, 0, 0, 0x40, 0), Ata(0x40, 0, 0, 0x40, 0)
SET, SHOW = Reserve(ReserveCommand.SET, (ALPHA,)), Reserve(ReserveCommand.READ, (ALPHA,))
KEPT = {
    ("landed", "shelf1", "alpha"): from_shelf(WRITE),
    ("asked", "shelf1", "alpha"): from_gateway(SET),
    ("reserved", "shelf1", "alpha"): from_shelf(SET),
    ("advert", "shelf1", "shelf1"): from_shelf(Config(ConfigCommand.READ), b"\xff" * 6, tag=0),
    ("answered", "address", "beta"): ping(ADDRESS),
}
LEFT = (
    from_shelf(READ),
    from_gateway(WRITE),
    from_shelf(SHOW),
    from_gateway(SHOW),
    from_shelf(Config(ConfigCommand.READ)),
    ping(ANOTHER),
    ping(ADDRESS, socket.IPPROTO_TCP),
    arp(ANOTHER),
)


def plug_in() -> None:
    """Lay a cable. The end that sends comes up last: one that finds no carrier drops frames for a while."""
    for command in ("link add here type veth peer there", "link set there up", "link set here up"):
        subprocess.run(["ip", *command.split()], check=True, timeout=10)


def arrival() -> socket.socket:
    """A socket of one interface: what arrives there is handed to those of all interfaces first."""
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    receiver.settimeout(20)
    receiver.bind(("there", ETH_P_ALL))
    return receiver


def seen(frames: tuple[bytes, ...]) -> list[tuple[str, str, str]]:
    """What the rack notes of frames that go over a cable in a network of its own."""

    def watch() -> list[tuple[str, str, str]]:
        plug_in()
        wires = Wires(socket.inet_ntoa(ADDRESS), guest_of)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender, arrival() as receiver:
            sender.bind(("here", 0))
            for frame in frames:
                sender.send(frame)
            awaited = list(frames)
            while awaited:
                arrived = receiver.recv(2048)
                awaited = [frame for frame in awaited if frame != arrived]
        return [(each["kind"], each["place"], each["who"]) for each in wires.close()["stretches"]]

    with namespace("wires") as name:
        return inside(name, watch)


@pytest.mark.parametrize("witnessed", KEPT)
def test_a_frame_that_bears_witness_is_kept(witnessed: tuple[str, str, str]) -> None:
    assert seen((KEPT[witnessed],)) == [witnessed]


def test_a_telling_neighbour_is_kept_and_everything_else_is_left_where_it_is() -> None:
    assert seen((*LEFT, arp(ADDRESS))) == [("answered", "address", "beta")]


def test_what_arrives_before_the_filter_stands_bears_no_false_witness() -> None:
    """A socket of all interfaces hears from its making on, and the filter is set after that."""

    def watch() -> list[list[object]]:
        plug_in()
        over = threading.Event()

        def chatter() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
                sender.bind(("here", 0))
                while not over.is_set():
                    sender.send(ping(ANOTHER))

        speaker = threading.Thread(target=chatter)
        speaker.start()
        try:
            return [Wires(socket.inet_ntoa(ADDRESS), guest_of).close()["stretches"] for _ in range(40)]
        finally:
            over.set()
            speaker.join()

    with namespace("wires") as name:
        assert inside(name, watch) == [[]] * 40
