"""The address agent in a network namespace, with the announcements captured at the other end of the wire."""

import asyncio
import json
import os
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv6Interface, ip_address, ip_interface
from typing import Any

import pytest
from lossy_cable import Cable
from namespaces import inside
from patience import PATIENCE_S

from aoeha.agents.interface import AgentError, ResourceAgent
from aoeha.agents.registry import build_resource_agent
from aoeha.core.model.task import ResourceStatus
from aoeha.io import netlink
from aoeha.io.host import Place
from aoeha.io.neighbour_probe import solicited_node
from aoeha.io.processes import ProcessHost
from aoeha.io.tickle import established, tickle

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root for network namespaces")]

ARP, IPV6 = 0x0806, 0x86DD
QUESTION, REPLY = 1, 2
HERE = f"aoeha-a{os.getpid()}"
THERE = f"aoeha-b{os.getpid()}"
BETWEEN = f"aoeha-m{os.getpid()}"


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def hardware_address(namespace: str = HERE, port: str = "near0") -> str:
    return str(json.loads(ip("-n", namespace, "-json", "link", "show", port))[0]["address"])


def carries(namespace: str, port: str) -> None:
    """Wait for the kernel's word: it tells of new carriers up to a second late, and drops what is sent before."""
    until = time.monotonic() + PATIENCE_S
    while json.loads(ip("-n", namespace, "-json", "link", "show", port))[0]["operstate"] != "UP":
        assert time.monotonic() < until, f"{port} has no carrier"
        time.sleep(0.01)


def can_be_found(namespace: str, port: str, group: str) -> None:
    """Wait until an IPv6 address is in its solicited-node group, which the kernel joins in a thread of its own."""
    until = time.monotonic() + PATIENCE_S
    while group not in ip("-n", namespace, "maddress", "show", "dev", port).split():
        assert time.monotonic() < until, f"{port} has not joined {group}"
        time.sleep(0.01)


@pytest.fixture
def wire() -> Iterator[None]:
    """Two namespaces with a cable: near0 in HERE, far0 in THERE."""
    for name in (HERE, THERE):
        ip("netns", "add", name)
    try:
        ip("-n", HERE, "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", THERE)
        ip("-n", HERE, "link", "set", "near0", "up")
        ip("-n", THERE, "link", "set", "far0", "up")
        for name, port in ((HERE, "near0"), (THERE, "far0")):
            carries(name, port)
        yield
    finally:
        for name in (HERE, THERE):
            ip("netns", "del", name)


def listener(ethertype: int) -> socket.socket:
    def make() -> socket.socket:
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
        packets.bind(("far0", ethertype))
        return packets

    return inside(THERE, make)


def captured(
    packets: socket.socket, wanted: Callable[[bytes], bool], count: int, patience_s: float = PATIENCE_S
) -> list[bytes]:
    """Return up to `count` frames that are wanted, waiting no longer than `patience_s` for the last of them."""
    frames: list[bytes] = []
    end = time.monotonic() + patience_s
    while len(frames) < count and select.select([packets], [], [], max(0, end - time.monotonic()))[0]:
        frame = packets.recv(2048)
        if wanted(frame):
            frames.append(frame)
    return frames


def agent(address: str = "10.9.8.7/24", interface: str = "near0") -> Any:
    host = ProcessHost(Place("test", "alpha"))
    parameters = {"address": address, "interface": interface}
    return build_resource_agent("address", "service", parameters, host)


def perform(action: str) -> None:
    asyncio.run(getattr(agent(), action)())


async def life(subject: ResourceAgent[Any]) -> list[ResourceStatus]:
    """Start twice, stop twice, and note what monitor sees after each."""
    seen = [(await subject.monitor()).status]
    for action in (subject.start, subject.start, subject.stop, subject.stop):
        await action()
        seen.append((await subject.monitor()).status)
    return seen


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("address", ["10.9.8.7/24", "10.9.8.7/32", "fd00:9::7/64"])
def test_start_and_stop_are_idempotent_and_monitor_sees_them(address: str) -> None:
    up, down = ResourceStatus.RUNNING, ResourceStatus.STOPPED
    assert inside(HERE, lambda: asyncio.run(life(agent(address)))) == [down, up, up, down, down]


