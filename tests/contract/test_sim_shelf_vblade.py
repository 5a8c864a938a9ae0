"""The simulator's shelf and Debian's vblade answer the same questions in the same way."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from test_aoe_vblade import San, ip

from aoeha.fabric.aoe.client import AoeClient, NoAnswerError, RefusedError, TargetAddress
from aoeha.fabric.aoe.frames import Ata, Config, ConfigCommand, FrameError, Reserve
from aoeha.sim.world.shelf import CONFIG_MAX, Address, Answer

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces and raw sockets"),
    pytest.mark.skipif(shutil.which("vblade") is None, reason="needs Debian's package vblade"),
]

ALPHA, BETA = "eth1", "beta1"
WRITE = Ata(flags=0x01, feature=0, sectors=1, command=0x30, lba=0, data=bytes(512))
RESERVED = 6


@dataclass(frozen=True)
class Step:
    """One question of one host. `holders` are hosts, `text` a config string."""

    host: str
    verb: str
    holders: tuple[str, ...] = ()
    text: bytes = b""


STORIES = {
    "nobody holds it": (Step(ALPHA, "read"), Step(ALPHA, "write"), Step(BETA, "write")),
    "the holder keeps the other out": (
        Step(ALPHA, "set", (ALPHA,)),
        Step(ALPHA, "write"),
        Step(BETA, "write"),
        Step(BETA, "read"),
        Step(BETA, "set", (BETA,)),
        Step(BETA, "set", ()),
        Step(ALPHA, "set", (ALPHA,)),
    ),
    "the holder hands it over and is kept out": (
        Step(ALPHA, "set", (ALPHA,)),
        Step(ALPHA, "set", (BETA,)),
        Step(ALPHA, "write"),
        Step(ALPHA, "set", (ALPHA,)),
        Step(BETA, "write"),
    ),
    "anybody forces it": (
        Step(ALPHA, "set", (ALPHA,)),
        Step(BETA, "force", (BETA,)),
        Step(ALPHA, "write"),
        Step(BETA, "write"),
        Step(ALPHA, "force", ()),
        Step(ALPHA, "write"),
    ),
    "a set that comes twice is refused the second time": (
        Step(ALPHA, "set", (ALPHA,)),
        Step(ALPHA, "set", (BETA,)),
        Step(ALPHA, "set", (BETA,)),
        Step(BETA, "read"),
    ),
    "a set that comes late is carried out where its sender holds it again": (
        Step(ALPHA, "set", (ALPHA,)),
        Step(ALPHA, "set", (BETA,)),
        Step(BETA, "set", (ALPHA,)),
        Step(ALPHA, "set", (BETA,)),
        Step(ALPHA, "write"),
        Step(BETA, "read"),
    ),
    "a force that comes late takes it from whoever holds it by then": (
        Step(ALPHA, "force", (ALPHA,)),
        Step(BETA, "force", (BETA,)),
        Step(ALPHA, "force", (ALPHA,)),
        Step(BETA, "write"),
        Step(BETA, "read"),
    ),
    "two may hold it": (Step(ALPHA, "set", (ALPHA, BETA)), Step(ALPHA, "write"), Step(BETA, "write")),
    "a holder releases it": (Step(ALPHA, "set", (ALPHA,)), Step(ALPHA, "set", ()), Step(BETA, "write")),
    "a restart forgets": (
        Step(ALPHA, "set", (ALPHA,)),
        Step(ALPHA, "config", text=b"aoeha"),
        Step(ALPHA, "restart"),
        Step(BETA, "read"),
        Step(BETA, "write"),
        Step(BETA, "string"),
    ),
    "a config string is set once": (
        Step(ALPHA, "string"),
        Step(ALPHA, "config", text=b"alpha"),
        Step(ALPHA, "config", text=b"alpha"),
        Step(BETA, "config", text=b"beta"),
        Step(BETA, "force config", text=b"beta"),
        Step(ALPHA, "string"),
        Step(ALPHA, "is", text=b"beta"),
        Step(ALPHA, "begins", text=b"be"),
        Step(ALPHA, "is", text=b"be"),
    ),
    "the reservation does not cover the config string": (
        Step(ALPHA, "set", (ALPHA,)),
        Step(BETA, "force config", text=b"beta"),
        Step(ALPHA, "string"),
    ),
    "a string that is too long": (
        Step(ALPHA, "config", text=b"x" * CONFIG_MAX),
        Step(ALPHA, "force config", text=b"x" * (CONFIG_MAX + 1)),
        Step(ALPHA, "string"),
    ),
}


@pytest.fixture
def san(tmp_path: Path) -> Iterator[San]:
    """A shelf whose wire two hosts share: the second one is a macvlan with an address of its own."""
    built = San(tmp_path)
    try:
        built.build()
        ip("-n", built.gateway, "link", "add", BETA, "link", ALPHA, "type", "macvlan", "mode", "bridge")
        ip("-n", built.gateway, "link", "set", BETA, "up")
        yield built
    finally:
        built.remove()


def simulated(steps: tuple[Step, ...]) -> list[Answer | None]:
    address = Address("e1.0")
    return [_simulated(address, step) for step in steps]


def _simulated(address: Address, step: Step) -> Answer | None:
    match step.verb:
        case "read":
            return address.read_reservation()
        case "set":
            return address.set_reservation(step.host, step.holders)
        case "force":
            return address.force_reservation(step.host, step.holders)
        case "write":
            return Answer(0 if address.admits(step.host) else RESERVED)
        case "string":
            return address.read_config()
        case "config" | "force config":
            return address.set_config(step.text, force=step.verb == "force config")
        case "is" | "begins":
            return address.test_config(step.text, prefix=step.verb == "begins")
        case _:
            address.restart()
            return None


def real(san: San, steps: tuple[Step, ...]) -> list[Answer | None]:
    disk = san.disk("disk", 1024 * 1024)
    san.export("shelf", "e1.0", "s1", disk)
    return [_real(san, disk, step) for step in steps]


def _real(san: San, disk: Path, step: Step) -> Answer | None:
    if step.verb == "restart":
        san.blades["shelf"].kill()
        san.blades["shelf"].wait(timeout=10)
        san.export("shelf", "e1.0", "s1", disk)
        return None
    mac = san.address("e1.0", "eth1").mac
    address = TargetAddress(san.address("e1.0", "eth1").target, mac, step.host)
    return san.ask(lambda client: _asked(client, address, step), ALPHA, BETA)


async def _asked(client: AoeClient, address: TargetAddress, step: Step) -> Answer | None:
    macs = {client.port(host).address: host for host in (ALPHA, BETA)}
    hosts = {host: mac for mac, host in macs.items()}
    wanted = tuple(hosts[host] for host in step.holders)

    def named(owners: tuple[bytes, ...]) -> tuple[str, ...]:
        return tuple(macs[owner] for owner in owners)

    try:
        match step.verb:
            case "read":
                return Answer(0, named(await client.read_reservation(address, 3_000)))
            case "set" | "force":
                force = step.verb == "force"
                return Answer(0, named(await client.reserve(address, wanted, force=force, deadline_ms=3_000)))
            case "write":
                await client._ask(address, WRITE, 3_000)
                return Answer(0)
            case "string":
                return Answer(0, string=(await client.read_config(address, 3_000)).string)
            case "config" | "force config":
                force, patience_ms = step.verb == "force config", 3_000 if len(step.text) <= CONFIG_MAX else 300
                config = await client.write_config(address, step.text, force=force, deadline_ms=patience_ms)
                return Answer(0, string=config.string)
            case _:
                test = ConfigCommand.TEST if step.verb == "is" else ConfigCommand.TEST_PREFIX
                _port, frame = await client._ask(address, Config(test, string=step.text), 300)
                assert isinstance(frame.body, Config)
                return Answer(0, string=frame.body.string)
    except (NoAnswerError, FrameError):
        # Too long a string does not even leave this host: our own codec refuses it.
        return None
    except RefusedError as refused:
        holders = named(refused.body.owners) if isinstance(refused.body, Reserve) else ()
        string = refused.body.string if isinstance(refused.body, Config) else b""
        return Answer(refused.code, holders, string)


@pytest.mark.parametrize("story", STORIES)
def test_the_simulated_shelf_answers_as_vblade_does(san: San, story: str) -> None:
    assert simulated(STORIES[story]) == real(san, STORIES[story])
