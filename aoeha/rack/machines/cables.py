"""Cables that are cut, garbled and repaired: the null-modem, the LAN between the gateways, the storage network."""

import asyncio
import random

from aoeha.rack.machines.guest_link import now_ms
from aoeha.rack.machines.network import isolate, set_port, split
from aoeha.rack.machines.rack import GATEWAYS, Rack

__all__ = ["garble", "set_cables", "set_medium", "split_storage"]

GARBLE_SEED, GARBLE_BYTES = 1, 200
GARBLE_EVERY_S = 0.05
BETAS_SIDE = ("beta", "shelf2")


def set_cables(rack: Rack, switch: str, guests: tuple[str, ...], *, works: bool) -> None:
    """Cut or repair the cables of guests to a switch."""
    for guest in guests:
        set_port(switch, guest, up=works)
        rack.tell("medium", medium=f"{switch} of {guest}", works=works)


def set_medium(rack: Rack, medium: str, *, works: bool) -> None:
    """Cut or repair what carries beats between the gateways: `serial`, or the LAN between these two alone."""
    if medium == "serial":
        rack.cable.connected = works
    else:
        for gateway in GATEWAYS:
            isolate("lan", gateway, on=not works)
    rack.tell("medium", medium=medium, works=works)


def split_storage(rack: Rack, *, apart: bool) -> None:
    """Part the storage network, alpha with shelf1 and beta with shelf2, or join it."""
    split("san", BETAS_SIDE, apart=apart)
    rack.tell("medium", medium="san", works=not apart)


async def garble(rack: Rack, time_ms: int) -> None:
    """Put random bytes into both ends of the null-modem cable."""
    chance = random.Random(GARBLE_SEED)
    end = now_ms() + time_ms
    while now_ms() < end:
        rack.cable.babble(chance.randbytes(chance.randrange(1, GARBLE_BYTES)))
        await asyncio.sleep(GARBLE_EVERY_S)
