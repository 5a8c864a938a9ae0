"""Runs one of our fence agents as a fence_* program, so that Pacemaker and people can use it as any other.

The interface is that of ClusterLabs' fence-agents (doc/FenceAgentAPI.md): options as name=value lines on standard
input, or as --name=value words. off and on end with 0 or 1; status with 0 for on, 2 for off and 1 for anything else.
2 is never used for a mistake, because callers take it for a confirmed power-off.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TextIO, get_args, get_origin, runtime_checkable

import msgspec

from aoeha.agents.interface import AgentError, FenceAgent
from aoeha.agents.parameters import Duration, ParameterError, parameters_from_strings
from aoeha.core.types import PlugState
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

__all__ = ["Reachable", "fence_main"]

_ACTIONS = ("on", "off", "reboot", "status", "monitor", "metadata", "validate-all")
_SHORT = {"-o": "action", "-n": "plug", "-a": "ip", "-u": "ipport"}
_OPTION_OF = {"address": "ip", "port": "ipport"}
"""Parameters whose name means something else to fence agents: `port` is their old word for a plug."""
_PLUG_WORDS = ("plug", "port")
_PARAMETER_OF = {option: parameter for parameter, option in _OPTION_OF.items()} | {"ipaddr": "address"}

_ACTION_LIMIT_MS = 20_000
_LOOK_AGAIN_MS = 200
_LOOKS_MAX = 25


@runtime_checkable
class Reachable(Protocol):
    """A fence agent that can tell whether its device answers without being asked about a plug."""

    async def monitor(self) -> None:
        """Return when the device answered; AgentError otherwise."""


def fence_main(
    kind: type[FenceAgent[Any]], words: Sequence[str] | None = None, options_stream: TextIO | None = None
) -> int:
    """Perform the action that the options name and return the program's exit code.

    `words` are the command line without the program's name (default: the real one). Without words the options are
    read from `options_stream` (default: standard input). What went wrong is one sentence on standard error.
    """
    words = sys.argv[1:] if words is None else words
    name = sys.argv[0].rpartition("/")[2].removesuffix(".py")
    try:
        options = _from_words(words) if words else _from_lines(options_stream or sys.stdin)
        action = _action(options)
        if action == "metadata":
            print(_metadata(kind, name))  # noqa: T201  # standard output is the interface
            return 0
        known = {info.encode_name for info in msgspec.structs.fields(kind.parameters_type)}
        agent = kind(name, parameters_from_strings(kind.parameters_type, _renamed(options, known)), _host())
        return asyncio.run(_bounded(agent, action, options.get("plug", options.get("port", ""))))
    except (AgentError, ParameterError) as fault:
        print(f"{name}: {fault}", file=sys.stderr)  # noqa: T201  # standard error is the interface
        return 1


def _action(options: Mapping[str, str]) -> str:
    """Return the action. None named is refused: other agents then reboot, but here that is taken for a mistake."""
    action = options.get("action", options.get("option", ""))
    if action not in _ACTIONS:
        raise AgentError(f'cannot do "{action}": this agent knows the actions {", ".join(_ACTIONS)}')
    return action


def _from_lines(stream: TextIO) -> dict[str, str]:
    pairs = (line.strip().partition("=") for line in stream if not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _from_words(words: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    remaining = iter(words)
    for word in remaining:
        name, equals, value = word.partition("=")
        if not equals:
            value = next(remaining, "")
        if name not in _SHORT and not name.startswith("--"):
            raise AgentError(f'cannot read "{word}": options are written --name=value, or name=value lines on stdin')
        options[_SHORT.get(name, name.removeprefix("--"))] = value
    return options


def _renamed(options: Mapping[str, str], known: set[str]) -> dict[str, str]:
    """Return the agent's parameters among the options; others are ignored, as the interface demands."""
    taken: dict[str, str] = {}
    for option, value in options.items():
        parameter = _PARAMETER_OF.get(option, option)
        if parameter in known and option not in _PLUG_WORDS:
            taken[parameter] = value
    return taken


async def _bounded(agent: FenceAgent[Any], action: str, plug: str) -> int:
    try:
        async with asyncio.timeout(_ACTION_LIMIT_MS / 1000):
            return await _perform(agent, action, plug)
    except TimeoutError:
        raise AgentError(f"cannot {action} {plug}: not done within {_ACTION_LIMIT_MS} ms") from None