@pytest.mark.usefixtures("wire")
def test_the_address_is_announced_by_five_requests_and_five_replies() -> None:
    mac = bytes.fromhex(hardware_address().replace(":", ""))
    with listener(ARP) as packets:
        inside(HERE, lambda: asyncio.run(agent().start()))
        frames = captured(packets, lambda _: True, 10)
    assert len(frames) == 10
    own = ip_address("10.9.8.7").packed
    for frame in frames:
        assert frame[:6] == b"\xff" * 6
        assert frame[6:12] == frame[22:28] == mac
        assert frame[28:32] == frame[38:42] == own
    assert [frame[20:22] for frame in frames].count(b"\x00\x01") == 5
    assert [frame[20:22] for frame in frames].count(b"\x00\x02") == 5


@pytest.mark.usefixtures("wire")
def test_the_second_round_comes_after_five_seconds_and_not_after_a_stop() -> None:
    async def serve(seconds: float) -> None:
        subject = agent()
        await subject.start()
        await asyncio.sleep(seconds)
        await subject.stop()
        await asyncio.sleep(5.3 - seconds)

    with listener(ARP) as packets:
        inside(HERE, lambda: asyncio.run(serve(5.2)))
        assert len(captured(packets, lambda _: True, 21, patience_s=0.3)) == 20
        inside(HERE, lambda: asyncio.run(serve(0.1)))
        assert len(captured(packets, lambda _: True, 21, patience_s=0.3)) == 10


@pytest.mark.usefixtures("wire")
def test_an_ipv6_address_is_usable_at_once_and_advertised_with_override() -> None:
    def is_advertisement(frame: bytes) -> bool:
        return frame[20] == 58 and frame[54] == 136 and frame[62:78] == ip_address("fd00:9::7").packed

    with listener(IPV6) as packets:

        def start() -> str:
            asyncio.run(agent("fd00:9::7/64").start())
            return ip("-6", "addr", "show", "dev", "near0")

        shown = inside(HERE, start)
        frames = captured(packets, is_advertisement, 5)
    assert "fd00:9::7/64" in shown
    assert "tentative" not in shown.split("fd00:9::7")[1].splitlines()[0]
    assert len(frames) == 5
    assert all(frame[21] == 255 for frame in frames), "receivers drop any other hop limit"
    assert all(frame[58] & 0x20 for frame in frames), "without override a neighbour keeps its old entry"


@pytest.mark.usefixtures("wire")
def test_a_neighbour_that_knew_the_old_owner_is_turned_to_the_new_one() -> None:
    ip("-n", THERE, "addr", "add", "10.9.8.1/24", "dev", "far0")
    ip("-n", THERE, "neigh", "add", "10.9.8.7", "lladdr", "02:00:00:00:00:99", "nud", "stale", "dev", "far0")
    inside(HERE, lambda: asyncio.run(agent().start()))
    assert hardware_address() in ip("-n", THERE, "neigh", "show", "dev", "far0")


@pytest.mark.usefixtures("wire")
def test_an_interface_that_is_missing_or_down_is_a_sentence() -> None:
    with pytest.raises(AgentError, match=r"cannot use nope for 10\.9\.8\.7/24: .*no interface nope"):
        inside(HERE, lambda: asyncio.run(agent(interface="nope").validate()))
    ip("-n", HERE, "link", "set", "near0", "down")
    for action in ("validate", "start"):
        with pytest.raises(AgentError, match=r"it is down; run `ip link set near0 up`"):
            inside(HERE, partial(perform, action))
    inside(HERE, lambda: asyncio.run(agent(interface="nope").stop()))


