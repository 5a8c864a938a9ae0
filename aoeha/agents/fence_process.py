"""Any installed fence_* program as one of our fence agents: `type = "external:fence_apc_snmp"`.

How it is called follows ClusterLabs' fence-agents (doc/FenceAgentAPI.md): no words on the command line, where
everybody could read passwords, but name=value lines on standard input. What counts is stricter than there, because
exit code 2 means "off" in that interface and "bad arguments" in some of its programs, in anything built on argparse,
and in shells: OFF is exit code 2 *and* `Status: OFF`, ON is 0 *and* `Status: ON`, everything else is UNKNOWN.

What no caller can detect: a program that reports a wrong state consistently. Debian's fence_dummy reads "off" while
its state file is missing, then answers `off` with 0 because the plug "already" is off, and `status` confirms it. Such
a device shows only while a node is known to be alive: its plug must then read ON.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from aoeha.agents.fence_metadata import FenceMetadata, Value, is_secret, read_metadata
from aoeha.agents.interface import AgentError, FenceAgent, Parameters
from aoeha.agents.parameters import ParameterError
from aoeha.agents.running import said, try_run
from aoeha.agents.secret_file import SecretFile, SecretFileError, read_secret
from aoeha.core.model.task import PlugState
from aoeha.io.blocking import shared_call
from aoeha.io.host import Completed, Host

__all__ = ["NEEDED_ACTIONS", "FenceProcess", "FenceProcessParameters"]

# Upper bounds only: the daemon cancels at the `timeout` of the [[fence]] table. Some devices take minutes.
_SWITCH_LIMIT_MS = 300_000
_READ_LIMIT_MS = 60_000
_SECRET_LIMIT_MS = 2_000

_ANYTHING_BUT_ON_IS_OFF = (
    *("fence_apc_snmp", "fence_cisco_mds", "fence_emerson", "fence_ibmblade", "fence_ifmib", "fence_intelmodular"),
    *("fence_ipdu", "fence_tripplite_snmp"),
)
"""Programs of fence-agents 4.12.1 that call a plug off whenever their device does not say that it is on, also when it
says that it has no such plug (read in their sources; seen of the first, against net-snmp's snmpd)."""

_OPTION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)
_RESERVED = ("action", "option", "plug")
_STATUS = re.compile(r"^\s*Status:\s*(\S+)\s*$", re.MULTILINE | re.IGNORECASE)
NEEDED_ACTIONS = ("on", "off", "status", "monitor")


class FenceProcessParameters(Parameters, frozen=True):
    """The program's own options (`fence_x -o metadata` lists them). A value may be `{ file = "/path" }`."""

    options: dict[str, Value]

    def __post_init__(self) -> None:
        """Refuse what can't be a line, or would change the meaning of another one."""
        for name, value in self.options.items():
            if not _OPTION_NAME.fullmatch(name):
                raise ValueError(f"{name}: expected a name of letters, digits, _ and -")
            if name in _RESERVED:
                raise ValueError(f"{name}: this option is set by aoeha itself; plugs belong into `plug`")
            if is_secret(name) and not isinstance(value, SecretFile):
                raise ValueError(
                    f"{name}: a secret may not stand here, where others read it; put it into a file of its own "
                    f'(chmod 600) and write {name} = {{ file = "/etc/aoeha/{name}" }}'
                )
            if isinstance(value, str) and not value.isprintable():
                raise ValueError(f"{name}: expected one line of printable text")


@dataclass(frozen=True, slots=True)
class _Options:
    """Lines for standard input, and the secret texts in them."""

    lines: tuple[str, ...]
    secrets: tuple[str, ...]


