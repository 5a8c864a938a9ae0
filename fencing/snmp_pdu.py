#!/usr/bin/env python3
"""Rack PDUs that speak SNMP, asked by net-snmp's own programs. Executed, this file is a fence_* program.

Debian's fence_apc_snmp is not enough: it takes everything but "on" for off, the answer "no such outlet" too, which a
strip gives for a mistyped number or while its outlets are lost to it (measured). Here a plug is off only where the
strip says the very number that its MIB has for off. Numbers by PowerNet-MIB (APC), EATON-EPDU-MIB and PDU2-MIB
(Raritan), as other public programs use them.

Community, user and passwords stand in a file of net-snmp's own, snmp.conf, which only its programs read.
"""

import ipaddress
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from aoeha.agents.duration_type import Duration
from aoeha.agents.fence_cli import fence_main
from aoeha.agents.interface import AgentError, FenceAgent, Parameters
from aoeha.agents.running import said, try_run
from aoeha.agents.secret_file import SecretFileError, read_private
from aoeha.core.model.task import PlugState
from aoeha.io.blocking import shared_call
from aoeha.io.host import Completed, Host

PLUG_SHAPE = re.compile(r"[0-9]{1,9}", re.ASCII)
PROGRAM_PATIENCE_MS = 1_000
FILE_PATIENCE_MS = 2_000
ANSWER_ONCE = "-Onqe"
"""One line an answer: the object's number, a blank, the bare value."""


@dataclass(frozen=True, slots=True)
class Family:
    """Where a kind of strip keeps its outlets: columns of tables, to which the outlet's number is added.

    `on` and `off` are what `state` says; `to_on` and `to_off` the column to set, with the value.
    """

    names: str
    state: str
    on: str
    off: str
    to_on: tuple[str, int]
    to_off: tuple[str, int]


FAMILIES = {
    "apc_rpdu": Family(
        ".1.3.6.1.4.1.318.1.1.12.3.5.1.1.2",
        *(".1.3.6.1.4.1.318.1.1.12.3.5.1.1.4", "1", "2"),
        *((".1.3.6.1.4.1.318.1.1.12.3.3.1.1.4", 1), (".1.3.6.1.4.1.318.1.1.12.3.3.1.1.4", 2)),
    ),
    "apc_rpdu2": Family(
        ".1.3.6.1.4.1.318.1.1.26.9.2.3.1.3",
        *(".1.3.6.1.4.1.318.1.1.26.9.2.3.1.5", "2", "1"),
        *((".1.3.6.1.4.1.318.1.1.26.9.2.4.1.5", 1), (".1.3.6.1.4.1.318.1.1.26.9.2.4.1.5", 2)),
    ),
    "eaton_epdu": Family(
        ".1.3.6.1.4.1.534.6.6.7.6.1.1.3.0",
        *(".1.3.6.1.4.1.534.6.6.7.6.6.1.2.0", "1", "0"),
        *((".1.3.6.1.4.1.534.6.6.7.6.6.1.4.0", 0), (".1.3.6.1.4.1.534.6.6.7.6.6.1.3.0", 0)),
    ),
    "raritan_px2": Family(
        ".1.3.6.1.4.1.13742.6.3.5.3.1.3.1",
        *(".1.3.6.1.4.1.13742.6.4.1.2.1.3.1", "7", "8"),
        *((".1.3.6.1.4.1.13742.6.4.1.2.1.2.1", 1), (".1.3.6.1.4.1.13742.6.4.1.2.1.2.1", 0)),
    ),
}


class SnmpPduParameters(Parameters, frozen=True):
    """Which strip, of which family, and the file that opens it."""

    address: Annotated[str, Meta(description="IP address of the strip")]
    family: Annotated[
        Literal["apc_rpdu", "apc_rpdu2", "eaton_epdu", "raritan_px2"],
        Meta(description="apc_rpdu, apc_rpdu2, eaton_epdu or raritan_px2"),
    ]
    credentials: Annotated[
        str, Meta(description="net-snmp's snmp.conf for this strip (snmp.conf(5): defVersion ...), mode 600")
    ]
    port: Annotated[int, Meta(ge=1, le=65535, description="UDP port of the strip")] = 161
    deadline: Annotated[Duration, Meta(description='how long the strip may take for an answer, like "4s"')] = 4_000

    def __post_init__(self) -> None:
        """Refuse names, because fencing must not wait for a name server, and files that net-snmp would not find."""
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            raise ValueError(f'address: expected an IP address like "192.0.2.7", got "{self.address}"') from None
        if not self.credentials.startswith("/") or not self.credentials.endswith("/snmp.conf"):
            raise ValueError(f'credentials: expected a path that ends in "/snmp.conf", got "{self.credentials}"')


