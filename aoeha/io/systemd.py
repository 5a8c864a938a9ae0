"""What systemd is told: ready, the present sentence, alive, stopping. Silent when nobody listens."""

import os
import socket

__all__ = ["ServiceManager"]

STATUS_BYTES_MAX = 512


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

    def status(self, sentence: str) -> None:
        """Set the sentence that `systemctl status` shows."""
        line = " ".join(sentence.split()).encode()[:STATUS_BYTES_MAX].decode(errors="ignore")
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
