"""Rules between keys: what each refuses, at which key."""

from pathlib import Path

import pytest

from aoeha.config.load import inspect

EXAMPLE = Path(__file__).parents[2] / "etc" / "aoeha.toml"
SERIAL_LINK = EXAMPLE.read_text().partition("[[link]]")[2].partition("[[link]]")[0]

SECOND_MIRROR = """name = "second"
type = "raid"
[group.resource.parameters]
device = "/dev/md/b"
uuid = "a0e4a000:00000000:00000000:00000002"
legs = ["/dev/etherd/e1.0"]

[[group.resource]]
name = "volume\""""


def findings_of(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    """Return "KEY: SENTENCE" for the example with these changes."""
    text = EXAMPLE.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    file = tmp_path / "aoeha.toml"
    file.write_text(text)
    findings = inspect(file).findings
    return [f"{'warning: ' if finding.warning else ''}{finding.key}: {finding.sentence}" for finding in findings]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('[[node]]\nname = "beta"\nstorage = { eth1 = "02:77:01:00:00:12" }', "", "two [[node]] tables, got 1"),
        ('[[node]]\nname = "beta"', '[[node]]\nname = "beta"\n[[node]]\nname = "c"', "got 3"),
        ('[[node]]\nname = "beta"', '[[node]]\nname = "alpha"', "node[alpha].name: expected a name of its own"),
        ('name = "lan"', 'name = "serial"', "link[serial].name: expected a name of its own"),
        ('name = "volume"', 'name = "mirror"', "group[storage].resource[mirror].name: expected a name of its own"),
        ('keepalive = "200ms"', 'keepalive = "10ms"', 'timing.keepalive: expected at least "20ms"'),
        ('keepalive = "200ms"', 'keepalive = "2001ms"', 'timing.keepalive: expected at most "2s", got "2001ms"'),
        ('warntime = "600ms"', 'warntime = "399ms"', 'timing.warntime: expected at least twice keepalive ("400ms")'),
        ('deadtime = "2s"', 'deadtime = "600ms"', 'timing.deadtime: expected more than warntime ("600ms")'),
        ('deadtime = "2s"', 'deadtime = "1400ms"', 'deadtime: expected at least "1500ms", twice warntime and time'),
        ('name = "volume"', SECOND_MIRROR, 'resource[second]: expected one mirror in the group, got "second" beside'),
        (
            '[[group.leg]]\nname = "e2.0"',
            '[[group.leg]]\nname = "e3.0"\naddress = ["02:77:01:00:00:33"]\n\n[[group.leg]]\nname = "e2.0"',
            "parameters.legs: expected all legs of the group, e3.0 is missing",
        ),
        ('initdead = "10s"', 'initdead = "1999ms"', 'timing.initdead: expected at least deadtime ("2s")'),
        ('initdead = "10s"', 'initdead = "11m"', 'timing.initdead: expected at most "10m"'),
        ('cluster = "gw"', 'reference_hosts = ["10.77.1.12"]\ncluster = "gw"', "beta on link lan; an answer"),
        ('cluster = "gw"', 'reference_hosts = ["10.77.1.10"]\ncluster = "gw"', "the service address service-address"),
        ('cluster = "gw"', 'reference_hosts = ["router"]\ncluster = "gw"', "expected an IP address without a mask"),
        ('preferred = "alpha"', 'preferred = "gamma"', "group[storage].preferred: expected a node (alpha, beta)"),
        ('plug = { alpha = "alpha", beta = "beta" }', 'plug = { alpha = "1" }', 'each node, got none for "beta"; when'),
        ('plug = { alpha = "alpha", beta = "beta" }', 'plug = { alpha = "1", beta = "1" }', "a different plug"),
        ('plug = { alpha = "alpha"', 'plug = { gamma = "3", alpha = "alpha"', "plug.gamma: expected a node"),
        ("level = 1", "level = 2", "fence: expected levels 1, 2, ... without a gap, got 2"),
        ('timeout = "5s"', 'timeout = "0s"', 'fence[power-switch].timeout: expected a duration from "100ms"'),
        ('beta = "10.77.1.12"', 'beta = "10.77.1.11"', "link[lan].address.beta: expected an address and port"),
        ('beta = "10.77.1.12"', 'beta = "10.77.1.12/24"', "expected an IP address without a mask"),
        ('beta = "10.77.1.12"', 'beta = "fd00::12"', "got IPv4 and IPv6"),
        ("baud = 115200", "baud = 9600", "link[serial].baud: expected a speed that carries a beat"),
        ('device = "/dev/ttyS0"', 'device = { alpha = "/dev/ttyS0" }', "link[serial].device: expected a value"),
        ("deadsecs = 3600", "deadsecs = 3600\nwrite_behind = 256", "expected no write-behind"),
        ("deadsecs = 3600", "deadsecs = 59", "parameters.deadsecs: expected at least 60, got 59"),
        ("deadsecs = 3600", "", "parameters.deadsecs: expected at least 60, got 15"),
        ('# ledger_lease = "30s"', 'ledger_lease = "12s" #', "timing.ledger_lease: expected more than deadtime"),
        ("[timing]", '[timing]\nshelf_timeout = "40ms"', 'timing.shelf_timeout: expected at least "50ms"'),
        ("[timing]", '[timing]\nshelf_timeout = "1s"', "timing.reservation_interval: expected more than shelf_timeout"),
        ("[timing]", '[timing]\naddress_lifetime = "2s"', 'twice reservation_interval and shelf_timeout ("2500ms")'),
        ('cluster = "gw"', 'restart_window = "9m"\ncluster = "gw"', "restart_window: expected a known key"),
        ("# restart_max", 'restart_window = "9m"\n# restart_max', "`failure_window` (in which failures of resources"),
        ('storage = { eth1 = "02:77:01:00:00:12" }', "", 'node[beta]: expected the key "storage"'),
        ('[[group.leg]]\nname = "e2.0"\naddress = ["02:77:01:00:00:32"]', "", "both legs of the mirror, got one"),
        ("[watchdog]", '[watchdog]\ntimeout = "5s"', 'watchdog.timeout: expected whole seconds from "6s"'),
        ("[watchdog]", '[watchdog]\ntimeout = "61s"', 'to "60s", got "61s"'),
        ("[watchdog]", '[watchdog]\ntimeout = "7500ms"', 'whole seconds from "6s" to "60s"'),
        ("[watchdog]", '[watchdog]\nmode = "on"', 'watchdog.mode: expected "required", "automatic" or "off"'),
        ("[watchdog]", '[watchdog]\ndevice = { alpha = "/dev/a" }', "watchdog.device: expected a value"),
        ('"/dev/etherd/e2.0"]', '"/dev/sdb"]', "resource[mirror].parameters.legs: expected devices of"),
        ('"/dev/etherd/e2.0"]', '"/dev/etherd/e3.0"]', "devices of the group's legs (e1.0, e2.0)"),
        ('targets = ["e1.0", "e2.0"]', 'targets = ["e1.0", "e3.0"]', "parameters.targets: expected legs of the group"),
        ('name = "e2.0"', 'name = "e1.0"', "group[storage].leg[e1.0].name: expected a name of its own"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_an_error_at_its_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    found = findings_of(tmp_path, (old, new))
    assert any(expected in finding for finding in found), found
    assert not all(finding.startswith("warning: ") for finding in found)


@pytest.mark.parametrize(
    ("plug", "address", "expected"),
    [
        ('{ alpha = "1", beta = "1" }', '{ alpha = "10.77.1.21", beta = "10.77.1.22" }', ""),
        ('{ alpha = "1", beta = "1" }', '{ alpha = "10.77.1.21", beta = "10.77.1.21" }', "a different plug for each"),
        (
            '{ alpha = "1", beta = "2" }',
            '{ alpha = "10.77.1.21" }',
            "address: expected one value for each node of plug",
        ),
        ('{ beta = "2" }', '"10.77.1.21"', 'expected a device with a plug for each node, got none for "alpha"'),
    ],
)
def test_a_device_may_have_a_parameter_for_each_node(tmp_path: Path, plug: str, address: str, expected: str) -> None:
    changes = (('{ alpha = "alpha", beta = "beta" }', plug), ('address = "10.77.1.1"', f"address = {address}"))
    found = findings_of(tmp_path, *changes)
    assert any(expected in finding for finding in found) if expected else found == []


def test_no_fence_device_is_a_warning_in_capitals(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    fence = "[[fence]]" + text.partition("[[fence]]")[2].partition("# A group")[0]
    (finding,) = findings_of(tmp_path, (fence, ""))
    assert finding.startswith("warning: fence: NOT PROTECTED")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('type = "rack_power"', 'type = "rack_power"\npowered_by = "victim"', "fence[power-switch].powered_by"),
        ("[fence.parameters]", '[fence.parameters]\nmethod = "cycle"', 'expected "onoff", got "cycle"'),
        ('type = "rack_power"', 'type = "rack_power"\npowered_by = "mains"', 'expected "own" or "victim"'),
    ],
)
def test_a_device_that_would_fail_when_it_is_needed_is_told(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert any(expected in finding for finding in findings_of(tmp_path, (old, new)))


def test_a_second_level_or_the_shelves_make_up_for_a_device_in_the_gateway(tmp_path: Path) -> None:
    mortal = ('type = "rack_power"', 'type = "rack_power"\npowered_by = "victim"')
    plug = 'plug = { alpha = "a", beta = "b" }'
    other = f'[[fence]]\nname = "pdu"\ntype = "rack_power"\n{plug}\nlevel = 2\nparameters = {{ address = "10.77.1.1" }}'
    assert findings_of(tmp_path, mortal, ("# A group", f"{other}\n# A group")) == []
    assert findings_of(tmp_path, mortal, ('fence_policy = "power" ', 'fence_policy = "storage" ')) == []


def test_everything_on_one_switch_is_a_warning(tmp_path: Path) -> None:
    only_lan = (f"[[link]]{SERIAL_LINK}", "")
    lan = ("port = 694", 'port = 694\nswitch = "rack-1"')
    device = ('type = "rack_power"', 'type = "rack_power"\nswitch = "rack-1"')
    assert findings_of(tmp_path, lan, device) == []
    found = findings_of(tmp_path, only_lan, lan, device)
    assert any("all links and every fence device pass" in finding for finding in found)
    assert all(finding.startswith("warning: ") for finding in found)


def test_a_management_controller_is_known_by_its_type(tmp_path: Path) -> None:
    found = findings_of(tmp_path, ('type = "rack_power"', 'type = "external:fence_ipmilan"'))
    assert any("is fed by the gateway that it switches off" in finding for finding in found)


def test_one_medium_is_a_warning_and_none_an_error(tmp_path: Path) -> None:
    (finding,) = findings_of(tmp_path, (f"[[link]]{SERIAL_LINK}", ""))
    assert finding.startswith("warning: link: only one medium")
    text = EXAMPLE.read_text()
    both = "[[link]]" + text.partition("[[link]]")[2].partition("# A fence")[0]
    (finding,) = findings_of(tmp_path, (both, ""))
    assert finding.startswith(": expected at least one [[link]] table, got none")


def test_two_serial_links_cannot_share_a_line(tmp_path: Path) -> None:
    found = findings_of(
        tmp_path, ('type = "udp"', 'type = "serial"\ndevice = "/dev/ttyS0"'), ('interface = "eth0"\n', ""),
        ("port = 694\n", ""), ('address = { alpha = "10.77.1.11", beta = "10.77.1.12" }\n', ""),
    )  # fmt: skip
    assert any("expected a serial line of its own" in finding for finding in found)


def test_rules_of_whole_sections_are_judged_beside_errors_in_others(tmp_path: Path) -> None:
    found = findings_of(tmp_path, ("port = 694", "port = 0"), ('deadtime = "2s"', 'deadtime = "500ms"'))
    assert [finding.split(":")[0] for finding in found] == ["timing.deadtime", "link[lan].port"]


def test_a_deadtime_near_the_restart_gap_is_a_warning() -> None:
    assert inspect(EXAMPLE, restart_gap_ms=666).findings == ()
    (finding,) = inspect(EXAMPLE, restart_gap_ms=667).findings
    assert finding.warning
    assert finding.key == "timing.deadtime"


def test_a_watchdog_near_the_restart_gap_is_an_error_that_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "aoeha.toml"
    file.write_text(EXAMPLE.read_text().replace("[watchdog]", '[watchdog]\ntimeout = "6s"'))
    assert [finding.key for finding in inspect(file, restart_gap_ms=2_000).findings] == ["timing.deadtime"]
    finding = inspect(file, restart_gap_ms=2_001).findings[-1]
    assert not finding.warning
    assert (finding.key, finding.line) == ("watchdog.timeout", 28)
    assert "three times the 2001 ms that a daemon restart takes" in finding.sentence
    file.write_text(file.read_text().replace("[watchdog]", '[watchdog]\nmode = "off"'))
    keys = [finding.key for finding in inspect(file, restart_gap_ms=2_001).findings]
    assert "watchdog.timeout" not in keys


def test_a_second_backing_that_is_no_leg_is_a_warning(tmp_path: Path) -> None:
    [found] = findings_of(tmp_path, ('device = "/dev/md/aoeha"\ndirectory', 'device = "/dev/sdb1"\ndirectory'))
    assert found.startswith("warning: group[storage].resource[volume].parameters.device: ")
    assert '"/dev/sdb1" is not on the legs of the group (e1.0, e2.0)' in found
    assert "Name a device of a leg, or of a mirror in this group" in found


def test_a_volume_on_a_leg_itself_or_on_lvm_is_no_second_backing(tmp_path: Path) -> None:
    mount = 'device = "/dev/md/aoeha"\ndirectory'
    assert not findings_of(tmp_path, (mount, 'device = "/dev/etherd/e1.0p1"\ndirectory'))
    volumes = '[[group.resource]]\nname = "volumes"\ntype = "lvm"\n'
    lvm = (
        (mount, 'device = "/dev/data/home"\ndirectory'),
        ('[[group.resource]]\nname = "exports"', volumes + '[[group.resource]]\nname = "exports"'),
    )
    assert not [found for found in findings_of(tmp_path, *lvm) if "is not on the legs" in found]


def test_a_long_deadsecs_without_a_watchdog_is_a_warning(tmp_path: Path) -> None:
    (finding,) = findings_of(tmp_path, ("[watchdog]", '[watchdog]\nmode = "off"'))
    assert finding.startswith("warning: group[storage].resource[shelves].parameters.deadsecs: a daemon that hangs")
    assert findings_of(tmp_path, ("[watchdog]", '[watchdog]\nmode = "required"')) == []


def test_two_groups_never_share_a_storage_interface(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    second = (
        '\n[[group]]\nname = "archive"\npreferred = "beta"\n'
        '[[group.resource]]\nname = "archive-shelves"\ntype = "aoe"\n'
        '[group.resource.parameters]\ninterfaces = ["eth1"]\ntargets = ["e3.0"]\n'
    )
    file = tmp_path / "aoeha.toml"
    file.write_text(text + second)
    found = [f"{finding.key}: {finding.sentence}" for finding in inspect(file).findings]
    assert [one for one in found if "expected interfaces that no other group uses" in one], found
    file.write_text(text + second.replace("eth1", "eth2"))
    assert not [finding for finding in inspect(file).findings if "no other group uses" in finding.sentence]
