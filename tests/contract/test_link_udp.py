"""The UDP link over a veth pair between two network namespaces of this test's own."""

import asyncio
import contextlib
import ctypes
import itertools
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aoeha.io.link import BACK_OFF_MAX_MS, UdpSettings
from aoeha.io.udp_link import UdpLink, open_socket, peer_sockaddr
from aoeha.wire.codec import UDP_LIMIT

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: network namespaces")]

CLONE_NEWNET = 0x40000000
numbers = itertools.count()
V4 = UdpSettings("veth", "192.0.2.1", "192.0.2.2", 694)
V6 = UdpSettings("veth", "2001:db8::1", "2001:db8::2", 694)
LINK_LOCAL = UdpSettings("veth", "fe80::1", "fe80::2", 694)
ALL = pytest.mark.parametrize("settings", [V4, V6, LINK_LOCAL], ids=["v4", "v6", "link-local"])


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=10)


@dataclass(frozen=True)
class Wire:
    """Two namespaces, each with an interface `veth` that leads to the other."""

    near: str
    far: str

    @contextlib.contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Sockets made here belong to that namespace, wherever they are used later."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/proc/self/ns/net").open() as home, Path(f"/run/netns/{name}").open() as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), CLONE_NEWNET) == 0

    def address(self, name: str, *words: str) -> None:
        # Without "nodad" an address is tentative until a kernel worker has come to it, even where accept_dad is 0.
        at_once = ["nodad"] if words[0] in {"add", "replace"} and ":" in words[1] else []
        ip("-n", name, "address", *words, "dev", "veth", *at_once)

    def addresses(self) -> None:
        for number, name in enumerate((self.near, self.far), start=1):
            for address in (f"192.0.2.{number}/24", f"2001:db8::{number}/64", f"fe80::{number}/64"):
                self.address(name, "replace", address)


@pytest.fixture
def wire() -> Iterator[Wire]:
    number = next(numbers)
    pair = Wire(*(f"aoeha-udp-{os.getpid()}-{number}-{end}" for end in "ab"))
    try:
        for name in (pair.near, pair.far):
            ip("netns", "add", name)
        ip("-n", pair.near, "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", pair.far)
        for name in (pair.near, pair.far):
            ip("netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.veth.accept_dad=0")
            ip("-n", name, "link", "set", "veth", "up")
        pair.addresses()
        yield pair
    finally:
        for name in (pair.near, pair.far):
            subprocess.run(["ip", "netns", "delete", name], check=False, timeout=10, stderr=subprocess.DEVNULL)


class NamespacedLink(UdpLink):
    """A link whose every socket is made inside a namespace, as if the whole daemon ran there."""

    def __init__(self, wire: Wire, name: str, settings: UdpSettings) -> None:
        super().__init__("lan", settings)
        self.wire, self.namespace = wire, name

    def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        with self.wire.inside(self.namespace):
            super()._connect(loop)


class End:
    """One end: a link and what it reported."""

    def __init__(self, wire: Wire, name: str, settings: UdpSettings) -> None:
        self.link = NamespacedLink(wire, name, settings)
        self.heard: list[bytes] = []
        self.faults: list[str] = []
        self._changed = asyncio.Event()
        self.link.open(asyncio.get_running_loop(), self._note_datagram, self._note_fault)

    def _note_datagram(self, _name: str, data: bytes) -> None:
        self.heard.append(data)
        self._changed.set()

    def _note_fault(self, _name: str, sentence: str) -> None:
        self.faults.append(sentence)
        self._changed.set()

    async def hears(self, data: bytes) -> None:
        async with asyncio.timeout(5):
            while self.heard[-1:] != [data]:
                self._changed.clear()
                await self._changed.wait()

    async def sends_again(self) -> None:
        """A beat each 50 ms, as a daemon would, until one goes out."""
        async with asyncio.timeout(BACK_OFF_MAX_MS / 1_000 + 2):
            while not self.link.send(b"again"):  # noqa: ASYNC110 - nothing tells that an interface works but trying
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def ends(wire: Wire, settings: UdpSettings) -> AsyncIterator[tuple[End, End]]:
    mirrored = replace(settings, own_address=settings.peer_address, peer_address=settings.own_address)
    near, far = End(wire, wire.near, settings), End(wire, wire.far, mirrored)
    try:
        yield near, far
    finally:
        near.link.close()
        far.link.close()


@ALL
def test_datagrams_go_both_ways_up_to_the_limit(wire: Wire, settings: UdpSettings) -> None:
    async def scene() -> None:
        async with ends(wire, settings) as (near, far):
            for data in (b"x", b"y" * UDP_LIMIT):
                assert near.link.send(data)
                await far.hears(data)
                assert far.link.send(data)
                await near.hears(data)
            assert near.faults == far.faults == []
            assert (near.link.counters["sent"], near.link.counters["received"]) == (2, 2)

    asyncio.run(scene())


