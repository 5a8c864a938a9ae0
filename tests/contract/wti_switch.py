"""Emulator of a WTI NPS power switch: its console and its telnet port.

Written from the NPS Series user's guide (chapters 4 and 5) and from what Debian's fence_wti and cluster-glue's wti_nps
expect, which must be able to drive it (test_fence_wti.py).
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from device_manners import Device, Manner
from pty_line import PtyLine

OFFERS = b"\xff\xfb\x01\xff\xfb\x03\xff\xfd\x18"
"""IAC WILL ECHO, IAC WILL SUPPRESS-GO-AHEAD, IAC DO TERMINAL-TYPE."""
COMMANDS = re.compile(rb"\xff(?:[\xfb-\xfe].|\xfa.*?\xff\xf0|[\xf0-\xf9])", re.DOTALL)
RULE = "-----+------------------+-------------+--------+-----------------+---------+\r\n"
HEADING = "Plug | Name             | Password    | Status | Boot/Seq. Delay | Default |\r\n"
TRIES_MAX = 3


@dataclass
class WtiEmulator(Device):
    """Plugs by number: name and ON or OFF. It takes one telnet session at a time and closes others at once.

    `asks`: command confirmation is enabled. `busy_s`: how long a plug's status is an asterisk while it is switched.
    """

    plugs: dict[str, list[str]] = field(
        default_factory=lambda: {"1": ["alpha", "ON"], "2": ["beta", "ON"], "3": ["(undefined)", "OFF"]}
    )
    password: str = "wti"
    user: str = ""
    asks: bool = False
    busy_s: float = 0.0
    sessions: int = 0
    refused: int = 0
    logins: int = 0
    tables: int = 0
    _guests: int = 0
    _console: "Session | None" = None

    @contextlib.asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[int]:
        """Take telnet sessions while the context lasts; yields the TCP port."""
        server = await asyncio.start_server(self._guest, "127.0.0.1", port)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    def dtr_rose(self, line: PtyLine) -> None:
        """The console does not mind."""

    def heard(self, line: PtyLine, data: bytes) -> None:
        """What is typed at the console, whose session outlives whoever was there."""
        if self._console is None or self._console.ended:
            self._console = Session(self, line.say)
        self._console.heard(data)

    def table(self) -> str:
        self.tables += 1
        lines = "".join(
            f" {number:<3} | {name:<16} | (undefined) |  {state:<5} |   5 Secs        |   ON    |\r\n"
            for number, (name, state) in self.plugs.items()
        )
        return f"\r\nNPS-115 Network Power Switch v3.02   Site ID: rack\r\n\r\n{HEADING}{RULE}{lines}{RULE}\r\n"

    def switch(self, word: str, state: str) -> str:
        numbers = [number for number, (name, _) in self.plugs.items() if word.lower() in (number, name.lower())]
        for number in numbers:
            self.orders.append(f"{number} {state}")
            if self.obeys and self.busy_s:
                self.plugs[number][1] = f"{self.plugs[number][1]} *"
                asyncio.get_running_loop().call_later(self.busy_s, self._set, number, state)
            elif self.obeys:
                self._set(number, state)
        return "\r\nProcessing - please wait ...\r\n" if numbers else "\r\nInvalid plug\r\n"

    def _set(self, number: str, state: str) -> None:
        self.plugs[number][1] = state

    async def _guest(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._guests:
            self.refused += 1
            writer.close()
            return
        self._guests += 1
        self.sessions += 1
        try:
            writer.write(OFFERS)
            session = Session(self, writer.write)
            session.greet()
            while not session.ended and (data := await reader.read(1_024)):
                session.heard(COMMANDS.sub(b"", data))
        except ConnectionError:
            pass
        finally:
            self._guests -= 1
            writer.close()


class Session:
    """Somebody's dialogue with the switch. Enter is a carriage return; a line feed or NUL after it is no second one."""

    def __init__(self, switch: WtiEmulator, reply: Callable[[bytes], object]) -> None:
        self.ended = False
        self._switch = switch
        self._reply = reply
        self._typed = ""
        self._tries = 0
        self._question: Callable[[], str] | None = None
        self._at = self._door

    @property
    def _door(self) -> str:
        return "user" if self._switch.user else "password" if self._switch.password else "prompt"

    def greet(self) -> None:
        self._say("\r\n" + self._waiting())

    def heard(self, data: bytes) -> None:
        for letter in data.decode("latin-1"):
            if letter == "\r":
                line, self._typed = self._typed, ""
                self._line(line)
            elif letter not in "\n\0" and len(self._typed) < 64:
                self._typed += letter
                if self._at != "password" and self._switch.manner is not Manner.DEAD:
                    self._reply(letter.encode("latin-1"))

    def _say(self, text: str) -> None:
        self._switch.answer(lambda data: self._reply(data) and None, text)

    def _waiting(self) -> str:
        return {"user": "Login: ", "password": "Enter Password: ", "prompt": "NPS> ", "question": ""}[self._at]

    def _line(self, line: str) -> None:
        match self._at:
            case "user":
                self._at = "password" if line else "user"
                self._named = line
                said = "\r\n"
            case "password":
                said = self._try(line)
            case "question" if line.upper() in ("Y", "N"):
                self._at = "prompt"
                said = self._question() if self._question and line.upper() == "Y" else "\r\n"
            case "question":
                said = "\r\nSure? (Y/N): "
            case _:
                said = self._command(line)
        self._say(said + ("" if self.ended else self._waiting()))

    def _try(self, word: str) -> str:
        named = getattr(self, "_named", "") == self._switch.user
        if word == self._switch.password and named:
            self._at = "prompt"
            self._switch.logins += 1
            return "\r\n\r\nNetwork Power Switch v3.02\r\n\r\n  /S  Display status   /H  Help   /X  Exit\r\n\r\n"
        self._tries += bool(word)
        self._at = self._door
        if self._tries >= TRIES_MAX:
            self.ended = True
        return "\r\nInvalid password\r\n" if word else "\r\n"

    def _command(self, line: str) -> str:
        order = re.fullmatch(r"/(ON|OFF) ([^,]+)(,Y)?", line, re.IGNORECASE)
        if order is not None:
            word, state = order[2].strip(), order[1].upper()
            if self._switch.asks:
                self._at = "question"
                self._question = lambda: self._switch.switch(word, state)
                return f"\r\n{state} plug(s): {word}\r\nSure? (Y/N): "
            return self._switch.switch(word, state)
        match line.upper():
            case "":
                return "\r\n"
            case "/S":
                return self._switch.table()
            case "/H":
                return "\r\n  /S  Display status   /ON n   /OFF n   /X  Exit\r\n\r\n"
            case "/X" | "/X,Y":
                self.ended = True
                return "\r\nDisconnected\r\n"
        return "\r\nInvalid command\r\n"
