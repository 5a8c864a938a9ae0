"""The first beat of a restarted daemon: sent before anything heavy is imported (R15).

A daemon that was killed is restarted by systemd within a fraction of a second, but importing and setting up the rest
of it takes longer than that. So the running daemon keeps in /run what a successor needs for its first beat.
`aoeha daemon` calls `send_first_beat` first of all. The peer accepts that beat at once, as a new incarnation,
because it echoes the peer's nonce.

The first beat says less than the last one did: it is flagged RESTARTING and not PROBED, claims
nothing, and repeats no grant, because the killed daemon may have withdrawn one after the last save.

The first beat never delays or breaks a start: whatever goes wrong, the daemon starts without it.
"""

# An import of pathlib would take longer than everything in this module.
# ruff: noqa: PTH108, PTH110, PTH123

import contextlib
import json
import os
import sys
import termios
from dataclasses import asdict, dataclass, replace
from typing import Any

from aoeha.core.model.beat import NEVER_MS, Beat, BeatFlag
from aoeha.io.link import SerialSettings, UdpSettings
from aoeha.io.state_file import read_state, write_state
from aoeha.io.udp_link import open_socket, peer_sockaddr
from aoeha.wire.codec import (
    NO_NONCE,
    NONCE_SIZE,
    SERIAL_LIMIT,
    UDP_LIMIT,
    VERSION,
    CodecError,
    Message,
    decode,
    encode,
    names_by_tag,
    state_digest,
)
from aoeha.wire.framing import frame
from aoeha.wire.keys import Key, parse_keys, signing_key
from aoeha.wire.receiver import ReceiverMemory
from aoeha.wire.sender import Sender

__all__ = ["FIRST_SEQUENCE", "FirstBeat", "Remembered", "forget", "is_saved", "remembered", "save", "send_first_beat"]

FIRST_SEQUENCE = 0
_KEY_FILE_SIZE_MAX = 64 * 1_024
_BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"

BACK_WITHIN_MS = 3_000
"""What the imports and the start behind the first beat may take: in a loaded lab guest, where Python is slowest, more
than 2 s was seen. The peer detects a node that dies meanwhile that much later."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the running daemon keeps for its successor. Two are equal when there is no need to save again.

    `beat` is what the first beat will say; `remembered` makes it from the last one. `memory` is what `Receiver.memory`
    gives.
    """

    cluster: str
    peer: str
    key_file: str
    memory: ReceiverMemory
    links: tuple[SerialSettings | UdpSettings, ...]
    beat: Beat


@dataclass(frozen=True, slots=True)
class FirstBeat:
    """What was sent, and what the daemon must continue with.

    It must use this incarnation (unless its memory says that a greater one was used), this nonce for its Receiver
    with this memory, and sequences above FIRST_SEQUENCE. `links_sent` counts the links that
    took the beat. `close` when the daemon has opened its own links.
    """

    incarnation: int
    nonce: bytes
    memory: ReceiverMemory
    links_sent: int
    descriptors: tuple[int, ...]

    def close(self) -> None:
        """Close the serial ports. Not earlier: closing one waits until its bytes have left."""
        for descriptor in self.descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def remembered(
    *,
    cluster: str,
    peer: str,
    key_file: str,
    memory: ReceiverMemory,
    links: tuple[SerialSettings | UdpSettings, ...],
    beat: Beat,
) -> Remembered:
    """Return what to save after `beat` was made. `links` in the order of the configuration."""
    groups = tuple(replace(group, claim=0, claim_epoch=0, grant=None) for group in beat.groups)
    first = replace(
        beat,
        sequence=FIRST_SEQUENCE,
        echo_sequence=0,
        flags=BeatFlag.RESTARTING | (beat.flags & (BeatFlag.STANDBY | BeatFlag.PAUSED)),
        link_ages_ms=(NEVER_MS,) * len(beat.link_ages_ms),
        groups=groups,
        back_within_ms=BACK_WITHIN_MS,
    )
    return Remembered(cluster, peer, key_file, memory, links, first)


