"""OCF both ways: Debian's own agents run as ours, and ours answer as OCF agents."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from aoeha.agents import ocf_process
from aoeha.agents.installers import install_ocf_wrappers
from aoeha.agents.interface import AgentError
from aoeha.agents.ocf_codes import code_of, status_of
from aoeha.agents.parameters import ParameterError
from aoeha.agents.registry import AgentKind, agent_files, build_resource_agent, load_resource_agent
from aoeha.core.model.task import ResourceStatus
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

DUMMY = Path("/usr/lib/ocf/resource.d/heartbeat/Dummy")
AGENTS = sorted(path.stem for path in agent_files(AgentKind.RESOURCE))
needs_dummy = pytest.mark.skipif(not DUMMY.exists(), reason="needs Debian's resource-agents")


def host(tmp_path: Path) -> ProcessHost:
    return ProcessHost(Place("test", "alpha", run_directory=tmp_path))


@needs_dummy
def test_an_installed_ocf_agent_works_as_one_of_ours(tmp_path: Path) -> None:
    async def life() -> list[ResourceStatus]:
        table = {"state": str(tmp_path / "dummy"), "fake": "a b", "op_sleep": 0}
        subject = build_resource_agent("ocf:heartbeat:Dummy", "dummy", table, host(tmp_path))
        await subject.validate()
        seen = [(await subject.monitor()).status]
        for action in (subject.start, subject.start, subject.stop, subject.stop):
            await action()
            seen.append((await subject.monitor()).status)
        return seen

    up, down = ResourceStatus.RUNNING, ResourceStatus.STOPPED
    assert asyncio.run(life()) == [down, up, up, down, down]


def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Any:
    folder = tmp_path / "resource.d" / "test"
    folder.mkdir(parents=True)
    (folder / "scripted").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "scripted").chmod(0o755)
    monkeypatch.setattr(ocf_process, "OCF_ROOT", tmp_path)
    ocf_process.ocf_agent.cache_clear()
    return build_resource_agent("ocf:test:scripted", "thing", {"a": True, "b": 3}, host(tmp_path))


def test_the_operators_sentence_is_taken_from_the_agents_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = scripted(tmp_path, monkeypatch, "echo noise >&2; echo 'ocf-exit-reason:the disk is wet' >&2; exit 5")
    with pytest.raises(AgentError, match=r"cannot start ocf:test:scripted: the disk is wet \(code 5, not installed\)"):
        asyncio.run(subject.start())


def test_an_agent_without_a_reason_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = scripted(tmp_path, monkeypatch, "echo ERROR: out of ink >&2; exit 1")
    with pytest.raises(AgentError, match=r"out of ink \(code 1, generic\)"):
        asyncio.run(subject.stop())


def test_the_environment_is_that_of_the_specification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = scripted(tmp_path, monkeypatch, f"env > {tmp_path}/$1; exit 0")
    asyncio.run(subject.start())
    given = dict(line.split("=", 1) for line in (tmp_path / "start").read_text().splitlines())
    wanted = {
        "OCF_ROOT": str(tmp_path),
        "OCF_RA_VERSION_MAJOR": "1",
        "OCF_RA_VERSION_MINOR": "1",
        "OCF_RESOURCE_INSTANCE": "thing",
        "OCF_RESOURCE_TYPE": "scripted",
        "OCF_RESOURCE_PROVIDER": "test",
        "OCF_RESKEY_a": "true",
        "OCF_RESKEY_b": "3",
        "LC_ALL": "C",
    }
    assert wanted.items() <= given.items()


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, "running"), (7, "stopped"), (190, "degraded"), (1, "failed"), (9, "failed"), (77, "failed"), (5, "stopped")],
)
def test_monitor_codes_are_understood(code: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subject = scripted(tmp_path, monkeypatch, f"exit {code}")
    assert asyncio.run(subject.monitor()).status.value == status


def test_our_statuses_survive_the_way_there_and_back() -> None:
    assert all(status_of(code_of(status)) is status for status in ResourceStatus)


@needs_dummy
def test_parameters_that_ocf_cannot_carry_are_refused() -> None:
    with pytest.raises(ParameterError, match="legs: expected a string"):
        load_resource_agent("ocf:heartbeat:Dummy").typed({"legs": ["a"]})


@pytest.fixture(scope="module")
def wrappers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.name: path for path in install_ocf_wrappers(tmp_path_factory.mktemp("ocf"))}


def ocf(program: Path, action: str, **parameters: str) -> subprocess.CompletedProcess[str]:
    reskeys = {f"OCF_RESKEY_{key}": value for key, value in parameters.items()}
    environment = {"PATH": os.environ["PATH"], "OCF_ROOT": "/usr/lib/ocf"} | reskeys
    return subprocess.run([str(program), action], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", AGENTS)
def test_each_of_our_agents_describes_itself_as_the_specification_wants(kind: str, wrappers: dict[str, Path]) -> None:
    done = ocf(wrappers[kind], "meta-data")
    assert done.returncode == 0
    root = ET.fromstring(done.stdout)
    assert root.get("name") == kind
    assert {action.get("name") for action in root.iter("action")} == {
        "start", "stop", "monitor", "validate-all", "meta-data",
    }  # fmt: skip
    for parameter in root.iter("parameter"):
        assert parameter.findtext("shortdesc")


@pytest.mark.parametrize("kind", AGENTS)
def test_an_action_that_we_do_not_have_is_unimplemented(kind: str, wrappers: dict[str, Path]) -> None:
    assert ocf(wrappers[kind], "promote").returncode == 3


def test_missing_parameters_are_a_configuration_error_with_a_reason(wrappers: dict[str, Path]) -> None:
    done = ocf(wrappers["raid"], "start")
    assert done.returncode == 6
    assert done.stderr.startswith("ocf-exit-reason:")
    assert "uuid: this parameter is required" in done.stderr


def test_a_stopped_resource_is_not_running(wrappers: dict[str, Path], tmp_path: Path) -> None:
    device = {"device": "/dev/no-such-disk", "directory": str(tmp_path), "kind": "ext4"}
    assert ocf(wrappers["filesystem"], "monitor", **device).returncode == 7


def test_the_wrapper_runs_this_interpreter(wrappers: dict[str, Path]) -> None:
    assert sys.executable in wrappers["nfs"].read_text()