@pytest.mark.usefixtures("wire")
def test_an_address_on_a_downed_interface_has_failed() -> None:
    inside(HERE, lambda: asyncio.run(agent().start()))
    ip("-n", HERE, "link", "set", "near0", "down")
    observation = inside(HERE, lambda: asyncio.run(agent().monitor()))
    assert observation.status is ResourceStatus.FAILED
    assert "ip link set near0 up" in observation.reason


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize(("server", "client", "bits"), [("10.9.8.7", "10.9.8.1", 24), ("fd00:9::7", "fd00:9::1", 64)])
def test_a_client_of_the_old_owner_is_woken_by_a_tickle(server: str, client: str, bits: int) -> None:
    """The old owner vanishes without a word; the client must learn it at once and not by its own back-off."""
    nodad = ("nodad",) if ":" in server else ()
    ip("-n", HERE, "addr", "add", f"{server}/{bits}", "dev", "near0", *nodad)
    ip("-n", THERE, "addr", "add", f"{client}/{bits}", "dev", "far0", *nodad)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    listening = inside(HERE, lambda: socket.create_server((server, 0), family=family))
    port = int(listening.getsockname()[1])
    dialled = inside(THERE, lambda: socket.create_connection((server, port), timeout=5))
    accepted, _ = listening.accept()
    (known,) = inside(HERE, lambda: established(port))
    assert (known.local, known.client, known.client_port) == (server, client, dialled.getsockname()[1])

    ip("-n", HERE, "addr", "del", f"{server}/{bits}", "dev", "near0")
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for gone in (accepted, listening):
        gone.close()
    assert inside(HERE, lambda: tickle((known,))) == (known,), "nothing can be sent before the address is here"

    ip("-n", HERE, "addr", "add", f"{server}/{bits}", "dev", "near0", *nodad)
    dialled.settimeout(0.5)
    with pytest.raises(TimeoutError):
        dialled.recv(1)
    assert inside(HERE, lambda: tickle((known,))) == ()
    dialled.settimeout(2)
    with dialled, pytest.raises(ConnectionResetError):
        dialled.recv(1)


BOTH_FAMILIES = pytest.mark.parametrize("address", ["10.9.8.7/24", "fd00:9::7/64"])


def rival(address: str) -> str:
    return inside(HERE, lambda: asyncio.run(agent(address).detect_conflict()))


def the_other_machine_takes(address: str) -> None:
    if ":" not in address:
        ip("-n", THERE, "addr", "add", address, "dev", "far0")
        return
    ip("-n", THERE, "addr", "add", address, "dev", "far0", "nodad")
    can_be_found(THERE, "far0", str(solicited_node(IPv6Interface(address).ip)))


@pytest.mark.usefixtures("wire")
@BOTH_FAMILIES
def test_the_network_tells_whether_another_machine_has_the_address(address: str) -> None:
    assert rival(address) == ""
    the_other_machine_takes(address)
    assert rival(address) == hardware_address(THERE, "far0")
    assert rival(address.replace("7/", "6/")) == ""
    ip("-n", THERE, "addr", "del", address, "dev", "far0")
    assert rival(address) == ""


class FirstLost:
    """Loses the first frames of a conversation about who has an address: its questions, or the answers."""

    def __init__(self, word: int, address: str, count: int) -> None:
        self.word = word
        self.address = ip_interface(address).ip
        self.count = count
        self.seen = 0

    def __call__(self, frame: bytes) -> bool:
        if not (self._by_arp(frame) if self.address.version == 4 else self._by_neighbour_discovery(frame)):
            return False
        self.seen += 1
        return self.seen <= self.count

    def _by_arp(self, frame: bytes) -> bool:
        return frame[12:14] == struct.pack("!H", ARP) and frame[20:22] == struct.pack("!H", self.word)

    def _by_neighbour_discovery(self, frame: bytes) -> bool:
        is_message = frame[12:14] == struct.pack("!H", IPV6) and frame[20] == socket.IPPROTO_ICMPV6
        kind = {QUESTION: 135, REPLY: 136}[self.word]
        return is_message and frame[54] == kind and frame[62:78] == self.address.packed


