"""What a daemon leaves behind: no secret anywhere, and nothing that ends or misleads an older or a newer program."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from daemon_pair import Gateway, Pair, pair, wait_for
from pair_timers import set_timers

from aoeha.io.state_file import opened, write_state

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root"),
]
DEADTIME_MS = 8_000
START = ["alpha start disk", "alpha start service"]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        set_timers(made, DEADTIME_MS)
        made.alpha.start()
        wait_for(made.alpha.status, "alpha listens")
        made.beta.start()
        wait_for(lambda: made.alpha.phase() == "running", "alpha serves")
        wait_for(lambda: made.beta.phase() == "stopped", "beta stands by")
        yield made
        for gateway in (made.alpha, made.beta):
            assert "Traceback" not in gateway.errors()


def add_a_field(path: Path) -> None:
    """Change a state file as a program would write it that knows one thing more."""
    state = msgspec.json.decode(opened(path.read_bytes()))
    state["of_a_later_version"] = 1
    write_state(path, msgspec.json.encode(state), sync=True)


def keeps_the_service_in_order(made: Pair) -> bool:
    """Whether each start of the owner's has a stop before it, and nobody else took part."""
    log = made.log()
    steps = [log[at : at + 4] for at in range(2, len(log), 4)]
    restart = ["alpha stop service", "alpha stop disk", *START]
    return log[:2] == START and all(each == restart for each in steps)


@pytest.mark.parametrize("places", [("run/state",), ("lib",), ("run/state", "lib")])
def test_a_program_that_was_rolled_back_says_what_it_cannot_read_and_nobody_is_fenced(
    serving: Pair, places: tuple[str, ...]
) -> None:
    serving.alpha.kill()
    for place in places:
        add_a_field(serving.alpha.home / place / "memory.json")
    serving.alpha.start()
    wait_for(lambda: serving.alpha.phase() == "running", "alpha serves")
    wait_for(lambda: serving.beta.phase() == "stopped", "beta stands by")
    for place in places:
        assert f"cannot believe {serving.alpha.home / place / 'memory.json'}" in serving.alpha.errors()
    assert keeps_the_service_in_order(serving), serving.log()
    assert not [line for line in serving.switch.asked if line.startswith("off")]


def told_by(gateway: Gateway) -> dict[str, bytes]:
    """Everything but its key file: the daemon's files, its words, its environment, what it told people."""
    process = gateway.process
    assert process is not None
    files = {str(path): path.read_bytes() for path in gateway.home.rglob("*") if path.is_file()}
    del files[str(gateway.home / "keys")]
    kernel = {name: Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")}
    return files | kernel | {"status": str(gateway.status()).encode()}


def test_the_key_stands_in_nothing_that_a_daemon_writes_or_says(serving: Pair) -> None:
    serving.alpha.ask("switchover", wait_ms="10000")
    secret = bytes.fromhex("5a" * 32)
    for gateway in (serving.alpha, serving.beta):
        told = told_by(gateway)
        assert len(told) > 5
        for where, content in told.items():
            assert secret not in content, where
            assert secret.hex().encode() not in content.lower(), where
