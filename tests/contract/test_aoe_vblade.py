"""The AoE client and `aoeha aoe` against Debian's vblade, over veth pairs between two network namespaces."""

import argparse
import asyncio
import contextlib
import ctypes
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from patience import PATIENCE_S

from aoeha.cli.aoe import verb
from aoeha.fabric.aoe.client import AoeClient, NoAnswerError, RefusedError, TargetAddress, TargetConfig, payload_bytes
from aoeha.fabric.aoe.frames import Frame, Opaque, Reserve, ReserveCommand, Target, format_mac
from aoeha.fabric.aoe.port import AoeError, NoPrivilegeError, ethernet_interfaces

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and raw sockets"),
    pytest.mark.skipif(shutil.which("vblade") is None, reason="needs Debian's package vblade"),
]

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
numbers = itertools.count()


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Put this thread into a network namespace; sockets and programs opened meanwhile stay there."""
    with Path("/proc/thread-self/ns/net").open() as before, Path("/run/netns", namespace).open() as wanted:
        assert libc.setns(wanted.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(before.fileno(), CLONE_NEWNET) == 0


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=10)


class San:
    """A gateway and a shelf in namespaces of their own, joined by two cables: eth1 - s1 and eth2 - s2."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        name = f"aoe{os.getpid()}x{next(numbers)}"
        self.gateway, self.shelf = f"{name}g", f"{name}s"
        self.blades: dict[str, subprocess.Popen[bytes]] = {}

    def build(self) -> None:
        ip("netns", "add", self.gateway)
        ip("netns", "add", self.shelf)
        for cable, mtu in ((1, 1500), (2, 9000)):
            near, far = f"eth{cable}", f"s{cable}"
            ip("-n", self.gateway, "link", "add", near, "type", "veth", "peer", "name", far, "netns", self.shelf)
            for namespace, end in ((self.gateway, near), (self.shelf, far)):
                ip("-n", namespace, "link", "set", end, "mtu", str(mtu), "up")

    def remove(self) -> None:
        for blade in self.blades.values():
            blade.kill()
            blade.wait(timeout=10)
        for namespace in (self.gateway, self.shelf):
            subprocess.run(["ip", "netns", "del", namespace], check=False, timeout=10)

    def disk(self, name: str, size: int) -> Path:
        path = self.folder / name
        with path.open("wb") as file:
            file.truncate(size)
        return path

    def export(self, key: str, target: str, interface: str, disk: Path, *options: str) -> None:
        """Start a vblade and return when it answers."""
        shelf, slot = target.removeprefix("e").split(".")
        with inside(self.shelf):
            self.blades[key] = subprocess.Popen(
                ["vblade", *options, shelf, slot, interface, str(disk)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        limit = time.monotonic() + PATIENCE_S
        near = f"eth{interface[1]}"
        while self.address(target, near, interface) not in {config.address for config in self.discover(near)}:
            assert time.monotonic() < limit, f"vblade {target} on {interface} does not answer"

    def add_port(self, port: str, beside: str) -> None:
        """Add a port with a hardware address of its own to a cable: what answers there counts as another shelf."""
        ip("-n", self.shelf, "link", "add", "link", beside, "name", port, "type", "macvlan", "mode", "bridge")
        ip("-n", self.shelf, "link", "set", port, "up")

    def address(self, target: str, interface: str, port: str = "") -> TargetAddress:
        with inside(self.shelf), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
            probe.bind((port or interface.replace("eth", "s"), 0x88A2))
            mac: bytes = probe.getsockname()[4]
        return TargetAddress(Target.parse(target), mac, interface)

    def ask(self, question: Callable[[AoeClient], Awaitable[T]], *interfaces: str) -> T:
        async def asked() -> T:
            with inside(self.gateway):
                client = AoeClient(interfaces or ("eth1", "eth2"))
            async with client:
                return await question(client)

        return asyncio.run(asked())

    def discover(self, *interfaces: str, wait_ms: int = 300) -> tuple[TargetConfig, ...]:
        return self.ask(lambda client: client.discover(wait_ms), *interfaces)

    def command(self, *words: str) -> int:
        parser = argparse.ArgumentParser()
        verb.add_arguments(parser)
        with inside(self.gateway):
            return verb.run(parser.parse_args(words))


@pytest.fixture
def san(tmp_path: Path) -> Iterator[San]:
    built = San(tmp_path)
    try:
        built.build()
        yield built
    finally:
        built.remove()


def test_one_disk_behind_two_addresses_is_found_twice_with_every_figure_right(san: San) -> None:
    disk = san.disk("disk", 100 * 1024 * 1024 + 512)
    san.export("a", "e1.0", "s1", disk, "-b", "7")
    san.export("b", "e1.0", "s2", disk)
    first, second = san.discover()
    assert first.address != second.address
    assert {first.address, second.address} == {san.address("e1.0", "eth1"), san.address("e1.0", "eth2")}
    by_interface = {config.address.interface: config for config in (first, second)}
    assert by_interface["eth1"].buffers == 7
    assert by_interface["eth1"].sectors == 2
    assert by_interface["eth2"].buffers == 16
    assert by_interface["eth2"].sectors == 17
    assert first.firmware == 0x4000 + 25
    assert (payload_bytes(by_interface["eth1"], 1500), payload_bytes(by_interface["eth2"], 9000)) == (1024, 8704)
    assert payload_bytes(by_interface["eth2"], 1500) == 1024
    for config in (first, second):
        identity = san.ask(lambda client, at=config.address: client.identify(at, 3000))  # type: ignore[misc]
        assert identity.sectors == 204_801
        assert identity.size_bytes == 104_858_112
        assert identity.model == "Coraid EtherDrive vblade"
        assert identity.serial


def test_config_string_is_read(san: San) -> None:
    san.export("a", "e7.254", "s1", san.disk("disk", 512 * 1000))
    address = san.address("e7.254", "eth1")
    config = san.ask(lambda client: client.read_config(address, 3000))
    assert config.string == b""
    # Set as aoecfg does (command 1, force), which the client itself never does.
    san.ask(lambda client: client._ask(address, Opaque(1, bytes.fromhex("0000 0000 00 04 0003") + b"abc"), 3000))
    assert san.ask(lambda client: client.read_config(address, 3000)).string == b"abc"
    assert san.discover("eth1")[0].string == b"abc"


def test_reservation_is_read_from_each_address_by_itself(san: San) -> None:
    disk = san.disk("disk", 1024 * 1024)
    san.export("a", "e1.0", "s1", disk)
    san.export("b", "e1.0", "s2", disk)
    address, other = san.address("e1.0", "eth1"), san.address("e1.0", "eth2")
    assert san.ask(lambda client: client.read_reservation(address, 3000)) == ()
    holders = (b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02")
    san.ask(lambda client: client._ask(address, Reserve(ReserveCommand.FORCE_SET, holders), 3000))
    assert san.ask(lambda client: client.read_reservation(address, 3000)) == holders
    assert san.ask(lambda client: client.read_reservation(other, 3000)) == ()
    # Identify and config reads are answered to everybody, reserved or not.
    assert san.ask(lambda client: client.identify(address, 3000)).sectors == 2048


def test_refusal_is_an_error_with_the_targets_code(san: San) -> None:
    san.export("a", "e1.0", "s1", san.disk("disk", 1024 * 1024))
    address = san.address("e1.0", "eth1")
    with pytest.raises(RefusedError, match="does not know this command") as refused:
        san.ask(lambda client: client._ask(address, Opaque(0xF0, bytes(8)), 3000))
    assert refused.value.code == 1


def test_silent_target_ends_at_the_deadline_and_the_others_are_found(san: San) -> None:
    san.export("a", "e1.0", "s1", san.disk("one", 1024 * 1024))
    san.export("b", "e2.0", "s1", san.disk("two", 2048 * 1024))
    san.blades["a"].send_signal(signal.SIGSTOP)
    assert [str(config.address.target) for config in san.discover()] == ["e2.0"]
    before = time.monotonic()
    with pytest.raises(NoAnswerError, match="no answer within 200 ms"):
        san.ask(lambda client: client.identify(san.address("e1.0", "eth1"), 200))
    assert 0.2 <= time.monotonic() - before < 10
    nobody = TargetAddress(Target(2, 0), b"\x02\0\0\0\0\x99", "eth1")
    with pytest.raises(NoAnswerError):
        san.ask(lambda client: client.read_config(nobody, 100))


def test_target_that_answers_late_is_heard_within_the_deadline(san: San) -> None:
    san.export("a", "e1.0", "s1", san.disk("one", 1024 * 1024))
    address = san.address("e1.0", "eth1")

    async def ask_while_it_sleeps(client: AoeClient) -> int:
        san.blades["a"].send_signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.7, san.blades["a"].send_signal, signal.SIGCONT)
        return (await client.identify(address, 5000)).sectors

    assert san.ask(ask_while_it_sleeps) == 2048


def test_answers_count_only_from_the_asked_address_with_the_right_tag(san: San) -> None:
    """A stranger in the shelf's place answers wrongly in four ways, then rightly: only the last one is taken."""
    asked = TargetAddress(Target(3, 1), b"\x02\0\0\0\0\x77", "eth1")
    with inside(san.shelf):
        stranger = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88A2))
        stranger.bind(("s1", 0x88A2))
        stranger.setblocking(False)

    async def question(client: AoeClient) -> tuple[TargetConfig, int, int]:
        loop = asyncio.get_running_loop()
        asking = asyncio.create_task(client.read_config(asked, 4000))
        request = await loop.sock_recv(stranger, 2000)
        gateway, tag = request[6:12], request[20:24]
        assert tag[0] & 0x80

        def reply(mac: bytes, flags: bytes, slot: int, tag: bytes, string: bytes) -> bytes:
            config = bytes.fromhex("0010 4019 02 10 0001") + string
            return gateway + mac + b"\x88\xa2" + flags + b"\0\x00\x03" + bytes([slot, 1]) + tag + config

        other_tag = bytes([tag[0], tag[1], tag[2], tag[3] ^ 1])
        for frame in (
            reply(b"\x02\0\0\0\0\x78", b"\x18", 1, tag, b"1"),
            reply(asked.mac, b"\x10", 1, tag, b"2"),
            reply(asked.mac, b"\x18", 2, tag, b"3"),
            reply(asked.mac, b"\x18", 1, other_tag, b"4"),
            gateway + asked.mac + b"\x88\xa2" + b"\x18garba\xffge",
            reply(asked.mac, b"\x18", 1, tag, b"5"),
        ):
            await loop.sock_sendall(stranger, frame)
        counters = client.port("eth1").counters
        return await asking, counters.strays, counters.garbage

    try:
        config, strays, garbage = san.ask(question)
    finally:
        stranger.close()
    assert config.string == b"5"
    assert (strays, garbage) == (4, 1)


