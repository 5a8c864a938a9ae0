"""What a telnet server wants to negotiate is refused, and never taken for what it says."""

import asyncio
import re
import socket

import pytest

from aoeha.io.dialogue import DialogueEndedError
from aoeha.io.telnet_dialogue import TelnetDialogue

SAID = (
    b"\xff\xfb\x01"  # will echo
    b"lo\xff\xf1"  # no operation
    b"g\xff\xff"  # the byte 255 itself
    b"\xff\xfa\x18\x01inner text\xff\xf0"  # a subnegotiation
    b"in\xff\xfd\x18"  # do tell the terminal's type
    b"\xff\xfc\x03\xff\xfe\x05> "  # won't and don't: nothing to refuse
)
REFUSALS = b"\xff\xfe\x01\xff\xfc\x18"
PROMPT = re.compile(rb"> ")


@pytest.mark.parametrize("cut", range(len(SAID) + 1))
def test_commands_are_taken_out_and_refused_wherever_a_packet_ends(cut: int) -> None:
    async def scene() -> tuple[bytes, bytes]:
        near, far = socket.socketpair()
        near.setblocking(False)
        far.setblocking(False)
        loop = asyncio.get_running_loop()
        _, dialogue = await loop.create_connection(TelnetDialogue, sock=near)
        for part in (SAID[:cut], SAID[cut:]):
            await loop.sock_sendall(far, part)
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            heard = (await dialogue.hear(PROMPT)).string
            answers = b""
            while len(answers) < len(REFUSALS):
                answers += await loop.sock_recv(far, 100)
            await dialogue.say(b"a\xffb")
            dialogue.close()
            while part := await loop.sock_recv(far, 100):
                answers += part
            with pytest.raises(DialogueEndedError):
                await dialogue.say(b"c")
        far.close()
        return heard, answers

    assert asyncio.run(scene()) == (b"log\xffin> ", REFUSALS + b"a\xff\xffb")
