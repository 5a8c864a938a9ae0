"""From a type's name in aoeha.toml to the agent's class.

Agents are files, one class each. /etc/aoeha/{resources,fencing}.d comes first, so that a user's own agent works like
ours, then the folders of the source checkout that this package runs from, then what the wheel installed under
share/aoeha (an editable installation leaves copies there, which age). They are loaded by path:
the folders are no packages and never on sys.path, where `fencing` would shadow fence-agents' own module.
"""

import functools
import importlib.util
import inspect
import re
import shutil
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

from aoeha.agents.fence_process import FenceProcess
from aoeha.agents.interface import FenceAgent, ResourceAgent
from aoeha.agents.ocf_process import ocf_agent
from aoeha.io.host import Host
from aoeha.io.processes import SEARCH_PATH
from aoeha.io.templates import CHECKOUT
from aoeha.io.trusted_files import why_untrusted

__all__ = [
    "AgentKind",
    "AgentNotFoundError",
    "agent_files",
    "build_fence_agent",
    "build_resource_agent",
    "known_types",
    "load_fence_agent",
    "load_resource_agent",
]

_TYPE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class AgentKind(Enum):
    """The two kinds of agents; the value names their folder."""

    RESOURCE = "resources"
    FENCE = "fencing"


class AgentNotFoundError(LookupError):
    """There is no such agent, or its file holds none. The message is a sentence."""


def folders(kind: AgentKind, configuration_directory: Path = Path("/etc/aoeha")) -> tuple[Path, ...]:
    """Return where agents of this kind are looked for, in order."""
    return (
        configuration_directory / f"{kind.value}.d",
        *((CHECKOUT / kind.value,) if CHECKOUT is not None else ()),
        Path(sys.prefix, "share", "aoeha", kind.value),
    )


def agent_files(kind: AgentKind) -> tuple[Path, ...]:
    """Return the file of each type, sorted by type; of several with one name the one that would be loaded."""
    found = {path.stem: path for folder in reversed(folders(kind)) for path in folder.glob("*.py")}
    return tuple(found[stem] for stem in sorted(found))


def known_types(kind: AgentKind) -> tuple[str, ...]:
    """Return the types that have a file, sorted."""
    return tuple(path.stem for path in agent_files(kind))


def load_resource_agent(type_name: str) -> type[ResourceAgent[Any]]:
    """Return the class for `address`, or for an installed OCF agent written `ocf:PROVIDER:TYPE`.

    Its `typed` makes the parameters. Raises AgentNotFoundError.
    """
    match type_name.split(":"):
        case ["ocf", provider, kind]:
            try:
                found = ocf_agent(provider, kind)
            except LookupError as error:
                raise AgentNotFoundError(str(error)) from None
            _require_trust(found.program)
            return found
        case [native]:
            found = _load(AgentKind.RESOURCE, native)
            assert issubclass(found, ResourceAgent)
            return found
    raise AgentNotFoundError(_unknown(AgentKind.RESOURCE, type_name))


def load_fence_agent(type_name: str) -> type[FenceAgent[Any]]:
    """Return the class of one of our own fence agents. Raises AgentNotFoundError."""
    found = _load(AgentKind.FENCE, type_name)
    assert issubclass(found, FenceAgent)
    return found


def build_resource_agent(type_name: str, name: str, table: Mapping[str, Any], host: Host) -> ResourceAgent[Any]:
    """Return the agent of one resource. Raises AgentNotFoundError and ParameterError."""
    agent = load_resource_agent(type_name)
    return agent(name, agent.typed(table), host)


def build_fence_agent(type_name: str, name: str, table: Mapping[str, Any], host: Host) -> FenceAgent[Any]:
    """Return the agent of one fence device: our own by its type, an installed one as `external:fence_x`.

    Raises AgentNotFoundError and ParameterError.
    """
    if type_name.startswith("external:"):
        program = type_name.removeprefix("external:")
        found = shutil.which(program, path=SEARCH_PATH) if program.startswith(("fence_", "/")) else None
        if found is None:
            raise AgentNotFoundError(
                f"there is no fence program {program!r} in {SEARCH_PATH}; install it (Debian: fence-agents) or write "
                "external:fence_NAME or external:/its/path"
            )
        _require_trust(Path(found))
        return FenceProcess(name, found, dict(table), host)
    agent = load_fence_agent(type_name)
    return agent(name, agent.typed(table), host)


def _load(kind: AgentKind, type_name: str) -> type[Any]:
    if _TYPE_NAME.fullmatch(type_name):
        for folder in folders(kind):
            path = folder / f"{type_name}.py"
            if path.is_file():
                if folder == folders(kind)[0]:  # The other folders came with this program.
                    _require_trust(path)
                return load_from(kind, path)
    raise AgentNotFoundError(_unknown(kind, type_name))


def _require_trust(path: Path) -> None:
    """Raise AgentNotFoundError where others than root may write to an agent."""
    if why := why_untrusted(path):
        raise AgentNotFoundError(f"cannot trust the agent {path}: {why}")


@functools.cache
def load_from(kind: AgentKind, path: Path) -> type[Any]:
    """Return the one agent class that the file defines. Raises AgentNotFoundError."""
    base = ResourceAgent if kind is AgentKind.RESOURCE else FenceAgent
    module = _execute(path, f"aoeha_{kind.value}_{path.stem}")
    classes = [
        member
        for member in vars(module).values()
        if isinstance(member, type)
        and issubclass(member, base)
        and member.__module__ == module.__name__
        and not inspect.isabstract(member)
    ]
    if len(classes) != 1:
        count = "none" if not classes else str(len(classes))
        raise AgentNotFoundError(f"{path} must define exactly one complete {base.__name__}, but defines {count}")
    return classes[0]


def _execute(path: Path, module_name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # msgspec looks up the annotations' names there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise AgentNotFoundError(f"cannot load the agent {path}: {type(error).__name__}: {error}") from error
    return module


def _unknown(kind: AgentKind, type_name: str) -> str:
    noun, foreign = {
        AgentKind.RESOURCE: ("resource", "an installed OCF agent is written ocf:PROVIDER:TYPE"),
        AgentKind.FENCE: ("fence", "an installed fence agent is written external:fence_NAME"),
    }[kind]
    return f"there is no {noun} agent {type_name!r}; known are {', '.join(known_types(kind)) or 'none'}; {foreign}"
