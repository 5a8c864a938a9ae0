"""A target that starts is heard by whoever listens for it, and data frames never reach the listener."""

import asyncio
import socket

from patience import PATIENCE_S
from test_aoe_vblade import San, inside, pytestmark, san

from aoeha.fabric.aoe.adverts import Adverts
from aoeha.fabric.aoe.frames import BROADCAST, ETHER_TYPE, Config, ConfigCommand, Frame, Target, decode, encode

__all__ = ["pytestmark", "san"]

Heard = list[tuple[str, str]]


async def heard_while(san: San, target: str, act: str, heard: Heard, patience_s: float = PATIENCE_S) -> None:
    """Listen for a target, let something happen, and wait until it is heard or there is no more patience."""
    mac = san.address(target, "eth1").mac
    news = asyncio.Event()

    def note(leg: str, address: str) -> None:
        heard.append((leg, address))
        news.set()

    with inside(san.gateway):
        adverts = Adverts(("eth1",), {target: (mac,)}, note)
        assert adverts.listen() == ""
    try:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, san.export, act, act, "s1", san.disk(f"disk-{act}", 1024 * 1024))
        try:
            await asyncio.wait_for(news.wait(), patience_s)
        except TimeoutError:
            return
    finally:
        adverts.close()


def test_a_target_that_starts_is_heard(san: San) -> None:
    heard: Heard = []
    asyncio.run(heard_while(san, "e1.0", "e1.0", heard))
    assert heard[0] == ("e1.0", san.address("e1.0", "eth1").mac.hex(":"))


def test_others_and_answers_to_questions_are_not(san: San) -> None:
    heard: Heard = []
    asyncio.run(heard_while(san, "e1.0", "e7.7", heard, patience_s=1))
    assert heard == [], "starting e7.7 includes a discovery, whose answers look alike"


def test_an_answer_to_the_drivers_own_discovery_is_no_advert(san: San) -> None:
    """The kernel's driver asks everybody with the tag 0 when it is loaded, and each target answers with that tag."""
    heard: Heard = []

    async def discovered() -> bytes:
        mac = san.address("e1.0", "eth1").mac
        loop = asyncio.get_running_loop()
        with inside(san.gateway):
            adverts = Adverts(("eth1",), {"e1.0": (mac,)}, lambda leg, address: heard.append((leg, address)))
            assert adverts.listen() == ""
            driver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHER_TYPE))
            driver.bind(("eth1", ETHER_TYPE))
            driver.setblocking(False)
        with driver:
            everybody, query = Target(0xFFFF, 0xFF), Config(ConfigCommand.READ)
            asked = encode(Frame(BROADCAST, driver.getsockname()[4], everybody, 0, query))
            await loop.sock_sendall(driver, asked)
            answer = asked
            while decode(answer).source != mac:
                answer = await loop.sock_recv(driver, 2_048)
            await asyncio.sleep(0.1)
        adverts.close()
        return answer

    san.export("e1.0", "e1.0", "s1", san.disk("disk-e1.0", 1024 * 1024))
    answer = decode(asyncio.run(discovered()))
    assert (answer.tag, answer.response) == (0, True)
    assert heard == []


def test_an_interface_that_is_missing_is_told_and_tried_again(san: San) -> None:
    async def listened() -> tuple[str, str]:
        with inside(san.gateway):
            adverts = Adverts(("eth9",), {}, lambda _leg, _address: None)
            first = adverts.listen()
            return first, adverts.listen()

    first, second = asyncio.run(listened())
    assert first == second
    assert "there is no such interface" in first
