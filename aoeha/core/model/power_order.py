"""A power order of an operator, while it is carried out."""

from dataclasses import dataclass
from enum import Enum


class PowerAct(Enum):
    """What was ordered. `VERIFY` switches the standby's power off and on again; `TEST` only reads."""

    OFF = "off"
    ON = "on"
    REBOOT = "reboot"
    VERIFY = "verify"
    TEST = "test"


TAKING = (PowerAct.OFF, PowerAct.REBOOT, PowerAct.VERIFY)
"""The orders that switch power off."""


class OrderStage(Enum):
    """The progress of an order. While it is `GOING_OFF` the fence carries it out."""

    GOING_OFF = "going off"
    OFF = "off"
    GOING_ON = "going on"
    READING = "reading"


@dataclass(frozen=True)
class PowerOrder:
    """One order. No client waits any more where `command_id` is 0.

    `anyway`: also during a pause. `level` limits a VERIFY. `tasks` maps a running task to its device. `found` are
    sentences for the answer, `failed` the first fault. `off_since_ms` is when the peer was proven off. `switched` names
    the devices that were ordered to restore power.
    """

    act: PowerAct
    stage: OrderStage
    user: str
    command_id: int
    answer_by_ms: int
    anyway: bool = False
    level: int = 0
    tasks: tuple[tuple[int, str], ...] = ()
    found: tuple[str, ...] = ()
    failed: str = ""
    off_since_ms: int = 0
    switched: tuple[str, ...] = ()

    @property
    def takes_power(self) -> bool:
        """Whether the order switches the peer off: the peer is promised nothing meanwhile."""
        return self.act in TAKING
