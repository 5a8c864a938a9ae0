"""Every fence agent of ours is a fence_* program by ClusterLabs' rules, as Debian's fence_dummy is."""

import asyncio
import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from fence_sequences import REBOOTS, SEQUENCES, Act, play
from power_switch import PowerSwitch

from aoeha.agents.fence_metadata import read_metadata
from aoeha.agents.installers import install_fence_wrappers
from aoeha.agents.program_names import program_name

FENCING = Path(__file__).parents[2] / "fencing"
AGENTS = sorted(FENCING.glob("*.py"))
SCHEMA = Path("/usr/share/cluster/relaxng/metadata.rng")
"""Debian's package fence-agents has it. It is GPL, so it stays there."""

needs_schema = pytest.mark.skipif(
    not SCHEMA.is_file() or shutil.which("xmllint") is None, reason="needs Debian's fence-agents and libxml2-utils"
)
needs_fence_dummy = pytest.mark.skipif(shutil.which("fence_dummy") is None, reason="needs Debian's fence-agents")


async def run(program: list[str], stdin: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@contextlib.asynccontextmanager
async def fence_dummy(folder: Path) -> AsyncIterator[tuple[list[str], str]]:
    yield ["fence_dummy"], f"status_file={folder}/state\n"


@contextlib.asynccontextmanager
async def rack_power(_folder: Path) -> AsyncIterator[tuple[list[str], str]]:
    async with PowerSwitch({"alpha": "on"}).serving() as port:
        yield [sys.executable, str(FENCING / "rack_power.py")], f"ip=127.0.0.1\nipport={port}\n"


Party = Callable[[Path], contextlib.AbstractAsyncContextManager[tuple[list[str], str]]]
PARTIES = [
    pytest.param(fence_dummy, marks=needs_fence_dummy, id="fence_dummy"),
    pytest.param(rack_power, id="rack_power"),
]


def perform(party: Party, folder: Path, acts: list[Act]) -> list[str]:
    """Return what did not end as prescribed."""

    async def performed() -> list[str]:
        async with party(folder) as (program, options):
            return await play(acts, lambda action: run(program, f"action={action}\n{options}plug=alpha\n"))

    return asyncio.run(performed())


@pytest.mark.parametrize("name", [*SEQUENCES, *REBOOTS])
@pytest.mark.parametrize("party", PARTIES)
def test_prescribed_sequence_of_actions_ends_as_prescribed(party: Party, name: str, tmp_path: Path) -> None:
    acts = (SEQUENCES | REBOOTS)[name]
    if party is fence_dummy and acts == SEQUENCES["refused"]:
        acts = acts[:1]  # Without an action it reboots; ours take that for a mistake.
    assert perform(party, tmp_path, acts) == []


@pytest.mark.parametrize("party", PARTIES)
def test_comments_and_unknown_options_are_ignored_and_the_last_value_counts(party: Party, tmp_path: Path) -> None:
    async def performed() -> list[int]:
        async with party(tmp_path) as (program, options):
            await run(program, f"action=on\n{options}plug=alpha\n")
            lines = f"action=off\n# action=off\n{options}plug=alpha\nnodename=beta\nwhatever=1\naction=status\n"
            return [(await run(program, f"{lines}#action=off\n"))[0] for _ in range(2)]

    assert asyncio.run(performed()) == [0, 0]


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.stem)
def test_metadata_follows_the_rules_of_fence_agents(path: Path) -> None:
    code, text, fault = asyncio.run(run([sys.executable, str(path)], "action=metadata\n"))
    assert (code, fault) == (0, "")
    root = ET.fromstring(text)
    assert root.get("name") == program_name(path.stem)
    assert root.get("shortdesc")
    names = [parameter.get("name") for parameter in root.iter("parameter")]
    assert len(names) == len(set(names))
    assert {"action", "plug"} <= set(names)
    for parameter in root.iter("parameter"):
        content = parameter.find("content")
        assert content is not None
        assert content.get("type") in {"boolean", "string", "second", "integer", "select"}
        assert parameter.findtext("shortdesc"), f"{parameter.get('name')}: nobody knows what it is for"
    actions = [action.get("name") for action in root.iter("action")]
    assert {"on", "off", "status", "monitor", "metadata", "validate-all"} <= set(actions)
    assert ("list" in actions) == ("list-status" in actions)


@needs_schema
@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.stem)
def test_metadata_is_valid_by_fence_agents_own_schema(path: Path) -> None:
    _code, text, _fault = asyncio.run(run([sys.executable, str(path)], "action=metadata\n"))
    lint = ["xmllint", "--noout", "--relaxng", str(SCHEMA), "-"]
    judged = subprocess.run(lint, input=text, capture_output=True, text=True, timeout=30, check=False)
    assert judged.returncode == 0, judged.stderr


@needs_schema
@pytest.mark.parametrize("name", ["fence_dummy", "fence_apc_snmp", "fence_ipmilan", "fence_scsi"])
def test_debians_metadata_is_read_and_written_again_by_the_same_schema(name: str) -> None:
    _code, text, _fault = asyncio.run(run([name], "action=metadata\n"))
    found = read_metadata(text)
    assert found.name == name
    assert read_metadata(found.to_xml()) == found
    lint = ["xmllint", "--noout", "--relaxng", str(SCHEMA), "-"]
    judged = subprocess.run(lint, input=found.to_xml(), capture_output=True, text=True, timeout=30, check=False)
    assert judged.returncode == 0, judged.stderr


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.stem)
def test_unreachable_or_missing_device_is_1_and_never_2(path: Path) -> None:
    for action in ("on", "off", "status", "monitor", "list", "reboot", "validate-all"):
        code, said, fault = asyncio.run(run([sys.executable, str(path)], f"action={action}\nplug=1\n"))
        assert (code, said) == (1, ""), action
        assert fault.startswith(f"{program_name(path.stem)}: ")
        assert "Traceback" not in fault


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.stem)
def test_help_names_every_option_and_action(path: Path) -> None:
    _code, text, _fault = asyncio.run(run([sys.executable, str(path)], "action=metadata\n"))
    found = read_metadata(text)
    code, said, _fault = asyncio.run(run([sys.executable, str(path), "-h"], ""))
    assert code == 0
    assert all(f"--{option.name.replace('_', '-')} " in said for option in found.options)
    assert said.endswith(f"actions: {', '.join(action.name for action in found.actions)}\n")


def test_wrappers_are_executable_programs_that_answer(tmp_path: Path) -> None:
    wrappers = install_fence_wrappers(tmp_path)
    assert {wrapper.name for wrapper in wrappers} >= {"fence_rack_power", "fence_aoe"}
    for wrapper in wrappers:
        assert stat.S_IMODE(wrapper.stat().st_mode) == 0o755
        described = subprocess.run(
            [str(wrapper), "-o", "metadata"],
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert read_metadata(described.stdout).name == wrapper.name
    assert install_fence_wrappers(tmp_path) == wrappers, "ours may be written again"


def test_ours_never_takes_the_name_of_a_program_of_fence_agents() -> None:
    assert program_name("wti") == "fence_aoeha_wti"
    assert program_name("aoe") == "fence_aoe"


def test_name_that_somebody_elses_program_has_is_left_to_it(tmp_path: Path) -> None:
    theirs = tmp_path / "fence_aoe"
    theirs.write_text("#!/bin/sh\necho theirs\n")
    names = {wrapper.name for wrapper in install_fence_wrappers(tmp_path)}
    assert theirs.read_text().endswith("echo theirs\n")
    assert "fence_aoeha_aoe" in names
    assert os.access(tmp_path / "fence_aoeha_aoe", os.X_OK)
