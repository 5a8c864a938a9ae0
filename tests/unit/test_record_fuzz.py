"""Whatever a leg, a file or a command line holds, it is read as what it says, or refused in words."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from damage import damaged, damaged_text
from host_tree import ARRAYS, prepared, put
from hypothesis import example, given
from hypothesis import strategies as st
from test_fence_metadata import SWITCH

from aoeha.agents.duration import parse_duration, render_duration
from aoeha.agents.fence_metadata import read_metadata
from aoeha.agents.parameters import ParameterError, parameters_from_strings
from aoeha.agents.parts import generation_record
from aoeha.agents.parts.generation_record import BLOCK, Mark, Place
from aoeha.agents.registry import load_fence_agent, load_resource_agent
from aoeha.config.agents_apart import _read
from aoeha.core.model.beat import Grant, GroupBeat, GroupPhase
from aoeha.core.model.shelves import LockRecord
from aoeha.io import host
from aoeha.io.host import Completed
from aoeha.journal.part_names import numbered, order
from aoeha.preflight import findings
from aoeha.scenario.grammar import ScenarioError, Text, parse
from aoeha.scenario.statements import World
from aoeha.wire.keys import Key
from aoeha.wire.lock_record import _mac, pack, unpack

KEY = Key(1, bytes(range(32)))
PLAIN = LockRecord("alpha", "0123456789abcdef" * 2, 3, 7, 1_234_567)
WORD = GroupBeat("storage", GroupPhase.STOPPED, False, True, True, 1, 9, 4, 8, Grant(9, "f" * 32, 2, 5))
RECORDS = (
    PLAIN,
    LockRecord("alpha", "0" * 32, 1, 1, 1, 4, True, WORD),
    LockRecord("alpha", "0" * 32, 1, 1, 1, 0, False, None, (0, 3)),
)
PACKED = {pack(record, "gw", "storage", KEY): record for record in RECORDS}


def test_the_lock_records_of_the_corpus_are_read() -> None:
    assert [unpack(line, "gw", "storage", [KEY]) for line in PACKED] == list(RECORDS)


@given(st.binary(max_size=300) | damaged(list(PACKED)))
def test_a_changed_lock_record_is_nobodys(line: bytes) -> None:
    assert unpack(line, "gw", "storage", [KEY]) == PACKED.get(line)


@given(damaged([line.rpartition(b" ")[0] for line in PACKED]))
def test_a_lock_record_of_another_version_is_read_or_nobodys(content: bytes) -> None:
    line = b"%s %s" % (content, _mac(KEY, content.decode(errors="replace")).encode())
    found = unpack(line, "gw", "storage", [KEY])
    assert found is None or found.epoch is not None


LEG = Place("/dev/etherd/e1.0", "a0e4a000:00000000:00000000:00000001", "e1.0")


class Disk:
    """A host on which dd reads and writes one block of text."""

    place = host.Place("gw", "alpha")

    def __init__(self, content: str = "") -> None:
        self.content = content

    async def run(self, *argv: str, deadline_ms: int, stdin: str = "", **_: Any) -> Completed:
        assert deadline_ms > 0
        self.content = stdin or self.content
        return Completed(argv, 0, self.content, "")


def marked(number: int) -> str:
    disk = Disk()
    asyncio.run(generation_record.write(disk, LEG, number, 1_000))
    return disk.content


def read_mark(content: str) -> Mark:
    return asyncio.run(generation_record.read(Disk(content), LEG, 1_000))


def test_the_generations_of_the_corpus_are_read() -> None:
    assert [read_mark(marked(number)).number for number in (1, 4_294_967_295)] == [1, 4_294_967_295]
    assert read_mark("\0" * BLOCK) == Mark(0)


@given(damaged_text([marked(41), "\0" * BLOCK]))
@example(marked(41).replace("41", "\u0664\u0661"))
def test_a_changed_generation_is_none(content: str) -> None:
    assert read_mark(content).number == (41 if content.rstrip("\0") == marked(41).rstrip("\0") else 0)


def test_the_durations_of_the_corpus_are_read() -> None:
    assert [parse_duration(text) for text in ("200ms", "2s", "10m", "1d")] == [200, 2_000, 600_000, 86_400_000]


@given(st.text(max_size=12) | damaged_text(["200ms", "2s", "10m", "1d"]))
def test_a_duration_is_a_number_of_milliseconds_or_is_refused(text: str) -> None:
    try:
        found = parse_duration(text)
    except ValueError:
        return
    assert parse_duration(render_duration(found)) == found


AGENTS: Mapping[str, dict[str, str]] = {
    "aoe": {"interfaces": "eth1 eth2", "targets": "e1.0 e2.0", "deadsecs": "20"},
    "nfs": {"state_directory": "/s", "scope": "gw", "export": '[{"directory": "/x", "clients": "*", "fsid": 0}]'},
    "raid": {
        "device": "/dev/md/x",
        "uuid": LEG.uuid,
        "legs": "/dev/a /dev/b",
        "hold_resync": "2s",
    },
    "address": {"address": "10.0.0.1/24", "interface": "eth0"},
    "filesystem": {"device": "/dev/md/x", "directory": "/srv/x", "kind": "ext4"},
    "snmp_pdu": {"address": "192.0.2.7", "family": "apc_rpdu", "credentials": "/etc/aoeha/snmp.conf"},
    "wti": {"address": "192.0.2.7", "password": "/etc/aoeha/password"},
}


def build(agent: str, strings: Mapping[str, str]) -> None:
    load = load_fence_agent if agent in ("snmp_pdu", "wti") else load_resource_agent
    parameters_from_strings(load(agent).parameters_type, strings)


def refusals(agent: str, strings: Mapping[str, str]) -> tuple[str, ...]:
    try:
        build(agent, strings)
    except ParameterError as error:
        return error.findings
    return ()


@given(st.sampled_from(sorted(AGENTS)), st.data())
def test_an_agents_parameters_are_taken_or_refused_by_key(agent: str, data: st.DataObject) -> None:
    table = dict(AGENTS[agent])
    key = data.draw(st.sampled_from([*table, "colour"]))
    table[key] = data.draw(st.text(max_size=20) | damaged_text([table.get(key, "red")]))
    assert all(map(str.isprintable, refusals(agent, table)))


@pytest.mark.parametrize("text", ["[" * 100_000, "[" + "9" * 5_000 + "]", "[{]"])
def test_a_table_that_is_none_is_refused_by_key(text: str) -> None:
    with pytest.raises(ParameterError, match=r"^export: "):
        build("nfs", AGENTS["nfs"] | {"export": text})


@given(st.text(max_size=60) | damaged_text([SWITCH.to_xml()]))
def test_a_programs_description_is_read_or_refused_in_words(text: str) -> None:
    try:
        described = read_metadata(text)
    except ValueError:
        return
    assert read_metadata(described.to_xml()) == described


@given(damaged_text(['{"asked": ["group", 0]}\n{"path": ["a", 1], "sentence": "x", "warning": false}\n{}\n']))
def test_whatever_a_child_tells_of_a_file_is_findings(text: str) -> None:
    found, asked, _ = _read(text.encode().splitlines())
    assert isinstance(asked, tuple)
    assert all(isinstance(finding.sentence, str) for finding in found)


@given(st.text(max_size=30) | damaged_text([numbered(42, "20261130T224806Z-4711-0001.jsonl")]))
def test_any_file_in_the_journals_folder_has_a_place(name: str) -> None:
    assert order(name)[0] >= 0


STORIES = [path.read_text().partition("----\n")[0] for path in sorted(Path("tests/scenarios").glob("*.txt"))[::12]]


@given(st.sampled_from(World), st.text(max_size=60) | damaged_text(STORIES))
@example(World.SIMULATOR, f"wait {'9' * 400}s\n")
@example(World.SIMULATOR, f"repeat {'9' * 5_000}\nwait 1s\nend\n")
def test_a_story_is_read_or_refused_with_its_line(world: World, text: str) -> None:
    lines = range(1, 2 + len(text.splitlines()))
    read, refusal = story(text, world)
    if read is None:
        place = re.match(r"story\.txt:(\d+): ", refusal)
        assert place, refusal
        assert int(place[1]) in lines
    else:
        assert all(statement.line in lines for statement in (*read.head, *read.play))


def story(text: str, world: World) -> tuple[Text | None, str]:
    """Read a story. Return it, or why it is refused."""
    try:
        return parse("story.txt", text, world), ""
    except ScenarioError as refused:
        return None, str(refused)


def test_the_stories_of_the_corpus_are_read() -> None:
    assert len(STORIES) > 10
    assert all(parse("story.txt", story, World.SIMULATOR).play for story in STORIES)


FILES = {
    "etc/mdadm/mdadm.conf": "HOMEHOST <system>\nAUTO -all\nARRAY /dev/md/own UUID=1:2:3:4\n  devices=/dev/sda\n",
    "etc/fstab": "UUID=1 / ext4 defaults 0 1\n/dev/md/own /var ext4 noauto 0 0\n",
    "etc/lvm/lvm.conf": 'activation {\n auto_activation_volume_list = [ "own" ]\n}\n'
    'devices { global_filter = [ "r|^/dev/etherd/|", "a|.*|" ]\n use_devicesfile = 1 }\n',
    "etc/lvm/devices/system.devices": "IDTYPE=md_uuid IDNAME=1-2 DEVNAME=/dev/md127 PVID=x\n",
    "etc/modules-load.d/modules.conf": "# loop\nloop\n",
    "etc/lvm/backup/own": 'own { physical_volumes { pv0 { device = "/dev/md/own" } } }\n',
}


@given(st.sampled_from(sorted(FILES)), st.data())
def test_whatever_a_hosts_files_hold_they_are_judged(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    root = tmp_path_factory.getbasetemp() / "root"
    put(prepared(root), "usr/sbin/lvm")
    for each, text in FILES.items():
        put(root, each, text)
    (root / name).write_bytes(data.draw(damaged([FILES[name].encode()])))
    assert all(finding.sentence and finding.fix for finding in findings(root, ARRAYS))


def test_a_filter_of_lvm_that_is_empty_is_passed_over(tmp_path: Path) -> None:
    put(prepared(tmp_path), "usr/sbin/lvm")
    put(tmp_path, "etc/lvm/lvm.conf", 'devices { global_filter = [ "", "r|^/dev/etherd/|", "a|.*|" ] }\n')
    assert [finding.sentence[:3] for finding in findings(tmp_path, ARRAYS)] == ["LVM"]


def test_the_hosts_files_of_the_corpus_are_good(tmp_path: Path) -> None:
    for each, text in (FILES | {"usr/sbin/lvm": ""}).items():
        put(tmp_path, each, text)
    assert [finding.sentence for finding in findings(tmp_path, ARRAYS)] == []


def test_the_parameters_and_descriptions_of_the_corpus_are_read() -> None:
    for agent, strings in AGENTS.items():
        build(agent, strings)
    assert read_metadata(SWITCH.to_xml()) == SWITCH
    assert _read([json.dumps({"asked": ["a"]}).encode(), b"{}"]) == ([], ("a",), True)
