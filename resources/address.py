"""Resource agent `address`: the service address that clients know.

It is added over netlink and announced five times at once and five times again five seconds later: the second round is
for switches and hosts that were still busy with the failure (keepalived's defaults, vrrp_garp_master_repeat 5 and
vrrp_garp_master_delay 5).

Once it was renewed for a while, the kernel removes it by itself at the end of that time: a dead daemon's address
expires.
"""

import asyncio
from contextlib import suppress
from ipaddress import IPv4Interface, IPv6Interface
from typing import Annotated

from msgspec import Meta

from aoeha.agents.capabilities import SharedAddress
from aoeha.agents.interface import AgentError, Observation, Parameters, ResourceAgent
from aoeha.agents.narrow_types import Interface, service_address
from aoeha.agents.ocf_adapter import ocf_main
from aoeha.core.model.task import ResourceStatus
from aoeha.io import netlink
from aoeha.io.address_probe import answering_hardware
from aoeha.io.announce import announce
from aoeha.io.host import Host

ANNOUNCEMENTS = 5
SECOND_ROUND_AFTER_S = 5


class AddressParameters(Parameters, frozen=True):
    """`address` with its prefix length, and the interface that carries it."""

    address: Annotated[str, Meta(description='an address with its prefix length, like "192.0.2.10/24"')]
    interface: Interface

    def __post_init__(self) -> None:
        try:
            service_address(self.address)
        except ValueError as error:
            raise ValueError(f"address: {error}") from None


class AddressAgent(ResourceAgent[AddressParameters], SharedAddress):
    """Adds, announces and removes one address."""

    parameters_type = AddressParameters
    summary = "a service address, IPv4 or IPv6, announced by gratuitous ARP or neighbour advertisements"

    def __init__(self, name: str, parameters: AddressParameters, host: Host) -> None:
        super().__init__(name, parameters, host)
        self._address: IPv4Interface | IPv6Interface = service_address(parameters.address)
        self._second_round: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Add the address and announce it; the second round follows by itself."""
        await self._require_link()
        try:
            await netlink.add_address(self.parameters.interface, self._address)
        except (OSError, TimeoutError) as error:
            raise AgentError(f"cannot add {self._address} to {self.parameters.interface}: {error}") from None
        self._announce()
        self._cancel_second_round()
        self._second_round = asyncio.create_task(self._announce_again(), name=f"announce {self._address.ip}")

    async def renew(self, lifetime_ms: int) -> None:
        """Let the address stay for so long, in whole seconds; 0 for ever. One that is gone stays gone."""
        interface, lifetime_s = self.parameters.interface, -(-lifetime_ms // 1_000) or None
        try:
            if await netlink.renew_address(interface, self._address, lifetime_s):
                return
        except (OSError, TimeoutError) as error:
            raise AgentError(f"cannot renew {self._address} on {interface}: {error}") from None
        raise AgentError(f"cannot renew {self._address} on {interface}: it is not there any more; start it again")

    async def stop(self) -> None:
        """Remove the address."""
        self._cancel_second_round()
        try:
            await netlink.remove_address(self.parameters.interface, self._address)
        except (OSError, TimeoutError) as error:
            raise AgentError(f"cannot remove {self._address} from {self.parameters.interface}: {error}") from None

    async def monitor(self) -> Observation:
        """Look for the address, and whether its interface is up."""
        interface = self.parameters.interface
        try:
            if not await netlink.has_address(interface, self._address):
                return Observation(ResourceStatus.STOPPED)
            if not await netlink.link_is_up(interface):
                return Observation(ResourceStatus.FAILED, f"{interface} is down; run `ip link set {interface} up`")
        except TimeoutError:
            raise AgentError(f"cannot look at {interface}: the kernel does not answer over netlink") from None
        except OSError:
            return Observation(ResourceStatus.STOPPED, f"there is no interface {interface}")
        return Observation(ResourceStatus.RUNNING)

    async def validate(self) -> None:
        """Require the interface, up."""
        await self._require_link()

    async def detect_conflict(self) -> str:
        """Ask the network who has the address; where we have it ourselves, tell everybody so again.

        A host that had it before us may have answered for a moment (a gateway that resumed), and clients believed it.
        For IPv6 our question itself makes it answer to all of them.
        """
        address, interface = self._address.ip, self.parameters.interface
        try:
            answered = await answering_hardware(interface, address)
            if await netlink.has_address(interface, self._address):
                announce(interface, address, 1)
        except (OSError, TimeoutError) as error:
            raise AgentError(f"cannot ask on {interface} who has {address}: {error}") from None
        return answered

    async def _require_link(self) -> None:
        interface = self.parameters.interface
        try:
            if await netlink.link_is_up(interface):
                return
        except (OSError, TimeoutError) as error:
            raise AgentError(f"cannot use {interface} for {self._address}: {error}; see `ip link`") from None
        raise AgentError(f"cannot use {interface} for {self._address}: it is down; run `ip link set {interface} up`")

    async def _announce_again(self) -> None:
        await asyncio.sleep(SECOND_ROUND_AFTER_S)
        # One that has expired meanwhile may be the peer's by now.
        with suppress(OSError, TimeoutError):
            if await netlink.has_address(self.parameters.interface, self._address):
                self._announce()

    def _announce(self) -> None:
        try:
            announce(self.parameters.interface, self._address.ip, ANNOUNCEMENTS)
        except OSError:
            # The address answers all the same; neighbours learn it when their own entries expire.
            return

    def _cancel_second_round(self) -> None:
        if self._second_round is not None:
            self._second_round.cancel()
            self._second_round = None


if __name__ == "__main__":
    ocf_main(AddressAgent)
