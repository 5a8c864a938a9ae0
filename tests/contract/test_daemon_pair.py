"""The first end-to-end proof of the core: two real daemons, real links, a real fence, and files as resources."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from daemon_pair import Gateway, Pair, pair, wait_for

from aoeha.core.model.beat import Beat, BeatFlag
from aoeha.wire.keys import Key
from aoeha.wire.sender import Sender

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root"),
]

FLOOD = """
import os, socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for length in range(200):
    sender.sendto(os.urandom(length * 8), ("10.99.0.2", 694))
"""
PASS_ON = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for message in {messages}:
    sender.sendto(bytes.fromhex(message), ("10.99.0.2", 694))
"""
OCCUPY_UDP = """
import socket, sys, time
taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
taken.bind((sys.argv[1], 694))
print("taken", flush=True)
time.sleep(600)
"""
OCCUPY_SERIAL = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY), fcntl.LOCK_EX)
print("taken", flush=True)
time.sleep(600)
"""
BOTH = {"disk", "service"}


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        yield made
        assert not [line for line in made.log() if "VIOLATION" in line]
        for gateway in (made.alpha, made.beta):
            assert "Traceback" not in gateway.errors()


@pytest.fixture
def serving(gateways: Pair) -> Pair:
    """A pair in its normal state: alpha serves, beta stands by."""
    gateways.alpha.start()
    wait_for(gateways.alpha.status, "alpha listens")
    gateways.beta.start()
    wait_for(lambda: gateways.alpha.phase() == "running", "alpha serves")
    wait_for(lambda: gateways.beta.phase() == "stopped", "beta stands by")
    wait_for(lambda: link_states(gateways) == {"up"}, "both links are up on both sides")
    return gateways


def link_states(gateways: Pair) -> set[str]:
    return {link["state"] for gateway in (gateways.alpha, gateways.beta) for link in gateway.status()["links"]}


def test_the_preferred_node_serves_and_the_other_stands_by(serving: Pair) -> None:
    assert serving.alpha.running() == BOTH
    assert serving.beta.running() == set()
    assert serving.log() == ["alpha start disk", "alpha start service"]
    for gateway in (serving.alpha, serving.beta):
        status = gateway.status()
        assert status["groups"][0]["owner"] == "alpha"
        assert status["counters"]["lan"]["accepted"] > 0
        assert status["counters"]["serial"]["accepted"] > 0
        assert {node["state"] for node in status["nodes"]} == {"online"}
    assert serving.switch.asked.count("off beta") == 0


def test_a_wait_that_is_no_time_is_refused_and_harms_nobody(serving: Pair) -> None:
    for wait_ms in ("soon", "-1", "9" * 30):
        assert serving.alpha.ask("switchover", wait_ms=wait_ms)["code"] == "command.usage"
    assert serving.alpha.phase() == "running"


def test_an_argument_that_nobody_knows_is_refused_and_moves_nothing(serving: Pair) -> None:
    refused = serving.alpha.ask("standby", nod="beta")
    assert refused["code"] == "command.usage"
    assert "there is no argument 'nod'" in refused["sentence"]
    for verb in ("status", "pause"):
        assert serving.alpha.ask(verb, group="storage")["code"] == "command.usage"
    assert serving.alpha.phase() == "running"


def test_a_number_of_many_digits_is_refused_and_breaks_nothing(serving: Pair) -> None:
    digits = "9" * 60_000
    for verb, words in (("events", {"number": digits}), ("fence-history", {"number": digits}),
                        ("switchover", {"wait_ms": digits})):  # fmt: skip
        refused = serving.alpha.ask(verb, **words)
        assert refused["code"] == "command.usage", refused
        assert len(refused["sentence"]) < 200
    assert "Traceback" not in serving.alpha.errors()


def test_a_switchover_stops_here_before_it_starts_there(serving: Pair) -> None:
    done = serving.alpha.ask("switchover", wait_ms="10000")
    assert done["exit_code"] == 0, done
    assert serving.log()[2:] == ["alpha stop service", "alpha stop disk", "beta start disk", "beta start service"]
    assert serving.beta.phase() == "running"
    assert serving.alpha.running() == set()


STATE = {"memory.json", "first_beat.json"}
"""What lies in /run for the next daemon."""


def test_a_killed_daemon_comes_back_and_adopts_what_runs(serving: Pair) -> None:
    serving.alpha.kill()
    serving.alpha.start()
    wait_for(lambda: serving.alpha.phase() == "running", "alpha has adopted its group")
    # Long enough for the peer to act if it had taken the gap for a death.
    time.sleep(2)
    assert serving.log() == ["alpha start disk", "alpha start service"]
    assert "off alpha" not in serving.switch.asked
    assert serving.alpha.running() == BOTH
    assert serving.beta.phase() == "stopped"


def test_both_daemons_killed_at_once_adopt_and_move_nothing(serving: Pair) -> None:
    for gateway in (serving.alpha, serving.beta):
        gateway.kill()
    for gateway in (serving.beta, serving.alpha):
        gateway.start()
    wait_for(lambda: serving.alpha.phase() == "running", "alpha has adopted its group")
    wait_for(lambda: serving.beta.phase() == "stopped", "beta stands by")
    time.sleep(2)
    assert serving.log() == ["alpha start disk", "alpha start service"]
    assert not [line for line in serving.switch.asked if line.startswith("off")]


def test_a_daemon_killed_in_the_middle_of_a_start_goes_on_with_it(serving: Pair) -> None:
    (serving.root / "slow").touch()
    serving.alpha.ask("switchover")
    wait_for(lambda: "beta start disk" in serving.log(), "beta begins to start")
    serving.beta.kill()
    serving.beta.start()
    wait_for(lambda: serving.beta.phase() == "running", "beta serves")
    assert serving.alpha.running() == set()
    assert not [line for line in serving.switch.asked if line.startswith("off")]


@pytest.mark.parametrize("node", ["alpha", "beta"])
@pytest.mark.parametrize("by", ["command", "SIGHUP"])
def test_a_daemon_that_starts_anew_leaves_everything_where_it_is(serving: Pair, node: str, by: str) -> None:
    gateway, log = serving.gateway(node), serving.log()
    process = gateway.process
    assert process is not None
    if by == "command":
        assert gateway.ask("restart")["exit_code"] == 0
        assert not (gateway.run_directory / "control.sock").exists()
    else:
        process.send_signal(signal.SIGHUP)
    wait_for(lambda: gateway.errors().count(" runs as ") == 2, "a new daemon runs")
    wait_for(lambda: serving.alpha.phase() == "running", "alpha serves")
    wait_for(lambda: link_states(serving) == {"up"}, "both links are up on both sides")
    assert process.poll() is None
    assert serving.log() == log
    assert gateway.terminate() == 0


def test_a_daemon_does_not_start_anew_with_a_file_that_it_could_not_read(serving: Pair) -> None:
    log, file = serving.log(), serving.root / "aoeha.toml"
    file.write_text(file.read_text() + "\ncolour = 1\n")
    answer = serving.alpha.ask("restart")
    assert answer["exit_code"] == 78
    assert "cannot restart, and goes on as before" in answer["sentence"]
    assert "colour" in answer["sentence"]
    assert serving.alpha.phase() == "running"
    assert serving.log() == log


def test_an_owner_without_descriptors_says_so_and_goes_on_serving(serving: Pair) -> None:
    process = serving.alpha.process
    assert process is not None
    usual = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, usual[1]))
    wait_for(lambda: "[resource.cannot-tell] ALARM" in serving.alpha.errors(), "alpha tells what it lacks")
    assert "Too many open files" in serving.alpha.errors()
    assert serving.alpha.running() == BOTH
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, usual)
    wait_for(lambda: "[resource.cannot-tell over]" in serving.alpha.errors(), "alpha has descriptors again")
    assert serving.log() == ["alpha start disk", "alpha start service"]
    assert "off alpha" not in serving.switch.asked


def test_a_resource_that_dies_is_restarted_with_what_stands_on_it(serving: Pair) -> None:
    (serving.alpha.home / "running" / "disk").unlink()
    (serving.root / "shared" / "disk").unlink()
    wait_for(lambda: serving.log()[2:].count("alpha start service") == 1, "service was started again")
    wait_for(lambda: serving.alpha.running() == BOTH, "both run again")
    assert serving.log()[2:] == ["alpha stop service", "alpha start disk", "alpha start service"]
    assert not [line for line in serving.switch.asked if line.startswith("off")]


def test_a_group_that_cannot_be_stopped_never_starts_elsewhere_without_a_fence(serving: Pair) -> None:
    (serving.root / "stuck").touch()
    serving.switch.works = False
    serving.alpha.ask("switchover")
    wait_for(lambda: serving.alpha.status()["why"]["code"] == "state.blocked", "alpha says what blocks")
    time.sleep(2)
    assert not [line for line in serving.log() if line.startswith("beta start")]
    serving.switch.works = True
    wait_for(lambda: serving.beta.phase() == "running", "beta fenced alpha and serves")
    assert "off alpha" in serving.switch.asked


def test_one_cut_link_moves_nothing_and_is_an_alarm(serving: Pair) -> None:
    serving.cable.is_cut = True
    wait_for(lambda: any(alarm["subject"]["name"] == "serial" for alarm in serving.beta.status()["alarms"]), "an alarm")
    serving.cable.is_cut = False
    wait_for(lambda: link_states(serving) == {"up"}, "the serial link is up again")
    serving.cut_lan(cut=True)
    wait_for(lambda: any(alarm["subject"]["name"] == "lan" for alarm in serving.beta.status()["alarms"]), "an alarm")
    assert serving.log() == ["alpha start disk", "alpha start service"]
    assert not [line for line in serving.switch.asked if line.startswith("off")]


def test_silence_without_proof_starts_nothing_for_as_long_as_it_lasts(serving: Pair) -> None:
    serving.switch.works = False
    serving.cable.is_cut = True
    serving.cut_lan(cut=True)
    wait_for(lambda: "off alpha" in serving.switch.asked, "beta tries to fence alpha")
    time.sleep(3)
    assert serving.log() == ["alpha start disk", "alpha start service"]
    status = serving.beta.status()
    assert serving.beta.phase() == "stopped"
    assert status["groups"][0]["refusal"]["code"] == "takeover.refused.no-proof"
    assert status["alarms"]
    serving.cable.is_cut = False
    serving.cut_lan(cut=False)
    wait_for(lambda: link_states(serving) == {"up"}, "they hear each other again")
    serving.switch.works = True
    assert serving.log() == ["alpha start disk", "alpha start service"]


def test_a_dead_gateway_is_fenced_taken_over_and_joins_again_as_standby(serving: Pair) -> None:
    serving.power_off("alpha")
    wait_for(lambda: serving.beta.phase() == "running", "beta took over")
    assert serving.log()[2:] == ["beta start disk", "beta start service"]
    assert serving.beta.status()["groups"][0]["proof"] == "powered off"
    assert "off alpha" in serving.switch.asked
    wait_for(lambda: "on alpha" in serving.switch.asked, "alpha is switched on again")
    wait_for(lambda: serving.alpha.phase() == "stopped", "alpha stands by")
    time.sleep(3)
    assert serving.log()[2:] == ["beta start disk", "beta start service"]
    assert serving.beta.running() == BOTH


def test_two_gateways_that_cannot_hear_each_other_never_both_serve(serving: Pair) -> None:
    serving.cable.is_cut = True
    serving.cut_lan(cut=True)
    wait_for(lambda: serving.beta.phase() == "running", "beta took over by proof")
    assert serving.log()[2:] == ["beta start disk", "beta start service"]
    # alpha is switched on again and hears nobody: it must not take the group back by a fence of its own.
    wait_for(lambda: "on alpha" in serving.switch.asked, "alpha is switched on again")


def test_the_operators_word_takes_over_where_no_fence_works(serving: Pair) -> None:
    serving.switch.works = False
    serving.power_off("alpha")
    wait_for(lambda: serving.beta.status()["nodes"][0]["state"] == "silent", "alpha is silent")
    time.sleep(1)
    assert serving.beta.running() == set()
    done = serving.beta.ask("confirm", node="alpha", wait_ms="10000")
    assert done["exit_code"] == 0, done
    assert serving.beta.running() == BOTH
    assert serving.beta.status()["groups"][0]["proof"] == "operator's word"


def test_an_operator_switches_the_owner_off_and_on_and_it_is_all_in_the_history(serving: Pair) -> None:
    done = serving.beta.ask("fence", node="alpha", act="off", wait_ms="15000")
    assert done["exit_code"] == 0, done
    wait_for(lambda: serving.beta.phase() == "running", "beta took over")
    assert serving.beta.status()["groups"][0]["proof"] == "powered off"
    time.sleep(3)
    assert "on alpha" not in serving.switch.asked
    serving.beta.kill()
    serving.beta.start()
    wait_for(lambda: serving.beta.phase() == "running", "beta's new daemon has adopted the group")
    # What the daemon before it proved is read again first.
    on = {"node": "alpha", "act": "on", "wait_ms": "15000"}
    wait_for(lambda: serving.beta.ask("fence", **on)["exit_code"] == 0, "beta switches alpha on")
    wait_for(lambda: serving.alpha.phase() == "stopped", "alpha stands by")
    attempts = serving.beta.ask("fence-history")["document"]["attempts"]
    told = [(attempt["action"], attempt["node"], attempt["result"]) for attempt in attempts]
    assert ("off", "alpha", "ok") in told
    assert ("on", "alpha", "ok") in told
    assert {"root switches alpha off", "root switches alpha on"} <= {attempt["reason"] for attempt in attempts}


def test_a_plug_is_verified_with_the_standby(serving: Pair) -> None:
    refused = serving.alpha.ask("fence-verify", node="beta")
    assert (refused["exit_code"], refused["code"]) == (107, "command.refused.peer-not-in-standby")
    assert serving.beta.ask("standby", node="beta")["exit_code"] == 0
    wait_for(lambda: serving.alpha.status()["nodes"][1]["standby"], "alpha knows that beta is in standby")
    done = serving.alpha.ask("fence-verify", node="beta", wait_ms="15000")
    assert done["exit_code"] == 0, done
    assert done["code"] == "order.done"
    assert serving.alpha.running() == BOTH
    assert serving.alpha.ask("fence-test", wait_ms="15000")["exit_code"] == 0


def has_begun(gateway: Gateway) -> bool:
    """Whether the daemon that was started last holds its lock: it has begun, and nothing of it listens yet."""
    lock = f":{gateway.run_directory.stat().st_ino} "
    process = gateway.process
    assert process is not None
    return any(lock in line and f" {process.pid} " in line for line in Path("/proc/locks").read_text().splitlines())


def restarted_in_a_pause(gateways: Pair) -> subprocess.Popen[bytes]:
    """In a pause nobody is fenced, however slowly this machine starts a daemon."""
    assert gateways.alpha.ask("pause")["exit_code"] == 0
    wait_for(lambda: gateways.beta.status().get("why", {}).get("code") == "state.paused", "beta knows of the pause")
    gateways.alpha.kill()
    gateways.alpha.start()
    wait_for(lambda: has_begun(gateways.alpha), "alpha has begun")
    process = gateways.alpha.process
    assert process is not None
    return process


def test_a_hangup_while_the_daemon_starts_ends_nothing(serving: Pair) -> None:
    process = restarted_in_a_pause(serving)
    for _ in range(20):
        process.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    wait_for(lambda: serving.alpha.phase() == "running", "alpha has adopted its group")
    assert process.poll() is None
    assert serving.log() == ["alpha start disk", "alpha start service"]


def test_an_order_to_leave_while_the_daemon_starts_is_heeded_in_order(serving: Pair) -> None:
    restarted_in_a_pause(serving)
    assert serving.alpha.terminate() == 0
    assert "leave.during-pause" in serving.alpha.errors()
    assert serving.alpha.running() == BOTH


def test_sigterm_hands_over_and_ends_well(serving: Pair) -> None:
    assert serving.alpha.terminate() == 0
    assert serving.log()[2:] == ["alpha stop service", "alpha stop disk", "beta start disk", "beta start service"]
    wait_for(lambda: serving.beta.phase() == "running", "beta serves")
    assert not [line for line in serving.switch.asked if line.startswith("off")]


def test_a_pair_that_boots_alone_fences_first(gateways: Pair) -> None:
    gateways.beta.start()
    wait_for(lambda: gateways.beta.phase() == "running", "beta serves after initdead and a fence")
    assert "off alpha" in gateways.switch.asked
    assert gateways.log() == ["beta start disk", "beta start service"]


def test_garbage_on_every_link_is_counted_and_stops_nothing(serving: Pair) -> None:
    serving.cable.garble("beta", os.urandom(4_000))
    subprocess.run(["ip", "netns", "exec", serving.namespaces[0], sys.executable, "-c", FLOOD], check=True, timeout=20)

    def rejected(link: str) -> int:
        counters = serving.beta.status()["counters"][link]
        return sum(counters[name] for name in ("garbage", "wrong_cluster", "wrong_key", "noise", "unknown_version"))

    wait_for(lambda: rejected("lan") > 50, "garbage on the LAN was counted")
    wait_for(lambda: rejected("serial") > 0, "garbage on the serial line was counted")
    wait_for(lambda: link_states(serving) == {"up"}, "beats get through all the same")
    assert serving.log() == ["alpha start disk", "alpha start service"]


def test_a_strangers_beats_are_counted_by_reason_and_change_nothing(serving: Pair) -> None:
    beat = Beat("alpha", "f" * 32, 9, 9, 0, 0, BeatFlag.LEAVING, (), ())

    def message(cluster: str, secret: bytes) -> str:
        return Sender(cluster, lambda: Key(1, secret), lambda: (b"1" * 8, b"2" * 8)).pack(beat, 1_400).hex()

    right, wrong = bytes.fromhex("5a" * 32), bytes(32)

    def counted() -> list[int]:
        counters = serving.beta.status()["counters"]["lan"]
        return [counters[reason] for reason in ("wrong_key", "wrong_cluster", "not_echoed")]

    before = counted()
    messages = [message("test", wrong), message("other", right), message("test", right)]
    program = PASS_ON.format(messages=messages)
    subprocess.run(
        ["ip", "netns", "exec", serving.namespaces[0], sys.executable, "-c", program], check=True, timeout=20
    )
    wait_for(lambda: counted() == [count + 1 for count in before], "each was counted by its reason")
    assert serving.beta.status()["nodes"][0]["state"] == "online"
    assert serving.log() == ["alpha start disk", "alpha start service"]


def test_a_run_folder_that_is_removed_under_the_daemon_is_there_again_and_nothing_moves(serving: Pair) -> None:
    run = serving.alpha.run_directory
    (run / "control.sock").unlink()
    # The daemon may be writing there: a folder that is moved away is gone in one instant.
    shutil.rmtree((run / "state").rename(serving.alpha.home / "removed"))
    wait_for((run / "control.sock").exists, "the socket is there again")
    wait_for(lambda: {path.name for path in (run / "state").glob("*.json")} == STATE, "the state is there again")
    assert serving.alpha.phase() == "running"
    for removed in ("control.sock", "state"):
        assert f"{run}/{removed} was removed under the daemon" in serving.alpha.errors()
    serving.alpha.kill()
    serving.alpha.start()
    wait_for(lambda: serving.alpha.phase() == "running", "alpha has adopted its group")
    assert serving.log() == ["alpha start disk", "alpha start service"]


@pytest.mark.parametrize("place", ["run/state/memory.json", "run/state/first_beat.json", "lib/memory.json"])
def test_a_daemon_whose_state_was_damaged_starts_says_so_and_moves_nothing(serving: Pair, place: str) -> None:
    serving.alpha.kill()
    path = serving.alpha.home / place
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x80
    path.write_bytes(content)
    serving.alpha.start()
    wait_for(lambda: serving.alpha.phase() == "running", "alpha serves on")
    assert f"cannot believe {path}: its checksum is wrong; it is set aside as {path}.bad" in serving.alpha.errors()
    assert serving.log() == ["alpha start disk", "alpha start service"]
    assert not [line for line in serving.switch.asked if line.startswith("off")]


def test_configurations_that_differ_are_seen_on_both_sides(serving: Pair) -> None:
    serving.beta.kill()
    text = (serving.root / "aoeha.toml").read_text()
    (serving.root / "aoeha.toml").write_text(text.replace('warntime = "300ms"', 'warntime = "400ms"'))
    serving.beta.start()

    def differs(gateway: Gateway) -> bool:
        return gateway.status().get("config_matches") is False

    for gateway in (serving.alpha, serving.beta):
        wait_for(partial(differs, gateway), "the difference is seen")
    assert serving.alpha.phase() == "running"
    assert serving.log() == ["alpha start disk", "alpha start service"]


def test_a_configuration_that_cannot_be_read_is_refused_with_its_line(gateways: Pair) -> None:
    text = (gateways.root / "aoeha.toml").read_text()
    (gateways.root / "aoeha.toml").write_text(text[: len(text) // 2])
    gateways.alpha.start()
    assert gateways.alpha.process is not None
    assert gateways.alpha.process.wait(20) == 78
    assert "aoeha.toml:" in gateways.alpha.errors()


def test_what_happened_can_be_asked_for(serving: Pair) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(serving.alpha.run_directory / "control.sock"))
        connection.sendall(b'{"verb": "events", "arguments": {"follow": "true"}}\n')
        with connection.makefile() as lines:
            told = (json.loads(line) for line in lines)
            assert any(line["code"] == "group.running" for line in told)
            serving.cable.is_cut = True
            assert any(line["code"] == "link.down" and line["subject"]["name"] == "serial" for line in told)


@pytest.mark.parametrize(
    ("run", "lib", "why"),
    [
        ("run", "lib", "another daemon runs with"),
        ("run2", "lib", "another daemon runs with"),
        ("run2", "lib2", "another daemon of node alpha of cluster test runs on this machine"),
    ],
)
def test_a_second_daemon_is_refused_and_harms_nobody(serving: Pair, run: str, lib: str, why: str) -> None:
    asked = len(serving.switch.asked)
    assert refused(serving, run, lib) == 1
    assert why in serving.alpha.errors()
    assert serving.alpha.phase() == "running"
    assert not [order for order in serving.switch.asked[asked:] if not order.startswith("status")]


def refused(pair: Pair, run: str, lib: str) -> int:
    """Start a second daemon of alpha with these folders; return its exit code."""
    first, home = pair.alpha.process, pair.alpha.home
    pair.alpha.start(home / run, home / lib)
    second = pair.alpha.process
    assert second is not None
    assert second is not first
    return second.wait(20)


@pytest.mark.parametrize("link", ["lan", "serial"])
def test_a_port_that_another_program_has_keeps_the_daemon_from_starting(gateways: Pair, link: str) -> None:
    """Who cannot hear its peer would power it off."""
    arguments = (gateways.alpha.namespace, "10.99.0.1") if link == "lan" else ("", gateways.cable.names[0])
    with occupied(*arguments):
        gateways.alpha.start()
        assert gateways.alpha.process is not None
        assert gateways.alpha.process.wait(20) == 1
    assert "another program has it" in gateways.alpha.errors()
    assert not gateways.switch.asked


@contextmanager
def occupied(namespace: str, port: str) -> Iterator[None]:
    """Let another program have a port: a serial one, or port 694 of an address in a namespace."""
    program = OCCUPY_UDP if namespace else OCCUPY_SERIAL
    inside = ["ip", "netns", "exec", namespace] if namespace else []
    holder = subprocess.Popen([*inside, sys.executable, "-c", program, port], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"taken\n"
        yield
    finally:
        holder.kill()
        holder.communicate()


def test_the_journal_repeats_every_decision_byte_for_byte(serving: Pair) -> None:
    serving.alpha.ask("switchover", wait_ms="10000")
    serving.power_off("beta")
    wait_for(lambda: serving.alpha.phase() == "running", "alpha took over")
    serving.alpha.kill()
    assert serving.alpha.replay() > 20
    assert serving.beta.replay() > 10


def test_nobody_can_be_asked_over_a_socket_that_others_own(serving: Pair) -> None:
    path = serving.alpha.run_directory / "control.sock"
    assert path.stat().st_mode & 0o007 == 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b'{"verb": "leave"}\n')
        assert b'"code":"command.usage"' in connection.recv(4_096)
