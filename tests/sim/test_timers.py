"""The timers of every seed are such as `aoeha check` accepts, most of them the product's own."""

from collections import Counter

from aoeha.config.findings import KeyFinding
from aoeha.config.lint import lint
from aoeha.config.schema import (
    Configuration,
    Fence,
    Group,
    Leg,
    Link,
    Node,
    Resource,
    SerialLink,
    Timing,
    UdpLink,
)
from aoeha.sim.stories.settings import NODES, Settings
from aoeha.sim.stories.swarm import story_of

SEEDS = range(1_000)
OF_THE_PRODUCT = 0.6
"""At least such a share of the seeds has the timers of a file that names none."""


def as_a_user_writes_it(settings: Settings) -> Configuration:
    """The file of a pair that is equal to a seed's, as far as its keys are judged together."""
    config = settings.configs()[NODES[0]]
    links: list[Link] = [SerialLink(name=name, device=f"/dev/{name}") for name in config.links[: settings.serial]]
    for number, name in enumerate(config.links[settings.serial :]):
        address = {node: f"10.{number}.0.{place + 1}" for place, node in enumerate(NODES)}
        links.append(UdpLink(name=name, interface=f"eth{number}", address=address))
    groups = tuple(
        Group(
            name=group.name,
            preferred=group.preferred,
            resources=tuple(
                Resource(
                    name=resource.name,
                    type="aoe" if resource.mirror else "command",
                    start_timeout_ms=resource.start_ms,
                    stop_timeout_ms=resource.stop_ms,
                    monitor_timeout_ms=resource.monitor_ms,
                    monitor_interval_ms=resource.monitor_every_ms,
                    parameters={"deadsecs": 3_600, "interfaces": ["eth1"]} if resource.mirror else {},
                )
                for resource in group.resources
            ),
            legs=tuple(
                Leg(name=f"e{2 * place + number + 1}.0", address=(f"02:77:01:00:0{place}:3{number}",))
                for number, _ in enumerate(group.legs)
            ),
        )
        for place, group in enumerate(config.groups)
    )
    return Configuration(
        cluster=config.cluster,
        nodes=tuple(Node(name=node, storage={"eth1": f"02:77:01:00:00:1{place}"}) for place, node in enumerate(NODES)),
        links=tuple(links),
        fences=tuple(
            Fence(
                name=fence.name,
                type="command",
                plug={node: node for node in NODES},
                level=fence.level,
                timeout_ms=fence.timeout_ms,
                settle_ms=fence.settle_ms,
                parameters={"ip": fence.name},
                monitor_interval_ms=fence.monitor_every_ms,
            )
            for fence in config.fences
        ),
        groups=groups,
        timing=Timing(
            keepalive_ms=config.keepalive_ms,
            warntime_ms=config.warntime_ms,
            deadtime_ms=config.deadtime_ms,
            initdead_ms=config.initdead_ms,
            ledger_lease_ms=config.ledger_lease_ms,
            reservation_interval_ms=config.hold_every_ms,
            shelf_timeout_ms=config.shelf_timeout_ms,
            address_lifetime_ms=config.address_lifetime_ms,
        ),
    )


def is_about_time(finding: KeyFinding) -> bool:
    """Whether a finding is about a time. What else is judged, a seed has no file for."""
    return finding.path[0] == "timing" or str(finding.path[-1]).endswith(("timeout", "interval", "settle"))


def test_the_timers_of_every_seed_pass_the_check_of_a_users_file() -> None:
    for seed in SEEDS:
        findings = lint(as_a_user_writes_it(story_of(seed).settings), frozenset(), restart_gap_ms=600)
        errors = [str(finding) for finding in findings if is_about_time(finding)]
        assert not errors, f"seed {seed}: {errors}"


def test_most_seeds_have_the_timers_of_the_product() -> None:
    timings = Counter(as_a_user_writes_it(story_of(seed).settings).timing for seed in SEEDS)
    assert timings[Timing()] >= OF_THE_PRODUCT * len(SEEDS)


def test_the_check_is_not_blind() -> None:
    """What most seeds had for long, a beat each ten seconds and a lease of thirty, is refused."""
    slow = Settings(keepalive_ms=10_000, warntime_ms=20_000, deadtime_ms=55_000, initdead_ms=110_000, reserve=1)
    findings = [one for one in lint(as_a_user_writes_it(slow), frozenset(), None) if is_about_time(one)]
    found = {finding.path for finding in findings if not finding.warning}
    assert found == {("timing", "keepalive"), ("timing", "ledger_lease")}
