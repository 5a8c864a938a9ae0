"""Two real daemons, one after the other upgraded or given other keys: nobody is fenced, and nothing moves."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_pair import Gateway, Pair, pair, wait_for
from other_version import VERSIONS
from pair_timers import set_timers

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root"),
]

DEADTIME_MS = 8_000
LAUNCHER = Path(__file__).with_name("other_version.py")
BEATS = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
wire.bind(("lan0", 3))
wire.settimeout(20)
seen = {}
while len(seen) < 2:
    data, place = wire.recvfrom(2_000)
    if place[1] == 0x0800 and data[9] == 17 and data[22:24] == bytes([694 >> 8, 694 & 255]):
        seen[data[15]] = data[28:30]
for last in sorted(seen):
    print(*seen[last])
"""
"""Prints the version and the key of the next beat of alpha, whose address is the lower one, and of beta."""
OLD, NEW = f"1 {'5a' * 32}\n", f"2 {'c3' * 32}\n"
STEPS = (OLD, OLD + NEW, NEW + OLD, NEW)
"""The key file after each step of `aoeha keygen --rotate`."""


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        set_timers(made, DEADTIME_MS)
        for gateway in (made.alpha, made.beta):
            (gateway.home / "version").write_text("same")
            gateway.program = [str(LAUNCHER), str(gateway.home / "version")]
        yield made
        for gateway in (made.alpha, made.beta):
            assert "Traceback" not in gateway.errors()


def start(gateways: Pair) -> None:
    """Alpha serves, and beta stands by."""
    gateways.alpha.start()
    wait_for(gateways.alpha.status, "alpha listens")
    gateways.beta.start()
    assert_nothing_has_moved(gateways)


def assert_nothing_has_moved(gateways: Pair) -> None:
    """Alpha serves what it started once, both hear each other on every link, nobody was fenced, and no alarm stands."""
    settled = "both hear each other on both links, and no alarm stands"
    wait_for(lambda: is_settled(gateways), lambda: f"{settled}; {what_stands(gateways)}")
    assert gateways.alpha.phase() == "running"
    assert gateways.beta.phase() == "stopped"
    assert gateways.log() == ["alpha start disk", "alpha start service"]
    assert fences(gateways) == []


def is_settled(gateways: Pair) -> bool:
    documents = [gateway.status() for gateway in (gateways.alpha, gateways.beta)]
    return (
        all(document and not document["alarms"] for document in documents)
        and {link["state"] for document in documents for link in document["links"]} == {"up"}
        and (gateways.alpha.phase(), gateways.beta.phase()) == ("running", "stopped")
    )


def what_stands(gateways: Pair) -> list[str]:
    """The alarms and the links of both, for whoever reads why a test has failed."""
    documents = [gateway.status() for gateway in (gateways.alpha, gateways.beta)]
    return [f"{document['alarms']} {document['links']}" if document else "no answer" for document in documents]


def fences(gateways: Pair) -> list[str]:
    return [line for line in gateways.switch.asked if line.startswith("off")]


def beats(gateways: Pair) -> list[list[int]]:
    """The version and the key of the next beat of each."""
    command = ["ip", "netns", "exec", gateways.namespaces[0], sys.executable, "-c", BEATS]
    ran = subprocess.run(command, check=True, timeout=30, capture_output=True, text=True)
    return [[int(number) for number in line.split()] for line in ran.stdout.splitlines()]


def restart(gateways: Pair, gateway: Gateway) -> None:
    """What `aoeha restart` does."""
    done = gateway.ask("restart")
    assert done["exit_code"] == 0, done
    assert_nothing_has_moved(gateways)


def install(gateways: Pair, gateway: Gateway, version: str) -> None:
    """Put another version in the place of the program, and start the daemon anew."""
    (gateway.home / "version").write_text(version)
    restart(gateways, gateway)


def speaks(gateways: Pair, *names: str) -> bool:
    return [version for version, _ in beats(gateways)] == [VERSIONS[name] for name in names]


@pytest.mark.parametrize("order", [("alpha", "beta"), ("beta", "alpha")])
@pytest.mark.parametrize(("old", "new"), [("earlier", "same"), ("same", "later")])
def test_an_upgrade_across_a_wire_version_and_back_moves_nothing(
    gateways: Pair, order: tuple[str, str], old: str, new: str
) -> None:
    for gateway in (gateways.alpha, gateways.beta):
        (gateway.home / "version").write_text(old)
    start(gateways)
    wait_for(lambda: speaks(gateways, old, old), "both speak what both know")
    first, second = (gateways.gateway(node) for node in order)
    install(gateways, first, new)
    assert speaks(gateways, old, old), "the one that was not upgraded would not understand more"
    install(gateways, second, new)
    wait_for(lambda: speaks(gateways, new, new), "both have said that they know more")
    install(gateways, first, old)
    wait_for(lambda: speaks(gateways, old, old), "a downgrade is understood as well")
    install(gateways, second, old)
    assert speaks(gateways, old, old)


