"""A shelf: AoE targets that answer, lose their reservations, and keep out the hosts that they are told to keep out.

What it does is what Debian's vblade does (measured; tests/contract/test_sim_shelf_vblade.py holds both against each
other): a reservation is a list of hosts for each target address, kept in memory. The holder may change it, anybody may
force it, and a restart empties it. Config strings can be set by anybody, whoever holds the reservation.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import partial
from random import Random

__all__ = ["CONFIG_MAX", "Address", "Answer", "Shelf"]

CONFIG_MAX = 1_024
"""A longer config string gets no answer at all."""

STRING_PRESENT, RESERVED = 4, 6
"""AoE's error codes, as vblade uses them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an address says: error 0 for done, and the list or the string as it is afterwards."""

    error: int = 0
    holders: tuple[str, ...] = ()
    string: bytes = b""


@dataclass(slots=True)
class Address:
    """One place at which a target can be asked. Two addresses of one disk know nothing of each other.

    `slow_ms` is how long it takes over each answer, at least and at most. Every method returns None for silence.
    """

    name: str
    answers: bool = True
    holders: tuple[str, ...] = ()
    string: bytes = b""
    slow_ms: tuple[int, int] = (0, 0)
    started: Callable[[str], None] = field(default=lambda _name: None)

    def takes_ms(self, random: Random) -> int:
        """How long it takes over the next answer."""
        least, most = self.slow_ms
        return random.randint(least, most) if most > least else least

    def read_reservation(self) -> Answer | None:
        """Tell any host which hosts hold it."""
        return Answer(0, self.holders) if self.answers else None

    def set_reservation(self, host: str, holders: tuple[str, ...]) -> Answer | None:
        """Let a holder, or any host where there is none, name the next holders. An empty list releases it."""
        if not self.admits(host):
            return Answer(RESERVED, self.holders) if self.answers else None
        return self.force_reservation(host, holders)

    def force_reservation(self, _host: str, holders: tuple[str, ...]) -> Answer | None:
        """Let any host name the next holders."""
        if not self.answers:
            return None
        self.holders = holders
        return Answer(0, holders)

    def admits(self, host: str) -> bool:
        """Whether reads and writes of this host are served."""
        return self.answers and (not self.holders or host in self.holders)

    def read_config(self) -> Answer | None:
        """Tell any host the config string."""
        return Answer(0, string=self.string) if self.answers else None

    def test_config(self, string: bytes, *, prefix: bool = False) -> Answer | None:
        """Answer only if the string is this one, or begins so."""
        same = self.string.startswith(string) if prefix else self.string == string
        return self.read_config() if same else None

    def set_config(self, string: bytes, *, force: bool = False) -> Answer | None:
        """Set the string where there is none, or where it is this one already; by force in any case."""
        if not self.answers or len(string) > CONFIG_MAX:
            return None
        if self.string not in (b"", string) and not force:
            return Answer(STRING_PRESENT, string=self.string)
        self.string = string
        return Answer(0, string=string)

    def restart(self, *, holding: bool = False) -> None:
        """Restart and announce that to every host on the wire. It remembers nothing, unless it is `holding` that."""
        if not holding:
            self.holders, self.string = (), b""
        self.answers = True
        self.started(self.name)


class Shelf:
    """One shelf with one disk for each group, behind one address or several."""

    def __init__(self, name: str, groups: tuple[str, ...], paths: int = 1) -> None:
        self.name = name
        self.addresses = {group: tuple(Address(f"{name}/{path + 1}") for path in range(paths)) for group in groups}
        self.reports_errors = False

    @property
    def answers(self) -> bool:
        """Whether anything on it answers."""
        return any(address.answers for addresses in self.addresses.values() for address in addresses)

    def fall_silent(self) -> None:
        """Answer no host, and forget nothing."""
        self._each(lambda address: setattr(address, "answers", False))

    def answer_again(self) -> None:
        """Continue as before the silence, the errors or the slowness."""
        self.reports_errors = False
        self._each(lambda address: setattr(address, "answers", True))
        self.slow_down((0, 0))

    def fail(self) -> None:
        """Answer every write with an error from now on, as a disk does that has bad sectors."""
        self.reports_errors = True

    def slow_down(self, slow_ms: tuple[int, int], names: Container[str] = ()) -> None:
        """Take so long over each answer from now on, at these addresses, or at all of them."""
        self._each(lambda address: setattr(address, "slow_ms", slow_ms), names)

    def restart(self, *, holding: bool = False) -> None:
        """Lose power, or all target processes, and come back."""
        self._each(partial(Address.restart, holding=holding))

    def _each(self, act: Callable[[Address], None], names: Container[str] = ()) -> None:
        """Do something to every address, or to these."""
        for addresses in self.addresses.values():
            for address in addresses:
                if not names or address.name in names:
                    act(address)