@ALL
def test_what_is_too_long_or_empty_is_counted_and_not_delivered(wire: Wire, settings: UdpSettings) -> None:
    async def scene() -> None:
        async with ends(wire, settings) as (near, far):
            family = socket.AF_INET6 if ":" in settings.own_address else socket.AF_INET
            with wire.inside(wire.far):
                stranger = socket.socket(family, socket.SOCK_DGRAM)
                scope = (0, socket.if_nametoindex("veth")) if family is socket.AF_INET6 else ()
            with stranger:
                for data in (b"", b"z" * (UDP_LIMIT + 1), b"z" * 20_000, os.urandom(UDP_LIMIT)):
                    stranger.sendto(data, (settings.own_address, settings.port, *scope))
            far.link.send(b"beat")
            await near.hears(b"beat")
            assert len(near.heard) == 2
            assert near.link.counters["noise"] == 3

    asyncio.run(scene())


@ALL
def test_what_comes_from_another_address_than_the_peers_is_counted_and_not_delivered(
    wire: Wire, settings: UdpSettings
) -> None:
    async def scene() -> None:
        async with ends(wire, settings) as (near, far):
            other = settings.peer_address[:-1] + "7"
            wire.address(wire.far, "add", f"{other}/{64 if ':' in other else 24}")
            with wire.inside(wire.far):
                stranger = open_socket(replace(settings, own_address=other))
                destination = peer_sockaddr(replace(settings, peer_address=settings.own_address))
            with stranger:
                for _ in range(3):
                    stranger.sendto(b"beat", destination)
            far.link.send(b"beat")
            await near.hears(b"beat")
            assert len(near.heard) == 1
            assert near.link.counters["strangers"] == 3

    asyncio.run(scene())


@ALL
def test_an_interface_that_goes_down_is_a_fault_until_it_is_up(wire: Wire, settings: UdpSettings) -> None:
    async def scene() -> None:
        async with ends(wire, settings) as (near, far):
            ip("-n", wire.near, "link", "set", "veth", "down")
            assert not near.link.send(b"beat")
            assert near.faults[-1].startswith(
                f"cannot send on veth from {settings.own_address} to {settings.peer_address}: "
            )
            assert near.link.counters["send_errors"] == 1
            await asyncio.sleep(0.3)
            assert len({fault for fault in near.faults if fault}) <= 2, near.faults
            assert "" not in near.faults, "nothing works yet"
            ip("-n", wire.near, "link", "set", "veth", "up")
            wire.addresses()
            await near.sends_again()
            await far.hears(b"again")
            assert near.faults[-1] == ""
            far.link.send(b"back")
            await far.sends_again()
            await near.hears(b"again")

    asyncio.run(scene())


@ALL
def test_an_interface_that_is_taken_away_and_put_back_is_used_again(wire: Wire, settings: UdpSettings) -> None:
    async def scene() -> None:
        async with ends(wire, settings) as (near, far):
            ip("-n", wire.near, "link", "delete", "veth")
            assert not near.link.send(b"beat")
            await asyncio.sleep(0.25)
            assert near.faults[-1].startswith("cannot ")
            assert not near.link.send(b"beat")
            ip("-n", wire.near, "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", wire.far)
            for name in (wire.near, wire.far):
                ip("-n", name, "link", "set", "veth", "up")
            wire.addresses()
            await far.sends_again()
            await near.sends_again()
            await far.hears(b"again")
            assert near.faults[-1] == ""

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"interface": "nonesuch"}, "No such device"),
        ({"own_address": "192.0.2.77"}, "Cannot assign requested address"),
        ({"own_address": "alpha.example.com"}, "illegal IP address"),
        ({"peer_address": "beta.example.com"}, "illegal IP address"),
        ({"peer_address": "2001:db8::2"}, "another address family"),
    ],
)
def test_what_cannot_be_opened_is_a_sentence_and_never_fatal(wire: Wire, change: dict[str, str], says: str) -> None:
    async def scene() -> None:
        end = End(wire, wire.near, replace(V4, **change))  # type: ignore[arg-type]
        assert end.faults[0].startswith("cannot open UDP port 694 of ")
        assert says in end.faults[0]
        assert not end.link.send(b"beat")
        end.link.close()

    asyncio.run(scene())


def test_an_address_that_arrives_later_is_used(wire: Wire) -> None:
    async def scene() -> None:
        late = replace(V4, own_address="192.0.2.77")
        near, far = (
            End(wire, wire.near, late),
            End(wire, wire.far, replace(V4, own_address="192.0.2.2", peer_address="192.0.2.77")),
        )
        assert near.faults
        wire.address(wire.near, "add", "192.0.2.77/24")
        await near.sends_again()
        await far.hears(b"again")
        assert near.faults[-1] == ""
        near.link.close()
        far.link.close()

    asyncio.run(scene())


def test_the_link_takes_no_other_path_when_its_own_is_cut(wire: Wire) -> None:
    """The peer's address stays reachable through a default route: that must not carry this link's beats."""

    async def scene() -> None:
        async with ends(wire, V4) as (near, far):
            for number, name in enumerate((wire.near, wire.far), start=1):
                ip("-n", name, "link", "set", "lo", "up")
                ip("-n", name, "link", "add", "detour", "type", "bridge")
                ip("-n", name, "address", "add", f"198.51.100.{number}/24", "dev", "detour")
                ip("-n", name, "link", "set", "detour", "up")
            ip("-n", wire.near, "link", "set", "veth", "down")
            ip("-n", wire.near, "route", "add", "default", "dev", "detour")
            assert not near.link.send(b"beat")
            assert near.faults
            assert far.heard == []

    asyncio.run(scene())
