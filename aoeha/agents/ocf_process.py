"""Any installed OCF resource agent as one of ours: `type = "ocf:heartbeat:Dummy"`.

Environment and exit codes by the OCF resource agent API 1.1; what real agents expect beyond it (OCF_FUNCTIONS_DIR,
HA_RSCTMP, the CRM_meta names) as Debian's resource-agents package reads it.
"""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from aoeha.agents.interface import AgentError, LateError, Observation, Parameters, ResourceAgent
from aoeha.agents.ocf_codes import OcfCode, status_of
from aoeha.agents.parameters import ParameterError
from aoeha.agents.running import said
from aoeha.agents.time_left import time_left_ms
from aoeha.core.model.task import ResourceStatus
from aoeha.io.host import Completed

__all__ = ["OcfParameters", "OcfProcess", "ocf_agent"]

OCF_ROOT = Path("/usr/lib/ocf")
REASON_PREFIX = "ocf-exit-reason:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class OcfParameters(Parameters, frozen=True):
    """Whatever the agent takes, as strings."""

    values: dict[str, str]


class OcfProcess(ResourceAgent[OcfParameters]):
    """Runs the program for each action. Subclasses made by `ocf_agent` know which one."""

    parameters_type = OcfParameters
    summary = "an installed OCF resource agent"
    provider: ClassVar[str]
    kind: ClassVar[str]
    program: ClassVar[Path]

    @classmethod
    def typed(cls, table: Mapping[str, Any]) -> OcfParameters:
        """Take any name with a plain value. Raises ParameterError for lists and tables, which OCF cannot carry."""
        wrong = tuple(f"{key}: expected a string, number or true/false" for key in table if not _plain(table[key]))
        if wrong:
            raise ParameterError(wrong)
        return OcfParameters(values={key: _as_string(value) for key, value in table.items()})

    async def start(self) -> None:
        """Perform `start`."""
        await self._must("start")

    async def stop(self) -> None:
        """Perform `stop`."""
        await self._must("stop")

    async def monitor(self) -> Observation:
        """Perform `monitor`. An agent whose software is not installed has nothing running."""
        completed = await self._perform("monitor")
        status = status_of(completed.returncode)
        plain = status in (ResourceStatus.RUNNING, ResourceStatus.STOPPED)
        return Observation(status, "" if plain else _reason(completed))

    async def validate(self) -> None:
        """Perform `validate-all`; an agent without it has nothing to say."""
        completed = await self._perform("validate-all")
        if completed.returncode not in (OcfCode.SUCCESS, OcfCode.UNIMPLEMENTED):
            raise AgentError(f"ocf:{self.provider}:{self.kind} refuses its parameters: {_reason(completed)}")

    async def _must(self, action: str) -> None:
        completed = await self._perform(action)
        if completed.returncode != OcfCode.SUCCESS:
            raise AgentError(f"cannot {action} ocf:{self.provider}:{self.kind}: {_reason(completed)}")

    async def _perform(self, action: str) -> Completed:
        # A probe is told by its interval.
        deadline_ms = time_left_ms()
        settings = self._environment(action, deadline_ms)
        try:
            return await self.host.run(str(self.program), action, deadline_ms=deadline_ms, environment=settings)
        except TimeoutError as error:
            raise LateError(f"cannot {action} ocf:{self.provider}:{self.kind}: {error}") from None
        except OSError as error:
            raise AgentError(f"cannot {action} ocf:{self.provider}:{self.kind}: {error}") from None

    def _environment(self, action: str, deadline_ms: int) -> dict[str, str]:
        scratch = self.host.place.run_directory / "ocf"
        try:
            scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AgentError(f"cannot make {scratch} for OCF agents: {error.strerror}") from None
        return {
            "OCF_ROOT": str(OCF_ROOT),
            "OCF_RA_VERSION_MAJOR": "1",
            "OCF_RA_VERSION_MINOR": "1",
            "OCF_RESOURCE_INSTANCE": self.name,
            "OCF_RESOURCE_TYPE": self.kind,
            "OCF_RESOURCE_PROVIDER": self.provider,
            "OCF_CHECK_LEVEL": "0",
            "OCF_FUNCTIONS_DIR": str(OCF_ROOT / "lib" / "heartbeat"),
            "OCF_EXIT_REASON_PREFIX": REASON_PREFIX,
            "OCF_RESKEY_CRM_meta_interval": "0",
            "OCF_RESKEY_CRM_meta_timeout": str(deadline_ms),
            "OCF_RESKEY_CRM_meta_name": action,
            "HA_RSCTMP": str(scratch),
        } | {f"OCF_RESKEY_{key}": value for key, value in self.parameters.values.items()}


@functools.cache
def ocf_agent(provider: str, kind: str) -> type[OcfProcess]:
    """Return the class that runs this installed agent. Raises LookupError with a sentence when there is none."""
    program = OCF_ROOT / "resource.d" / provider / kind
    if not (_NAME.fullmatch(provider) and _NAME.fullmatch(kind) and program.is_file()):
        raise LookupError(f"there is no OCF agent {program}; install its package (Debian: resource-agents)")
    summary = f"the installed OCF agent ocf:{provider}:{kind}"
    return type(
        f"Ocf_{provider}_{kind}",
        (OcfProcess,),
        {"provider": provider, "kind": kind, "program": program, "summary": summary},
    )


def _reason(completed: Completed) -> str:
    """Return what the agent wrote for the operator, else the last that it said."""
    reasons = [
        line.removeprefix(REASON_PREFIX).strip()
        for line in completed.stderr.splitlines()
        if line.startswith(REASON_PREFIX)
    ]
    code = completed.returncode
    name = OcfCode(code).name.replace("_", " ").lower() if code in set(OcfCode) else "no OCF code"
    return f"{'; '.join(reasons) or said(completed)} (code {code}, {name})"


def _plain(value: object) -> bool:
    return isinstance(value, (str, int, float))


def _as_string(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
