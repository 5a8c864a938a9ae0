"""A target that starts is heard by whoever listens for it, and data frames never reach the listener."""

import asyncio
import socket
import threading

from patience import PATIENCE_S
from test_aoe_vblade import San, inside, pytestmark, san

from aoeha.core.model.beat import Beat, BeatFlag
from aoeha.core.model.events import BeatHeard, TargetStarted
from aoeha.daemon.advert_budget import AdvertBudget
from aoeha.daemon.inbox import Inbox
from aoeha.fabric.aoe.adverts import Adverts
from aoeha.fabric.aoe.frames import BROADCAST, ETHER_TYPE, Config, ConfigCommand, Frame, Target, decode, encode
from aoeha.io import clock

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


def storm(san: San, mac: bytes, over: threading.Event) -> None:
    """Send one advert again and again, as a looped network does."""
    answer = "18000001000100000000" + "0010401902100000"
    frame = (BROADCAST + mac + ETHER_TYPE.to_bytes(2, "big") + bytes.fromhex(answer)).ljust(60, b"\0")
    with inside(san.shelf):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind(("s1", ETHER_TYPE))
    with sender:
        while not over.is_set():
            sender.send(frame)


def test_a_storm_of_adverts_is_a_few_events_and_keeps_no_beat_waiting(san: San) -> None:
    mac = san.address("e1.0", "eth1").mac
    heard = BeatHeard(0, "lan", Beat("beta", "b" * 32, 1, 1, 0, 0, BeatFlag.PROBED, (), ()))

    async def lived() -> tuple[int, float, str]:
        loop, inbox, starts = asyncio.get_running_loop(), Inbox(), 0
        budget = AdvertBudget(lambda leg, at: inbox.insist(TargetStarted(0, leg, at)), clock.now_ms)
        with inside(san.gateway):
            adverts = Adverts(("eth1",), {"e1.0": (mac,)}, budget.heard)
            assert adverts.listen() == ""
        begun, over = loop.time(), threading.Event()
        raging = loop.run_in_executor(None, storm, san, mac, over)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not budget.fault():
                    inbox.hear(heard)
                    first, second = await inbox.next(), None
                    if first != heard:
                        starts, second = starts + 1, await inbox.next()
                    assert heard in (first, second)
                    await asyncio.sleep(0.001)
        finally:
            over.set()
            await raging
            adverts.close()
        return starts, loop.time() - begun, budget.fault()

    starts, lasted_s, fault = asyncio.run(lived())
    assert 1 <= starts <= 10 * (1 + lasted_s)
    assert "e1.0 at" in fault
    assert "look for a loop in the storage network" in fault


def test_an_interface_that_is_missing_is_told_and_tried_again(san: San) -> None:
    async def listened() -> tuple[str, str]:
        with inside(san.gateway):
            adverts = Adverts(("eth9",), {}, lambda _leg, _address: None)
            first = adverts.listen()
            return first, adverts.listen()

    first, second = asyncio.run(listened())
    assert first == second
    assert "there is no such interface" in first
