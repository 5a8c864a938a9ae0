"""Each of our agents, executed as a program, is an OCF 1.1 resource agent that Pacemaker can run."""

import asyncio
import os
import sys
from typing import Annotated, Any, get_args, get_origin
from xml.etree import ElementTree as ET

import msgspec

from aoeha.agents.interface import AgentError, Parameters, ResourceAgent
from aoeha.agents.ocf_codes import OcfCode, code_of
from aoeha.agents.parameters import ParameterError, parameters_from_strings
from aoeha.agents.time_left import ending_in
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost, leaving_services

__all__ = ["metadata", "ocf_main"]

AgentClass = type[ResourceAgent[Any]]

ACTIONS_S = {"start": 60, "stop": 60, "monitor": 20, "validate-all": 20, "meta-data": 5}
RESERVED = "CRM_meta_"
TIMEOUT_VARIABLE = "OCF_RESKEY_CRM_meta_timeout"
DOCUMENT_TYPE = '<?xml version="1.0"?>\n<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">\n'


def ocf_main(agent: AgentClass) -> None:
    """Perform the action that the command line names and exit with its OCF code."""
    sys.exit(int(_perform(agent, sys.argv[1:])))


def _perform(agent: AgentClass, arguments: list[str]) -> OcfCode:
    type_name = os.path.basename(sys.argv[0]).removesuffix(".py")  # noqa: PTH119  # argv[0] need not be a path
    match arguments:
        case ["meta-data"]:
            sys.stdout.write(metadata(type_name, agent))
            return OcfCode.SUCCESS
        case [action] if action in ACTIONS_S:
            return _act(agent, type_name, action)
    sys.stderr.write(f"usage: {type_name} {'|'.join(ACTIONS_S)}\n")
    return OcfCode.UNIMPLEMENTED


def _act(agent: AgentClass, type_name: str, action: str) -> OcfCode:
    try:
        parameters = parameters_from_strings(agent.parameters_type, _strings())
    except ParameterError as error:
        return _refuse(str(error), OcfCode.NOT_CONFIGURED)
    if action != "monitor" and os.geteuid() != 0:
        return _refuse(f"cannot {action}: this needs root", OcfCode.NO_PRIVILEGE)
    deadline_ms = int(os.environ.get(TIMEOUT_VARIABLE, ACTIONS_S[action] * 1000))
    try:
        return asyncio.run(_bounded(agent, type_name, parameters, action, deadline_ms))
    except AgentError as error:
        return _refuse(str(error), OcfCode.NOT_INSTALLED if action == "validate-all" else OcfCode.GENERIC)
    except TimeoutError:
        return _refuse(f"cannot {action}: it was not done within {deadline_ms} ms", OcfCode.GENERIC)


async def _bounded(agent: AgentClass, type_name: str, parameters: Parameters, action: str, deadline_ms: int) -> OcfCode:
    name = os.environ.get("OCF_RESOURCE_INSTANCE", type_name)
    instance = agent(name, parameters, ProcessHost(Place(cluster="ocf", node=name)))
    async with asyncio.timeout(deadline_ms / 1000):
        with ending_in(deadline_ms):
            match action:
                case "start":
                    with leaving_services(name):
                        await instance.start()
                case "stop":
                    await instance.stop()
                    await instance.host.end_service(name)
                case "validate-all":
                    await instance.validate()
                case _:
                    observation = await instance.monitor()
                    if observation.reason:
                        _explain(observation.reason)
                    return code_of(observation.status)
    return OcfCode.SUCCESS


def _strings() -> dict[str, str]:
    prefix = "OCF_RESKEY_"
    given = {key.removeprefix(prefix): value for key, value in os.environ.items() if key.startswith(prefix)}
    return {key: value for key, value in given.items() if not key.startswith(RESERVED)}


def _refuse(sentence: str, code: OcfCode) -> OcfCode:
    _explain(sentence)
    return code


def _explain(sentence: str) -> None:
    prefix = os.environ.get("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:")
    sys.stderr.write(f"{prefix}{sentence}\n")


def metadata(type_name: str, agent: AgentClass) -> str:
    """Return the agent's description as OCF 1.1 XML, made from its parameters' types."""
    root = ET.Element("resource-agent", name=type_name, version="1.0")
    ET.SubElement(root, "version").text = "1.1"
    _described(root, " ".join((agent.__doc__ or agent.summary).split()), agent.summary)
    parameters = ET.SubElement(root, "parameters")
    for info in msgspec.structs.fields(agent.parameters_type):
        required = "1" if info.required else "0"
        parameter = ET.SubElement(parameters, "parameter", name=info.encode_name, unique="0", required=required)
        meaning = _meaning(info.type, info.encode_name)
        _described(parameter, meaning, meaning)
        content = ET.SubElement(parameter, "content", type=_content_type(info.type))
        if (default := _default(info)) is not None:
            content.set("default", default)
    actions = ET.SubElement(root, "actions")
    for action, seconds in ACTIONS_S.items():
        element = ET.SubElement(actions, "action", name=action, timeout=f"{seconds}s")
        if action == "monitor":
            element.set("interval", "10s")
            element.set("depth", "0")
    ET.indent(root)
    return f"{DOCUMENT_TYPE}{ET.tostring(root, encoding='unicode')}\n"


def _described(parent: ET.Element, long: str, short: str) -> None:
    ET.SubElement(parent, "longdesc", lang="en").text = long
    ET.SubElement(parent, "shortdesc", lang="en").text = short


def _meaning(declared: Any, name: str) -> str:
    if get_origin(declared) is Annotated:
        for note in get_args(declared)[1:]:
            if isinstance(note, msgspec.Meta) and note.description:
                return note.description
    return name.replace("_", " ")


def _content_type(declared: Any) -> str:
    bare = get_args(declared)[0] if get_origin(declared) is Annotated else declared
    duration = bare is int and bare is not declared and "duration" in _meaning(declared, "")
    return "string" if duration else {int: "integer", bool: "boolean"}.get(bare, "string")


def _default(info: msgspec.structs.FieldInfo) -> str | None:
    match info.default:
        case bool() as flag:
            return "true" if flag else "false"
        case int() as number:
            return f"{number}ms" if _content_type(info.type) == "string" else str(number)
        case str() as text:
            return text
    return None