class SnmpPdu(FenceAgent[SnmpPduParameters]):
    """Switches the outlets of a rack PDU by number, and believes only the numbers that its MIB has for on and off."""

    parameters_type: ClassVar[type[Parameters]] = SnmpPduParameters
    summary: ClassVar[str] = "Rack PDU that speaks SNMP: APC, Eaton, Raritan"

    def __init__(self, name: str, parameters: SnmpPduParameters, host: Host) -> None:
        super().__init__(name, parameters, host)
        self.fault = ""
        """Why the last status was UNKNOWN, as a sentence; empty when it was not."""
        self._family = FAMILIES[parameters.family]

    async def power_off(self, plug: str) -> None:
        """Return when the strip took the order."""
        await self._order("off", plug, self._family.to_off)

    async def power_on(self, plug: str) -> None:
        """Return when the strip took the order."""
        await self._order("on", plug, self._family.to_on)

    async def status(self, plug: str) -> PlugState:
        """Read the plug. UNKNOWN for everything but its family's numbers for on and off; `fault` then says why."""
        to = f"read plug {plug}"
        try:
            wanted = self._object(self._family.state, plug, to)
            completed = await self._ask("snmpget", to, wanted)
        except AgentError as fault:
            self.fault = str(fault)
            return PlugState.UNKNOWN
        answer = completed.stdout.strip()
        states = {f"{wanted} {self._family.on}": PlugState.ON, f"{wanted} {self._family.off}": PlugState.OFF}
        state = states.get(answer, PlugState.UNKNOWN)
        said_so = answer.removeprefix(f"{wanted} ") or "nothing"
        self.fault = f'cannot {to}: {self._strip} answered "{said_so}"' if state is PlugState.UNKNOWN else ""
        return state

    async def monitor(self) -> None:
        """Return when the strip tells its outlets."""
        await self.plugs()

    async def plugs(self) -> Mapping[str, str]:
        """Return the outlets with the names that the strip has for them."""
        column = self._family.names
        completed = await self._ask("snmpwalk", "list the outlets", column)
        pairs = (line.removeprefix(f"{column}.").partition(" ") for line in completed.stdout.splitlines())
        found = {number: name.strip().strip('"') for number, _, name in pairs if PLUG_SHAPE.fullmatch(number)}
        if not found:
            raise AgentError(f"cannot list the outlets: {self._strip} tells none; is it of the family that is named?")
        return found

    async def validate(self, plug: str) -> None:
        """Raise AgentError when no outlet can be called so, or the credentials can't be used. The strip isn't asked."""
        to = f"use plug {plug}" if plug else "use the strip"
        if plug:
            self._object(self._family.state, plug, to)
        await self._credentials_folder(to)

    @property
    def _strip(self) -> str:
        return f"the strip at {self.parameters.address} port {self.parameters.port}"

    def _object(self, column: str, plug: str, to: str) -> str:
        if not PLUG_SHAPE.fullmatch(plug):
            raise AgentError(f"cannot {to}: plugs of this strip are numbers; `monitor` and `list` show them")
        return f"{column}.{plug}"

    async def _order(self, verb: str, plug: str, order: tuple[str, int]) -> None:
        column, value = order
        to = f"switch plug {plug} {verb}"
        await self._ask("snmpset", to, self._object(column, plug, to), "i", str(value))

    async def _ask(self, program: str, to: str, *words: str) -> Completed:
        """Run one of net-snmp's programs. AgentError unless it says that the strip answered."""
        folder = await self._credentials_folder(to)
        address = self.parameters.address
        agent = f"udp6:[{address}]" if ":" in address else f"udp:{address}"
        # A lost datagram is sent again once; both together stay within the deadline.
        patience = ("-r", "1", "-t", str(self.parameters.deadline / 2000))
        completed = await try_run(
            self.host,
            *(program, "-m", "", ANSWER_ONCE, *patience, f"{agent}:{self.parameters.port}", *words),
            deadline_ms=self.parameters.deadline + PROGRAM_PATIENCE_MS,
            to=to,
            environment={"SNMPCONFPATH": folder},
        )
        if completed.returncode != 0:
            raise AgentError(f"cannot {to}: {self._strip}: {said(completed)}; alive, cabled, and the right password?")
        return completed

    async def _credentials_folder(self, to: str) -> str:
        path = self.parameters.credentials
        try:
            await shared_call(f"reading {path}", lambda: read_private(path), deadline_ms=FILE_PATIENCE_MS)
        except (SecretFileError, TimeoutError) as fault:
            raise AgentError(f"cannot {to}: {fault}") from None
        return path.removesuffix("/snmp.conf")


if __name__ == "__main__":
    sys.exit(fence_main(SnmpPdu))
