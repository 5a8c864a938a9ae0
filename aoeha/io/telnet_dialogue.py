"""A dialogue over telnet (RFC 854). Every option is refused, so that both sides are plain terminals."""

import asyncio

from aoeha.io.dialogue import BusyError, Dialogue, DialogueEndedError, DialogueError

__all__ = ["TelnetDialogue", "open_telnet_dialogue"]

_IAC, _DONT, _DO, _WONT, _WILL, _SB, _SE = 255, 254, 253, 252, 251, 250, 240
_REFUSAL = {_WILL: _DONT, _DO: _WONT}
# The last text may take this long to leave; then the connection is discarded.
_FAREWELL_MS = 1_000
_COMMAND_MAX_BYTES = 512


async def open_telnet_dialogue(address: str, port: int) -> "TelnetDialogue":
    """Connect. BusyError while the device refuses connections, as many do that talk to one at a time; DialogueError."""
    try:
        _transport, dialogue = await asyncio.get_running_loop().create_connection(TelnetDialogue, address, port)
    except ConnectionRefusedError:
        raise BusyError("it refuses connections") from None
    except OSError as fault:
        raise DialogueError(fault.strerror or str(fault)) from None
    return dialogue


class TelnetDialogue(Dialogue, asyncio.Protocol):
    """Removes telnet commands from the received text, and refuses each option that is offered or requested."""

    def __init__(self) -> None:
        super().__init__()
        self._transport: asyncio.Transport | None = None
        self._half = b""

    async def say(self, data: bytes) -> None:
        """Hand the text to the kernel. DialogueError when the connection is lost."""
        if self._transport is None or self._transport.is_closing():
            raise self._fault or DialogueEndedError("the connection is closed")
        self._transport.write(data.replace(bytes([_IAC]), bytes([_IAC, _IAC])))

    def close(self) -> None:
        """Close at once. The last text may still be delivered within a second."""
        self._finish(DialogueEndedError("the connection is closed"))
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            asyncio.get_running_loop().call_later(_FAREWELL_MS / 1000, self._transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take received text, and answer the telnet commands in it."""
        text, answers, self._half = _separate(self._half + data)
        if answers and self._transport is not None:
            self._transport.write(answers)
        self._take(text, extra=len(answers))
        if len(self._half) > _COMMAND_MAX_BYTES:
            self._finish(DialogueError("it sends a telnet command without an end"))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the reader that the connection has ended."""
        self._finish(DialogueEndedError("it closed the connection" if exc is None else f"the connection broke: {exc}"))


def _separate(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Split what arrived into text, our answers to the commands in it, and a command whose end has not come yet."""
    text, answers = bytearray(), bytearray()
    at = 0
    while (command := data.find(_IAC, at)) >= 0:
        text += data[at:command]
        end = _end_of(data, command)
        if end < 0:
            return bytes(text), bytes(answers), data[command:]
        verb = data[command + 1]
        if verb == _IAC:
            text.append(_IAC)
        elif verb in _REFUSAL:
            answers += bytes([_IAC, _REFUSAL[verb], data[command + 2]])
        at = end
    return bytes(text + data[at:]), bytes(answers), b""


def _end_of(data: bytes, command: int) -> int:
    """Return the end of the command that begins there, -1 when the end has not come yet."""
    verb = data[command + 1 : command + 2]
    if verb == bytes([_SB]):
        end = data.find(bytes([_IAC, _SE]), command)
        return end + 2 if end >= 0 else -1
    length = 3 if verb and verb[0] in (_DONT, _DO, _WONT, _WILL) else 2
    return command + length if len(data) >= command + length else -1
