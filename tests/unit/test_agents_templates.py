"""The exports table, and how templates are found and refused."""

import asyncio
from pathlib import Path

import pytest

from aoeha.agents.interface import AgentError
from aoeha.agents.registry import build_resource_agent
from aoeha.io.host import Place
from aoeha.io.processes import ProcessHost
from aoeha.io.templates import RenderError, render, template_folders, write_atomically

EXPORT = {"directory": "/srv/my data", "clients": "10.0.0.0/8 fd00::/64", "fsid": 7, "options": "rw,sync"}


def place(tmp_path: Path) -> Place:
    return Place("test", "alpha", configuration_directory=tmp_path)


def test_each_client_gets_the_options_and_the_fsid(tmp_path: Path) -> None:
    text = render(template_folders(place(tmp_path)), "exports.j2", {"name": "exports", "exports": [EXPORT, EXPORT]})
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines == ['"/srv/my data" 10.0.0.0/8(rw,sync,fsid=7) fd00::/64(rw,sync,fsid=7)'] * 2


def test_a_users_own_template_comes_first_and_its_typos_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    own = tmp_path / "templates" / "exports.j2"
    own.write_text("# {{ name }}\n")
    folders = template_folders(place(tmp_path))
    assert render(folders, "exports.j2", {"name": "mine"}) == "# mine\n"
    own.write_text("# {{ nmae }}\n")
    table = {"state_directory": "/srv/s", "scope": "gw", "export": [EXPORT]}
    agent = build_resource_agent("nfs", "exports", table, ProcessHost(place(tmp_path)))
    with pytest.raises(AgentError, match=r"cannot render the template exports\.j2.*nmae"):
        asyncio.run(agent.validate())


def test_a_missing_template_names_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=rf"cannot find the template nothing\.j2 in {tmp_path}"):
        render(template_folders(place(tmp_path)), "nothing.j2", {})


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.exports"
    write_atomically(path, "one\n")
    write_atomically(path, "two\n")
    assert path.read_text() == "two\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["table.exports"]
