"""Agents' parameters from TOML tables and from OCF's strings."""

import msgspec
import pytest

from aoeha.agents.parameters import ParameterError, parameters_from_strings, typed_parameters
from aoeha.agents.registry import load_resource_agent


def test_durations_are_read_as_milliseconds() -> None:
    kind = load_resource_agent("raid").parameters_type
    table = {"device": "/dev/md/x", "uuid": "00000000:00000000:00000000:00000001", "legs": ["/dev/a", "/dev/b"]}
    given = msgspec.structs.asdict(typed_parameters(kind, table | {"hold_resync": "2s"}))
    assert given["hold_resync_ms"] == 2_000


def test_ocf_strings_become_lists_numbers_and_tables() -> None:
    aoe = load_resource_agent("aoe").parameters_type
    given = parameters_from_strings(aoe, {"interfaces": "eth1 eth2", "targets": "e1.0 e2.0", "deadsecs": "20"})
    assert msgspec.structs.asdict(given) == {
        "interfaces": ("eth1", "eth2"), "targets": ("e1.0", "e2.0"), "deadsecs": 20, "patience_ms": 15_000,
    }  # fmt: skip
    nfs = load_resource_agent("nfs").parameters_type
    exports = '[{"directory": "/srv/x", "clients": "*", "fsid": 0}]'
    served = parameters_from_strings(nfs, {"state_directory": "/srv/s", "scope": "gw", "export": exports})
    assert msgspec.structs.asdict(served)["exports"][0].directory == "/srv/x"


@pytest.mark.parametrize(
    ("type_name", "table", "sentence"),
    [
        ("address", {"address": "10.0.0.1", "interface": "eth0"}, "with its prefix length"),
        ("address", {"address": "10.0.0.300/24", "interface": "eth0"}, "address: "),
        ("aoe", {"interfaces": ["eth1"], "targets": ["1.0"]}, r'targets: expected a target like "e1.0", got "1.0"'),
        ("aoe", {"interfaces": ["a,b"], "targets": ["e1.0"]}, "interfaces: "),
        ("aoe", {"interfaces": ["eth1"], "targets": ["e1.0"], "deadsecs": 0}, "deadsecs: "),
        ("raid", {"device": "/dev/md/x", "uuid": "1:2", "legs": ["/dev/a", "/dev/b"]}, "uuid: "),
        ("raid", {"device": "md0", "uuid": "1:2", "legs": ["/dev/a"]}, "device: .*legs: "),
        ("filesystem", {"device": "/dev/x", "directory": "/a/../b", "kind": "ext4"}, "directory: .*plain abs"),
        ("filesystem", {"device": "/dev/x", "directory": "/b", "kind": "btrfs"}, "kind: "),
        ("nfs", {"state_directory": "/s", "scope": "x", "lease": "5s", "export": [
            {"directory": "/x", "clients": "*", "fsid": 0}]}, "lease: "),
        ("nfs", {"state_directory": "/s", "scope": "a b; reboot", "export": []}, "scope: .*export: "),
    ],
)  # fmt: skip
def test_impossible_values_are_refused_by_key(type_name: str, table: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        load_resource_agent(type_name).typed(table)


def test_what_is_wrong_is_told_without_steering_the_terminal() -> None:
    with pytest.raises(ParameterError) as caught:
        load_resource_agent("address").typed({"address": "\x1b[2J", "interface": "\x9b2J"})
    assert caught.value.findings
    assert all(map(str.isprintable, [str(caught.value), *caught.value.findings]))
