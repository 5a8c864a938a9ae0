"""The output of `aoeha agents`: each type with its summary, or the parameters of one type."""

from typing import Annotated, Any, get_args, get_origin

import msgspec

from aoeha.agents.duration import render_duration
from aoeha.agents.duration_type import is_duration
from aoeha.agents.expectation import expectation, shown
from aoeha.agents.registry import AgentKind, AgentNotFoundError, known_types, load_fence_agent, load_resource_agent
from aoeha.cli.screen import print_error
from aoeha.config.build import closest
from aoeha.core.model.exits import Exit

__all__ = ["describe", "listing"]

_LOADERS: tuple[tuple[AgentKind, str, Any], ...] = (
    (AgentKind.RESOURCE, "RESOURCE", load_resource_agent),
    (AgentKind.FENCE, "FENCE DEVICE", load_fence_agent),
)


def listing() -> str:
    """Return a table of types. A type that cannot be loaded is listed with the reason."""
    lines = []
    for kind, head, load in _LOADERS:
        lines.append(f"{head:16}SUMMARY")
        for name in known_types(kind):
            try:
                summary = load(name).summary
            except AgentNotFoundError as error:
                summary = f"cannot be used: {error}"
            lines.append(f"{name:16}{summary}")
        lines.append("")
    lines.append('Also type = "ocf:PROVIDER:TYPE" for an installed OCF agent, "external:fence_NAME" for a fence agent:')
    lines.append("`aoeha agents fence` lists those, `aoeha agents fence fence_NAME` shows the options of one.")
    return "\n".join(lines) + "\n"


def describe(name: str) -> Exit:
    """Print one type's parameters and return an exit code."""
    for kind, _, load in _LOADERS:
        if name in known_types(kind) or (kind is AgentKind.RESOURCE and name.startswith("ocf:")):
            try:
                agent = load(name)
            except AgentNotFoundError as error:
                print_error(f"cannot describe {name}: {error}")
                return Exit.FAILED
            print(f"{name}: {agent.summary}")
            print("\n".join(_parameter_lines(agent.parameters_type)))
            return Exit.DONE
    guess = closest(name, [known for kind in AgentKind for known in known_types(kind)])
    advice = f"did you mean {guess}?" if guess else "`aoeha agents` lists them"
    print_error(f"cannot describe {name}: there is no such type; {advice}")
    return Exit.FAILED


def _parameter_lines(kind: type[msgspec.Struct]) -> list[str]:
    lines = []
    for info in msgspec.structs.fields(kind):
        if info.required:
            default = "required"
        elif info.default in (msgspec.NODEFAULT, None, ""):
            default = "optional"
        elif is_duration(info.type) and isinstance(info.default, int):
            default = f"default {shown(render_duration(info.default))}"
        else:
            default = f"default {shown(info.default)}"
        lines.append(f"  {info.encode_name:20}{_meaning(info.type)}; {default}")
    return lines


def _meaning(kind: Any) -> str:
    """Describe a parameter. For a duration, its meaning follows the description that all durations share."""
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    meanings = [note.description for note in notes if isinstance(note, msgspec.Meta) and note.description]
    return meanings[-1] if meanings else expectation(kind)
