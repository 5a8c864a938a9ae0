"""aoeha.toml from disk: every error at its line, all at once, and never a traceback."""

import os
from pathlib import Path

import pytest

from aoeha.config.findings import ConfigurationError
from aoeha.config.load import inspect, load

EXAMPLE = Path(__file__).parents[2] / "etc" / "aoeha.toml"


def findings_of(tmp_path: Path, content: str | bytes) -> list[str]:
    """Return the findings as printed, without the folder."""
    file = tmp_path / "aoeha.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [str(finding).removeprefix(f"{tmp_path}/") for finding in inspect(file).findings]


def changed(old: str, new: str) -> str:
    """Return the example with one place changed."""
    text = EXAMPLE.read_text()
    assert text.count(old) >= 1, old
    return text.replace(old, new, 1)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_the_example_is_without_any_finding() -> None:
    inspection = inspect(EXAMPLE)
    assert inspection.findings == ()
    configuration = inspection.configuration
    assert configuration is not None
    assert configuration.timing.deadtime_ms == 2_000
    types = {resource.type for resource in configuration.groups[0].resources}
    assert types == {"aoe", "raid", "filesystem", "address", "nfs"}


def test_many_errors_are_told_at_once_each_at_its_line(tmp_path: Path) -> None:
    text = """\
cluster = "gw"

[timing]
keepalive = 200
deadtme = "2s"   # a typo
warntime = "fast"

[[node]]
name = "alpha"
[[node]]
name = "be ta"

[[link]]
name = "cable"
type = "seral"
[[link]]
name = "lan"
type = "udp"
interface = "eth0"
port = 99999
address = { alpha = "192.0.2.1", beta = "192.0.2.2" }

[[fence]]
name = "switch"
type = "rack_power"
plug = "alpha"

[[group]]
name = "storage"
preferred = "alpha"
[[group.resource]]
name = "shelves"
typ = "aoe"
[group.resource.parameters]
targets = [ # brackets ] and [[headers]] in comments and strings are no structure
  "[[e1.0]]",
]
[[group.resource]]
name = "volume"
type = "filesystem"
start_timout = "20s"
"""
    found = findings_of(tmp_path, text)
    places = [finding.split(": ")[0:2] for finding in found]
    assert places == [
        ["aoeha.toml:4", "timing.keepalive"],
        ["aoeha.toml:5", "timing.deadtme"],
        ["aoeha.toml:6", "timing.warntime"],
        ["aoeha.toml:11", "node[be ta].name"],
        ["aoeha.toml:15", "link[cable].type"],
        ["aoeha.toml:20", "link[lan].port"],
        ["aoeha.toml:26", "fence[switch].plug"],
        ["aoeha.toml:33", "group[storage].resource[shelves].typ"],
        ["aoeha.toml:41", "group[storage].resource[volume].start_timout"],
    ]
    assert all("expected" in finding for finding in found)
    assert "did you mean 'deadtime'?" in found[1]
    assert 'did you mean "serial"?' in found[4]
    assert "did you mean 'type'?" in found[7]


