"""Whether every resource and fence device has an agent, and the agent takes its parameters. Loads the agents."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from aoeha.agents.fence_process import FenceProcess
from aoeha.agents.interface import AgentError, FenceAgent, ResourceAgent
from aoeha.agents.parameters import ParameterError
from aoeha.agents.registry import (
    AgentKind,
    AgentNotFoundError,
    build_fence_agent,
    known_types,
    load_fence_agent,
    load_resource_agent,
)
from aoeha.agents.secret_file import SecretFile, SecretFileError, read_secret
from aoeha.config.build import Builder, closest
from aoeha.config.findings import Complaint, KeyPath
from aoeha.config.schema import Configuration
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

__all__ = ["agent_complaints"]

_AgentClass = type[ResourceAgent[Any]] | type[FenceAgent[Any]]


def agent_complaints(configuration: Configuration) -> list[Complaint]:
    """Return what the agents themselves refuse, at the path of each key."""
    complaints: list[Complaint] = []
    for number, group in enumerate(configuration.groups):
        for inner, resource in enumerate(group.resources):
            path: KeyPath = ("group", number, "resource", inner)
            complaints.extend(
                _judged(AgentKind.RESOURCE, load_resource_agent, resource.type, resource.parameters, path)
            )
    for number, fence in enumerate(configuration.fences):
        path = ("fence", number)
        if fence.type.startswith("external:"):
            complaints.extend(_external(fence.type, fence.name, fence.parameters, path))
        else:
            complaints.extend(_judged(AgentKind.FENCE, load_fence_agent, fence.type, fence.parameters, path))
    return complaints


def _judged(
    kind: AgentKind, load: Callable[[str], _AgentClass], name: str, table: dict[str, Any], path: KeyPath
) -> Iterator[Complaint]:
    try:
        agent = load(name)
    except AgentNotFoundError as error:
        guess = closest(name, known_types(kind))
        yield Complaint((*path, "type"), f"{error}" + (f'; did you mean "{guess}"?' if guess else ""))
        return
    try:
        agent.typed(table)
    except ParameterError as error:
        builder = Builder()
        builder.table(agent.parameters_type, table, (*path, "parameters"))
        # The builder knows the line of every key; an agent with rules of its own may refuse what the builder takes.
        yield from builder.complaints or _split(error, table, (*path, "parameters"))


def _external(type_name: str, name: str, table: dict[str, Any], path: KeyPath) -> Iterator[Complaint]:
    """Judge an installed program's options by what it says of itself, and the files of its secrets."""
    parameters: KeyPath = (*path, "parameters")
    try:
        agent = build_fence_agent(type_name, name, table, ProcessHost(Place(cluster="", node="")))
        assert isinstance(agent, FenceProcess)
        described = asyncio.run(agent.metadata())
    except (AgentNotFoundError, AgentError) as error:
        yield Complaint((*path, "type"), str(error))
    except ParameterError as error:
        yield from _split(error, table, parameters)
    else:
        yield from _split(ParameterError(agent.misfits(described)), table, parameters)
        for complaint in _split(ParameterError(agent.doubts(described)), table, parameters):
            yield replace(complaint, warning=True)
        for key, value in agent.parameters.options.items():
            if isinstance(value, SecretFile):
                yield from _secret(value, (*parameters, key))


def _secret(source: SecretFile, path: KeyPath) -> Iterator[Complaint]:
    """Judge a secret's file. One that isn't there yet is a warning: a file can be checked before the pair is set up."""
    try:
        read_secret(source)
    except SecretFileError as error:
        yield Complaint(path, str(error), warning=error.unseen)


def _split(error: ParameterError, table: Mapping[str, Any], path: KeyPath) -> Iterator[Complaint]:
    """Give each finding the place of the key that it begins with, or of the whole table."""
    for finding in error.findings:
        key, colon, sentence = finding.partition(": ")
        if colon and key in table:
            yield Complaint((*path, key), sentence)
        else:
            yield Complaint(path, finding)
