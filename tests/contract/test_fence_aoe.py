"""fence_aoe, run as Pacemaker runs it, on two gateways before Debian's vblade."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_aoe_vblade import San, inside, ip

from aoeha.agents.interface import AgentError, FenceAgent
from aoeha.agents.parameters import ParameterError, parameters_from_strings
from aoeha.agents.parts.inflight_io import unfinished_writes
from aoeha.agents.registry import build_fence_agent, load_fence_agent
from aoeha.fabric.aoe.client import AoeClient, RefusedError, TargetAddress
from aoeha.fabric.aoe.frames import Ata, Target, format_mac
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

PROGRAM = Path(__file__).parents[2] / "fencing" / "aoe.py"
STRANGER = b"\x02\0\0\0\0\x99"

shelves = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and raw sockets"),
    pytest.mark.skipif(shutil.which("vblade") is None, reason="needs Debian's package vblade"),
]


def mark(test: object) -> object:
    for one in shelves:
        test = one(test)
    return test


class Pair:
    """Gateways in namespaces of their own, each with one storage interface, and two shelves with one target each."""

    def __init__(self, san: San) -> None:
        self.san = san
        self.beta_room = f"{san.gateway}b"
        self.targets = ["e1.0", "e2.0"]

    def build(self) -> None:
        san = self.san
        san.build()
        ip("netns", "add", self.beta_room)
        ip("-n", san.gateway, "link", "add", "beta1", "link", "eth1", "type", "macvlan", "mode", "bridge")
        ip("-n", san.gateway, "link", "set", "beta1", "netns", self.beta_room)
        ip("-n", self.beta_room, "link", "set", "beta1", "up")
        self.alpha, self.beta = self.mac(san.gateway, "eth1"), self.mac(self.beta_room, "beta1")
        self.shelf = self.mac(san.shelf, "s1")
        self.disks = {name: san.disk(name, 1024 * 1024) for name in ("e1.0", "e2.0")}
        self.start("e1.0")
        self.start("e2.0")

    def mac(self, room: str, interface: str) -> bytes:
        with inside(room):
            client = AoeClient([interface])
        client.close()
        return client.port(interface).address

    def start(self, target: str) -> None:
        self.san.export(target, target, "s1", self.disks[target])

    def stop(self, target: str) -> None:
        self.san.blades[target].kill()
        self.san.blades[target].wait(timeout=10)

    def hold(self, target: str, *owners: bytes) -> None:
        place = TargetAddress(Target.parse(target), self.shelf, "eth1")
        self.san.ask(lambda client: client.reserve(place, owners, force=True, deadline_ms=3000), "eth1")

    def holders(self) -> list[set[bytes]]:
        places = [TargetAddress(Target.parse(name), self.shelf, "eth1") for name in ("e1.0", "e2.0")]
        return [
            set(self.san.ask(lambda client, at=place: client.read_reservation(at, 3000), "eth1"))  # type: ignore[misc]
            for place in places
        ]

    def run(self, action: str, plug: str = "", *, on: str = "alpha", **options: str) -> tuple[int, str, str]:
        """Run the program on a gateway; its exit code, output and errors."""
        given = {
            "action": action,
            "hosts": f"alpha={format_mac(self.alpha)} beta={format_mac(self.beta)}",
            "targets": " ".join(f"{name}={format_mac(self.shelf)}" for name in self.targets),
            "deadline": "400ms",
            "nodename": plug,
        }
        plugs = {"plug": plug} if plug else {}
        with inside({"alpha": self.san.gateway, "beta": self.beta_room}[on]):
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        lines = "".join(f"{key}={value}\n" for key, value in (given | plugs | options).items())
        said, fault = process.communicate(lines, timeout=60)
        return process.returncode, said, fault

    def write(self, target: str, data: bytes) -> None:
        """Write a sector from beta, as its kernel would. RefusedError when the target refuses."""
        place = TargetAddress(Target.parse(target), self.shelf, "beta1")
        body = Ata(flags=0x41, feature=0, sectors=1, command=0x34, lba=3, data=data.ljust(512, b"\0"))

        async def written() -> None:
            with inside(self.beta_room):
                client = AoeClient(["beta1"])
            async with client:
                await client._ask(place, body, 3000)

        asyncio.run(written())

    def sector(self, target: str) -> bytes:
        return self.disks[target].read_bytes()[3 * 512 : 4 * 512].rstrip(b"\0")

    def agent(self) -> FenceAgent[Any]:
        """The agent itself, as alpha would run it."""
        kind = load_fence_agent("aoe")
        hosts = f"alpha={format_mac(self.alpha)} beta={format_mac(self.beta)}"
        targets = " ".join(f"{name}={format_mac(self.shelf)}" for name in self.targets)
        parameters = parameters_from_strings(kind.parameters_type, {"hosts": hosts, "targets": targets})
        return kind("shelves", parameters, ProcessHost(Place("gw", "alpha")))

    def remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self.beta_room], check=False, timeout=10)
        self.san.remove()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    built = Pair(San(tmp_path))
    try:
        built.build()
        yield built
    finally:
        built.remove()


@mark
def test_off_reserves_every_target_for_the_other_node_and_on_lets_the_victim_in_again(pair: Pair) -> None:
    assert pair.run("status", "beta") == (0, "Status: ON\n", "")
    assert pair.run("off", "beta") == (0, "Success: Powered OFF\n", "")
    assert pair.holders() == [{pair.alpha}, {pair.alpha}]
    assert pair.run("status", "beta", on="beta") == (2, "Status: OFF\n", "")
    assert pair.run("status", "alpha", on="beta") == (0, "Status: ON\n", "")
    assert pair.run("off", "beta")[0] == 0
    assert pair.run("on", "beta", on="beta") == (0, "Success: Powered ON\n", "")
    assert pair.holders() == [{pair.alpha, pair.beta}, {pair.alpha, pair.beta}]
    assert pair.run("status", "beta") == (0, "Status: ON\n", "")


@mark
def test_no_write_of_the_victim_lands_between_off_and_on(pair: Pair) -> None:
    pair.write("e1.0", b"before")
    assert pair.sector("e1.0") == b"before"
    assert pair.run("off", "beta")[0] == 0
    for target in pair.targets:
        with pytest.raises(RefusedError, match="reserved by another host"):
            pair.write(target, b"late")
    assert (pair.sector("e1.0"), pair.sector("e2.0")) == (b"before", b"")
    assert pair.run("on", "beta", on="beta")[0] == 0
    pair.write("e2.0", b"after")
    assert pair.sector("e2.0") == b"after"


@mark
def test_off_ends_what_both_shared(
    pair: Pair,
) -> None:
    pair.hold("e1.0", pair.alpha, pair.beta)
    assert pair.run("off", "beta")[0] == 0
    assert pair.holders() == [{pair.alpha}, {pair.alpha}]


@mark
def test_whoever_is_shut_out_cannot_shut_out_the_other_one(pair: Pair) -> None:
    assert pair.run("off", "beta", on="alpha")[0] == 0
    pair.stop("e1.0")
    pair.start("e1.0")
    code, said, fault = pair.run("off", "alpha", on="beta")
    assert (code, said) == (1, "")
    assert "beta is shut out itself, at e2.0" in fault
    assert pair.holders() == [set(), {pair.alpha}], "a target that forgot is not taken either"


@mark
def test_off_with_a_silent_target_fails_and_changes_nothing(pair: Pair) -> None:
    pair.stop("e2.0")
    code, said, fault = pair.run("off", "beta")
    assert (code, said) == (1, "")
    assert "cannot reach e2.0" in fault
    assert "nothing was changed" in fault
    pair.start("e2.0")
    assert pair.holders() == [set(), set()]


@mark
def test_silent_target_makes_the_status_unknown_unless_another_one_lets_the_node_in(pair: Pair) -> None:
    pair.run("off", "beta")
    pair.stop("e2.0")
    code, said, fault = pair.run("status", "beta")
    assert (code, said) == (1, "")
    assert "cannot reach e2.0" in fault
    pair.hold("e1.0")
    assert pair.run("status", "beta") == (0, "Status: ON\n", "")


@mark
def test_one_target_that_lets_the_node_in_is_enough_for_on(pair: Pair) -> None:
    pair.run("off", "beta")
    pair.stop("e2.0")
    pair.start("e2.0")
    assert pair.run("status", "beta") == (0, "Status: ON\n", "")


@mark
def test_off_takes_nothing_from_a_stranger(pair: Pair) -> None:
    pair.hold("e2.0", STRANGER)
    code, _said, fault = pair.run("off", "beta")
    assert code == 1
    assert "reserved for 02:00:00:00:00:99, which `hosts` does not name" in fault
    assert pair.holders() == [set(), {STRANGER}]


@mark
def test_only_the_victim_itself_may_let_itself_in(pair: Pair) -> None:
    pair.run("off", "beta")
    code, _said, fault = pair.run("on", "beta", on="alpha")
    assert code == 1
    assert "run this on beta" in fault
    assert pair.holders() == [{pair.alpha}, {pair.alpha}]


@mark
def test_of_two_that_fence_at_once_the_loser_fails_at_the_first_target(pair: Pair) -> None:
    """A rival takes the first target back as soon as it is taken. The second one may not be touched then."""
    place = TargetAddress(Target.parse("e1.0"), pair.shelf, "beta1")

    async def rival(client: AoeClient) -> None:
        while True:
            if pair.alpha in await client.read_reservation(place, 400):
                await client.reserve(place, (pair.beta,), force=True)

    async def duel() -> None:
        with inside(pair.beta_room):
            client = AoeClient(["beta1"])
        async with client:
            taking = asyncio.create_task(rival(client))
            with inside(pair.san.gateway):
                fencing = asyncio.create_task(pair.agent().power_off("beta"))
                await asyncio.sleep(0)
            try:
                await fencing
            finally:
                taking.cancel()

    with pytest.raises(AgentError, match=r"cannot change e1.0 .* it reads as reserved for"):
        asyncio.run(duel())
    assert pair.holders() == [{pair.beta}, set()]


@mark
def test_off_is_no_success_while_a_target_reads_otherwise(pair: Pair) -> None:
    """A rival takes the first target back, time after time, for as long as the program looks."""
    place = TargetAddress(Target.parse("e1.0"), pair.shelf, "beta1")

    async def rival(client: AoeClient) -> None:
        while True:
            if pair.alpha in await client.read_reservation(place, 400):
                await client.reserve(place, (pair.beta,), force=True)

    async def both() -> tuple[int, str, str]:
        with inside(pair.beta_room):
            client = AoeClient(["beta1"])
        async with client:
            taking = asyncio.create_task(rival(client))
            try:
                return await asyncio.to_thread(pair.run, "off", "beta")
            finally:
                taking.cancel()

    code, said, fault = asyncio.run(both())
    assert (code, said) == (1, "")
    assert "cannot" in fault


@mark
def test_monitor_wants_every_target_and_list_names_both_nodes(pair: Pair) -> None:
    assert pair.run("monitor") == (0, "", "")
    assert pair.run("list") == (0, "alpha,\nbeta,\n", "")
    pair.run("off", "beta")
    assert pair.run("list-status") == (0, "alpha,,ON\nbeta,,OFF\n", "")
    pair.stop("e1.0")
    code, _said, fault = pair.run("monitor")
    assert code == 1
    assert "cannot reach e1.0" in fault


@mark
def test_there_is_no_reboot_and_nobody_else_to_fence(pair: Pair) -> None:
    code, _said, fault = pair.run("reboot", "beta")
    assert code == 1
    assert 'cannot do "reboot"' in fault
    code, _said, fault = pair.run("off", "gamma")
    assert code == 1
    assert "alpha and beta" in fault
    assert pair.holders() == [set(), set()]


@mark
def test_host_without_a_storage_interface_is_told_so(pair: Pair) -> None:
    ip("-n", pair.san.gateway, "link", "set", "eth1", "down")
    code, _said, fault = pair.run("off", "beta")
    assert code == 1
    assert "no interface that is up here has an address" in fault


@mark
def test_fence_aoe_sends_no_mac_mask(pair: Pair) -> None:
    """A mask edit would be command 2. What the program sends is captured on the shelf's side of the cable."""
    with inside(pair.san.shelf):
        import socket  # noqa: PLC0415

        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88A2))
    ear.settimeout(5)
    pair.run("off", "beta")
    pair.run("on", "beta", on="beta")
    pair.run("monitor")
    ear.setblocking(False)
    commands = set()
    with ear:
        while True:
            try:
                frame = ear.recv(2048)
            except BlockingIOError:
                break
            commands.add(frame[19])
    assert commands == {0, 1, 3}


