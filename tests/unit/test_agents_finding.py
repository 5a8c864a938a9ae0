"""From type names to agents: ours, a user's own, installed OCF and fence programs; and clear refusals."""

import tomllib
from pathlib import Path

import pytest

from aoeha.agents import registry
from aoeha.agents.interface import ResourceAgent
from aoeha.agents.parameters import ParameterError
from aoeha.agents.registry import (
    AgentKind,
    AgentNotFoundError,
    agent_files,
    build_fence_agent,
    build_resource_agent,
    known_types,
    load_from,
    load_resource_agent,
)
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost

HOST = ProcessHost(Place("test", "alpha"))
OWN = """
from aoeha.agents.interface import Observation, Parameters, ResourceAgent
from aoeha.core.model.task import ResourceStatus

class OwnParameters(Parameters, frozen=True):
    colour: str

class Own(ResourceAgent[OwnParameters]):
    parameters_type = OwnParameters
    summary = "a user's own"
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def monitor(self) -> Observation: return Observation(ResourceStatus.STOPPED, self.parameters.colour)
    async def validate(self) -> None: ...
"""


@pytest.mark.parametrize("type_name", ["address", "aoe", "filesystem", "nfs", "raid"])
def test_each_of_our_agents_is_found_and_has_a_summary(type_name: str) -> None:
    agent = load_resource_agent(type_name)
    assert issubclass(agent, ResourceAgent)
    assert agent.summary
    assert type_name in known_types(AgentKind.RESOURCE)


def test_a_users_own_file_comes_before_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "resources.d"
    folder.mkdir()
    (folder / "address.py").write_text(OWN)
    ours = registry.folders(AgentKind.RESOURCE)
    monkeypatch.setattr(registry, "folders", lambda _kind: (folder, *ours))
    agent = build_resource_agent("address", "mine", {"colour": "red"}, HOST)
    assert type(agent).__name__ == "Own"
    assert agent.parameters.colour == "red"


@pytest.mark.parametrize("type_name", ["adress", "../etc/passwd", "", "ocf:heartbeat", "a/b", "__init__"])
def test_an_unknown_type_is_refused_with_the_known_ones(type_name: str) -> None:
    with pytest.raises(AgentNotFoundError, match=r"no resource agent .*known are address, aoe, filesystem, nfs, raid"):
        load_resource_agent(type_name)


def test_an_ocf_agent_that_is_not_installed_is_refused() -> None:
    with pytest.raises(AgentNotFoundError, match=r"no OCF agent .*/heartbeat/Nonsense"):
        load_resource_agent("ocf:heartbeat:Nonsense")


def test_a_fence_program_that_is_not_installed_is_refused() -> None:
    with pytest.raises(AgentNotFoundError, match="no fence program 'fence_nonsense'"):
        build_fence_agent("external:fence_nonsense", "switch", {}, HOST)
    with pytest.raises(AgentNotFoundError, match="no fence program 'rm'"):
        build_fence_agent("external:rm", "switch", {}, HOST)


def test_a_file_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_module_here\n")
    with pytest.raises(AgentNotFoundError, match=r"cannot load the agent .*broken.py: ModuleNotFoundError"):
        load_from(AgentKind.RESOURCE, broken)
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1\n")
    with pytest.raises(AgentNotFoundError, match="exactly one complete ResourceAgent, but defines none"):
        load_from(AgentKind.RESOURCE, empty)


def test_wrong_parameters_are_all_named_at_once() -> None:
    with pytest.raises(ParameterError) as caught:
        build_resource_agent("aoe", "shelves", {"interfaces": "eth1", "patience": "soon", "colour": 1}, HOST)
    findings = "\n".join(caught.value.findings)
    for key in (
        "interfaces: ",
        "patience: expected a duration",
        "colour: no such parameter",
        "targets: this parameter",
    ):
        assert key in findings


def test_the_example_configuration_suits_the_agents() -> None:
    example = Path(__file__).parents[2] / "etc" / "aoeha.toml"
    document = tomllib.loads(example.read_text())
    resources = document["group"][0]["resource"]
    built = [build_resource_agent(one["type"], one["name"], one["parameters"], HOST) for one in resources]
    assert [agent.name for agent in built] == [resource["name"] for resource in resources]


def test_a_checkout_is_served_from_its_own_files_and_not_from_installed_copies() -> None:
    checkout = Path(__file__).parents[2]
    assert [path.parent.parent for path in agent_files(AgentKind.RESOURCE)] == [checkout] * 5