@pytest.mark.parametrize(
    ("interface", "why"), [("eth9", "no such interface"), ("lo", "it is down|no Ethernet"), ("eth2", "it is down")]
)
def test_unusable_interface_is_refused_with_a_sentence(san: San, interface: str, why: str) -> None:
    ip("-n", san.gateway, "link", "set", "eth2", "down")
    with pytest.raises(AoeError, match=f"cannot use {interface} for AoE: .*({why})"):
        san.discover(interface)


def test_interface_that_goes_down_while_asking_is_an_error_not_a_hang(san: San) -> None:
    async def question(client: AoeClient) -> None:
        ip("-n", san.gateway, "link", "set", "eth1", "down")
        await client.read_config(TargetAddress(Target(1, 0), b"\x02\0\0\0\0\x01", "eth1"), 200)

    with pytest.raises(AoeError, match="cannot send on eth1: Network is down"):
        san.ask(question)


def test_without_privilege_the_error_says_so() -> None:
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        try:
            AoeClient(["lo"])
        except NoPrivilegeError:
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_all_interfaces_that_are_up_are_found(san: San) -> None:
    ip("-n", san.gateway, "link", "set", "lo", "up")
    ip("-n", san.gateway, "link", "set", "eth2", "down")
    with inside(san.gateway):
        assert ethernet_interfaces() == ("eth1",)


