"""The output of `aoeha agents fence`: the fence_* programs of this host, and the metadata of one."""

import asyncio
import os
import shutil
import textwrap
from pathlib import Path

from aoeha.agents.fence_cli import described
from aoeha.agents.fence_metadata import SET_BY_AOEHA, FenceMetadata, FenceOption
from aoeha.agents.fence_process import NEEDED_ACTIONS, FenceProcess
from aoeha.agents.interface import AgentError
from aoeha.agents.program_names import program_name
from aoeha.agents.registry import AgentKind, AgentNotFoundError, known_types, load_fence_agent
from aoeha.cli.agents.text import describe
from aoeha.cli.screen import print_error
from aoeha.config.build import closest
from aoeha.core.model.exits import Exit
from aoeha.io.host import Place
from aoeha.io.processes import SEARCH_PATH, ProcessHost

__all__ = ["describe_fence", "list_fence"]

_WIDTH = 100
_NAME_WIDTH = 24
_FOR_PEOPLE = ("help", "version", "quiet", "verbose", "verbose_level", "debug", "debug_file")
"""Options for use by hand. Those for debugging would write secrets into a file."""


def list_fence() -> Exit:
    """Print our own types, then every installed fence_* program."""
    print('OURS                    type = "NAME" in aoeha.toml; `aoeha agents fence NAME` shows its parameters')
    others = []
    for name in known_types(AgentKind.FENCE):
        try:
            kind = load_fence_agent(name)
        except AgentNotFoundError as error:
            print(f"{name:{_NAME_WIDTH}}cannot be used: {error}")
            continue
        if kind.cuts_power:
            print(f"{name:{_NAME_WIDTH}}{kind.summary}")
        else:
            others.append(f"{program_name(name):{_NAME_WIDTH}}{kind.summary}")
    print("\nFOR PACEMAKER ONLY      a program, after `aoeha agents install`, which also installs the others")
    print("\n".join(others))
    print('\nINSTALLED               type = "external:NAME"; `aoeha agents fence NAME` shows its options')
    print(textwrap.fill(" ".join(_installed()) or "none (Debian: fence-agents)", _WIDTH, break_on_hyphens=False))
    return Exit.DONE


def describe_fence(name: str) -> Exit:
    """Print the parameters of one of our types, or the options and actions of a fence_* program."""
    types = known_types(AgentKind.FENCE)
    programs = {program_name(known): known for known in types}
    try:
        if name in types and load_fence_agent(name).cuts_power:
            return describe(name)
        if ours := name if name in types else programs.get(name, ""):
            lines = _lines(described(load_fence_agent(ours), program_name(ours)), _of_ours(ours), "")
        else:
            lines = _lines(_ask(name), f'type = "external:{name}"', ", in [fence.parameters]")
    except (AgentError, AgentNotFoundError) as error:
        print_error(str(error))
        return Exit.FAILED
    print("\n".join(lines))
    return Exit.DONE


def _of_ours(name: str) -> str:
    if load_fence_agent(name).cuts_power:
        return f'for other clusters (`aoeha agents install`); type = "{name}" in aoeha.toml: `aoeha agents {name}`'
    return "for other clusters (`aoeha agents install`); aoeha itself uses only devices that cut power"


def _ask(name: str) -> FenceMetadata:
    program = shutil.which(name, path=SEARCH_PATH) if name.startswith(("fence_", "/")) else None
    if program is None:
        guess = closest(name, (*known_types(AgentKind.FENCE), *_installed()))
        advice = f"did you mean {guess}?" if guess else "`aoeha agents fence` lists them"
        raise AgentError(f"cannot describe {name}: there is no such fence agent here; {advice}")
    return asyncio.run(FenceProcess(name, program, {}, ProcessHost(Place(cluster="", node=""))).metadata())


def _installed() -> list[str]:
    folders = [Path(folder) for folder in SEARCH_PATH.split(":")]
    return sorted({path.name for folder in folders for path in folder.glob("fence_*") if os.access(path, os.X_OK)})


def _lines(found: FenceMetadata, use: str, place: str) -> list[str]:
    chosen = [option for option in found.options if not option.deprecated and option.name not in _FOR_PEOPLE]
    required = [option for option in chosen if option.required and option.name not in SET_BY_AOEHA]
    others = [option for option in chosen if not option.required and option.name not in SET_BY_AOEHA]
    old = [f"{option.obsoletes} ({option.name})" for option in chosen if option.obsoletes not in ("", "port")]
    lines = [f"{found.name}: {found.summary}", "", f"  {use}"]
    if lacking := found.lacks(NEEDED_ACTIONS):
        lines.append(f"  aoeha cannot fence with it: it lacks the action {', '.join(lacking)}")
    lines += ["", *textwrap.wrap(found.text, _WIDTH, initial_indent="  ", subsequent_indent="  ")]
    for title, options in (("REQUIRED", required), ("OPTIONAL", others)):
        if options:
            lines += ["", f"{title}{place}"]
        for option in options:
            lines += _option_lines(option)
    lines += ["", f"ACTIONS  {', '.join(action.name for action in found.actions)}"]
    if old:
        lines.append(f"DEPRECATED options that it still accepts: {', '.join(old)}")
    return lines


def _option_lines(option: FenceOption) -> list[str]:
    default = "" if option.default in (None, "") else f'; by default "{option.default}"'
    rest = f"; {option.text}" if option.text else ""
    words = f"{option.expected}{default}{rest}"
    head = f"  {option.name:{_NAME_WIDTH - 2}}"
    indent = " " * _NAME_WIDTH
    if len(option.name) > _NAME_WIDTH - 3:
        return [head, *textwrap.wrap(words, _WIDTH, initial_indent=indent, subsequent_indent=indent)]
    return textwrap.wrap(words, _WIDTH, initial_indent=head, subsequent_indent=indent)
