"""Listens for adverts of targets: vblade and similar ones broadcast their parameters when they start (AoE §3.1).

A restarted target has lost its reservation. The sooner it is reserved again, the shorter it is open to every host.
"""

from collections.abc import Callable, Iterable, Mapping

from aoeha.fabric.aoe.filters import FrameFilter
from aoeha.fabric.aoe.frames import BROADCAST, Config, Frame
from aoeha.fabric.aoe.port import AoeError, Port

__all__ = ["Adverts"]

REST_MS = 50
"""A storm of adverts is read in pieces: it must not take the processor from what protects."""

Heard = Callable[[str, str], None]
"""Takes a leg's name ("e1.0") and the address as the configuration writes it."""


class Adverts:
    """Listens on the storage interfaces for the targets of our legs. `targets` maps each leg to its MAC addresses."""

    def __init__(self, interfaces: Iterable[str], targets: Mapping[str, Iterable[bytes]], heard: Heard) -> None:
        self._ports: dict[str, Port | None] = dict.fromkeys(interfaces)
        self._legs = {(leg, mac) for leg, macs in targets.items() for mac in macs}
        self._heard = heard

    def listen(self) -> str:
        """Open all interfaces that are not open. Return why one cannot be, or an empty string. May be called again."""
        fault = ""
        for name, port in self._ports.items():
            if port is not None:
                continue
            try:
                opened = Port(name, self._receive, FrameFilter.ADVERTS, REST_MS)
            except AoeError as error:
                fault = str(error)
                continue
            opened.listen()
            self._ports[name] = opened
        return fault

    def close(self) -> None:
        """Close all sockets."""
        for name, port in self._ports.items():
            if port is not None:
                port.close()
            self._ports[name] = None

    def _receive(self, _port: Port, frame: Frame) -> bool:
        """Tell an advert from an answer to a query.

        An advert has the tag 0, like an answer to the kernel driver's own discovery, and goes to everybody.
        """
        leg = str(frame.target)
        if (
            frame.tag
            or frame.destination != BROADCAST
            or not frame.response
            or not isinstance(frame.body, Config)
            or (leg, frame.source) not in self._legs
        ):
            return False
        self._heard(leg, frame.source.hex(":"))
        return True