class FenceProcess(FenceAgent[FenceProcessParameters]):
    """Runs a fence_* program for each order and each reading.

    Secrets are read from their files once, at the first use, so that a later reading needs no disk. They are never in
    a command line, an environment, a log or an error sentence.
    """

    parameters_type = FenceProcessParameters
    summary = "an installed fence_* program"

    def __init__(self, name: str, program: str, table: Mapping[str, Any], host: Host) -> None:
        """`program` is a name that `host.run` finds or a path. ParameterError for options that can't be given."""
        parameters = _parameters(table)
        super().__init__(name, parameters, host)
        self.program = program
        self.fault = ""
        """Why the last status was UNKNOWN, as a sentence; empty when it was not."""
        self._options: _Options | None = None

    async def power_off(self, plug: str) -> None:
        """Return when the program said that the plug is off (its exit code 0)."""
        await self._must("off", plug, _SWITCH_LIMIT_MS)

    async def power_on(self, plug: str) -> None:
        """Return when the program said that the plug is on."""
        await self._must("on", plug, _SWITCH_LIMIT_MS)

    async def status(self, plug: str) -> PlugState:
        """Read the plug. UNKNOWN unless exit code and printed word agree; `fault` then says why."""
        try:
            completed = await self._run("status", plug, _READ_LIMIT_MS)
        except AgentError as fault:
            self.fault = str(fault)
            return PlugState.UNKNOWN
        words = {word.upper() for word in _STATUS.findall(completed.stdout)}
        state = {(0, "ON"): PlugState.ON, (2, "OFF"): PlugState.OFF}.get(
            (completed.returncode, "".join(words) if len(words) == 1 else ""), PlugState.UNKNOWN
        )
        self.fault = ""
        if state is PlugState.UNKNOWN:
            shown = f"printed {' and '.join(sorted(words)) or 'no status'}, ended with code {completed.returncode}"
            self.fault = f"cannot tell whether plug {plug} is on: {self.program} {shown}: {said(completed)}"
        return state

    async def monitor(self, plug: str = "") -> None:
        """Return when the program says that its device can be reached. Where plugs are addresses, it needs one."""
        await self._must("monitor", plug if self.plugs_are_addresses else "", _READ_LIMIT_MS)

    @property
    def plugs_are_addresses(self) -> bool:
        """Whether the program is told that a plug is the address of the device itself, as for BMCs."""
        return str(self.parameters.options.get("port_as_ip", "")).lower() in ("true", "1", "yes", "on")

    async def metadata(self) -> FenceMetadata:
        """Return what the program says of itself. AgentError when it can't."""
        completed = await self._run("metadata", "", _READ_LIMIT_MS, options=False)
        if completed.returncode != 0:
            raise AgentError(f"cannot read the metadata of {self.program}: {said(completed)}")
        try:
            return read_metadata(completed.stdout)
        except ValueError as fault:
            raise AgentError(f"cannot read the metadata of {self.program}: {fault}") from None

    def misfits(self, described: FenceMetadata) -> tuple[str, ...]:
        """Return why this program could not give a proof, or does not take these options: the key first, if one is.

        Programs ignore options that they don't know, so a misspelt one shows here only.
        """
        findings = described.misfits(self.parameters.options)
        if lacking := described.lacks(NEEDED_ACTIONS):
            findings = (f"cannot fence with {described.name}: it has no action {', '.join(lacking)}", *findings)
        return findings

    def ignores_plugs(self, described: FenceMetadata) -> str:
        """Return why this program switches the same machine whatever the plug, or '' where it looks at the plug.

        A BMC has no plugs. The programs for those take one as the BMC's address, but only if they are told so and know
        no other: otherwise a gateway that is told to fence its peer would switch itself off, and read the peer as off.
        """
        if not described.takes_plugs_as_addresses:
            return ""
        way = 'write ip = { NODE = "...", NODE = "..." } in its parameters'
        if not self.plugs_are_addresses:
            return f"{described.name} switches the machine at `ip`, whatever the plug; {way}"
        if self.parameters.options.keys() & {"ip", "ipaddr"}:
            return f"{described.name} ignores the plug where `ip` is set; {way}, or remove `ip`"
        return ""

    def doubts(self, described: FenceMetadata) -> tuple[str, ...]:
        """Return what should make a human think again, as `misfits` does: old words, and programs that believe."""
        findings = described.outdated(self.parameters.options)
        if described.name in _ANYTHING_BUT_ON_IS_OFF:
            doubt = f"{described.name} calls a plug off that its device does not know, or says nothing clear about"
            mend = "look that both plugs read ON while both gateways live; see docs/fencing-devices.md"
            findings = (f"{doubt}: {mend}", *findings)
        return findings

    async def validate(self, plug: str) -> None:
        """Raise AgentError when this program could not give a proof, or does not know or want these options."""
        described = await self.metadata()
        if findings := self.misfits(described):
            raise AgentError("; ".join(findings))
        if not described.lacks(("validate-all",)):
            await self._must("validate-all", plug, _READ_LIMIT_MS)

    async def _must(self, action: str, plug: str, limit_ms: int) -> None:
        completed = await self._run(action, plug, limit_ms)
        if completed.returncode != 0:
            raise AgentError(f"cannot {_in_words(action, plug)}: {said(completed)}")

    async def _run(self, action: str, plug: str, limit_ms: int, *, options: bool = True) -> Completed:
        if not plug.isprintable():
            raise AgentError(f"cannot {action} plug {plug!r}: expected one line of printable text")
        chosen = await self._load_options() if options else _Options((), ())
        # Programs older than the word plug call it port; one that has a port of another kind has it in its options.
        names = ("plug",) if "port" in self.parameters.options else ("plug", "port")
        plugs = tuple(f"{name}={plug}" for name in names if plug)
        stdin = "".join(f"{line}\n" for line in (f"action={action}", *plugs, *chosen.lines))
        to = _in_words(action, plug)
        completed = await try_run(self.host, self.program, deadline_ms=limit_ms, to=to, stdin=stdin)
        return replace(
            completed,
            stdout=_redacted(completed.stdout, chosen.secrets),
            stderr=_redacted(completed.stderr, chosen.secrets),
        )

    async def _load_options(self) -> _Options:
        if self._options is None:
            lines, secrets = [], []
            for name, value in self.parameters.options.items():
                if isinstance(value, SecretFile):
                    secret = await self._secret(name, value)
                    secrets.append(secret)
                    lines.append(f"{name}={secret}")
                else:
                    lines.append(f"{name}={int(value) if isinstance(value, bool) else value}")
            self._options = _Options(tuple(lines), tuple(secrets))
        return self._options

    async def _secret(self, name: str, source: SecretFile) -> str:
        key = f"reading {source.file}"
        try:
            return await shared_call(key, lambda: read_secret(source), deadline_ms=_SECRET_LIMIT_MS)
        except (SecretFileError, TimeoutError) as fault:
            raise AgentError(f"cannot give {self.program} its option {name}: {fault}") from None


def _parameters(table: Mapping[str, Any]) -> FenceProcessParameters:
    options, findings = {}, []
    for key, value in table.items():
        try:
            options[key] = msgspec.convert(value, Value)
        except ValueError:
            findings.append(f'{key}: expected text, a number, true or false, or {{ file = "/path" }}')
    if not findings:
        try:
            return FenceProcessParameters(options=options)
        except ValueError as fault:
            findings.append(str(fault))
    raise ParameterError(tuple(findings))


def _in_words(action: str, plug: str) -> str:
    return f"{action} plug {plug}" if plug else action


def _redacted(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