GOOD = {"hosts": ["alpha=02:00:00:00:00:01", "beta=02:00:00:00:00:02"], "targets": ["e1.0=02:00:00:00:01:00"]}


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("hosts=alpha=02:00:00:00:00:01", "expected the two nodes"),
        ("hosts=alpha=02:00:00:00:00:01 beta=02:00:00:00:00:01", "both nodes cannot have 02:00:00:00:00:01"),
        ("hosts=alpha=02:00:00:00:00:01 beta=2", 'expected NAME=MAC,MAC with each name once, got "beta=2"'),
        ("targets=", "expected at least one"),
        ("settle=16s", "settle: Expected `int` <= 15000"),
        ("targets=e1=02:00:00:00:01:00", "targets: "),
        ("targets=e1.0=02:00:00:00:01:00 e1.0=02:00:00:00:01:01", "each name once"),
    ],
)
def test_parameters_that_would_leave_somebody_out_are_refused(change: str, finding: str) -> None:
    lines = {key: f"{key}={' '.join(value)}" for key, value in GOOD.items()}
    lines[change.partition("=")[0]] = change
    stdin = "".join(f"{line}\n" for line in ("action=validate-all", *lines.values()))
    ran = subprocess.run(
        [sys.executable, str(PROGRAM)], input=stdin, capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode == 1
    assert finding in ran.stderr


def test_aoeha_itself_takes_no_such_device_because_it_cuts_no_power() -> None:
    with pytest.raises(ParameterError, match=r"cuts no power.*\[\[group.leg\]\]"):
        build_fence_agent("aoe", "shelves", GOOD, ProcessHost(Place("gw", "beta")))


class Kernel:
    """What sysfs and the mount table show of one device, in a folder."""

    def __init__(self, folder: Path, name: str = "etherd!e1.0") -> None:
        self.devices, self.mounts = folder / "block", folder / "mountinfo"
        self.device = self.devices / name
        (self.device / "holders").mkdir(parents=True)
        (self.device / "inflight").write_text("       7        0\n")
        (self.device / "dev").write_text("152:16\n")
        self.mounts.write_text("25 30 8:1 / / rw - ext4 /dev/sda1 rw\n")

    def use(self) -> str:
        return unfinished_writes("e1.0", self.devices, self.mounts)


def test_device_with_hanging_readings_alone_has_nothing_to_write(tmp_path: Path) -> None:
    assert Kernel(tmp_path).use() == ""


def test_device_that_is_written_mounted_or_part_of_a_mirror_is_unfinished(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    (kernel.device / "inflight").write_text("       0        3\n")
    assert kernel.use() == "etherd/e1.0 has 3 writes under way"
    kernel.mounts.write_text("26 25 152:16 / /mnt rw - ext4 /dev/etherd/e1.0 rw\n")
    assert kernel.use() == "etherd/e1.0 is mounted"
    (kernel.device / "holders" / "md0").mkdir()
    assert kernel.use() == "etherd/e1.0 is used by md0"


def test_partition_counts_and_another_target_does_not(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, "etherd!e1.0p1")
    (kernel.device / "holders" / "md0").mkdir()
    assert kernel.use() == "etherd/e1.0p1 is used by md0"
    assert unfinished_writes("e1.01", kernel.devices, kernel.mounts) == ""
    assert unfinished_writes("e11.0", kernel.devices, kernel.mounts) == ""


def test_device_that_does_not_tell_its_use_counts_as_used(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    (kernel.device / "inflight").unlink()
    assert "does not tell its use" in kernel.use()
