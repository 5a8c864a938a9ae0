"""Runs one of our fence agents as a fence_* program, so that Pacemaker and people can use it as any other.

The interface is that of ClusterLabs' fence-agents (doc/FenceAgentAPI.md): options as name=value lines on standard
input, or as --name=value words. off and on end with 0 or 1; status with 0 for on, 2 for off and 1 for anything else.
2 is never used for a mistake, because callers take it for a confirmed power-off.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Protocol, TextIO, get_args, get_origin, runtime_checkable

import msgspec

from aoeha.agents.duration_type import is_duration
from aoeha.agents.fence_metadata import FenceAction, FenceMetadata, FenceOption
from aoeha.agents.interface import AgentError, FenceAgent
from aoeha.agents.parameters import ParameterError, parameters_from_strings, takes_secret
from aoeha.agents.program_names import program_name
from aoeha.core.model.task import PlugState
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

__all__ = ["Listing", "Reachable", "SelfJudging", "described", "fence_main"]

_ACTIONS = ("on", "off", "reboot", "status", "monitor", "list", "list-status", "metadata", "validate-all")
_NEED_A_LIST = ("list", "list-status")
_NEEDS_POWER = ("reboot",)
_SHORT = {"-o": "action", "-n": "plug", "-a": "ip", "-u": "ipport"}
_HELP = ("-h", "--help")
_OPTION_OF = {"address": "ip", "port": "ipport"}
"""Parameters whose name means something else to fence agents: `port` is their old word for a plug."""
_PLUG_WORDS = ("plug", "port")
_OLD_WORDS = {"address": ("address", "ipaddr")}

_ACTION_LIMIT_MS = 20_000
_LOOK_AGAIN_MS = 200
_LOOKS_MAX = 25


@runtime_checkable
class Reachable(Protocol):
    """A fence agent that can tell whether its device answers without being asked about a plug."""

    async def monitor(self) -> None:
        """Return when the device answered; AgentError otherwise."""


@runtime_checkable
class Listing(Protocol):
    """A fence agent whose device tells its plugs. Only such an agent has the actions list and list-status."""

    async def plugs(self) -> Mapping[str, str]:
        """Return each plug's name with the other name that the device has for it, empty for none."""


@runtime_checkable
class SelfJudging(Protocol):
    """A fence agent that finds more than bad types in its parameters, without asking its device."""

    async def validate(self, plug: str) -> None:
        """AgentError when it could not work with them, or with this plug (empty: none is named)."""


def fence_main(
    kind: type[FenceAgent[Any]], words: Sequence[str] | None = None, options_stream: TextIO | None = None
) -> int:
    """Perform the action that the options name and return the program's exit code.

    `words` are the command line without the program's name (default: the real one). Without words the options are
    read from `options_stream` (default: standard input). What went wrong is one sentence on standard error.
    """
    words = sys.argv[1:] if words is None else words
    stem = sys.argv[0].rpartition("/")[2].removesuffix(".py")
    name = stem if stem.startswith("fence_") else program_name(stem)
    if any(word in _HELP for word in words):
        print("\n".join(_usage(described(kind, name))))  # noqa: T201  # standard output is the interface
        return 0
    try:
        options = _from_words(words) if words else _from_lines(options_stream or sys.stdin)
        action = _action(options, _actions(kind))
        if action == "metadata":
            print(described(kind, name).to_xml(), end="")  # noqa: T201  # standard output is the interface
            return 0
        agent = kind(name, parameters_from_strings(kind.parameters_type, _parameters(kind, options)), _host())
        return asyncio.run(_bounded(agent, action, options.get("plug", options.get("port", ""))))
    except (AgentError, ParameterError) as fault:
        print(f"{name}: {fault}", file=sys.stderr)  # noqa: T201  # standard error is the interface
        return 1


def _usage(found: FenceMetadata) -> list[str]:
    """Return what the program takes as words, for people who try it by hand."""
    lines = [f"usage: {found.name} --option=value ..., or option=value lines on standard input", found.text, ""]
    for option in found.options:
        default = f" (default {option.default})" if option.default else " (required)" if option.required else ""
        lines.append(f"  --{option.name.replace('_', '-'):20} {option.text}{default}")
    return [*lines, "", f"actions: {', '.join(action.name for action in found.actions)}"]


def _actions(kind: type[FenceAgent[Any]]) -> tuple[str, ...]:
    """Return what this agent can do: fencing that cuts no power must have no reboot, by the interface."""
    lacking = (() if issubclass(kind, Listing) else _NEED_A_LIST) + (() if kind.cuts_power else _NEEDS_POWER)
    return tuple(action for action in _ACTIONS if action not in lacking)


def _action(options: Mapping[str, str], known: Sequence[str]) -> str:
    """Return the action. None named is refused: other agents then reboot, but here that is taken for a mistake."""
    action = options.get("action", options.get("option", "")).lower()
    if action not in known:
        raise AgentError(f'cannot do "{action}": this agent knows the actions {", ".join(known)}')
    return action


