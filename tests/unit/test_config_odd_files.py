"""A file called valid is one with which two gateways can run: each odd one is refused, at its key, in words.

Each row changes one place of the example. Most of them were called good once, and the pair then had two owners, or a
daemon that ended at every start.
"""

from pathlib import Path

import pytest

from aoeha.config.agent_parameters import agent_findings
from aoeha.config.load import inspect

EXAMPLE = Path(__file__).parents[2] / "etc" / "aoeha.toml"
BETA = 'storage = { eth1 = "02:77:01:00:00:12" }'
SHELF = 'address = ["02:77:01:00:00:32"]'
UDP = 'address = { alpha = "10.77.1.11", beta = "10.77.1.12" }'
SERVICE = 'address = "10.77.1.10/24"'
PLUGS = 'plug = { alpha = "alpha", beta = "beta" }'
VOLUME = 'directory = "/srv/aoeha"'
OPTIONS = 'options = "rw,sync,no_subtree_check,no_root_squash"'
LEGS = 'legs = ["/dev/etherd/e1.0", "/dev/etherd/e2.0"]'
KIND = 'kind = "ext4"'
SECOND = '[[group]]\nname = "second"\npreferred = "beta"\n'


def refusals(tmp_path: Path, text: str) -> list[str]:
    """Return every error of the file and of its agents, as `aoeha check` does."""
    file = tmp_path / "aoeha.toml"
    file.write_text(text)
    inspection = inspect(file)
    found = [finding for finding in inspection.findings if not finding.warning]
    if inspection.source is not None and inspection.draft is not None:
        found += map(inspection.source.located, agent_findings(inspection.draft))
    return [f"{finding.key}: {finding.sentence}" for finding in found if not finding.warning]


