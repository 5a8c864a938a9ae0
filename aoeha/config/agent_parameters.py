"""Check that every resource and fence device has an agent that accepts its parameters. Loads the agents."""

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
from aoeha.config.fence_devices import alike, parameters_for
from aoeha.config.findings import KeyFinding, KeyPath
from aoeha.config.schema import Configuration, Fence
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

__all__ = ["agent_findings"]

_AgentClass = type[ResourceAgent[Any]] | type[FenceAgent[Any]]


def agent_findings(
    configuration: Configuration, asking: Callable[[KeyPath], None] = lambda _: None
) -> list[KeyFinding]:
    """Return the findings of the agents themselves, at the path of each key. `asking` is told before each agent."""
    findings: list[KeyFinding] = []
    for number, group in enumerate(configuration.groups):
        for inner, resource in enumerate(group.resources):
            path: KeyPath = ("group", number, "resource", inner)
            asking(path)
            findings.extend(_judged(AgentKind.RESOURCE, load_resource_agent, resource.type, resource.parameters, path))
    for number, fence in enumerate(configuration.fences):
        path = ("fence", number)
        asking(path)
        for nodes in alike(fence):
            table = parameters_for(fence, nodes[0])
            if fence.type.startswith("external:"):
                findings.extend(_external(fence, nodes, table, path))
            else:
                findings.extend(_judged(AgentKind.FENCE, load_fence_agent, fence.type, table, path))
    return list(dict.fromkeys(findings))


def _judged(
    kind: AgentKind, load: Callable[[str], _AgentClass], name: str, table: dict[str, Any], path: KeyPath
) -> Iterator[KeyFinding]:
    try:
        agent = load(name)
    except AgentNotFoundError as error:
        guess = closest(name, known_types(kind))
        yield KeyFinding((*path, "type"), f"{error}" + (f'; did you mean "{guess}"?' if guess else ""))
        return
    try:
        agent.typed(table)
    except ParameterError as error:
        builder = Builder()
        builder.table(agent.parameters_type, table, (*path, "parameters"))
        # The builder knows the path of every key. An agent with rules of its own may refuse what the builder accepts.
        yield from builder.findings or _split(error, table, (*path, "parameters"))


def _external(fence: Fence, nodes: tuple[str, ...], table: dict[str, Any], path: KeyPath) -> Iterator[KeyFinding]:
    """Check the options of an installed program against its metadata, and the files of its secrets.

    `nodes` are those whose plugs are switched with these options.
    """
    parameters: KeyPath = (*path, "parameters")
    try:
        agent = build_fence_agent(fence.type, fence.name, table, ProcessHost(Place(cluster="", node="")))
        assert isinstance(agent, FenceProcess)
        described = asyncio.run(agent.metadata())
    except (AgentNotFoundError, AgentError) as error:
        yield KeyFinding((*path, "type"), str(error))
    except ParameterError as error:
        yield from _split(error, table, parameters)
    else:
        yield from _split(ParameterError(agent.misfits(described)), table, parameters)
        if len(nodes) > 1 and (ignored := agent.ignores_plugs(described)):
            yield KeyFinding((*path, "plug"), f"expected one node, got {' and '.join(nodes)}: {ignored}")
        for finding in _split(ParameterError(agent.doubts(described)), table, parameters):
            yield replace(finding, warning=True)
        for key, value in agent.parameters.options.items():
            if isinstance(value, SecretFile):
                yield from _secret(value, (*parameters, key))


def _secret(source: SecretFile, path: KeyPath) -> Iterator[KeyFinding]:
    """Check a secret's file. A missing one is a warning: the configuration can be checked before the pair is set up."""
    try:
        read_secret(source)
    except SecretFileError as error:
        yield KeyFinding(path, str(error), warning=error.unseen)


def _split(error: ParameterError, table: Mapping[str, Any], path: KeyPath) -> Iterator[KeyFinding]:
    """Yield each finding at the path of the key that it begins with, or of the whole table."""
    for finding in error.findings:
        key, colon, sentence = finding.partition(": ")
        if colon and key in table:
            yield KeyFinding((*path, key), sentence)
        else:
            yield KeyFinding(path, finding)
