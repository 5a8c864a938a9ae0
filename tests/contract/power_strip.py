"""A rack PDU for tests: net-snmp's own snmpd, with the outlets kept by a program behind it.

So requests, versions, communities and users are judged by somebody else's SNMP; only the outlets are ours.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from patience import PATIENCE_S

RPDU_OBJECT = ".1.3.6.1.4.1.318.1.3.4.5"
"""What an APC rack PDU calls itself; fence_apc_snmp asks."""


@dataclass(frozen=True)
class Numbers:
    """A family's columns, and its words for on and off in them."""

    root: str
    names: str
    state: str
    on: int
    off: int
    to_on: tuple[str, int]
    to_off: tuple[str, int]


FAMILIES = {
    "apc_rpdu": Numbers(
        *(".1.3.6.1.4.1.318.1.1.12", "3.5.1.1.2", "3.5.1.1.4", 1, 2, ("3.3.1.1.4", 1), ("3.3.1.1.4", 2))
    ),
    "apc_rpdu2": Numbers(*(".1.3.6.1.4.1.318.1.1.26.9.2", "3.1.3", "3.1.5", 2, 1, ("4.1.5", 1), ("4.1.5", 2))),
    "eaton_epdu": Numbers(*(".1.3.6.1.4.1.534.6.6.7.6", "1.1.3.0", "6.1.2.0", 1, 0, ("6.1.4.0", 0), ("6.1.3.0", 0))),
    "raritan_px2": Numbers(
        *(".1.3.6.1.4.1.13742.6", "3.5.3.1.3.1", "4.1.2.1.3.1", 7, 8, ("4.1.2.1.2.1", 1), ("4.1.2.1.2.1", 0))
    ),
}
COMMUNITY, USER, PASSPHRASE, PRIVACY = "strip-w0rd", "gateway", "authentication", "encryption-word"


class Manner(Enum):
    """How the strip behaves."""

    HONEST = "does what it says"
    LIAR = "takes the order and does nothing"
    EMPTY = "has lost its outlets, as a strip does whose other half was unplugged"
    VAGUE = "reads 3 for every outlet, which means nothing"
    LATE = "answers after three seconds"


BEHIND = """
import json, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
family = json.loads((folder / "family").read_text())

def outlets():
    manner = (folder / "manner").read_text()
    if manner == "LATE":
        time.sleep(3)
    found = {}
    for path in folder.glob("outlet*"):
        number = path.name.removeprefix("outlet")
        word = path.read_text()
        value = 3 if manner == "VAGUE" else family[word]
        found[f"{family['names']}.{number}"] = ("string", "node" + number)
        found[f"{family['to_on'][0]}.{number}"] = ("integer", value)
        found[f"{family['to_off'][0]}.{number}"] = ("integer", value)
        found[f"{family['state']}.{number}"] = ("integer", value)
    return {} if manner == "EMPTY" else {f"{family['root']}.{name}": shown for name, shown in found.items()}

def key(oid):
    return [int(part) for part in oid.strip(".").split(".")]

def show(oid, found):
    print(oid, *found[oid], sep="\\n", flush=True)

def take(oid, value):
    column, _, number = oid.removeprefix(family["root"] + ".").rpartition(".")
    for word in ("on", "off"):
        if [column, value] == family["to_" + word] and (folder / "manner").read_text() != "LIAR":
            (folder / ("outlet" + number)).write_text(word)

for line in iter(sys.stdin.readline, ""):
    word = line.strip()
    if word not in ("get", "getnext", "set"):
        if word == "PING":
            print("PONG", flush=True)
        continue
    oid, found = sys.stdin.readline().strip(), outlets()
    if word == "get":
        show(oid, found) if oid in found else print("NONE", flush=True)
    elif word == "getnext":
        later = sorted((other for other in found if key(other) > key(oid)), key=key)
        show(later[0], found) if later else print("NONE", flush=True)
    elif word == "set":
        value = sys.stdin.readline().split()[1]
        with (folder / "orders").open("a") as log:
            log.write(f"{oid} {value}\\n")
        if oid in found:
            take(oid, int(value))
        print("DONE" if oid in found else "no-creation", flush=True)
"""


class PowerStrip:
    """Outlets 1 and 2, called node1 and node2, both on at first. `folder` holds all that it remembers."""

    def __init__(self, folder: Path, family: str = "apc_rpdu") -> None:
        self.folder = folder
        self.numbers = FAMILIES[family]
        (folder / "family").write_text(json.dumps(asdict(self.numbers)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "behind.py").write_text(BEHIND)
        (folder / "orders").touch()
        self.behave(Manner.HONEST)
        self.switch(1, on=True)
        self.switch(2, on=True)

    def behave(self, manner: Manner) -> None:
        (self.folder / "manner").write_text(manner.name)

    def switch(self, outlet: int, *, on: bool) -> None:
        (self.folder / f"outlet{outlet}").write_text("on" if on else "off")

    def is_on(self, outlet: int) -> bool:
        return (self.folder / f"outlet{outlet}").read_text() == "on"

    def orders(self) -> list[str]:
        return (self.folder / "orders").read_text().splitlines()

    @contextlib.contextmanager
    def serving(self) -> Iterator["PowerStrip"]:
        """Answer on `port` of the loopback interface while the context lasts."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def start(self) -> None:
        behind = f"{sys.executable} {self.folder / 'behind.py'} {self.folder}"
        configuration = self.folder / "snmpd.conf"
        configuration.write_text(
            f"agentAddress udp:127.0.0.1:{self.port}\nrwcommunity {COMMUNITY} 127.0.0.1\n"
            f"createUser {USER} SHA {PASSPHRASE} AES {PRIVACY}\nrwuser {USER} priv\n"
            f"sysObjectID {RPDU_OBJECT}\npass_persist {self.numbers.root} {behind}\n"
            f"[snmp] persistentDir {self.folder}/persistent\n"
        )
        self.process = subprocess.Popen(
            ["snmpd", "-f", "-r", "-C", "-c", str(configuration), "-Lf", str(self.folder / "log"), "-I", "-smux"],
            stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "MIBS": "", "SNMP_PERSISTENT_DIR": str(self.folder / "persistent")},
        )
        limit = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < limit, "snmpd does not answer"

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(timeout=10)

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def _answers(self) -> bool:
        outlet = f"{self.numbers.root}.{self.numbers.state}.1"
        asked = ["snmpget", "-v2c", "-c", COMMUNITY, "-t", "0.2", "-r", "0", f"127.0.0.1:{self.port}", outlet]
        return subprocess.run(asked, capture_output=True, check=False, timeout=10).returncode == 0