def test_the_example_itself_is_refused_by_nothing(tmp_path: Path) -> None:
    assert refusals(tmp_path, EXAMPLE.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # Who is who for the shelves.
        (BETA, 'storage = { eth1 = "02:77:01:00:00:11" }', "node[beta].storage.eth1: expected a hardware address of"),
        (BETA, 'storage = { eth1 = "02:77:01:00:00:32" }', "leg[e2.0].address: expected a hardware address of its own"),
        (BETA, 'storage = { eth1 = "00:00:00:00:00:00" }', "node[beta].storage: expected the hardware address of one"),
        (BETA, 'storage = { eth1 = "03:77:01:00:00:12" }', "node[beta].storage: expected the hardware address of one"),
        (BETA, 'storage = { "eth 1/.." = "02:77:01:00:00:12" }', "expected the name of a network interface"),
        (SHELF, 'address = ["02:77:01:00:00:31"]', "leg[e2.0].address: expected a hardware address of its own"),
        (SHELF, 'address = ["ff:ff:ff:ff:ff:ff"]', "leg[e2.0].address: expected the hardware address of one port"),
        (SHELF, 'address = ["02:77:01:00:00:32\\n"]', "leg[e2.0].address[#1]: expected one line of printable"),
        ('name = "e2.0"', 'name = "e99999.0"', "leg[e99999.0].name: expected a shelf from 0 to 65534"),
        # Links.
        ('interface = "eth0"\nport', 'interface = "lo\\u0000x"\nport', "link[lan].interface: expected one line of"),
        ('interface = "eth0"\nport', 'interface = "a-name-of-17-char"\nport', "link[lan].interface: expected the name"),
        (UDP, 'address = { alpha = "10.77.1.11", beta = "224.0.0.5" }', "which is that of a group"),
        (UDP, 'address = { alpha = "0.0.0.0", beta = "10.77.1.12" }', "which stands for no host"),
        (UDP, 'address = { alpha = "127.0.0.1", beta = "127.0.0.2" }', "which never leaves the host"),
        (UDP, 'address = { alpha = "10.77.1.11", beta = "255.255.255.255" }', "which is that of all hosts"),
        (UDP, 'address = { alpha = "fe80::1%eth0", beta = "fe80::2%eth0" }', "which is valid on one link only"),
        (UDP, 'address = { alpha = "::ffff:10.77.1.11", beta = "fd00::1" }', "which is IPv4; write 10.77.1.11"),
        ('device = "/dev/ttyS0"', 'device = "ttyS0"', "link[serial].device: expected a device below /dev"),
        ('device = "/dev/ttyS0"', 'device = "/dev/../etc/passwd"', "link[serial].device: expected a device below"),
        ("port = 7700", 'port = 7700\nline = "/dev/ttyS0"', "parameters.line: expected a serial line of its own"),
        # Names, and what is waited for.
        ('cluster = "gw"', 'cluster = "gw\\n"', "cluster: expected one line of printable characters"),
        ('name = "storage"', 'name = "storage\\n"', "group[#1].name: expected one line of printable characters"),
        ('cluster = "gw"', 'cluster = "gw\\u001b[2J"', "got 'gw\\x1b[2J'"),
        ('cluster = "gw"', 'cluster = "gw"\nconfirm_valid = "999999999d"', 'a duration from "1s" to "1h"'),
        ('cluster = "gw"', 'cluster = "gw"\nreboot_window = "0s"', 'a duration from "1s" to "1d"'),
        ('monitor_interval = "1s"', 'monitor_interval = "999999999d"', 'a duration from "100ms" to "1h"'),
        ('monitor_interval = "1s"', 'stop_timeout = "2d"', 'a duration from "100ms" to "1h"'),
        ('key_file = "/etc/aoeha/keys"', 'key_file = "keys"', "key_file: expected a plain absolute path"),
        ('key_file = "/etc/aoeha/keys"', 'key_file = "/etc\\u0000/x"', "key_file: expected one line of printable"),
        # Outlets.
        (PLUGS, 'plug = { alpha = "1", beta = "1 " }', "fence[power-switch].plug: expected a plug without blanks"),
        (PLUGS, 'plug = { alpha = "a\\naction=off", beta = "b" }', "plug.alpha: expected one line of printable"),
        # What a group has.
        (SERVICE, 'address = "10.77.1.11/24"', "expected a service address of its own for service-address"),
        (SERVICE, 'address = "0.0.0.0/0"', "which stands for no host"),
        (SERVICE, 'address = "10.77.1.10/0"', "which is the whole world"),
        (SERVICE, 'address = "10.77.1.0/24"', "which is the network itself"),
        (SERVICE, 'address = "10.77.1.255/24"', "which is that of all hosts there"),
        (SERVICE, 'address = "127.0.0.1/8"', "which never leaves the host"),
        (VOLUME, 'directory = "/run"', "volume].parameters.directory: expected a folder that this host does not need"),
        (VOLUME, 'directory = "/etc/aoeha/x"', "expected a folder that this host does not need"),
        (VOLUME, 'directory = "/var/lib"', "hides /var/lib/aoeha"),
        (VOLUME, 'directory = "/srv/../etc"', "volume].parameters.directory: expected a plain absolute path"),
        (VOLUME, 'directory = "/srv/other"', "exports].parameters.state_directory: expected a folder of a file system"),
        (KIND, f'{KIND}\noptions = "noatime,nobarrier"', "parameters.options: expected none that loses acknowledged"),
        (KIND, f'{KIND}\noptions = "noatime ro"', "parameters.options: expected mount options, separated by commas"),
        (OPTIONS, 'options = "rw,async"', 'options: expected none like "async": the server then answers before'),
        (OPTIONS, 'options = "rw,asink"', 'options: expected options of exports(5), got "asink"'),
        (OPTIONS, 'options = "rw, sync"', "options: expected options separated by commas"),
        ('interfaces = ["eth1"]', 'interfaces = ["eth2"]', "an interface that a node has in its storage (eth1)"),
        (LEGS, 'legs = ["/dev/etherd/e1.0", "/dev/etherd/e2.0", "/dev/sdb"]', "expected 2 halves of the mirror, got 3"),
        (OPTIONS, 'options = "rw) *(rw,no_root_squash"', "options: expected options separated by commas"),
        ('clients = "10.77.1.0/24"', 'clients = "10.77.1.0/24(ro) #"', "clients: expected addresses, networks or"),
        ('directory = "/srv/aoeha/export"', 'directory = "/etc"', "export[#1].directory: expected a folder of a file"),
        (LEGS, 'legs = ["/dev/etherd/e1.0", "/dev/etherd/e1.0"]', "mirror].parameters.legs: expected"),
        ('interfaces = ["eth1"]', 'interfaces = ["eth1,lo"]', "shelves].parameters.interfaces: expected the name of a"),
    ],
)  # fmt: skip
def test_an_odd_file_is_refused_at_its_key(tmp_path: Path, old: str, new: str, expected: str) -> None:
    text = EXAMPLE.read_text()
    assert old in text
    found = refusals(tmp_path, text.replace(old, new, 1))
    assert any(expected in sentence for sentence in found), found