def test_a_daemon_that_is_killed_comes_back_as_another_version(gateways: Pair) -> None:
    """As a crash in the middle of an upgrade: nothing tells the peer of it before."""
    start(gateways)
    for gateway, version in ((gateways.alpha, "later"), (gateways.beta, "earlier"), (gateways.alpha, "earlier")):
        gateway.kill()
        (gateway.home / "version").write_text(version)
        gateway.start()
        assert_nothing_has_moved(gateways)


def give(gateways: Pair, gateway: Gateway, keys: str) -> None:
    (gateway.home / "keys").write_text(keys)
    restart(gateways, gateway)


@pytest.mark.parametrize("order", ["alpha beta", "beta alpha", "each in turn"])
def test_the_steps_of_a_rotation_move_nothing(gateways: Pair, order: str) -> None:
    start(gateways)
    both = [gateways.alpha, gateways.beta]
    for number, keys in enumerate(STEPS[1:]):
        backwards = order == "beta alpha" or (order == "each in turn" and number % 2)
        for gateway in reversed(both) if backwards else both:
            give(gateways, gateway, keys)
    assert [key for _, key in beats(gateways)] == [2, 2]


@pytest.mark.parametrize("first", ["alpha", "beta"])
def test_steps_out_of_order_move_nothing_while_a_key_is_common(gateways: Pair, first: str) -> None:
    """One gateway is always two steps ahead, and the new key is at once the first one of its file."""
    start(gateways)
    ahead, behind = (gateways.alpha, gateways.beta) if first == "alpha" else (gateways.beta, gateways.alpha)
    give(gateways, ahead, NEW + OLD)
    wait_for(lambda: [key for _, key in beats(gateways)] == [1, 1], "its peer does not have the new key yet")
    give(gateways, behind, OLD + NEW)
    give(gateways, ahead, NEW)
    wait_for(lambda: [key for _, key in beats(gateways)] == [2, 2], "no other key is common any more")
    give(gateways, behind, NEW)
    assert [key for _, key in beats(gateways)] == [2, 2]
    assert fences(gateways) == []


def test_two_new_keys_of_one_number_move_nothing(gateways: Pair) -> None:
    """`aoeha keygen --rotate` was run on both gateways, and nothing was copied."""
    start(gateways)
    give(gateways, gateways.alpha, f"2 {'11' * 32}\n" + OLD)
    give(gateways, gateways.beta, f"2 {'22' * 32}\n" + OLD)
    wait_for(lambda: [key for _, key in beats(gateways)] == [1, 1], "that number is not the same key")
    assert fences(gateways) == []
    assert gateways.log() == ["alpha start disk", "alpha start service"]


def codes(gateway: Gateway) -> set[str]:
    return {alarm["code"] for alarm in gateway.status().get("alarms", [])}


@pytest.mark.parametrize("node", ["alpha", "beta"])
def test_a_file_without_a_key_of_the_peers_is_an_alarm_and_no_restart(gateways: Pair, node: str) -> None:
    start(gateways)
    gateway = gateways.gateway(node)
    (gateway.home / "keys").write_text(NEW)
    wait_for(lambda: "daemon.keys" in codes(gateway), "it is told before anybody restarts anything")
    refused = gateway.ask("restart")
    assert refused["exit_code"] == 78
    assert "has no key that" in refused["sentence"]
    (gateway.home / "keys").write_text(NEW + OLD)
    assert_nothing_has_moved(gateways)


def test_a_standby_that_comes_back_without_a_key_of_the_owners_fences_nobody(gateways: Pair) -> None:
    start(gateways)
    gateways.beta.kill()
    (gateways.beta.home / "keys").write_text(NEW)
    gateways.beta.start()
    for gateway in (gateways.alpha, gateways.beta):
        wait_for(lambda gateway=gateway: "link.unreadable" in codes(gateway), "both tell what is wrong")
    gateways.beta.kill()
    (gateways.beta.home / "keys").write_text(NEW + OLD)
    gateways.beta.start()
    assert_nothing_has_moved(gateways)
