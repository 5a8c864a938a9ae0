"""A baseboard management controller for tests: OpenIPMI's ipmi_sim, with a chassis whose power a file tells."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from patience import PATIENCE_S

USER, PASSWORD = "gateway", "bmc-w0rd"


class Manner(Enum):
    """How the chassis behaves."""

    HONEST = "does what it says"
    LIAR = "takes the order and does nothing"
    LATE = "does it after three seconds"


CHASSIS = """#!/bin/sh
# Called by ipmi_sim as: get power, or: set power 0|1
folder=$1; verb=$3; what=$4; value=$5
test "$what" = power || exit 0
case $verb in
get) echo "power:$(cat "$folder/power")";;
set) echo "$value" >> "$folder/orders"
     case $(cat "$folder/manner") in
     HONEST) echo "$value" > "$folder/power";;
     LATE) (sleep 3; echo "$value" > "$folder/power") > /dev/null 2>&1 &;;
     esac;;
esac
"""


class Bmc:
    """One chassis. `folder` holds its power (1 on, 0 off), its manner and the orders that it got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        chassis = folder / "chassis"
        chassis.write_text(CHASSIS)
        chassis.chmod(0o755)
        (folder / "orders").touch()
        (folder / "power").write_text("1\n")
        self.behave(Manner.HONEST)

    def behave(self, manner: Manner) -> None:
        (self.folder / "manner").write_text(manner.name)

    def is_on(self) -> bool:
        return (self.folder / "power").read_text().strip() == "1"

    def orders(self) -> list[str]:
        return (self.folder / "orders").read_text().split()

    @contextlib.contextmanager
    def serving(self) -> Iterator["Bmc"]:
        """Answer on `port` of the loopback interface while the context lasts."""
        auths = "\n".join(
            f"    allowed_auths_{level} none md2 md5 straight" for level in ("callback", "user", "operator", "admin")
        )
        (self.folder / "lan.conf").write_text(
            f'name "bmc"\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {self.port}\n'
            f"    priv_limit admin\n{auths}\n"
            "    guid a123456789abcdefa123456789abcdef\n  endlan\n"
            f'  chassis_control "{self.folder}/chassis {self.folder} 0x20"\n'
            f'  user 2 true "{USER}" "{PASSWORD}" admin 10 none md2 md5 straight\n'
        )
        (self.folder / "chassis.emu").write_text(
            "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n"
        )
        self.process = subprocess.Popen(
            [
                "ipmi_sim",
                "-c",
                str(self.folder / "lan.conf"),
                "-f",
                str(self.folder / "chassis.emu"),
                "-n",
                "-s",
                str(self.folder),
            ],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        try:
            self._await_answer()
            yield self
        finally:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(timeout=10)

    def power(self, *, on: bool) -> None:
        (self.folder / "power").write_text("1\n" if on else "0\n")

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _await_answer(self) -> None:
        assert self.process is not None
        limit = time.monotonic() + PATIENCE_S
        asked = [
            "ipmitool",
            "-I",
            "lanplus",
            "-H",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            USER,
            "-P",
            PASSWORD,
            "-C",
            "3",
        ]
        while subprocess.run(
            [*asked, "-N", "1", "-R", "1", "chassis", "power", "status"], capture_output=True, check=False, timeout=20
        ).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < limit, f"ipmi_sim does not answer: {(self.folder / 'log').read_text()}"