@contextmanager
def lossy_wire(loses: FirstLost, address: str) -> Iterator[None]:
    """Like `wire`, with a cable in between that loses frames; the other machine has our address."""
    for name in (HERE, THERE, BETWEEN):
        ip("netns", "add", name)
    try:
        for name, near, far in ((HERE, "near0", "mid0"), (THERE, "far0", "mid1")):
            ip("-n", name, "link", "add", near, "type", "veth", "peer", "name", far, "netns", BETWEEN)
            ip("-n", name, "link", "set", near, "up")
            ip("-n", BETWEEN, "link", "set", far, "up")
        for name, port in ((HERE, "near0"), (BETWEEN, "mid0"), (THERE, "far0"), (BETWEEN, "mid1")):
            carries(name, port)
        the_other_machine_takes(address)
        cable = inside(BETWEEN, lambda: Cable("mid0", "mid1", loses))
        relay = threading.Thread(target=cable.carry)
        relay.start()
        try:
            yield
        finally:
            cable.stop()
            relay.join()
    finally:
        for name in (HERE, THERE, BETWEEN):
            ip("netns", "del", name)


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("word", [QUESTION, REPLY])
@BOTH_FAMILIES
def test_a_rival_is_found_although_frames_of_the_conversation_are_lost(address: str, word: int, lost: int) -> None:
    with lossy_wire(FirstLost(word, address, lost), address):
        assert rival(address) == hardware_address(THERE, "far0")


@BOTH_FAMILIES
def test_the_network_is_asked_three_times_before_silence_counts(address: str) -> None:
    loses = FirstLost(QUESTION, address, 100)
    with lossy_wire(loses, address):
        assert rival(address) == ""
    assert loses.seen == 3


@pytest.mark.usefixtures("wire")
@BOTH_FAMILIES
def test_our_own_address_is_no_rival_and_the_question_changes_no_cache(address: str) -> None:
    inside(HERE, lambda: asyncio.run(agent(address).start()))
    assert rival(address) == ""
    known = ip("-n", THERE, "neigh", "show", "dev", "far0", "nud", "reachable")
    assert address.partition("/")[0] not in known


@pytest.mark.usefixtures("wire")
def test_an_answer_of_a_rival_to_all_nodes_is_followed_by_our_own_announcement() -> None:
    """By IPv6 the answer to our question turns our clients to the other machine, until they hear us again."""
    address = "fd00:9::7/64"
    inside(HERE, lambda: asyncio.run(agent(address).start()))
    the_other_machine_takes(address)
    with listener(IPV6) as packets:
        assert rival(address) == hardware_address(THERE, "far0")
        (announcement,) = captured(packets, FirstLost(REPLY, address, 1), 1)
    assert announcement[6:12] == bytes.fromhex(hardware_address().replace(":", ""))


@pytest.mark.usefixtures("wire")
@BOTH_FAMILIES
def test_what_cannot_be_asked_is_a_sentence(address: str) -> None:
    with pytest.raises(AgentError, match=r"cannot ask on near9 who has .*7: .*No such device"):
        inside(HERE, lambda: asyncio.run(agent(address, "near9").detect_conflict()))
    ip("-n", HERE, "link", "set", "near0", "down")
    with pytest.raises(AgentError, match=r"cannot ask on near0 who has .*7: .*Network is down"):
        rival(address)


@contextmanager
def address_events() -> Iterator[Callable[[float], list[str]]]:
    """Give a function that returns the words "added" and "removed", as the kernel has said them about our address."""
    argv = ["ip", "-n", HERE, "-o", "monitor", "address"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, bufsize=1) as monitor:
        assert monitor.stdout is not None
        os.set_blocking(monitor.stdout.fileno(), False)
        # It listens once it tells of an address that is of no interest here.
        while not select.select([monitor.stdout], [], [], 0.05)[0]:
            ip(
                "-n",
                HERE,
                "addr",
                "replace",
                "10.255.0.1/32",
                "dev",
                "near0",
                "valid_lft",
                "600",
                "preferred_lft",
                "600",
            )
        gathered: list[str] = []

        def said(patience_s: float) -> list[str]:
            end = time.monotonic() + patience_s
            while select.select([monitor.stdout], [], [], max(0, end - time.monotonic()))[0]:
                lines = [
                    line for line in (monitor.stdout.read() or "").splitlines() if "8.7/" in line or "::7/" in line
                ]
                gathered.extend("removed" if line.startswith("Deleted") else "added" for line in lines)
                if "removed" in gathered:
                    break
            return gathered

        try:
            yield said
        finally:
            monitor.kill()