def test_frames_of_the_kernels_driver_do_not_reach_a_client(san: San) -> None:
    """Answers to another program's questions do, by their tags; those to the driver's tags are kept out."""
    san.export("a", "e1.0", "s1", san.disk("one", 1024 * 1024))

    async def question(client: AoeClient) -> int:
        with inside(san.gateway):
            other = AoeClient(["eth1"])
        async with other:
            await other.read_config(san.address("e1.0", "eth1"))
            port = client.port("eth1")
            port.send(Frame(b"\xff" * 6, port.address, Target(1, 0), 5, Opaque(1, bytes(8))))
            await client.read_config(san.address("e1.0", "eth1"))
            return client.port("eth1").counters.frames

    assert san.ask(question, "eth1") == 2


def test_stat_prints_sizes_as_aoe_stat_does_with_holder_and_address(
    san: San, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = san.disk("disk", 100 * 1024 * 1024)
    san.export("a", "e1.0", "s1", disk)
    san.export("b", "e1.0", "s2", disk)
    san.export("c", "e20.3", "s1", san.disk("small", 512))
    first = san.address("e1.0", "eth1")
    san.ask(lambda client: client._ask(first, Reserve(ReserveCommand.FORCE_SET, (b"\x02\0\0\0\0\x01",)), 3000))
    assert san.command("stat", "--wait", "400ms") == 0
    heading, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert heading == ["DEVICE", "SIZE", "IF", "PAYLOAD", "STATE", "HOLDER", "ADDRESS"]
    small = format_mac(first.mac)
    large = format_mac(san.address("e1.0", "eth2").mac)
    assert sorted(rows) == sorted(
        [
            ["e1.0", "0.104GB", "eth1", "1024", "up", "02:00:00:00:00:01", small],
            ["e1.0", "0.104GB", "eth2", "8704", "up", "nobody", large],
            ["e20.3", "0.000GB", "eth1", "1024", "up", "nobody", small],
        ]
    )


def test_stat_as_json_has_exact_sizes(san: San, capsys: pytest.CaptureFixture[str]) -> None:
    san.export("a", "e1.0", "s1", san.disk("disk", 4_398_046_511_104))
    assert san.command("stat", "-i", "eth1", "-o", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    (target,) = document["targets"]
    assert target["device"] == "e1.0"
    assert target["size_bytes"] == 4_398_046_511_104
    assert target["interfaces"] == ["eth1"]
    assert target["reserved_for"] == []
    assert target["state"] == "up"


def test_stat_of_named_devices_shows_the_silent_one_and_fails(san: San, capsys: pytest.CaptureFixture[str]) -> None:
    san.export("a", "e1.0", "s1", san.disk("one", 1024 * 1024))
    san.export("b", "e2.0", "s1", san.disk("two", 1024 * 1024))
    san.blades["b"].send_signal(signal.SIGSTOP)
    assert san.command("stat", "-i", "eth1,eth2", "e1.0", "e2.0") == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[2].split() == ["e2.0", "(NA)", "(NA)", "(NA)", "silent", "(NA)", "(NA)"]
    assert "cannot see e2.0" in said.err


def test_stat_warns_when_one_device_has_two_sizes(san: San, capsys: pytest.CaptureFixture[str]) -> None:
    san.export("a", "e1.0", "s1", san.disk("one", 1024 * 1024))
    san.export("b", "e1.0", "s2", san.disk("two", 2048 * 1024))
    assert san.command("stat") == 1
    assert "e1.0 has different sizes at its addresses" in capsys.readouterr().err


def test_discover_lists_addresses_and_json(san: San, capsys: pytest.CaptureFixture[str]) -> None:
    san.export("a", "e1.0", "s1", san.disk("one", 1024 * 1024))
    assert san.command("discover", "-i", "eth1", "--wait", "400ms") == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row == ["e1.0", "eth1", format_mac(san.address("e1.0", "eth1").mac), "1024", "16", "0x4019"]
    assert san.command("discover", "-o", "json") == 0
    (target,) = json.loads(capsys.readouterr().out)["targets"]
    assert (target["device"], target["config_string"], target["payload_bytes"]) == ("e1.0", "", 1024)


def test_nobody_there_and_unusable_interface_fail_with_a_sentence(san: San, capsys: pytest.CaptureFixture[str]) -> None:
    assert san.command("discover", "--wait", "60ms") == 1
    assert "cannot find any AoE target on eth1, eth2" in capsys.readouterr().err
    assert san.command("stat", "-i", "eth9") == 1
    assert "cannot use eth9 for AoE: there is no such interface" in capsys.readouterr().err