def _from_lines(stream: TextIO) -> dict[str, str]:
    pairs = (line.strip().partition("=") for line in stream)
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
        options[_SHORT.get(name, name.removeprefix("--").replace("-", "_"))] = value
    return options


def _parameters(kind: type[FenceAgent[Any]], options: Mapping[str, str]) -> dict[str, str]:
    """Return the agent's parameters among the options; others are ignored, as the interface demands."""
    taken: dict[str, str] = {}
    for info in msgspec.structs.fields(kind.parameters_type):
        for option in (*_OLD_WORDS.get(info.encode_name, ()), _option_of(info)):
            if option in options and option not in _PLUG_WORDS:
                taken[info.encode_name] = options[option]
    return taken


def _option_of(info: msgspec.structs.FieldInfo) -> str:
    """Return a parameter's name on standard input. Of a secret only the file is named, never the secret."""
    if takes_secret(info.type):
        return f"{info.encode_name}_file"
    return _OPTION_OF.get(info.encode_name, info.encode_name)


async def _bounded(agent: FenceAgent[Any], action: str, plug: str) -> int:
    try:
        async with asyncio.timeout(_ACTION_LIMIT_MS / 1000):
            return await _perform(agent, action, plug)
    except TimeoutError:
        raise AgentError(f"cannot {action} {plug}: not done within {_ACTION_LIMIT_MS} ms") from None


async def _perform(agent: FenceAgent[Any], action: str, plug: str) -> int:
    if action == "validate-all":
        if isinstance(agent, SelfJudging):
            await agent.validate(plug)
        return 0
    if action == "monitor" and isinstance(agent, Reachable):
        await agent.monitor()
        return 0
    if action in _NEED_A_LIST and isinstance(agent, Listing):
        return await _list(agent, with_states=action == "list-status")
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


async def _list(agent: Listing, *, with_states: bool) -> int:
    """Print a line for each plug: its name, its other name and, if asked for, its state."""
    for plug, alias in (await agent.plugs()).items():
        words = [plug, alias]
        if with_states and isinstance(agent, FenceAgent):
            words.append((await agent.status(plug)).value.upper())
        print(",".join(words))  # noqa: T201  # standard output is the interface
    return 0


def _host() -> ProcessHost:
    return ProcessHost(Place(cluster="", node=""))


def described(kind: type[FenceAgent[Any]], name: str) -> FenceMetadata:
    """Return the agent's description, made from its parameters' types."""
    options = [
        FenceOption("action", required=True, text="what to do"),
        FenceOption("plug", text="the plug to switch or read"),
    ]
    for info in msgspec.structs.fields(kind.parameters_type):
        content, choices = _content(info.type)
        options.append(
            FenceOption(
                _option_of(info),
                content,
                info.required,
                _default(info),
                _description(info.type) or info.encode_name.replace("_", " "),
                choices,
            )
        )
    actions = tuple(_offered(kind, action) for action in _actions(kind))
    text = " ".join((kind.__doc__ or kind.summary).split())
    return FenceMetadata(name, kind.summary, text, tuple(options), actions)


def _offered(kind: type[FenceAgent[Any]], action: str) -> FenceAction:
    """Return an action. A node that was kept from its disks lets itself in when it has joined again."""
    lets_in = action == "on" and not kind.cuts_power
    return FenceAction(action, on_target=lets_in, automatic=lets_in)


def _content(declared: Any) -> tuple[str, tuple[str, ...]]:
    """Return a type's word in the interface, and its choices where it has some."""
    plain = _plain(declared)
    if get_origin(plain) is Literal:
        return "select", tuple(str(choice) for choice in get_args(plain))
    if isinstance(plain, type) and issubclass(plain, Enum):
        return "select", tuple(str(choice.value) for choice in plain)
    words = {bool: "boolean", int: "string" if is_duration(declared) else "integer"}
    return words.get(plain, "string"), ()


def _default(info: msgspec.structs.FieldInfo) -> str | None:
    match info.default:
        case bool() as flag:
            return str(int(flag))
        case int() as number:
            return _in_units(number) if is_duration(info.type) else str(number)
        case Enum() as choice:
            return str(choice.value)
        case str() as text if text:
            return text
    return None


def _in_units(duration_ms: int) -> str:
    return f"{duration_ms}ms" if duration_ms % 1_000 else f"{duration_ms // 1_000}s"


def _plain(declared: Any) -> Any:
    return get_args(declared)[0] if get_origin(declared) is Annotated else declared


def _description(declared: Any) -> str:
    """Return the last description: what a duration means stands behind what every duration is."""
    notes = get_args(declared)[1:] if get_origin(declared) is Annotated else ()
    return next(
        (note.description for note in reversed(notes) if isinstance(note, msgspec.Meta) and note.description), ""
    )
