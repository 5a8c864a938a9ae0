"""The MQTT fence agent against Debian's mosquitto and plugs that are honest, dead, late, babbling, lying or broken."""

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import mosquitto
import pytest
from mosquitto import ADDRESS, PORT, Mosquitto, run
from mqtt_plugs import PLUGS, EmulatedPlug, Manner, TasmotaPlug, ZigbeePlug
from namespaces import namespace as namespace_of

from aoeha.agents.interface import AgentError
from aoeha.agents.registry import AgentKind, load_from
from aoeha.core.model.task import PlugState
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces"),
    pytest.mark.skipif(shutil.which("mosquitto") is None, reason="needs Debian's package mosquitto"),
]

PROGRAM = Path(__file__).parents[2] / "fencing" / "mqtt_plug.py"
T = TypeVar("T")
each_family = pytest.mark.parametrize("family", sorted(PLUGS))


MQTT_PLUG = load_from(AgentKind.FENCE, PROGRAM)


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with namespace_of("mqtt") as name:
        yield name


@pytest.fixture
def broker(namespace: str, tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto.running(namespace, tmp_path) as started:
        yield started


def agent(family: str, **changes: Any) -> Any:
    table = {"address": ADDRESS, "family": family, "deadline": "3s", "second_look": "100ms", **changes}
    return MQTT_PLUG("plugs", MQTT_PLUG.typed(table), ProcessHost(Place("gw", "beta")))


def with_plug(broker: Mosquitto, plug: EmulatedPlug, act: Callable[[], Awaitable[T]]) -> T:
    """Run `act` in the broker's namespace while the plug is connected."""

    async def both() -> T:
        async with plug.plugged_in():
            return await act()

    return run(broker.namespace, both)


def reading(broker: Mosquitto, plug: EmulatedPlug, switches: Any) -> tuple[PlugState, str]:
    """The plug's status as the agent reads it, and why."""

    async def act() -> tuple[PlugState, str]:
        return await switches.status(plug.name), switches.fault

    return with_plug(broker, plug, act)


@each_family
def test_order_is_carried_out_and_read_back(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](), agent(family)

    async def act() -> tuple[PlugState, PlugState, PlugState]:
        before = await switches.status(plug.name)
        await switches.power_off(plug.name)
        between = await switches.status(plug.name)
        await switches.power_on(plug.name)
        return before, between, await switches.status(plug.name)

    assert with_plug(broker, plug, act) == (PlugState.ON, PlugState.OFF, PlugState.ON)
    assert plug.draws


@each_family
def test_requests_are_never_retained_and_do_not_outlive_the_deadline(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](), agent(family)

    async def act() -> list[Any]:
        await switches.power_off(plug.name)
        async with listening("#") as heard:
            return await heard()

    kept = with_plug(broker, plug, act)
    assert not [message for message in kept if any(aiomqtt.Topic(message[0]).matches(topic) for topic in plug.commands)]
    assert len(plug.requests) >= 2
    assert all(request.expiry_s is not None and request.expiry_s <= 3 for request in plug.requests)


@each_family
def test_plug_that_says_ok_and_does_nothing_is_on(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](Manner.LIAR), agent(family, deadline="1500ms")

    async def act() -> PlugState:
        with contextlib.suppress(AgentError):
            await switches.power_off(plug.name)
        return await switches.status(plug.name)  # type: ignore[no-any-return]

    assert with_plug(broker, plug, act) is PlugState.ON


@each_family
def test_plug_that_says_off_and_draws_watts_is_not_off(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](Manner.WELDED), agent(family, deadline="1500ms")

    async def act() -> tuple[PlugState, str]:
        await switches.power_off(plug.name)
        return await switches.status(plug.name), switches.fault

    state, fault = with_plug(broker, plug, act)
    assert state is PlugState.UNKNOWN
    assert "draws 40 W" in fault


@each_family
def test_meter_that_comes_late_is_waited_for(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](Manner.WELDED), agent(family)

    async def contacts_open() -> None:
        plug.draws = False

    async def act() -> PlugState:
        await switches.power_off(plug.name)
        first_look = asyncio.Event()

        async def looked() -> None:
            first_look.set()

        plug.meanwhile = looked
        status = asyncio.create_task(switches.status(plug.name))
        await first_look.wait()
        plug.meanwhile = contacts_open
        return await status  # type: ignore[no-any-return]

    assert with_plug(broker, plug, act) is PlugState.OFF


@each_family
def test_plug_without_a_meter_is_off_unless_metered_is_set(broker: Mosquitto, family: str) -> None:
    plug = PLUGS[family](on=False, metered=False)
    assert reading(broker, plug, agent(family)) == (PlugState.OFF, "")
    state, fault = reading(broker, plug, agent(family, metered=True, deadline="1200ms"))
    assert state is PlugState.UNKNOWN
    assert "no power reading" in fault


@each_family
def test_plug_that_never_answers_is_unknown_and_takes_no_orders(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](Manner.MUTE, on=False), agent(family, deadline="600ms")

    async def act() -> tuple[PlugState, str]:
        with pytest.raises(AgentError, match="did not come in time"):
            await switches.power_off(plug.name)
        return await switches.status(plug.name), switches.fault

    before = time.monotonic()
    state, fault = with_plug(broker, plug, act)
    assert state is PlugState.UNKNOWN
    assert "did not come in time, although the broker calls it online" in fault
    assert time.monotonic() - before < 5


@each_family
def test_late_answer_is_no_answer_and_is_not_taken_for_a_later_one(broker: Mosquitto, family: str) -> None:
    plug = PLUGS[family](Manner.LATE, on=False)
    switches, patient = agent(family, deadline="700ms"), agent(family)

    async def act() -> tuple[PlugState, ...]:
        first, second = await switches.status(plug.name), await switches.status(plug.name)
        plug.manner = Manner.HONEST
        plug.says = plug.draws = True
        return first, second, await patient.status(plug.name)

    assert with_plug(broker, plug, act) == (PlugState.UNKNOWN, PlugState.UNKNOWN, PlugState.ON)


@each_family
def test_repeated_answers_do_not_count_again(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](Manner.DOUBLED, on=False), agent(family)

    async def act() -> tuple[PlugState, ...]:
        first = await switches.status(plug.name)
        plug.says = plug.draws = True
        second = await switches.status(plug.name)
        plug.says = plug.draws = False
        return first, second, await switches.status(plug.name)

    assert with_plug(broker, plug, act) == (PlugState.OFF, PlugState.ON, PlugState.OFF)


@each_family
def test_one_answer_said_twice_is_one_answer(broker: Mosquitto, family: str) -> None:
    plug = PLUGS[family](Manner.ONCE, on=False)
    state, fault = reading(broker, plug, agent(family, deadline="1400ms"))
    assert state is PlugState.UNKNOWN
    assert "did not come in time" in fault


@each_family
def test_plug_that_is_on_again_at_the_second_look_is_on(broker: Mosquitto, family: str) -> None:
    plug = PLUGS[family](Manner.FLAPPING, on=False)
    assert reading(broker, plug, agent(family))[0] is PlugState.ON


@contextlib.asynccontextmanager
async def listening(topic: str) -> AsyncIterator[Callable[[], Awaitable[list[tuple[str, str]]]]]:
    """Yield what returns all that was published since; what the broker had retained comes first."""

    async def heard() -> list[tuple[str, str]]:
        await client.publish("the/end", "", qos=1)
        messages = []
        async for message in client.messages:
            if str(message.topic) == "the/end":
                break
            messages.append((str(message.topic), bytes(message.payload).decode(errors="replace")))
        return messages

    async with aiomqtt.Client(ADDRESS, PORT) as client:
        await client.subscribe([(topic, 1), ("the/end", 1)])
        yield heard


async def retain(*messages: tuple[str, str]) -> None:
    async with aiomqtt.Client(ADDRESS, PORT) as client:
        for topic, text in messages:
            await client.publish(topic, text, qos=1, retain=True)


STALE = {
    "tasmota": (
        ("stat/tasmota_AB12CD/RESULT", '{"POWER":"OFF"}'),
        ("stat/tasmota_AB12CD/POWER", "OFF"),
        ("stat/tasmota_AB12CD/STATUS10", '{"StatusSNS":{"ENERGY":{"Power":0}}}'),
    ),
    "shelly": (
        ("shellyplusplugs-a8032ab1c2d3/status/switch:0", '{"id":0,"output":false,"apower":0}'),
        ("aoeha/rpc", '{"id":1,"src":"shellyplusplugs-a8032ab1c2d3","result":{"output":false}}'),
    ),
    "zigbee2mqtt": (("zigbee2mqtt/rack/alpha plug", '{"state":"OFF","power":0}'),),
}


@each_family
@pytest.mark.parametrize("manner", [Manner.MUTE, Manner.HONEST])
def test_what_the_broker_retained_is_no_answer(broker: Mosquitto, family: str, manner: Manner) -> None:
    plug, switches = PLUGS[family](manner), agent(family, deadline="800ms" if manner is Manner.MUTE else "3s")

    async def act() -> PlugState:
        await retain(*STALE[family])
        return await switches.status(plug.name)  # type: ignore[no-any-return]

    expected = PlugState.ON if manner is Manner.HONEST else PlugState.UNKNOWN
    assert with_plug(broker, plug, act) is expected


@each_family
def test_last_will_that_calls_a_plug_offline_is_believed_at_once(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](on=False), agent(family)

    async def act() -> tuple[PlugState, str]:
        await plug.vanish()
        async with aiomqtt.Client(ADDRESS, PORT) as witness:
            await witness.subscribe(plug.will[0])
            async for message in witness.messages:
                if message.payload == plug.will[2].encode():
                    break
        async with listening("#") as heard:
            with pytest.raises(AgentError, match=r"offline|not running"):
                await switches.power_off(plug.name)
            state = await switches.status(plug.name)
            assert not [request for request in await heard() if plug.is_order(*request)]
        return state, switches.fault

    before = time.monotonic()
    state, fault = with_plug(broker, plug, act)
    assert state is PlugState.UNKNOWN
    assert "offline" in fault or "not running" in fault
    assert time.monotonic() - before < 2.5


def test_zigbee_plug_that_the_bridge_calls_offline_is_unknown(broker: Mosquitto) -> None:
    plug, switches = ZigbeePlug(on=False), agent("zigbee2mqtt")

    async def act() -> tuple[PlugState, str]:
        await retain((f"{plug.device}/availability", '{"state":"offline"}'))
        return await switches.status(plug.name), switches.fault

    state, fault = with_plug(broker, plug, act)
    assert state is PlugState.UNKNOWN
    assert "offline" in fault


@each_family
def test_plug_without_a_last_will_is_not_off(broker: Mosquitto, family: str) -> None:
    plug = PLUGS[family](on=False)
    plug.will = (f"elsewhere/{family}", *plug.will[1:])
    state, fault = reading(broker, plug, agent(family, deadline="1200ms"))
    assert state is PlugState.UNKNOWN
    assert "does not call it online" in fault


@each_family
def test_nobody_answers_to_a_wrong_topic(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](on=False), agent(family, deadline="600ms")

    async def act() -> tuple[PlugState, str]:
        return await switches.status("somebody_else"), switches.fault

    state, fault = with_plug(broker, plug, act)
    assert state is PlugState.UNKNOWN
    assert "is the topic right" in fault or "did not come in time" in fault
    assert "somebody_else" in fault


def test_bridge_that_publishes_what_it_remembers_is_not_believed(broker: Mosquitto) -> None:
    plug, switches = ZigbeePlug(), agent("zigbee2mqtt", deadline="2s")

    async def another_attribute_is_reported() -> None:
        plug.meanwhile = another_attribute_is_reported
        await plug.say(plug.device, {"state": "OFF", "linkquality": 3})

    async def act() -> tuple[PlugState, str]:
        plug.meanwhile = another_attribute_is_reported
        return await switches.status(plug.name), switches.fault

    state, fault = with_plug(broker, plug, act)
    assert state is PlugState.UNKNOWN
    assert "on and off in one breath" in fault


def test_bridge_that_restarts_makes_the_conversation_void(broker: Mosquitto) -> None:
    plug, switches = ZigbeePlug(on=False), agent("zigbee2mqtt")

    async def restart() -> None:
        await plug.say(*plug.will[:2], retain=True)

    async def act() -> tuple[PlugState, str]:
        plug.meanwhile = restart
        return await switches.status(plug.name), switches.fault

    state, fault = with_plug(broker, plug, act)
    assert state is PlugState.UNKNOWN
    assert "restarted meanwhile" in fault


def test_bridge_that_is_not_healthy_is_not_believed(broker: Mosquitto) -> None:
    plug = ZigbeePlug(on=False)
    plug.healthy = False
    state, fault = reading(broker, plug, agent("zigbee2mqtt"))
    assert state is PlugState.UNKNOWN
    assert "not healthy" in fault


def test_firmware_without_rules_is_named(broker: Mosquitto) -> None:
    plug = TasmotaPlug(on=False)
    plug.rules = False
    state, fault = reading(broker, plug, agent("tasmota"))
    assert state is PlugState.UNKNOWN
    assert "without rules" in fault


@pytest.mark.parametrize(("family", "channel"), [("tasmota", "2"), ("shelly", "1"), ("zigbee2mqtt", "l1")])
def test_one_outlet_of_several_is_switched_alone(broker: Mosquitto, family: str, channel: str) -> None:
    plug, switches = PLUGS[family](), agent(family, deadline="2s")
    plug.channel = channel

    async def act() -> tuple[PlugState, PlugState]:
        await switches.power_off(f"{plug.name}:{channel}")
        wrong = await agent(family, deadline="800ms").status(plug.name)
        return await switches.status(f"{plug.name}:{channel}"), wrong

    assert with_plug(broker, plug, act) == (PlugState.OFF, PlugState.UNKNOWN)
    assert not plug.draws


def test_shelly_s_refusal_is_told(broker: Mosquitto) -> None:
    plug, switches = PLUGS["shelly"](on=False), agent("shelly")

    async def act() -> tuple[PlugState, str]:
        return await switches.status(f"{plug.name}:7"), switches.fault

    state, fault = with_plug(broker, plug, act)
    assert state is PlugState.UNKNOWN
    assert "value 7 not found" in fault


NO_ANSWERS = (
    '{"POWER":"HOLD"}',
    "OFF",
    "[",
    '{"POWER":["OFF"]}',
    '"OFF"',
    "\xff",
    "{}",
    "[" * 5_000,
    '{"POWER2":"OFF"}',
)


def test_words_that_mean_nothing_are_no_answer(broker: Mosquitto) -> None:
    plug, switches = TasmotaPlug(Manner.LATE), agent("tasmota", deadline="1500ms")

    async def babble() -> None:
        plug.meanwhile = babble
        for words in NO_ANSWERS:
            await plug.say(f"stat/{plug.name}/RESULT", words)

    plug.meanwhile = babble
    state, fault = reading(broker, plug, switches)
    assert state is PlugState.UNKNOWN
    assert "an answer to Power1 did not come in time" in fault


@pytest.mark.parametrize("watts", ["NaN", "1e999", "-40"])
def test_power_that_is_no_small_number_is_not_off(broker: Mosquitto, watts: str) -> None:
    plug = TasmotaPlug(on=False)
    plug.strange_power = watts
    assert reading(broker, plug, agent("tasmota", deadline="900ms"))[0] is PlugState.UNKNOWN


@pytest.mark.parametrize("plug", ["", "#", "+", "a/#", "$SYS", "/a", "a\nb", "a:b:c", "a:", "x" * 300])
@each_family
def test_plug_name_can_not_become_another_topic(namespace: str, family: str, plug: str) -> None:
    async def act() -> None:
        with pytest.raises(AgentError, match="expected a topic"):
            await agent(family).power_off(plug)

    run(namespace, act)


def test_flood_of_messages_is_an_error_and_not_a_growing_queue(broker: Mosquitto) -> None:
    plug, switches = TasmotaPlug(on=False), agent("tasmota", second_look="1s")

    async def flood() -> None:
        for number in range(600):
            await plug.say(f"stat/{plug.name}/RESULT", json.dumps({"Count": number}))

    async def act() -> tuple[PlugState, str]:
        status = asyncio.create_task(switches.status(plug.name))
        while not any("Status" in request.topic for request in plug.requests):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await flood()
        return await status, switches.fault

    state, fault = with_plug(broker, plug, act)
    assert state is PlugState.UNKNOWN
    assert "messages wait" in fault