def test_a_link_may_have_addresses_that_are_valid_there_alone(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    assert UDP in text
    assert refusals(tmp_path, text.replace(UDP, 'address = { alpha = "fe80::1", beta = "fe80::2" }')) == []


def resource(kind: str, parameters: str) -> str:
    return f'[[group.resource]]\nname = "more"\ntype = "{kind}"\n[group.resource.parameters]\n{parameters}\n'


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (resource("address", f'{SERVICE}\ninterface = "eth0"'), "address: expected a service address of its own"),
        (
            resource("filesystem", f'device = "/dev/sdb1"\n{VOLUME}\n{KIND}'),
            "directory: expected a mount point of its own",
        ),
        (
            resource("filesystem", f'device = "/dev/sdb1"\ndirectory = "/srv/aoeha/below"\n{KIND}'),
            'directory: expected a mount point outside "/srv/aoeha"',
        ),
        (resource("nfs", 'state_directory = "/srv/b"'), "type: expected a kernel's NFS server of its own"),
        (resource("raid", LEGS), 'legs: expected a disk of its own for more of group second, got "/dev/etherd/e1.0"'),
    ],
)
def test_two_groups_own_nothing_together(tmp_path: Path, more: str, expected: str) -> None:
    found = refusals(tmp_path, f"{EXAMPLE.read_text()}\n{SECOND}{more}")
    assert any("group[second].resource[more]." in sentence and expected in sentence for sentence in found), found


def test_two_groups_have_no_leg_together(tmp_path: Path) -> None:
    leg = '[[group.leg]]\nname = "e1.0"\naddress = ["02:77:01:00:00:31"]\n'
    text = f"{EXAMPLE.read_text()}\n{SECOND}{leg}{resource('address', SERVICE)}"
    expected = "group[second].leg[e1.0].name: expected a leg of its own for group second"
    assert any(expected in sentence for sentence in refusals(tmp_path, text))


def test_one_outlet_is_not_the_proof_of_two_devices(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    fence = text[text.index("[[fence]]") : text.index("# A group runs on")]
    found = refusals(tmp_path, text.replace(fence, fence + fence.replace("power-switch", "again", 1)))
    assert any("fence[again].plug.alpha: expected a outlet of its own" in sentence for sentence in found), found


def moved(text: str, name: str, before: str) -> str:
    """Return the file with one resource before another one."""
    parts = text.split("[[group.resource]]\n")
    (part,) = (part for part in parts if part.startswith(f'name = "{name}"'))
    rest = [other for other in parts if other is not part]
    place = next(number for number, other in enumerate(rest) if other.startswith(f'name = "{before}"'))
    return "[[group.resource]]\n".join([*rest[:place], f"{part.rstrip()}\n\n", *rest[place:]])


@pytest.mark.parametrize(("name", "before"), [("mirror", "shelves"), ("volume", "mirror"), ("exports", "volume")])
def test_what_stands_on_another_resource_starts_after_it(tmp_path: Path, name: str, before: str) -> None:
    expected = {"exports": "the group has mounted before (mounted: none)"}.get(name, f'expected "{before}" before')
    found = refusals(tmp_path, moved(EXAMPLE.read_text(), name, before))
    assert any(f"resource[{name}]" in sentence and expected in sentence for sentence in found), found


def test_an_address_before_its_server_or_none_at_all_is_a_warning(tmp_path: Path) -> None:
    file, text = tmp_path / "aoeha.toml", EXAMPLE.read_text()
    file.write_text(moved(text, "service-address", "exports"))
    (early,) = inspect(file).findings
    assert early.warning
    assert 'expected "exports" before "service-address"' in early.sentence
    file.write_text(text[: text.index("# The address starts last")])
    (missing,) = inspect(file).findings
    assert missing.warning
    assert "no service address in the group" in missing.sentence


def test_a_mirror_has_two_legs_and_a_driver_that_reaches_them(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    third = '[[group.leg]]\nname = "e3.0"\naddress = ["02:77:01:00:00:33"]\n\n[[group.resource]]'
    more = text.replace("[[group.resource]]", third, 1).replace(
        '"/dev/etherd/e2.0"]', '"/dev/etherd/e2.0", "/dev/etherd/e3.0"]'
    )
    assert any("expected the 2 legs of one mirror, got 3" in found for found in refusals(tmp_path, more))
    parts = text.split("[[group.resource]]")
    for kind, part in (("aoe", parts[1]), ("raid", parts[2])):
        less = text.replace(f"[[group.resource]]{part}", "")
        assert any(f'of type "{kind}" for the legs' in found for found in refusals(tmp_path, less))
