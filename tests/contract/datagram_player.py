"""A stranger on the LAN between two gateways: it records what they say to each other, and plays it to them again.

It forges the sender's address, as every host of a LAN can, and has no key. It sends at its own rate, now one recording
again and again, now any of all that it ever heard: beats of earlier boots and of earlier daemons are among them.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

__all__ = ["Player", "playing"]

PROGRAM = """
import random, select, socket, sys, time
interface, rate, chance = sys.argv[1], float(sys.argv[2]), random.Random(int(sys.argv[3]))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((interface, 0))
heard, known, chosen, played, change, due = [], set(), [], 0, 0.0, time.monotonic()
while True:
    now = time.monotonic()
    readable, _, _ = select.select([wire, sys.stdin], [], [], max(0.0, due - now))
    if sys.stdin in readable:
        print(len(heard), played)
        break
    if wire in readable:
        content, (_, _, kind, *_) = wire.recvfrom(4_096)
        is_beat = kind == socket.PACKET_OUTGOING and content[12:14] == b"\\x08\\x00" and content[23] == 17
        # Its checksum was left to a card that is not there; 0 says that there is none (RFC 768).
        content = content[:40] + bytes(2) + content[42:]
        if is_beat and content not in known and len(heard) < 50_000:
            known.add(content)
            heard.append(content)
    if now >= change and heard:
        change = now + chance.uniform(1, 10)
        chosen = chance.sample(heard, min(len(heard), chance.choice([1, 2, 16, len(heard)])))
    if now >= due:
        due = max(due + 1 / rate, now - 0.1)
        if chosen:
            wire.send(chance.choice(chosen))
            played += 1
"""


class Player:
    """Both ends of the LAN. `heard` and `played` are counts of datagrams, known when it has ended."""

    def __init__(self) -> None:
        self.heard = self.played = 0


@contextmanager
def playing(namespaces: Sequence[str], rate: float, seed: int = 1) -> Iterator[Player]:
    """Play to both gateways, `rate` datagrams a second to each, until the block ends."""
    player = Player()
    with ExitStack() as stack:
        programs = [
            stack.enter_context(
                subprocess.Popen(
                    ["ip", "netns", "exec", namespace, sys.executable, "-c", PROGRAM, "lan0", str(rate), str(seed)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )
            for namespace in namespaces
        ]  # fmt: skip
        try:
            yield player
        finally:
            for program in programs:
                told, _ = program.communicate(timeout=20)
                heard, played = map(int, told.split() or (0, 0))
                player.heard, player.played = player.heard + heard, player.played + played
