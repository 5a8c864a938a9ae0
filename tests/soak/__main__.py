"""`make soak`: two real daemons are killed, stopped and restarted at random, while a stranger plays old beats to them.

python tests/soak [--duration 30m] [--rate 200] [--seed N]

Nothing of what is done here is a reason to move anything: a daemon that is killed is started again at once, and stands
still for less than the deadtime. So nobody may be fenced, the group may move at a switchover alone, and never two may
have it. A daemon's descriptors stay as many as at first. A seed repeats the choice of acts, not the moments at which
they fall. Exit code 1: one of this was broken; the folder with both journals is kept.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "contract"))

from daemon_pair import NODES, Gateway, Pair, pair, wait_for
from datagram_player import playing
from pair_timers import set_timers

from aoeha.agents.duration import parse_duration

STILL = 0.4
"""A daemon stands still for at most this share of the deadtime."""
ANSWERED = 0.4
"""A beat and its answer take two keepalives; this is twice as long."""
RUNS = " runs as "
"""What each daemon says when it has started."""
SPARE = 8
"""So many descriptors more than at first may be open at any moment: of tasks, and of those who ask."""
SETTLED_S = 60.0
BOTH = {"disk", "service"}
REFUSED = {"not_echoed", "replay", "stale"}


class Soak:
    """A pair that serves, and what is done to it."""

    def __init__(self, made: Pair, chance: random.Random, deadtime_ms: int) -> None:
        self.pair = made
        self.chance = chance
        self.still_s = STILL * deadtime_ms / 1_000
        self.answered_s = ANSWERED * deadtime_ms / 1_000
        self.owner = "alpha"
        self.log: list[str] = []
        self.descriptors = 0
        self.acts: dict[str, tuple[int, Callable[[], None]]] = {
            "kill": (6, self._kill),
            "kill as it starts": (3, self._kill_early),
            "kill both": (2, self._kill_both),
            "stand still": (4, self._stand_still),
            "hang up": (4, self._hang_up),
            "restart": (3, self._restart),
            "reboot the standby": (2, self._reboot_the_standby),
            "switchover": (1, self._switchover),
        }

    @property
    def standby(self) -> Gateway:
        """The gateway that does not serve."""
        return self.pair.gateway(next(node for node in NODES if node != self.owner))

    def begin(self) -> None:
        """Start both, alpha first."""
        self.pair.alpha.start()
        wait_for(self.pair.alpha.status, "alpha listens", SETTLED_S)
        self.pair.beta.start()
        self._settle()
        self.log = self.pair.log()
        self.descriptors = max(open_descriptors(gateway) for gateway in (self.pair.alpha, self.pair.beta)) + SPARE

    def act(self) -> str:
        """Do one thing, wait until the pair is settled, and judge; return its name. AssertionError: it is broken."""
        names, weights = list(self.acts), [weight for weight, _ in self.acts.values()]
        (name,) = self.chance.choices(names, weights)
        self.pair.cable.is_cut = self.chance.random() < 0.5
        self.acts[name][1]()
        self._settle()
        self.pair.cable.is_cut = False
        assert self.pair.log() == self.log, f"something moved: {self.pair.log()[len(self.log) :]}"
        assert not self.orders(), f"the switch was told: {self.orders()}"
        for gateway in (self.pair.alpha, self.pair.beta):
            assert gateway.process is not None
            assert gateway.process.poll() is None, f"the daemon of {gateway.node} has ended"
            assert "Traceback" not in gateway.errors(), f"{gateway.node} met an error of its own"
            # A daemon that starts anew is the same process: what it forgets to close stays open for ever.
            held = open_descriptors(gateway)
            assert held <= self.descriptors, f"{gateway.node} has {held} descriptors open"
        return name

    def orders(self) -> list[str]:
        """Return what the power switch was told to do."""
        return [line for line in self.pair.switch.asked if not line.startswith("status")]

    def _settle(self) -> None:
        owner, standby = self.pair.gateway(self.owner), self.standby
        wait_for(lambda: owner.phase() == "running" and owner.running() == BOTH, f"{self.owner} serves", SETTLED_S)
        wait_for(lambda: standby.phase() == "stopped" and not standby.running(), "the other stands by", SETTLED_S)
        links = {"lan"} if self.pair.cable.is_cut else {"lan", "serial"}
        wait_for(lambda: all(links <= up(each) for each in (owner, standby)), f"{links} are up", SETTLED_S)

    def _any(self) -> Gateway:
        return self.pair.gateway(self.chance.choice(NODES))

    def _kill(self) -> None:
        gateway = self._any()
        gateway.kill()
        time.sleep(self.chance.uniform(0, 0.3))
        gateway.start()

    def _kill_early(self) -> None:
        gateway = self._any()
        gateway.kill()
        gateway.start()
        time.sleep(self.chance.uniform(0, 1))
        gateway.kill()
        gateway.start()

    def _kill_both(self) -> None:
        first, second = self.chance.sample([self.pair.alpha, self.pair.beta], 2)
        first.kill()
        second.kill()
        first.start()
        time.sleep(self.chance.uniform(0, 0.3))
        second.start()

    def _stand_still(self) -> None:
        process = self._any().process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.1, self.still_s))
        process.send_signal(signal.SIGCONT)

    def _hang_up(self) -> None:
        gateway = self._any()
        assert gateway.process is not None
        self._starts_anew(gateway, lambda: os.kill(gateway.process.pid, signal.SIGHUP))

    def _restart(self) -> None:
        gateway = self._any()
        self._starts_anew(gateway, lambda: gateway.ask("restart"))

    def _starts_anew(self, gateway: Gateway, order: Callable[[], object]) -> None:
        """The old daemon answers for a while yet: wait until a new one says that it runs."""
        daemons = gateway.errors().count(RUNS)
        order()
        wait_for(lambda: gateway.errors().count(RUNS) > daemons, f"{gateway.node} starts anew", SETTLED_S)

    def _reboot_the_standby(self) -> None:
        """From then on there are recordings of an earlier boot.

        Not before an owner that was just started anew has the answer for which it waits: without one it has to reboot
        (R10), and the standby that boots has none yet.
        """
        time.sleep(self.answered_s)
        standby = self.standby
        assert standby.terminate() == 0
        standby.new_boot()
        standby.start()

    def _switchover(self) -> None:
        before, after = self.owner, self.standby.node
        answer = self.pair.gateway(before).ask("switchover", wait_ms="30000", timeout_s=60)
        assert answer["exit_code"] == 0, answer
        self.log += [f"{before} stop service", f"{before} stop disk", f"{after} start disk", f"{after} start service"]
        self.owner = after


def open_descriptors(gateway: Gateway) -> int:
    """Return how many descriptors its daemon has."""
    assert gateway.process is not None
    return len(list(Path(f"/proc/{gateway.process.pid}/fd").iterdir()))


def up(gateway: Gateway) -> set[str]:
    """Return the links that a gateway calls up."""
    return {link["name"] for link in gateway.status().get("links", []) if link["state"] == "up"}


def play(soak: Soak, duration_s: float) -> Iterator[str]:
    """Act until the time is over; yield each act's name."""
    end = time.monotonic() + duration_s
    soak.begin()
    while time.monotonic() < end:
        yield soak.act()


