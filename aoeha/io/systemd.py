"""What systemd is told: ready, the present sentence, alive, stopping, and journal entries with fields of their own."""

import os
import socket
from collections.abc import Mapping

from aoeha.core.model.text import one_line

__all__ = ["JournalSocket", "ServiceManager", "journal_of"]

STATUS_BYTES_MAX = 512
JOURNAL_SOCKET = "/run/systemd/journal/socket"


class JournalSocket:
    """The native protocol of systemd's journal: one datagram an entry, one `NAME=value` a line."""

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def send(self, priority: int, message: str, fields: Mapping[str, str]) -> bool:
        """Write an entry without waiting; tells whether the journal took it. No value may hold a newline."""
        entry = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "aoeha", **fields}
        try:
            self._socket.sendto("".join(f"{name}={value}\n" for name, value in entry.items()).encode(), self._path)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


def journal_of(descriptor: int, environment: Mapping[str, str], path: str = JOURNAL_SOCKET) -> JournalSocket | None:
    """Return the journal if `descriptor` leads there, as $JOURNAL_STREAM tells (systemd.exec(5)), else None."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    status = os.fstat(descriptor)
    if (device, inode) != (str(status.st_dev), str(status.st_ino)):
        return None
    return JournalSocket(path)


class ServiceManager:
    """The notification socket of sd_notify(3). Never blocks and never fails: a full socket drops the message."""

    def __init__(self, environment: dict[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._socket: socket.socket | None = None
        self.watchdog_ms = _watchdog_ms(environment)
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def ready(self) -> None:
        """Say that the daemon serves."""
        self._send(f"READY=1\nMAINPID={os.getpid()}")

    def status(self, words: str) -> None:
        """Set the sentence that `systemctl status` shows."""
        line = one_line(words).encode()[:STATUS_BYTES_MAX].decode(errors="ignore")
        self._send(f"STATUS={line}")

    def stopping(self) -> None:
        """Say that the daemon hands over and ends."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed systemd's watchdog for this service."""
        if self.watchdog_ms:
            self._send("WATCHDOG=1")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> None:
        if not self._socket:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError:
            # The service manager is being restarted or does not read: what it is told is for show.
            return


def _watchdog_ms(environment: dict[str, str]) -> int:
    """Return systemd's watchdog time-out for this process, 0 for none (sd_watchdog_enabled(3))."""
    microseconds, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not microseconds.isdigit() or (owner and owner != str(os.getpid())):
        return 0
    return int(microseconds) // 1_000
