"""What may be wrong with the simulator's gateways and what hangs on them: clocks, files, lines, outlets, agents."""

from aoeha.core.model.conditions import Alarm
from aoeha.sim.stories.commands import do
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.world import World

PAIR = "pair reserve=1 resources=3 keepalive=200ms warntime=600ms deadtime=2s monitor=5s"


def world_of(line: str = PAIR) -> World:
    """A pair that has no power yet."""
    return Settings.parse(line).world()


def serving(line: str = PAIR) -> World:
    """A pair of which alpha serves."""
    world = world_of(line)
    do(world, "boot alpha beta")
    world.run(20_000)
    assert world.machines["alpha"].serves("storage")
    return world


def test_a_clock_goes_on_from_what_it_shows_at_another_rate() -> None:
    world = serving()
    alpha, beta = world.machines["alpha"], world.machines["beta"]
    shown_ms, other_ms = alpha.clock_ms(), beta.clock_ms()
    do(world, "clock alpha 90 percent")
    assert alpha.clock_ms() == shown_ms
    world.run(10_000)
    assert (alpha.clock_ms() - shown_ms, beta.clock_ms() - other_ms) == (9_000, 10_000)


def test_a_clock_that_stood_still_goes_on_from_where_it_was() -> None:
    world = serving()
    alpha = world.machines["alpha"]
    shown_ms = alpha.clock_ms()
    do(world, "halt-clock beta 5s")
    do(world, "halt-clock alpha")
    world.run(1_000)
    do(world, "resume alpha")
    assert alpha.clock_ms() == shown_ms


def test_what_lies_in_a_full_run_goes_once_it_is_older_than_the_disk_and_the_daemon_is_told() -> None:
    world = serving()
    alpha = world.machines["alpha"]
    assert alpha.memories.run is not None
    do(world, "run alpha full")
    do(world, "ask alpha: switchover")
    world.run(20_000)
    assert alpha.memories.run is None
    assert alpha.memories.disk is not None
    assert any(alarm.condition.code.value == "run.write-failed" for alarm in alarms(world, "alpha"))


def alarms(world: World, node: str) -> tuple[Alarm, ...]:
    """What stands on a node."""
    daemon = world.machines[node].daemon
    assert daemon is not None
    assert daemon.state is not None
    return daemon.state.alarms


def test_a_memory_is_lost_or_a_minute_old() -> None:
    world = serving()
    kept = world.machines["alpha"].memories
    first = kept.put_back(world.timeline.now_ms, "")
    world.run(61_000)
    do(world, "ask alpha: switchover")
    world.run(20_000)
    newest = kept.disk
    do(world, "memory alpha disk old")
    assert kept.disk is not None
    assert kept.disk not in (newest, first)
    do(world, "memory alpha run lost")
    assert (kept.run, kept.inheritance) == (None, None)


def test_a_line_carries_one_message_after_the_other_and_loses_what_it_cannot_keep() -> None:
    world = world_of()
    do(world, "bandwidth serial1 1200")
    do(world, "boot alpha beta")
    world.run(60_000)
    link = world.links["serial1"]
    waiting_ms = [direction.busy_until_ms - world.timeline.now_ms for direction in link.directions.values()]
    assert all(30_000 < ms < 40_000 for ms in waiting_ms), "4096 bytes and one message, at ten bits a byte"


def test_an_outlet_takes_a_shelf_along_which_forgets_its_holders() -> None:
    world = serving()
    do(world, "feeds switch shelf1 with alpha")
    do(world, "freeze alpha")
    world.run(60_000)
    assert world.machines["alpha"].boots > 1
    assert list(world.storage.restarted_ms) == ["shelf1"]
    assert world.machines["beta"].serves("storage")
    assert all(len(mirror.whole()) == len(mirror.legs) for mirror in world.storage.mirrors.values())


def test_a_stop_that_hangs_with_its_disks_lands_when_they_answer() -> None:
    world = serving("pair reserve=1 resources=3 monitor=60s deadline=5s")
    alpha = world.machines["alpha"]
    do(world, "agents wait for disks")
    for shelf in ("shelf1", "shelf2"):
        do(world, f"shelf {shelf} silent")
    do(world, "ask alpha: switchover")
    world.run(8_000)
    assert "address" not in alpha.active
    assert "volume" in alpha.active
    assert not world.counts["late", "stop"]
    for shelf in ("shelf1", "shelf2"):
        do(world, f"shelf {shelf} ok")
    world.run(500)
    assert world.counts["late", "stop"]


def test_a_mirror_does_not_end_below_a_volume_nor_a_volume_begin_without_it() -> None:
    world = serving()
    alpha, beta = world.machines["alpha"], world.machines["beta"]
    assert world.services.stop(alpha, "mirror") == "volume uses it"
    assert alpha.serves("storage")
    assert world.services.run(beta, "volume") == "there is no mirror below it"
    assert not beta.active


def test_what_ran_before_its_daemon_is_kept() -> None:
    world = world_of()
    do(world, "runs beta storage")
    do(world, "boot alpha beta")
    world.run(1)
    assert world.machines["beta"].serves("storage")
    world.run(30_000)
    assert world.machines["beta"].serves("storage")


def test_a_configuration_is_read_by_the_next_daemon_and_may_be_as_it_was() -> None:
    world = serving()
    beta = world.machines["beta"]
    do(world, "edit beta without shelf2")
    assert len(beta.config.groups[0].legs) == 2
    do(world, "kill beta")
    world.run(2_000)
    assert [leg.name for leg in beta.config.groups[0].legs] == ["shelf1"]
    do(world, "edit beta back")
    do(world, "kill beta")
    world.run(2_000)
    assert beta.config == world.configs["beta"]