def main() -> int:
    """Play, and tell what was done. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python tests/soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--duration", default="30m", help='such as "30m"')
    parser.add_argument("--rate", type=float, default=200, metavar="N", help="datagrams that are played in a second")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="N", help="the choice of acts")
    parser.add_argument("--deadtime", default="6s", help="longer than this machine needs to start a daemon twice")
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        say("soak: NOT ROOT: it makes network namespaces")
        return 1
    say(f"soak: seed {chosen.seed}")
    root = Path(tempfile.mkdtemp(prefix="aoeha-soak-"))
    done, broken, begun = Counter[str](), "", time.monotonic()
    with pair(root) as made:
        deadtime_ms = parse_duration(chosen.deadtime)
        set_timers(made, deadtime_ms)
        soak = Soak(made, random.Random(chosen.seed), deadtime_ms)
        with playing(made.namespaces, chosen.rate, chosen.seed) as player:
            try:
                for name in play(soak, parse_duration(chosen.duration) / 1_000):
                    done[name] += 1
                    say(f"{done.total():5} {time.monotonic() - begun:7.1f} s  {name}, {soak.owner} serves")
            except AssertionError as error:
                broken = str(error)
            counted = [gateway.status().get("counters", {}).get("lan", {}) for gateway in (made.alpha, made.beta)]
    steps = 0 if broken else made.alpha.replay() + made.beta.replay()
    say(f"soak: {done.total()} acts within {time.monotonic() - begun:.0f} s: {dict(done)}")
    refused = sum(count for link in counted for reason, count in link.items() if reason in REFUSED)
    say(f"soak: {player.played:,} datagrams were played, of {player.heard:,} recorded; the last two daemons alone")
    say(f"soak: refused {refused:,} of them as not echoed, replayed or stale")
    if broken:
        say(f"soak: BROKEN: {broken}\nsoak: the journals are in {root}; the seed is {chosen.seed}")
        return 1
    say(f"soak: the group moved {done['switchover']} times, each time at a switchover; nobody was fenced")
    say(f"soak: {steps:,} steps of the journals give the same decisions again")
    shutil.rmtree(root, ignore_errors=True)
    return 0


def say(line: str) -> None:
    """Tell it at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