def lifetime_s(address: str) -> int | None:
    """Return how long the kernel says that the address stays, None when it is not there."""
    (interface,) = json.loads(ip("-n", HERE, "-json", "addr", "show", "dev", "near0"))
    found = [info for info in interface["addr_info"] if info["local"] == address.partition("/")[0]]
    return int(found[0]["valid_life_time"]) if found else None


async def started_and_renewed(address: str, lifetime_ms: int = 2_000) -> Any:
    subject = agent(address)
    await subject.start()
    await subject.renew(lifetime_ms)
    return subject


@pytest.mark.usefixtures("wire")
@BOTH_FAMILIES
def test_an_address_that_nobody_renews_again_expires_by_itself(address: str) -> None:
    with address_events() as said:
        begun = time.monotonic()
        inside(HERE, lambda: asyncio.run(started_and_renewed(address)))
        assert lifetime_s(address) in (1, 2)
        assert said(5)[-1] == "removed"
        assert 1.9 <= time.monotonic() - begun <= 3.5
    observation = inside(HERE, lambda: asyncio.run(agent(address).monitor()))
    assert observation.status is ResourceStatus.STOPPED


@pytest.mark.usefixtures("wire")
@BOTH_FAMILIES
def test_an_address_renewed_in_time_never_vanishes(address: str) -> None:
    with address_events() as said:
        inside(HERE, lambda: asyncio.run(started_and_renewed(address)))
        for _ in range(4):
            assert "removed" not in said(0.8)
            inside(HERE, lambda: asyncio.run(agent(address).renew(2_000)))
            assert lifetime_s(address) in (1, 2)
        assert said(5)[-1] == "removed"


@pytest.mark.usefixtures("wire")
@BOTH_FAMILIES
def test_an_address_stays_for_ever_when_it_is_started_and_when_it_is_told_so(address: str) -> None:
    inside(HERE, lambda: asyncio.run(agent(address).start()))
    assert lifetime_s(address) == netlink.FOR_EVER_S
    inside(HERE, lambda: asyncio.run(agent(address).renew(60_000)))
    assert lifetime_s(address) in (59, 60)
    inside(HERE, lambda: asyncio.run(agent(address).renew(0)))
    assert lifetime_s(address) == netlink.FOR_EVER_S


@pytest.mark.usefixtures("wire")
@BOTH_FAMILIES
def test_an_address_that_is_gone_is_not_brought_back_by_renewing_it(address: str) -> None:
    with address_events() as said:
        with pytest.raises(AgentError, match="it is not there any more; start it again"):
            inside(HERE, lambda: asyncio.run(agent(address).renew(2_000)))
        assert said(0.3) == [], "not even for a moment"
    assert lifetime_s(address) is None
    with pytest.raises(AgentError, match="no interface near9"):
        inside(HERE, lambda: asyncio.run(agent(address, "near9").renew(2_000)))


@pytest.mark.usefixtures("wire")
@BOTH_FAMILIES
def test_an_address_that_expires_between_the_look_and_the_renewal_is_taken_away_again(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment is made long: what renews it is held there until the address is gone."""
    replace = netlink._replace

    async def late(session: Any, index: int, own: Any, lifetime: int | None) -> None:
        # The kernel's stamps count hundredths of a second.
        await asyncio.sleep(0.03)
        ip("-n", HERE, "addr", "del", address, "dev", "near0")
        await replace(session, index, own, lifetime)

    inside(HERE, lambda: asyncio.run(started_and_renewed(address, 60_000)))
    monkeypatch.setattr(netlink, "_replace", late)
    with pytest.raises(AgentError, match="it is not there any more"):
        inside(HERE, lambda: asyncio.run(agent(address).renew(60_000)))
    assert lifetime_s(address) is None


@pytest.mark.usefixtures("wire")
def test_an_address_that_has_expired_is_not_announced_again() -> None:
    async def live() -> None:
        subject = await started_and_renewed("10.9.8.7/24")
        await subject._second_round  # type: ignore[attr-defined]

    with listener(ARP) as packets:
        inside(HERE, lambda: asyncio.run(live()))
        assert len(captured(packets, lambda frame: frame[28:32] == bytes([10, 9, 8, 7]), 20, 0.5)) == 10
