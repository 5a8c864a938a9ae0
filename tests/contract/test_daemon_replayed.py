"""A stranger on the LAN plays old beats all the time: a daemon that starts anew hears its peer all the same.

`make soak` does this for long, with random acts. It once made a restarted daemon deaf on every link, the serial line
too: the nonce that it echoed was that of a recording.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_pair import Gateway, Pair, pair, wait_for
from datagram_player import playing
from pair_timers import set_timers

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root"),
]
DEADTIME_MS = 8_000
RATE = 300
START = ["alpha start disk", "alpha start service"]


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as made:
        set_timers(made, DEADTIME_MS)
        yield made


def heard_on(gateway: Gateway) -> set[str]:
    return {link["name"] for link in gateway.status().get("links", []) if link["state"] == "up"}


def settled(made: Pair) -> None:
    wait_for(lambda: made.alpha.phase() == "running", "alpha serves")
    wait_for(lambda: made.beta.phase() == "stopped", "beta stands by")
    links = {"lan"} if made.cable.is_cut else {"lan", "serial"}
    wait_for(lambda: heard_on(made.alpha) == heard_on(made.beta) == links, f"they hear each other on {links}")


def test_a_daemon_that_starts_anew_under_old_beats_hears_its_peer_and_nothing_moves(gateways: Pair) -> None:
    with playing(gateways.namespaces, RATE) as player:
        gateways.alpha.start()
        wait_for(gateways.alpha.status, "alpha listens")
        gateways.beta.start()
        settled(gateways)
        assert gateways.beta.terminate() == 0
        gateways.beta.new_boot()  # what was recorded of beta until now is of an earlier boot
        gateways.beta.start()
        settled(gateways)
        for gateway in (gateways.beta, gateways.alpha) * 4:
            gateways.cable.is_cut = not gateways.cable.is_cut
            gateway.kill()
            gateway.start()
            settled(gateways)
    assert player.played > 1_000
    assert gateways.log() == START
    assert not [line for line in gateways.switch.asked if line.startswith("off")]
