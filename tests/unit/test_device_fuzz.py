"""Whatever a power device answers, it is read as what it says, or refused in words: never as something else."""

import asyncio
import itertools
import json
import re
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from damage import Edits, damaged, damaged_text, edits, spoilt
from hypothesis import example, given
from hypothesis import strategies as st

from aoeha.agents.fence_dialogue import UnclearError
from aoeha.agents.interface import AgentError, FenceAgent
from aoeha.agents.parts.mqtt_plugs import FAMILIES, OutletName, PlugError, Topics
from aoeha.agents.registry import load_fence_agent
from aoeha.core.model.task import PlugState
from aoeha.io.host import Completed, Place
from aoeha.io.mqtt import Heard, MqttError
from aoeha.io.telnet_dialogue import _separate

WTI = sys.modules[load_fence_agent("wti").__module__]
SERIAL = sys.modules[load_fence_agent("serial_switch").__module__]
SNMP = load_fence_agent("snmp_pdu")

SCREEN = (
    "Plug | Name     | Password | Status | Boot/Seq. Delay | Default |\r\n"
    "  1  | alpha    | (undef)  |  ON    |     0.5 Secs    |   ON    |\r\n"
    "  2  | beta     | (undef)  |  OFF   |     0.5 Secs    |   ON    |\r\n"
)
TELNET = b"lo\xff\xfb\x01gin\xff\xfa\x18\x01inner\xff\xf0: \xff\xff\xff\xfd\x18> "
MODULES = b"\r\nPlug 0 On\r\nPlug 3 Off\r\n"
STRIP = sys.modules[SNMP.__module__].FAMILIES["apc_rpdu"]
ON, OFF = f"{STRIP.state}.2 {STRIP.on}", f"{STRIP.state}.2 {STRIP.off}"


@given(st.binary(max_size=200) | damaged([TELNET]), st.lists(st.integers(0, 200), max_size=3))
def test_telnet_text_is_the_same_wherever_packets_end(data: bytes, cuts: list[int]) -> None:
    text, answers, half, start = b"", b"", b"", 0
    for end in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        more, said, half = _separate(half + data[start:end])
        text, answers, start = text + more, answers + said, end
    assert (text, answers, half) == _separate(data)
    assert re.fullmatch(rb"(\xff[\xfc\xfe].)*", answers, re.DOTALL)


def test_the_telnet_of_the_corpus_is_read() -> None:
    assert _separate(TELNET) == (b"login: \xff> ", b"\xff\xfe\x01\xff\xfc\x18", b"")


@given(st.text(max_size=80) | damaged_text([SCREEN]))
def test_a_plug_of_a_screen_is_told_with_its_own_word_or_the_screen_is_refused(screen: str) -> None:
    try:
        outlets = WTI.outlets_in(screen)
    except UnclearError:
        return
    rows = [[cell.strip() for cell in line.split("|")] for line in screen.splitlines() if "|" in line][1:]
    assert len(rows) == len(outlets) > 0
    for outlet, row in zip(outlets, rows, strict=True):
        assert outlet.number in row
        assert outlet.state is PlugState.UNKNOWN or outlet.state.value.upper() in (cell.upper() for cell in row)


def test_the_screen_of_the_corpus_is_read() -> None:
    assert [(one.number, one.name, one.state) for one in WTI.outlets_in(SCREEN)] == [
        ("1", "alpha", PlugState.ON), ("2", "beta", PlugState.OFF),
    ]  # fmt: skip


@given(st.binary(max_size=60) | damaged([MODULES]))
def test_a_serial_switch_is_believed_line_by_line_or_not_at_all(answer: bytes) -> None:
    try:
        plugs = SERIAL.Rps10()._plugs(answer)
    except UnclearError:
        return
    said = {f"plug {plug} {state.value}".encode() for plug, state in plugs.items()}
    assert {line.lower() for line in re.split(rb"[\r\n]", answer) if line.strip()} == said


def test_the_serial_answers_of_the_corpus_are_read() -> None:
    assert SERIAL.Rps10()._plugs(MODULES) == {"0": PlugState.ON, "3": PlugState.OFF}
    assert SERIAL.ApcSmart()._state(b"00") is PlugState.ON


@given(st.binary(max_size=6) | damaged([b"00", b"40", b"FF", b"NA"]))
def test_a_ups_tells_two_digits_or_is_refused(answer: bytes) -> None:
    try:
        SERIAL.ApcSmart()._state(answer)
    except (UnclearError, AgentError):
        return
    assert re.fullmatch(rb"[0-9A-F]{2}", answer)


class Answering:
    """A host on which each program prints the same text."""

    place = Place("gw", "beta")

    def __init__(self, text: str) -> None:
        self.text = text

    async def run(self, *argv: str, **_: Any) -> Completed:
        return Completed(argv, 0, self.text, "")