async def _perform(agent: FenceAgent[Any], action: str, plug: str) -> int:
    if action == "validate-all":
        return 0
    if action == "monitor" and isinstance(agent, Reachable):
        await agent.monitor()
        return 0
    if not plug:
        raise AgentError(f"cannot {action}: no plug is named; add plug=NAME")
    match action:
        case "off":
            await _switch_off(agent, plug)
        case "on":
            await _switch_on(agent, plug)
        case "reboot":
            await _switch_off(agent, plug)
            try:
                await _switch_on(agent, plug)
            except AgentError as fault:
                # The off half decides: the caller must not fence again a node that is off.
                print(f"{agent.name}: {fault}", file=sys.stderr)  # noqa: T201  # standard error is the interface
        case _:
            return await _tell(agent, plug, quiet=action == "monitor")
    return 0


async def _switch_off(agent: FenceAgent[Any], plug: str) -> None:
    await agent.power_off(plug)
    await _await_state(agent, plug, PlugState.OFF)
    print("Success: Powered OFF")  # noqa: T201  # standard output is the interface


async def _switch_on(agent: FenceAgent[Any], plug: str) -> None:
    await agent.power_on(plug)
    await _await_state(agent, plug, PlugState.ON)
    print("Success: Powered ON")  # noqa: T201  # standard output is the interface


async def _await_state(agent: FenceAgent[Any], plug: str, wanted: PlugState) -> None:
    """Return when the plug reads as ordered: an order that was taken is not yet done. AgentError after the limit."""
    for _ in range(_LOOKS_MAX):
        if await agent.status(plug) is wanted:
            return
        await asyncio.sleep(_LOOK_AGAIN_MS / 1000)
    raise AgentError(f"cannot switch plug {plug} {wanted.value}: the device took the order but does not read so since")


async def _tell(agent: FenceAgent[Any], plug: str, *, quiet: bool) -> int:
    state = await agent.status(plug)
    if state is PlugState.UNKNOWN:
        raise AgentError(getattr(agent, "fault", "") or f"cannot read plug {plug}: the device does not say on or off")
    if quiet:
        return 0
    print(f"Status: {state.value.upper()}")  # noqa: T201  # standard output is the interface
    return 0 if state is PlugState.ON else 2


def _host() -> ProcessHost:
    return ProcessHost(Place(cluster="", node=""))


def _metadata(kind: type[FenceAgent[Any]], name: str) -> str:
    from html import escape  # noqa: PLC0415  # 3 ms that only this action needs

    lines = [
        '<?xml version="1.0" ?>',
        f'<resource-agent name="{escape(name)}" shortdesc="{escape(kind.summary)}" >',
        f"<longdesc>{escape(kind.__doc__ or kind.summary)}</longdesc>",
        "<vendor-url></vendor-url>",
        "<parameters>",
        *_parameter("action", "string", "what to do", default="", required=True),
        *_parameter("plug", "string", "the plug to switch or read", default="", required=False),
    ]
    for info in msgspec.structs.fields(kind.parameters_type):
        option = _OPTION_OF.get(info.encode_name, info.encode_name)
        default = "" if info.default in (msgspec.NODEFAULT, None) else info.default
        text = f"{default}ms" if info.type == Duration and default != "" else str(default)
        content = "integer" if _plain(info.type) is int and info.type != Duration else "string"
        lines += _parameter(option, content, _description(info.type), default=escape(text), required=info.required)
    lines += ["</parameters>", "<actions>", *(f'\t<action name="{action}" />' for action in _ACTIONS), "</actions>"]
    return "\n".join([*lines, "</resource-agent>"])


def _parameter(name: str, content: str, text: str, *, default: str, required: bool) -> list[str]:
    shown = f' default="{default}"' if default else ""
    return [
        f'\t<parameter name="{name}" unique="0" required="{int(required)}">',
        f'\t\t<getopt mixed="--{name}=[{name}]" />',
        f'\t\t<content type="{content}"{shown} />',
        f'\t\t<shortdesc lang="en">{text}</shortdesc>',
        "\t</parameter>",
    ]


def _plain(declared: Any) -> Any:
    return get_args(declared)[0] if get_origin(declared) is not None and hasattr(declared, "__metadata__") else declared


def _description(declared: Any) -> str:
    from html import escape  # noqa: PLC0415  # 3 ms that only this action needs

    notes = (getattr(note, "description", None) for note in getattr(declared, "__metadata__", ()))
    return escape(next((note for note in notes if note), ""))
