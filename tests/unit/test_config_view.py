"""What the core is told of the file, and the fingerprint that both gateways compare."""

import re
from pathlib import Path

import pytest

from aoeha.agents.parts.deadsecs_override import PATH_TIMING
from aoeha.config.load import load
from aoeha.config.view import config_tag, for_node, pair_config, peer_of
from aoeha.core.model.config import FenceConfig, ResourceConfig
from aoeha.sim.world import mirror as simulated

EXAMPLE = Path(__file__).parents[2] / "etc" / "aoeha.toml"


def test_each_node_sees_the_other_as_its_peer() -> None:
    configuration = load(EXAMPLE)
    alpha, beta = pair_config(configuration, "alpha"), pair_config(configuration, "beta")
    assert (alpha.node, alpha.peer, beta.node, beta.peer) == ("alpha", "beta", "beta", "alpha")
    assert alpha.links == ("serial", "lan")
    assert [resource.name for resource in alpha.groups[0].resources][:2] == ["shelves", "mirror"]
    (fence,) = alpha.fences
    assert fence == FenceConfig(name="power-switch", level=1, timeout_ms=5_000, tag=fence.tag)
    assert alpha.config_tag == beta.config_tag


def test_a_device_belongs_to_the_gateway_that_may_switch_its_peer_by_it(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    fence = text[text.index("[[fence]]") : text.index("# A group runs on")]
    plug = 'plug = { alpha = "alpha", beta = "beta" }'
    bmcs = "".join(
        fence.replace(plug, f'plug = {{ {node} = "1" }}')
        .replace("power-switch", f"bmc-{node}")
        .replace("77.1.1", number)
        for node, number in (("alpha", "77.1.21"), ("beta", "77.1.22"))
    )
    pdu = fence.replace("power-switch", "pdu").replace("level = 1", "level = 2")
    file = tmp_path / "aoeha.toml"
    file.write_text(text.replace(fence, bmcs + pdu))
    known = {node: pair_config(load(file), node).fences for node in ("alpha", "beta")}
    told = {node: [(fence.name, fence.level, fence.feeds_own) for fence in known[node]] for node in known}
    assert told == {
        "alpha": [("bmc-beta", 1, False), ("pdu", 2, True)],
        "beta": [("bmc-alpha", 1, False), ("pdu", 2, True)],
    }


@pytest.mark.parametrize(
    ("known", "now", "another"),
    [('plug = { alpha = "', 'plug = { alpha = "9', True), ("[[fence]]", "[[fence]]  # the old one", False)],
)
def test_a_device_is_another_one_where_its_outlet_is(tmp_path: Path, known: str, now: str, another: bool) -> None:
    file = tmp_path / "aoeha.toml"
    text = EXAMPLE.read_text()
    assert known in text
    file.write_text(text.replace(known, now, 1))
    before, after = (pair_config(load(path), "alpha").fences[0].tag for path in (EXAMPLE, file))
    assert (before != after) is another


def test_each_deadline_goes_where_it_belongs(tmp_path: Path) -> None:
    times = 'start_timeout = "1s"\nstop_timeout = "2s"\nmonitor_timeout = "3s"\nmonitor_interval = "4s"\n'
    file = tmp_path / "aoeha.toml"
    file.write_text(EXAMPLE.read_text().replace('type = "aoe"\n', f'type = "aoe"\n{times}', 1))
    group = pair_config(load(file), "alpha").groups[0]
    assert group.resources[0] == ResourceConfig("shelves", 1_000, 2_000, 3_000, 4_000, paths=PATH_TIMING)


def test_the_simulated_driver_is_as_impatient_as_the_real_one() -> None:
    assert simulated.PATH_TIMING == PATH_TIMING


def test_the_core_knows_what_each_agent_can_do() -> None:
    known = {resource.name: resource for resource in pair_config(load(EXAMPLE), "alpha").groups[0].resources}
    assert [name for name, resource in known.items() if resource.exclusive] == ["service-address"]
    assert [name for name, resource in known.items() if resource.mirror] == ["mirror"]
    assert [name for name, resource in known.items() if resource.paths] == ["shelves"]


def test_the_core_knows_the_reference_hosts(tmp_path: Path) -> None:
    file = tmp_path / "aoeha.toml"
    file.write_text('reference_hosts = ["10.77.1.254", "fd00::1"]\n' + EXAMPLE.read_text())
    assert pair_config(load(file), "alpha").reference_hosts == ("10.77.1.254", "fd00::1")
    assert pair_config(load(EXAMPLE), "alpha").reference_hosts == ()


def test_a_third_machine_is_refused_with_the_names() -> None:
    with pytest.raises(ValueError, match='cannot run as node "gamma": the configuration names alpha and beta'):
        peer_of(load(EXAMPLE), "gamma")


def test_every_timing_of_the_core_can_be_configured(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    for number, key in enumerate(("reboot_window", "boot_patience", "failure_window"), start=1):
        text, count = re.subn(rf'^# {key} = "10m"', f'{key} = "{number}m"', text, flags=re.MULTILINE)
        assert count == 1
    times = 'reservation_interval = "1500ms"\nshelf_timeout = "200ms"\naddress_lifetime = "4s"\n'
    file = tmp_path / "aoeha.toml"
    file.write_text(text.replace("[timing]", f"[timing]\n{times}", 1))
    pair = pair_config(load(file), "alpha")
    assert (pair.reboot_window_ms, pair.boot_patience_ms, pair.groups[0].failure_window_ms) == (
        60_000,
        120_000,
        180_000,
    )
    assert (pair.hold_every_ms, pair.shelf_timeout_ms, pair.address_lifetime_ms) == (1_500, 200, 4_000)


def tag_of(tmp_path: Path, text: str) -> int:
    file = tmp_path / "aoeha.toml"
    file.write_text(text)
    return config_tag(load(file))


def test_comments_layout_order_and_spelled_out_defaults_keep_the_fingerprint(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    same = text.replace("baud = 115200\n", "").replace('deadtime = "2s"', 'deadtime = "2000ms"  # two seconds')
    same = same.replace('name = "storage"\npreferred = "alpha"', 'preferred = "alpha"\nname = "storage"')
    same = same.replace('plug = { alpha = "alpha", beta = "beta" }', 'plug = { beta = "beta", alpha = "alpha" }')
    same = same.replace('address = "10.77.1.1"\nport = 7700', 'port = 7700\naddress = "10.77.1.1"')
    assert sum(old != new for old, new in zip(text.splitlines(), same.splitlines(), strict=False)) > 4
    assert tag_of(tmp_path, same) == tag_of(tmp_path, text)


def test_the_settings_that_the_example_comments_out_are_the_defaults(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    spelled_out, count = re.subn(r"^# (\w+ = \S+ )", r"\1", text, flags=re.MULTILINE)
    assert count >= 7
    assert tag_of(tmp_path, spelled_out) == tag_of(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('deadtime = "2s"', 'deadtime = "3s"'),
        ('targets = ["e1.0", "e2.0"]', 'targets = ["e2.0", "e1.0"]'),
        ("fsid = 0", "fsid = 1"),
        ('beta = "10.77.1.12"', 'beta = "10.77.1.13"'),
        ('name = "mirror"', 'name = "mirrors"'),
    ],
)
def test_whatever_means_something_changes_the_fingerprint(tmp_path: Path, old: str, new: str) -> None:
    text = EXAMPLE.read_text()
    assert old in text
    assert tag_of(tmp_path, text.replace(old, new, 1)) != tag_of(tmp_path, text)


def test_the_fingerprint_is_the_same_in_every_process() -> None:
    configuration = load(EXAMPLE)
    assert config_tag(configuration) == config_tag(load(EXAMPLE))
    assert 0 <= config_tag(configuration) < 1 << 32


def test_a_value_is_one_for_both_or_one_each() -> None:
    assert for_node("/dev/ttyS0", "beta") == "/dev/ttyS0"
    assert for_node({"alpha": "/dev/ttyS0", "beta": "/dev/ttyUSB0"}, "beta") == "/dev/ttyUSB0"