def strip(folder: pytest.TempPathFactory, text: str) -> FenceAgent[Any]:
    file = folder.getbasetemp() / "snmp.conf"
    file.write_text("defVersion 2c\n")
    file.chmod(0o600)
    table = {"address": "192.0.2.7", "family": "apc_rpdu", "credentials": str(file)}
    return SNMP("strip", SNMP.typed(table), Answering(text))


@given(damaged_text([ON, OFF]))
def test_a_strip_is_believed_only_word_for_word(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    state = asyncio.run(strip(tmp_path_factory, text).status("2"))
    assert state is {ON: PlugState.ON, OFF: PlugState.OFF}.get(text.strip(), PlugState.UNKNOWN)


def test_the_strips_answers_of_the_corpus_are_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    told = [asyncio.run(strip(tmp_path_factory, text).status("2")) for text in (ON, OFF)]
    assert told == [PlugState.ON, PlugState.OFF]


@given(damaged_text([f'{STRIP.names}.1 "alpha"\n{STRIP.names}.2 "beta"\n']))
def test_the_list_of_a_strips_outlets_is_numbers_with_names(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    try:
        plugs = asyncio.run(strip(tmp_path_factory, text).plugs())
    except AgentError:
        return
    assert all(number.isascii() and number.isdigit() for number in plugs)


class Broker:
    """A session with one plug, whose answers are spoilt on their way. When nothing more comes, it says so."""

    def __init__(self, family: str, spoil: Callable[[bytes], bytes]) -> None:
        self.answers = ANSWERS[family]
        self.spoil = spoil
        self.waiting: deque[Heard] = deque()

    async def publish(self, topic: str, payload: str, *, lifetime_s: int) -> None:
        assert lifetime_s > 0
        for answered, content in self.answers(topic, payload):
            self.waiting.append(Heard(answered, self.spoil(content), retained=False))

    async def next(self) -> Heard:
        if not self.waiting:
            raise TimeoutError
        return self.waiting.popleft()


def tasmota(topic: str, payload: str) -> list[tuple[str, bytes]]:
    match topic.rpartition("/")[2]:
        case "Var16":
            return [("stat/plug/RESULT", json.dumps({"Var16": payload}).encode())]
        case "Power1":
            return [("stat/plug/RESULT", b'{"POWER":"OFF"}')]
        case _:
            return [("stat/plug/STATUS10", b'{"StatusSNS":{"Time":"x","ENERGY":{"Power":[0,3]}}}')]


def shelly(_topic: str, payload: str) -> list[tuple[str, bytes]]:
    result = {"id": 0, "output": False, "apower": 0.0}
    return [("reply/rpc", json.dumps({"id": json.loads(payload)["id"], "result": result}).encode())]


def zigbee2mqtt(topic: str, payload: str) -> list[tuple[str, bytes]]:
    if topic.endswith("health_check"):
        reply = {"transaction": json.loads(payload)["transaction"], "data": {"healthy": True}}
        return [("zb/bridge/response/health_check", json.dumps(reply).encode())]
    return [("zb/plug", b'{"state":"OFF","power":0}')]


ANSWERS = {"tasmota": tasmota, "shelly": shelly, "zigbee2mqtt": zigbee2mqtt}


def read_plug(family: str, spoil: Callable[[bytes], bytes]) -> Any:
    broker: Any = Broker(family, spoil)
    topics = Topics(full="%prefix%/%topic%/", base="zb", reply="reply")
    return asyncio.run(FAMILIES[family](broker, OutletName("plug", ""), topics, 5).read())


@pytest.mark.parametrize("family", ANSWERS)
def test_the_mqtt_answers_of_the_corpus_are_read(family: str) -> None:
    reading = read_plug(family, lambda content: content)
    assert (reading.on, reading.watts) == (False, 0)


@given(st.sampled_from(sorted(ANSWERS)), st.integers(0, 4), edits)
def test_a_plug_of_a_broker_is_read_or_not_whatever_is_published(family: str, which: int, changes: Edits) -> None:
    number = itertools.count()
    try:
        reading = read_plug(family, lambda content: spoilt(content, changes) if next(number) == which else content)
    except (PlugError, MqttError, TimeoutError):
        return
    assert reading.on in (True, False, None)
    assert reading.watts is None or isinstance(reading.watts, float)


@given(st.integers(-(10**400), 10**400))
@example(10**400)
@example(-(10**400))
def test_a_meter_without_end_never_reads_as_nothing(watts: int) -> None:
    reading = read_plug("shelly", lambda content: content.replace(b'"apower": 0.0', f'"apower": {watts}'.encode()))
    assert (reading.watts == 0) is (watts == 0)