def save(content: Remembered, key: Key, run_directory: str = "/run/aoeha") -> None:
    """Write it, readable by root only. This takes microseconds on tmpfs. Call it before sending a beat that differs.

    Raises OSError when it cannot be written, CodecError when the beat does not fit the format.
    """
    beat, memory = content.beat, content.memory
    message = Message(NO_NONCE, NO_NONCE, beat, len(beat.groups), state_digest(beat.groups), knows=VERSION)
    _write(
        run_directory,
        {
            "incarnation": beat.incarnation,
            "cluster": content.cluster,
            "peer": content.peer,
            "names": [beat.sender, *(group.name for group in beat.groups)],
            "key_file": content.key_file,
            "peer_nonce": memory.peer_nonce.hex(),
            "peer_held": [tag.hex() for tag in memory.peer_held],
            "peer_key_id": memory.peer_key_id,
            "peer_knows": memory.peer_knows,
            "links": [asdict(link) for link in content.links],
            "beat": encode(message, content.cluster, key.id, key.secret).hex(),
        },
    )


def is_saved(run_directory: str) -> bool:
    """Tell whether something lies there for a successor."""
    return os.path.exists(_path(run_directory))


def forget(run_directory: str = "/run/aoeha") -> None:
    """Remove what was saved, because the daemon leaves. Does nothing when there is nothing."""
    with contextlib.suppress(OSError):
        os.unlink(_path(run_directory))


def send_first_beat(run_directory: str = "/run/aoeha") -> FirstBeat | None:
    """Send one beat on each link if this is a restart within one boot. None when it is not, or when that failed."""
    try:
        return _send_first_beat(run_directory)
    except Exception:  # noqa: BLE001 - the daemon must start whatever lies in that file
        return None


def _send_first_beat(run_directory: str) -> FirstBeat | None:
    document, fault = read_state(_path(run_directory), _decoded)
    if document is None:
        if fault:
            sys.stderr.write(f"aoeha: {fault}\n")
        return None
    keys = _read_keys(document["key_file"])
    beat = _saved_beat(document)
    if beat.boot_id != _present_boot_id():
        return None
    # Written before use, so that no two daemons ever share an incarnation.
    document["incarnation"] += 1
    _write(run_directory, document)
    own_nonce, memory = os.urandom(NONCE_SIZE), _saved_memory(document)
    key = signing_key(keys, memory.peer_held, memory.peer_key_id)
    sender = Sender(document["cluster"], lambda: key, lambda: (own_nonce, memory.peer_nonce))
    beat = replace(beat, incarnation=document["incarnation"])
    sent, descriptors = 0, []
    for settings in document["links"]:
        with contextlib.suppress(OSError, ValueError, TypeError, CodecError, termios.error):
            if "device" in settings:
                descriptors.append(_send_serial(SerialSettings(**settings), sender.pack(beat, SERIAL_LIMIT)))
            else:
                _send_udp(UdpSettings(**settings), sender.pack(beat, UDP_LIMIT))
            sent += 1
    return FirstBeat(beat.incarnation, own_nonce, memory, sent, tuple(descriptors))


def _saved_beat(document: dict[str, Any]) -> Beat:
    """Return the beat. Its key may have been removed since; who could change this file could read the keys as well."""
    data = bytes.fromhex(document["beat"])
    return decode(data, names_by_tag((*document["names"], document["peer"]))).beat


def _saved_memory(document: dict[str, Any]) -> ReceiverMemory:
    """Return what the daemon before us knew of the peer. An earlier program did not write all of it."""
    return ReceiverMemory(
        bytes.fromhex(document["peer_nonce"]),
        tuple(map(bytes.fromhex, document.get("peer_held", ()))),
        int(document.get("peer_key_id", 0)),
        int(document.get("peer_knows", 0)),
    )


def _send_udp(settings: UdpSettings, data: bytes) -> None:
    with open_socket(settings) as opened:
        opened.sendto(data, peer_sockaddr(settings))


def _send_serial(settings: SerialSettings, data: bytes) -> int:
    """Return the open port. This does the minimum that carries one frame; pyserial sets the port up fully later."""
    descriptor = os.open(settings.device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        attributes = termios.tcgetattr(descriptor)
        speed = getattr(termios, f"B{settings.baud}", attributes[5])
        attributes[:6] = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, speed, speed]
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
        os.write(descriptor, frame(data))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _present_boot_id() -> str:
    with open(_BOOT_ID_FILE, encoding="ascii") as file:
        return file.read().strip().replace("-", "")


def _path(run_directory: str) -> str:
    return f"{run_directory}/state/first_beat.json"


def _decoded(state: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(state)
    return document


def _read_keys(key_file: str) -> tuple[Key, ...]:
    with open(key_file, encoding="ascii") as file:
        return parse_keys(file.read(_KEY_FILE_SIZE_MAX), key_file)


def _write(run_directory: str, document: dict[str, Any]) -> None:
    write_state(_path(run_directory), json.dumps(document).encode(), sync=False)