def test_load_raises_all_findings(tmp_path: Path) -> None:
    file = tmp_path / "aoeha.toml"
    file.write_text(changed('deadtime = "2s"', 'deadtime = "2 s"').replace("baud = 115200", 'baud = "fast"'))
    with pytest.raises(ConfigurationError) as raised:
        load(file)
    assert [finding.key for finding in raised.value.findings] == ["timing.deadtime", "link[serial].baud"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('keepalive = "200ms"', "keepalive = 200", 'expected a duration like "200ms", "2s" or "10m", got 200; write'),
        ('deadtime = "2s"', "deadtime = true", "got true"),
        ('deadtime = "2s"', 'deadtime = "-2s"', 'got "-2s"'),
        ('deadtime = "2s"', 'deadtime = "2.5s"', 'got "2.5s"'),
        ('deadtime = "2s"', 'deadtime = "٢s"', 'got "٢s"'),
        ("port = 694", "port = 0", "expected a port number from 1 to 65535, got 0"),
        ("port = 694", 'port = "694"', 'expected a port number from 1 to 65535, got "694"'),
        ('cluster = "gw"', "cluster = 1", 'expected a name like "alpha"'),
        ('cluster = "gw"', "", "expected the key 'cluster'"),
        ("level = 1", "level = 10", "expected a level from 1 to 9, got 10"),
        ("level = 1", "level = true", "expected a level from 1 to 9, got true"),
        ("[timing]  ", "[[timing]]  ", "timing: expected a table, got a list"),
        ("[[fence]]", "[fence]", "fence: expected tables headed [[fence]], got a table; use two brackets"),
        ('preferred = "alpha"', "", "group[storage]: expected the key 'preferred'"),
        ('type = "udp"', "", "link[lan]: expected the key 'type' (\"serial\" or \"udp\"), got none"),
        ("[fence.parameters]", "[fence.parameter]", "got 'parameter'; did you mean 'parameters'?"),
        ("[timing]  ", 'after_fence = "maybe"\n[timing]  ', 'expected "on" or "off", got "maybe"'),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_what_was_expected(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = changed(old, new)
    (finding,) = findings_of(tmp_path, text)
    assert expected in finding
    if new:
        assert finding.startswith(f"aoeha.toml:{line_of(text, new.splitlines()[0])}: ")


def test_a_file_cut_off_anywhere_gives_findings_and_never_a_traceback(tmp_path: Path) -> None:
    content = EXAMPLE.read_bytes()
    last_needed = content.index(b"[[group.resource]]")
    for length in range(0, last_needed, 7):
        assert findings_of(tmp_path, content[:length]), f"{length} bytes were taken for a whole file"
    for length in range(last_needed, len(content), 41):
        findings_of(tmp_path, content[:length])


def test_a_file_cut_within_a_value_says_so(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    found = findings_of(tmp_path, text[: text.index('beta = "10.77.1.12"')])
    assert len(found) == 1
    assert found[0].startswith(f"aoeha.toml:{line_of(text, 'address = {')}: expected TOML: ")
    assert "cut off?" in found[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "aoeha.toml: expected a configuration, got an empty file"),
        (b" \n\n", "aoeha.toml: expected a configuration, got an empty file"),
        (b'cluster = "gw"\n# caf\xe9\n', "aoeha.toml:2: expected UTF-8 text, got the byte 0xe9"),
        (b'\xef\xbb\xbfcluster = "gw"\n', "aoeha.toml:1: expected TOML, got a byte order mark"),
        (b"\0" * 400, "aoeha.toml:1: expected TOML"),
        (b'cluster = "gw"\ncluster = "wg"\n', "aoeha.toml:2: expected TOML: cannot overwrite a value"),
        (b"cluster = gw\n", "aoeha.toml:1: expected TOML: invalid value at column 11"),
        (b"x" * (1 << 21), "aoeha.toml: expected at most 1048576 bytes"),
    ],
)
def test_what_is_no_configuration_at_all_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    (finding,) = findings_of(tmp_path, content)
    assert finding.startswith(expected)


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, expected in (("none", "there is none"), (".", "got a directory"), ("pipe", "got a device, pipe")):
        (finding,) = inspect(tmp_path / name).findings
        assert expected in str(finding)


def test_random_bytes_never_raise(tmp_path: Path) -> None:
    content = EXAMPLE.read_bytes()
    for seed in range(300):
        place = seed * 7_919 % len(content)
        findings = findings_of(tmp_path, content[:place] + bytes([seed * 31 % 256]) + content[place + 1 :])
        assert all(": " in finding for finding in findings), "a finding names its place"


def test_no_password_is_printed(tmp_path: Path) -> None:
    text = changed('plug = { alpha = "alpha", beta = "beta" }', "plug = { alpha = 1 }\npassword = 'hunter2'")
    assert not any("hunter2" in finding for finding in findings_of(tmp_path, text))
