"""Emulators of an RPS-10 master with modules, and of an APC Smart-UPS on its serial port.

Written from the RPS-10 user's guide (chapter 4) and the description of APC's protocol in apcupsd's manual;
cluster-glue's own plugins must be able to drive them (test_fence_serial_switch.py).
"""

import asyncio
import re
import termios
import time
from dataclasses import dataclass, field
from functools import partial

from device_manners import Device
from pty_line import PtyLine


@dataclass
class Rps10Emulator(Device):
    """Modules by address. It says Ready `ready_s` after DTR rose and is deaf before, and between commands `rest_s`."""

    plugs: dict[str, str] = field(default_factory=lambda: {"0": "On", "1": "On"})
    ready_s: float = 0.1
    rest_s: float = 0.4
    questions: int = 0
    greetings: int = 0
    _deaf_until: float = 0.0
    _heard: bytes = b""

    command = re.compile(rb"\x02\x18\x18\x02\x18\x18(.)(.)\r", re.DOTALL)

    def dtr_rose(self, line: PtyLine) -> None:
        self.greetings += 1
        self._deaf_until = time.monotonic() + self.ready_s
        asyncio.get_running_loop().call_later(self.ready_s, self.answer, line.say, "\r\nRPS-10 Ready\r\n")

    def heard(self, line: PtyLine, data: bytes) -> None:
        if time.monotonic() < self._deaf_until or line.baud != termios.B9600:
            self._heard = b""
            return
        self._heard = (self._heard + data)[-64:]
        while command := self.command.search(self._heard):
            self._heard = self._heard[command.end() :]
            self._perform(line, command[1].decode("latin-1"), command[2].decode("latin-1"))

    def _perform(self, line: PtyLine, address: str, operation: str) -> None:
        plugs = sorted(self.plugs) if address == "*" else [address] * (address in self.plugs)
        if not plugs or operation not in "01T?":
            return
        self._deaf_until = time.monotonic() + self.rest_s
        match operation:
            case "?":
                self.questions += 1
                self.answer(line.say, self._told(plugs))
            case "T":
                self._switch(plugs, "Off")
                self.answer(line.say, "".join(f"Plug {plug} Off\r\n" for plug in plugs))
                asyncio.get_running_loop().call_later(0.2, partial(self._toggle_back, line, plugs))
            case _:
                self.answer(line.say, self._switch(plugs, "On" if operation == "1" else "Off"))

    def _toggle_back(self, line: PtyLine, plugs: list[str]) -> None:
        self.answer(line.say, self._switch(plugs, "On"))

    def _switch(self, plugs: list[str], state: str) -> str:
        for plug in plugs:
            self.orders.append(f"{plug} {state}")
            if self.obeys:
                self.plugs[plug] = state
        return "".join(f"Plug {plug} {state}\r\n" for plug in plugs) + "Complete\r\n"

    def _told(self, plugs: list[str]) -> str:
        return "".join(f"Plug {plug} {self.plugs[plug]}\r\n" for plug in plugs) + "Complete\r\n"


@dataclass
class SmartUpsEmulator(Device):
    """One output. `alerts` are sent before each answer; `register_1` overrules what it would tell of its output."""

    on: bool = True
    alerts: str = ""
    register_1: str = ""
    questions: int = 0
    _smart: bool = False
    _variable: str = ""
    _last_letter: tuple[str, float] = ("", 0.0)
    _pending: str = ""
    _sleeping: bool = False

    def __post_init__(self) -> None:
        self._choices = {"p": ["020", "180", "300", "600"], "r": ["000", "060", "180", "300"]}

    def dtr_rose(self, line: PtyLine) -> None:
        """A UPS does not mind."""

    def heard(self, line: PtyLine, data: bytes) -> None:
        if line.baud == termios.B2400:
            for letter in data.decode("latin-1"):
                self._letter(line, letter)

    def _letter(self, line: PtyLine, letter: str) -> None:
        before, self._last_letter = self._last_letter, (letter, time.monotonic())
        if letter == "Y":
            self._smart = True
        if not self._smart:
            return
        if letter in "Z\x0e":
            if before[0] == letter and 1.5 < time.monotonic() - before[1] < 10:
                self._switch(letter == "\x0e")
            return
        answer = self._answer_to(letter)
        if answer:
            self.answer(line.say, f"{self.alerts}{answer}\r\n")

    def _answer_to(self, letter: str) -> str:
        if letter == "@" or self._pending:
            self._pending += letter
            if len(self._pending) < 4:
                return ""
            self._pending = ""
            return self._sleep_and_wake()
        match letter:
            case "Y":
                return "SM"
            case "Q":
                return "08" if self.on else "00"
            case "~":
                self.questions += 1
                return self.register_1 or ("00" if self.on else "40")
            case "8":
                return "08" if self._sleeping else "00"
            case "p" | "r":
                self._variable = letter
                return self._choices[letter][0]
            case "-" if self._variable:
                choices = self._choices[self._variable]
                choices.append(choices.pop(0))
                return "OK"
        return "NA"

    def _switch(self, on: bool) -> None:
        self.orders.append("on" if on else "off")
        if self.obeys:
            self.on = on

    def _sleep_and_wake(self) -> str:
        if not self.on:
            return "NA"
        self._switch(False)
        self._sleeping = True
        asyncio.get_running_loop().call_later(3.0, self._wake)
        return "OK"

    def _wake(self) -> None:
        self._sleeping = False
        self._switch(True)
