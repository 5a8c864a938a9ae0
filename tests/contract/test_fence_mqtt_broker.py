"""The MQTT fence agent and its broker: down, silent, restarted, locked, encrypted; and the agent as a program."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

import mosquitto
import pytest
from fence_sequences import REBOOTS, SEQUENCES, play
from mosquitto import ADDRESS, PORT, TLS_PORT, Mosquitto, run
from mqtt_plugs import PLUGS, EmulatedPlug, Manner, TasmotaPlug
from namespaces import namespace as namespace_of
from patience import PATIENCE_S

from aoeha.agents.interface import AgentError
from aoeha.agents.parameters import ParameterError
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
MQTT_PLUG = load_from(AgentKind.FENCE, PROGRAM)
SECRET = "never-to-be-seen"
T = TypeVar("T")


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with namespace_of("mqtt") as name:
        yield name


@pytest.fixture
def broker(namespace: str, tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto.running(namespace, tmp_path) as started:
        yield started


def agent(**changes: Any) -> Any:
    table = {"address": ADDRESS, "family": "tasmota", "deadline": "3s", "second_look": "100ms", **changes}
    return MQTT_PLUG("plugs", MQTT_PLUG.typed(table), ProcessHost(Place("gw", "beta")))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def status_of(namespace: str, switches: Any) -> tuple[PlugState, str]:
    async def act() -> tuple[PlugState, str]:
        return await switches.status(TasmotaPlug.name), switches.fault

    return run(namespace, act)


def with_plug(broker: Mosquitto, plug: EmulatedPlug, act: Callable[[], Awaitable[T]]) -> T:
    async def both() -> T:
        async with plug.plugged_in():
            return await act()

    return run(broker.namespace, both)


def test_broker_that_is_down_is_told(namespace: str) -> None:
    state, fault = status_of(namespace, agent())
    assert state is PlugState.UNKNOWN
    assert f"no connection to the broker at {ADDRESS} port {PORT}" in fault
    assert "refused" in fault


@pytest.mark.parametrize("changes", [{}, {"tls": True}])
def test_broker_that_never_answers_is_left_at_the_deadline(namespace: str, changes: dict[str, Any]) -> None:
    async def act() -> tuple[float, PlugState, str]:
        ended = asyncio.Event()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await reader.read()
            ended.set()
            writer.close()

        server = await asyncio.start_server(take, ADDRESS, PORT)
        async with server:
            switches = agent(deadline="500ms", **changes)
            before = time.monotonic()
            state = await switches.status(TasmotaPlug.name)
            after = time.monotonic() - before
            await asyncio.wait_for(ended.wait(), PATIENCE_S)
        return after, state, switches.fault

    took, state, fault = run(namespace, act)
    assert state is PlugState.UNKNOWN
    assert "did not answer within 500 ms" in fault or "no answer within 500 ms" in fault
    assert took < 1.5


def test_nothing_stays_open_after_several_readings(broker: Mosquitto) -> None:
    plug, switches = TasmotaPlug(), agent()

    async def act() -> tuple[int, int]:
        await switches.status(plug.name)
        before = open_files()
        for _ in range(5):
            await switches.status(plug.name)
        return before, open_files()

    before, after = with_plug(broker, plug, act)
    assert after <= before


def test_cancelled_reading_closes_its_connection(broker: Mosquitto) -> None:
    plug, switches = TasmotaPlug(Manner.MUTE), agent(deadline="20s")

    async def act() -> tuple[int, int]:
        before = open_files()
        reading = asyncio.create_task(switches.status(plug.name))
        while not plug.requests:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        return before, open_files()

    before, after = with_plug(broker, plug, act)
    assert after <= before


@pytest.mark.parametrize("family", sorted(PLUGS))
def test_broker_that_restarts_meanwhile_leaves_the_plug_unknown(broker: Mosquitto, family: str) -> None:
    plug, switches = PLUGS[family](on=False), agent(family=family)

    async def restart() -> None:
        broker.stop()
        broker.start()

    async def act() -> tuple[PlugState, str, PlugState]:
        async with plug.plugged_in():
            plug.meanwhile = restart
            before = time.monotonic()
            first, fault = await switches.status(plug.name), switches.fault
            assert time.monotonic() - before < 2.5
        async with plug.plugged_in():
            return first, fault, await switches.status(plug.name)

    first, fault, then = run(broker.namespace, act)
    assert first is PlugState.UNKNOWN
    assert "the connection to the broker broke" in fault
    assert then is PlugState.OFF


@pytest.mark.parametrize(("family", "requests"), [("tasmota", 1), ("shelly", 1), ("zigbee2mqtt", 3)])
def test_order_during_which_the_broker_goes_fails(broker: Mosquitto, family: str, requests: int) -> None:
    plug, switches = PLUGS[family](Manner.MUTE), agent(family=family)

    async def act() -> None:
        async with plug.plugged_in():
            order = asyncio.create_task(switches.power_off(plug.name))
            while len(plug.requests) < requests:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            broker.stop()
            with pytest.raises(AgentError, match="the connection to the broker broke"):
                await order

    run(broker.namespace, act)


@pytest.fixture
def locked(namespace: str, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that knows the user aoeha."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "aoeha", SECRET], check=True, timeout=10)
    passwords.chmod(0o600)
    with mosquitto.running(namespace, tmp_path, f"password_file {passwords}") as started:
        yield started


def secret_file(folder: Path, text: str, mode: int = 0o600) -> dict[str, Any]:
    file = folder / "secret"
    file.write_text(text + "\n")
    file.chmod(mode)
    return {"user": "aoeha", "password": {"file": str(file)}}


def test_right_password_opens(locked: Mosquitto, tmp_path: Path) -> None:
    """Who is let in asks the plug, and there is none."""
    assert "nobody answers as" in status_of(locked.namespace, agent(**secret_file(tmp_path, SECRET)))[1]


@pytest.mark.parametrize("secret", [None, "wrong"])
def test_wrong_password_is_told_and_never_shown(locked: Mosquitto, tmp_path: Path, secret: str | None) -> None:
    switches = agent(**(secret_file(tmp_path, secret) if secret else {}))
    state, fault = status_of(locked.namespace, switches)
    assert state is PlugState.UNKNOWN
    assert "refused us" in fault
    assert "correct user and password" in fault
    assert "wrong" not in fault
    for refused in (switches.monitor, lambda: switches.power_off(TasmotaPlug.name)):
        with pytest.raises(AgentError, match="refused us") as told:
            run(locked.namespace, refused)
        assert "wrong" not in str(told.value)


def test_password_that_others_may_read_is_refused(locked: Mosquitto, tmp_path: Path) -> None:
    state, fault = status_of(locked.namespace, agent(**secret_file(tmp_path, SECRET, 0o644)))
    assert state is PlugState.UNKNOWN
    assert "others may read" in fault
    assert SECRET not in fault


ACCESS = {
    "tasmota": (
        "topic write cmnd/tasmota_AB12CD/#",
        "topic read stat/tasmota_AB12CD/#",
        "topic read tele/tasmota_AB12CD/LWT",
    ),
    "shelly": (
        "topic write shellyplusplugs-a8032ab1c2d3/rpc",
        "topic read shellyplusplugs-a8032ab1c2d3/online",
        "topic read aoeha/rpc",
    ),
    "zigbee2mqtt": (
        "topic write zigbee2mqtt/rack/alpha plug/set",
        "topic write zigbee2mqtt/rack/alpha plug/get",
        "topic write zigbee2mqtt/bridge/request/health_check",
        "topic read zigbee2mqtt/#",
    ),
}
"""What docs/fencing-devices.md says that a broker must let us do."""


@pytest.mark.parametrize("family", sorted(PLUGS))
def test_documented_access_is_enough(namespace: str, tmp_path: Path, family: str) -> None:
    passwords, access = tmp_path / "passwords", tmp_path / "access"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "aoeha", SECRET], check=True, timeout=10)
    access.write_text("\n".join(("topic readwrite #", "user aoeha", *ACCESS[family])) + "\n")
    for file in (passwords, access):
        file.chmod(0o600)
    settings = (f"password_file {passwords}", "allow_anonymous true", f"acl_file {access}")
    plug, switches = PLUGS[family](), agent(family=family, **secret_file(tmp_path, SECRET))

    async def act() -> PlugState:
        await switches.power_off(plug.name)
        return await switches.status(plug.name)  # type: ignore[no-any-return]

    with mosquitto.running(namespace, tmp_path, *settings) as broker:
        assert with_plug(broker, plug, act) is PlugState.OFF


def test_broker_that_lets_nobody_listen_is_told(namespace: str, tmp_path: Path) -> None:
    plugin = next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
    rules = tmp_path / "rules.json"
    rules.write_text('{"defaultACLAccess": {"publishClientSend": true, "subscribe": false}}')
    settings = ("allow_anonymous true", f"plugin {plugin}", f"plugin_opt_config_file {rules}")
    with mosquitto.running(namespace, tmp_path, *settings):
        state, fault = status_of(namespace, agent())
    assert state is PlugState.UNKNOWN
    assert "does not let us subscribe to tele/tasmota_AB12CD/LWT" in fault


def test_password_is_read_once(locked: Mosquitto, tmp_path: Path) -> None:
    switches = agent(**secret_file(tmp_path, SECRET))
    run(locked.namespace, switches.monitor)
    (tmp_path / "secret").unlink()
    assert "nobody answers as" in status_of(locked.namespace, switches)[1]


def certificate(folder: Path, name: str) -> None:
    """Make an authority, and a certificate of it for the broker that names `name`."""
    days = ("-days", "2", "-nodes")
    authority = (
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=test",
        *days,
    )
    request = (
        "req",
        "-newkey",
        "rsa:2048",
        "-keyout",
        "key.pem",
        "-out",
        "request.pem",
        "-subj",
        "/CN=broker",
        "-nodes",
    )
    signing = ("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    (folder / "extension").write_text(f"subjectAltName={name}\n")
    for words in (authority, request, (*signing, "-out", "certificate.pem", "-days", "2", "-extfile", "extension")):
        subprocess.run(["openssl", *words], cwd=folder, check=True, timeout=60, capture_output=True)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {"right": tmp_path_factory.mktemp("right"), "wrong": tmp_path_factory.mktemp("wrong")}
    certificate(folders["right"], f"IP:{ADDRESS}")
    certificate(folders["wrong"], "DNS:broker.example")
    return folders


@contextlib.contextmanager
def encrypted(namespace: str, folder: Path, papers: Path) -> Iterator[Mosquitto]:
    tls = (
        f"listener {TLS_PORT} {ADDRESS}",
        f"certfile {papers / 'certificate.pem'}",
        f"keyfile {papers / 'key.pem'}",
    )
    with mosquitto.running(namespace, folder, *tls) as started:
        yield started


def test_encrypted_broker_is_talked_to(namespace: str, tmp_path: Path, papers: dict[str, Path]) -> None:
    with encrypted(namespace, tmp_path, papers["right"]) as broker:
        plug = TasmotaPlug(on=False)
        switches = agent(port=TLS_PORT, tls=True, ca_file=str(papers["right"] / "ca.pem"))
        assert with_plug(broker, plug, lambda: switches.status(plug.name)) is PlugState.OFF


@pytest.mark.parametrize(("served", "trusted"), [("right", ""), ("right", "wrong"), ("wrong", "wrong")])
def test_broker_without_the_right_certificate_is_refused(
    namespace: str, tmp_path: Path, papers: dict[str, Path], served: str, trusted: str
) -> None:
    with encrypted(namespace, tmp_path, papers[served]):
        changes = {"ca_file": str(papers[trusted] / "ca.pem")} if trusted else {}
        state, fault = status_of(namespace, agent(port=TLS_PORT, tls=True, **changes))
    assert state is PlugState.UNKNOWN
    assert "CERTIFICATE_VERIFY_FAILED" in fault


def test_certificates_that_are_not_there_are_told(namespace: str, tmp_path: Path) -> None:
    state, fault = status_of(namespace, agent(tls=True, ca_file=str(tmp_path / "nowhere.pem")))
    assert state is PlugState.UNKNOWN
    assert "nowhere.pem cannot be used" in fault


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"address": "broker.example"}, "IP address"),
        ({"family": "tuya"}, "family"),
        ({"user": "aoeha"}, "belong together"),
        ({"ca_file": "/etc/ssl/x.pem"}, "tls"),
        ({"full_topic": "%topic%/"}, "full_topic"),
        ({"base_topic": "zigbee/#"}, "base_topic"),
        ({"reply_topic": "a b"}, "reply_topic"),
        ({"deadline": "1s", "second_look": "600ms"}, "second_look"),
        ({"password": "plain text"}, "password"),
        ({"off_watts_max": 500}, "off_watts_max"),
        ({"brooker": 1}, "no such parameter"),
    ],
)
def test_bad_parameters_are_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        MQTT_PLUG.typed({"address": ADDRESS, "family": "tasmota", **change})


async def run_program(stdin: str, *prefix: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(prefix or (sys.executable, str(PROGRAM))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


OPTIONS = f"ip={ADDRESS}\nipport={PORT}\ndeadline=3s\nsecond_look=100ms\nnodename=whoever\n"


@pytest.mark.parametrize(
    ("family", "action", "before", "expected"),
    [
        ("tasmota", "status", True, (0, "Status: ON\n", True)),
        ("tasmota", "status", False, (2, "Status: OFF\n", False)),
        ("shelly", "off", True, (0, "Success: Powered OFF\n", False)),
        ("zigbee2mqtt", "off", True, (0, "Success: Powered OFF\n", False)),
    ],
)
def test_program_switches_and_tells(
    broker: Mosquitto, family: str, action: str, before: bool, expected: tuple[int, str, bool]
) -> None:
    plug = PLUGS[family](on=before)
    stdin = f"action={action}\nplug={plug.name}\nfamily={family}\n{OPTIONS}"
    code, said, fault = with_plug(broker, plug, lambda: run_program(stdin))
    assert (code, said, plug.draws) == expected, fault


@pytest.mark.parametrize("name", [*SEQUENCES, *REBOOTS])
def test_program_goes_through_the_prescribed_sequence(broker: Mosquitto, name: str) -> None:
    plug = TasmotaPlug()

    async def perform(action: str) -> tuple[int, str, str]:
        return await run_program(f"action={action}\nplug={plug.name}\nfamily=tasmota\n{OPTIONS}")

    assert with_plug(broker, plug, lambda: play((SEQUENCES | REBOOTS)[name], perform)) == []


@pytest.mark.parametrize(
    ("manner", "action"), [(Manner.MUTE, "off"), (Manner.MUTE, "status"), (Manner.WELDED, "status")]
)
def test_program_ends_with_1_when_off_is_not_proved(broker: Mosquitto, manner: Manner, action: str) -> None:
    plug = TasmotaPlug(manner)
    plug.says = False
    options = OPTIONS.replace("deadline=3s", "deadline=900ms")
    stdin = f"action={action}\nplug={plug.name}\nfamily=tasmota\n{options}"
    code, said, fault = with_plug(broker, plug, lambda: run_program(stdin))
    assert (code, said) == (1, "")
    assert "cannot" in fault


def test_settings_are_judged_without_a_broker(tmp_path: Path) -> None:
    switches = agent(**secret_file(tmp_path, SECRET))
    asyncio.run(switches.validate("tasmota_1:2"))
    with pytest.raises(AgentError, match="expected a topic"):
        asyncio.run(switches.validate("tasmota/#"))
    with pytest.raises(AgentError, match="others may read"):
        asyncio.run(agent(**secret_file(tmp_path, SECRET, 0o640)).validate(""))
    with pytest.raises(AgentError, match="cannot be used"):
        asyncio.run(agent(tls=True, ca_file=str(tmp_path / "nowhere.pem")).validate(""))


def test_program_describes_itself() -> None:
    code, said, _fault = asyncio.run(run_program("action=metadata\n"))
    assert code == 0
    root = ET.fromstring(said)
    named = {item.attrib["name"] for item in root.iter("parameter")}
    assert {"action", "plug", "ip", "ipport", "family", "user", "password_file", "tls", "ca_file"} <= named
    assert "password" not in named


def test_password_is_neither_in_arguments_nor_in_what_the_program_says(locked: Mosquitto, tmp_path: Path) -> None:
    secret_file(tmp_path, SECRET)

    async def act() -> tuple[int, str, str]:
        login = f"user=aoeha\npassword_file={tmp_path / 'secret'}\n"
        return await run_program(f"action=status\nplug=nobody\nfamily=tasmota\n{login}{OPTIONS}")

    code, said, fault = run(locked.namespace, act)
    assert code == 1
    assert "nobody answers" in fault
    assert SECRET not in said + fault


WITHOUT_AIOMQTT = """
import runpy, sys
sys.modules["aiomqtt"] = None
sys.argv = [sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("action", ["status", "off", "monitor"])
def test_program_without_aiomqtt_says_what_to_install(namespace: str, action: str) -> None:
    stdin = f"action={action}\nplug=tasmota_1\nfamily=tasmota\n{OPTIONS}"
    words = (sys.executable, "-c", WITHOUT_AIOMQTT, str(PROGRAM))
    code, said, fault = run(namespace, lambda: run_program(stdin, *words))
    assert (code, said) == (1, "")
    assert "aiomqtt is not installed" in fault
    assert "pip install" in fault
    assert "Traceback" not in fault


def test_daemon_neither_needs_nor_loads_aiomqtt() -> None:
    code = "import sys; sys.modules['aiomqtt'] = None; import aoeha.daemon.service; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert "aoeha.io.mqtt" not in loaded.stdout.split()


def test_daemon_with_such_a_device_starts_without_aiomqtt() -> None:
    code = (
        "import asyncio, sys; sys.modules['aiomqtt'] = None\n"
        "from aoeha.agents.registry import build_fence_agent\n"
        "from aoeha.io.host import Place\nfrom aoeha.io.processes import ProcessHost\n"
        "table = {'address': '127.0.0.1', 'family': 'shelly'}\n"
        "device = build_fence_agent('mqtt_plug', 'plugs', table, ProcessHost(Place('gw', 'beta')))\n"
        "print(asyncio.run(device.status('plug')).value, device.fault)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30).stdout
    assert said.startswith("unknown ")
    assert "aiomqtt is not installed" in said
