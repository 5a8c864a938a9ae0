"""The simulator's hardware does what the real one was measured to do: md, watchdog, ARP and TCP."""

import itertools
from random import Random

from aoeha.core.storage.start_choice import Selection, choose
from aoeha.sim.exhaust.mirror import Disks, Half
from aoeha.sim.stories.settings import Settings
from aoeha.sim.world.client import ARP_MS, BACK_OFF_MAX_MS, Client, Peer
from aoeha.sim.world.exchange import Asker, Exchange
from aoeha.sim.world.leg import OTHER_ARRAY
from aoeha.sim.world.mirror import SILENCE_MAX_MS, Assembly, Mirror
from aoeha.sim.world.san import Way
from aoeha.sim.world.shelf import CONFIG_MAX, RESERVED, STRING_PRESENT, Address, Answer, Shelf
from aoeha.sim.world.timeline import Timeline
from aoeha.sim.world.watchdog import Watchdog
from aoeha.sim.world.world import World

BOTH = {"shelf1", "shelf2"}


def assembled(mirror: Mirror, present: set[str] = BOTH) -> Assembly:
    assembly = mirror.start_by_itself(present)
    assert isinstance(assembly, Assembly), assembly
    return assembly


def without_the_second(mirror: Mirror) -> Assembly:
    """A mirror whose second leg was kicked."""
    assembly = assembled(mirror)
    second = assembly.active[1]
    assert not assembly.did_not_take(second, 0, alone=False)
    assert not assembly.did_not_take(second, SILENCE_MAX_MS - 1, alone=False)
    assert assembly.did_not_take(second, SILENCE_MAX_MS, alone=False)
    return assembly


def test_a_leg_is_kicked_after_deadsecs_and_the_other_says_so() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    without_the_second(mirror)
    first, second = mirror.legs
    assert first.calls_missing(second)
    assert not second.calls_missing(first)
    assert first.events > second.events
    assert mirror.whole() == [first]


def test_a_leg_that_answers_in_between_is_not_kicked() -> None:
    assembly = assembled(Mirror(("shelf1", "shelf2")))
    second = assembly.active[1]
    assembly.did_not_take(second, 0, alone=False)
    assembly.answered(second)
    assert not assembly.did_not_take(second, SILENCE_MAX_MS, alone=False)


def test_a_leg_whose_target_reports_an_error_is_kicked_at_once() -> None:
    assembly = assembled(Mirror(("shelf1", "shelf2")))
    first, second = assembly.active
    assert assembly.did_not_take(second, 0, alone=False, error=True)
    assert assembly.active == [first]


def test_the_last_leg_is_never_kicked() -> None:
    assembly = without_the_second(Mirror(("shelf1", "shelf2")))
    last = assembly.active[0]
    assembly.did_not_take(last, 0, alone=False)
    assert not assembly.did_not_take(last, 100 * SILENCE_MAX_MS, alone=False)
    assert assembly.active == [last]


def test_a_resync_takes_the_first_leg_for_right_that_is_not_to_be_read_last() -> None:
    for marked, remain in ((False, {1}), (True, {1, 2})):
        assembly = assembled(Mirror(("shelf1", "shelf2")))
        first, second = assembly.active
        first.records, second.records, first.write_mostly = {1, 2}, {1, 2}, marked
        first.overwrite(2, 5)
        assert (assembly.read is second) is marked
        assembly.resync(9_000)
        assert first.records == second.records == remain
        assert first.overwritten == second.overwritten == ({} if marked else {2: 5})


def test_a_copy_takes_the_mark_of_a_leg_away() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    assembly = assembled(mirror)
    first, _ = assembly.active
    first.write_mostly = True
    assembly.evict(first)
    assembly.begin_copy(first, whole=False)
    assert first.write_mostly
    assembly.end_copy(first, 9_000)
    assert not first.write_mostly


def test_with_both_legs_there_the_one_that_was_kicked_is_left_out() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    without_the_second(mirror)
    assert [leg.shelf for leg in assembled(mirror).active] == ["shelf1"]


def test_the_fresh_leg_alone_may_start_and_the_stale_one_may_not() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    without_the_second(mirror)
    assert [leg.shelf for leg in assembled(mirror, {"shelf1"}).active] == ["shelf1"]
    assert "may lack acknowledged writes" in mirror.start_by_itself({"shelf2"})
    assert "there is no leg to start the mirror from" in mirror.start_by_itself(set())


def test_one_leg_of_a_whole_mirror_does_not_start_alone() -> None:
    assert "may lack acknowledged writes" in Mirror(("shelf1", "shelf2")).start_by_itself({"shelf1"})


def test_md_starts_without_a_leg_that_it_expects_only_if_that_is_meant() -> None:
    """A leg may fall silent between the choice and the assembly."""
    mirror, told = Mirror(("shelf1", "shelf2")), ("shelf1", "shelf2")
    assert mirror.assemble({"shelf1"}, told, short=False) == "md does not start it without shelf2"
    assert mirror.assemble({"shelf1"}, ("shelf1",), short=False) == "md does not start it without shelf2"
    assert mirror.assemble(set(), ("shelf1",), short=True) == "md does not start it without shelf1 and shelf2"
    begun = mirror.assemble(BOTH, ("shelf1",), short=True)
    assert isinstance(begun, Assembly)
    assert [leg.shelf for leg in begun.active] == ["shelf1"]
    assert mirror.legs[0].calls_missing(mirror.legs[1])


def test_halves_that_call_each_other_missing_are_refused() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    first, second = mirror.legs
    first.missing.add("shelf2")
    second.missing.add("shelf1")
    assert "written apart" in mirror.start_by_itself(BOTH)
    assert mirror.whole() == []


def test_halves_of_the_search_start_from_the_legs_from_which_the_world_starts() -> None:
    """Over every pair of superblocks, every ledger, and every set of shelves that answer, then and a moment later."""
    names = ("shelf1", "shelf2")
    answering = ((), (0,), (1,), (0, 1))
    started = 0
    for calls, lags, complete in itertools.product(*[tuple(itertools.product((False, True), repeat=2))] * 3):
        for read, there in itertools.product(answering, repeat=2):
            mirror = Mirror(names)
            for leg, other, called, lagging in zip(mirror.legs, reversed(names), calls, lags, strict=True):
                leg.missing, leg.recovering = {other} if called else set(), lagging
            halves = [Half(misses=called, copying=lagging) for called, lagging in zip(calls, lags, strict=True)]
            disks, case = Disks((halves[0], halves[1])), (calls, lags, complete, read, there)
            known = tuple(name for name, is_complete in zip(names, complete, strict=True) if is_complete)
            choice = choose(mirror.examined({names[place] for place in read}), known)
            assert choice == choose(disks.examined(0, read, names), known), case
            if not isinstance(choice, Selection):
                continue
            by_world = mirror.assemble({names[place] for place in there}, choice.legs, short=choice.short)
            told = tuple(names.index(leg) for leg in choice.legs)
            by_search = disks.assembled(0, there, told, short=choice.short)
            assert isinstance(by_world, Assembly) == (by_search is not None), case
            if isinstance(by_world, Assembly) and by_search is not None:
                assert [leg.shelf for leg in by_world.active] == [names[at] for at in by_search.assemblies[0].active]
                started += 1
    assert started > 10


def write(mirror: Mirror, assembly: Assembly, *records: int) -> None:
    """Have records acknowledged, each a second after the other."""
    for record in records:
        assembly.note(record)
        for leg in assembly.members:
            leg.write(record, 1_000 * record)
        assembly.acknowledge(record, len(mirror.legs))


def test_a_bitmap_brings_back_what_was_written_without_a_leg_and_nothing_else() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    assembly = assembled(mirror)
    first, second = mirror.legs
    write(mirror, assembly, 1, 2)
    assembly.evict(second)
    write(mirror, assembly, 3)
    assert second.lose(1_500) == {2}, "its target lost what it had acknowledged"
    assert not assembly.begin_copy(second, whole=False)
    assert mirror.whole() == [first]
    assembly.end_copy(second, 9_000)
    assert (first.records, second.records) == ({1, 2, 3}, {1, 3})
    assert (first.events, first.missing) == (second.events, second.missing)
    assembly.evict(second)
    assert assembly.begin_copy(second, whole=True)
    assembly.end_copy(second, 9_000)
    assert first.records == second.records
    assert mirror.whole() == [first, second]


def test_a_leg_that_is_older_than_the_bitmap_is_copied_whole() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    assembly = assembled(mirror)
    second = mirror.legs[1]
    write(mirror, assembly, 1)
    copy = second.snapshot()
    again = mirror.assemble(BOTH, ("shelf1", "shelf2"), short=False)
    assert isinstance(again, Assembly)
    write(mirror, again, 2)
    again.evict(second)
    assert second.restore(copy) == {2}
    assert again.begin_copy(second, whole=False)
    again.end_copy(second, 9_000)
    assert second.records == {1, 2}


def test_an_older_copy_of_the_same_ownership_comes_back_by_the_bitmap_and_nobody_sees_what_it_lacks() -> None:
    """Seen on real kernels: md's event counts agree, and 199 records were gone."""
    mirror = Mirror(("shelf1", "shelf2"))
    assembly = assembled(mirror)
    first, second = mirror.legs
    write(mirror, assembly, 1)
    copy = second.snapshot()
    write(mirror, assembly, 2)
    second.restore(copy)
    assert mirror.whole() == [first, second]
    assert (first.records, second.records) == ({1, 2}, {1})


def test_md_leaves_out_a_leg_of_an_earlier_ownership_and_does_not_start_without_it() -> None:
    """Seen on real kernels: `assembled from 1 drive - need all 2 to start it (use --run to insist)`."""
    mirror = Mirror(("shelf1", "shelf2"))
    told = ("shelf1", "shelf2")
    assembled(mirror)
    copy = mirror.legs[1].snapshot()
    for _ in range(2):
        assert isinstance(mirror.assemble(BOTH, told, short=False), Assembly)
    mirror.legs[1].restore(copy)
    assert mirror.assemble(BOTH, told, short=False) == "md does not start it without shelf2"
    short = mirror.assemble(BOTH, told, short=True)
    assert isinstance(short, Assembly)
    assert [leg.shelf for leg in short.members] == ["shelf1"]


def test_a_copy_that_was_cut_short_goes_on_when_both_legs_are_started_again() -> None:
    mirror, told = Mirror(("shelf1", "shelf2")), ("shelf1", "shelf2")
    assembly = assembled(mirror)
    first, second = mirror.legs
    assembly.evict(second)
    write(mirror, assembly, 1, 2)
    assembly.begin_copy(second, whole=False)
    assembly.copy(second, 1, 9_000)
    assert second.records == {1}
    assert mirror.assemble({"shelf2"}, told, short=True) == "md does not start it without shelf1"
    again = mirror.assemble(BOTH, told, short=False)
    assert isinstance(again, Assembly)
    assert (again.active, again.rebuilding, second.todo) == ([first], [second], {1, 2})
    again.end_copy(second, 9_000)
    assert mirror.whole() == [first, second]


def test_the_last_whole_leg_is_never_kicked_for_one_that_lags() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    assembly = assembled(mirror)
    first, second = mirror.legs
    assembly.evict(second)
    assembly.begin_copy(second, whole=False)
    assembly.did_not_take(first, 0, alone=False)
    assert not assembly.did_not_take(first, SILENCE_MAX_MS, alone=False, error=True)
    assert assembly.did_not_take(second, SILENCE_MAX_MS, alone=False, error=True)
    assert (assembly.members, first.calls_missing(second)) == ([first], True)


def test_a_disk_forgets_the_end_of_its_superblock_too() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    assembly = assembled(mirror)
    first, second = mirror.legs
    first.keep(100)
    assembly.evict(second)
    first.keep(2_000)
    first.lose(1_000)
    assert not first.calls_missing(second)


def test_another_disk_is_no_half_of_the_mirror() -> None:
    mirror = Mirror(("shelf1", "shelf2"))
    assembly = without_the_second(mirror)
    second = mirror.legs[1]
    for array, doubt in ((None, "no superblock"), (OTHER_ARRAY, "other array")):
        second.become(array)
        assert mirror.why_not_take_back("shelf2", assembly) == doubt
        assert mirror.whole() == [mirror.legs[0]]


def test_a_reservation_keeps_out_everybody_else_and_can_be_forced() -> None:
    address = Address("e1.0")
    assert address.admits("alpha")
    assert address.set_reservation("alpha", ("alpha",))
    assert not address.admits("beta")
    refused = address.set_reservation("beta", ("beta",))
    assert refused is not None
    assert (refused.error, refused.holders) == (RESERVED, ("alpha",))
    assert address.force_reservation("beta", ("beta",))
    assert (address.admits("alpha"), address.admits("beta")) == (False, True)
    assert address.set_reservation("beta", ("alpha",))
    assert address.admits("alpha")


def test_a_restart_forgets_and_is_advertised() -> None:
    heard: list[str] = []
    address = Address("e1.0", started=heard.append)
    address.set_reservation("alpha", ("alpha",))
    address.set_config(b"text")
    address.restart()
    assert (address.holders, address.string, heard) == ((), b"", ["e1.0"])


def test_two_addresses_of_one_disk_know_nothing_of_each_other() -> None:
    shelf = Shelf("shelf1", ("storage",), paths=2)
    first, second = shelf.addresses["storage"]
    first.set_reservation("alpha", ("alpha",))
    assert (first.admits("beta"), second.admits("beta")) == (False, True)


def test_a_silent_shelf_says_nothing_and_forgets_nothing() -> None:
    shelf = Shelf("shelf1", ("storage",))
    (address,) = shelf.addresses["storage"]
    address.set_reservation("alpha", ("alpha",))
    shelf.fall_silent()
    assert (address.read_reservation(), address.set_reservation("beta", ("beta",)), address.read_config()) == (
        None,
    ) * 3
    assert not address.admits("alpha")
    shelf.answer_again()
    assert address.holders == ("alpha",)


def test_an_address_is_slow_for_itself_and_until_its_shelf_is_well() -> None:
    shelf, dice = Shelf("shelf1", ("storage",), paths=2), Random(0)
    first, second = shelf.addresses["storage"]
    shelf.slow_down((100, 400), ("shelf1/1",))
    assert all(100 <= first.takes_ms(dice) <= 400 for _ in range(20))
    assert second.takes_ms(dice) == 0
    shelf.answer_again()
    assert first.takes_ms(dice) == 0


def test_a_config_string_is_set_where_there_is_none_and_by_force_anywhere() -> None:
    address = Address("e1.0")
    first, again = address.set_config(b"one"), address.set_config(b"one")
    assert first is not None
    assert first == again
    refused = address.set_config(b"two")
    assert refused is not None
    assert (refused.error, refused.string) == (STRING_PRESENT, b"one")
    assert address.set_config(b"two", force=True)
    assert address.test_config(b"two")
    assert address.test_config(b"t", prefix=True)
    assert address.test_config(b"t") is None
    assert address.set_config(b"x" * (CONFIG_MAX + 1), force=True) is None


def test_a_watchdog_bites_who_does_not_feed_it() -> None:
    timeline, bitten = Timeline(), [0]
    watchdog = Watchdog(timeline, 1_000, lambda: bitten.append(timeline.now_ms))
    watchdog.feed()
    timeline.run_until(900, lambda: None)
    watchdog.feed()
    timeline.run_until(1_800, lambda: None)
    assert bitten == [0]
    timeline.run_until(3_000, lambda: None)
    assert bitten == [0, 1_900]


def test_only_the_magic_character_disarms_a_watchdog() -> None:
    timeline, bitten = Timeline(), [0]
    for magic in (True, False):
        watchdog = Watchdog(timeline, 1_000, lambda: bitten.append(timeline.now_ms))
        watchdog.feed()
        watchdog.close(magic=magic)
        timeline.run_until(timeline.now_ms + 2_000, lambda: None)
        assert bool(bitten[1:]) is not magic


def test_a_stale_neighbour_is_asked_until_it_expires_or_another_announces_itself() -> None:
    client = Client(2_000)
    assert client.address_of(["alpha"], 0) == "alpha"
    assert client.address_of(["beta"], ARP_MS - 1) == "alpha"
    assert client.address_of(["beta"], ARP_MS) == "beta"
    client.announced("alpha", ARP_MS + 1)
    assert client.address_of(["beta"], ARP_MS + 2) == "alpha"


def test_a_session_ends_with_the_kernel_that_knew_it() -> None:
    client = Client(2_000)
    assert not client.answered(Peer("alpha", 1), 0)
    assert not client.answered(Peer("alpha", 1), 10)
    assert client.answered(Peer("alpha", 2), 20)
    assert client.answered(Peer("beta", 1), 30)


def test_a_client_tries_ever_later_until_it_is_tickled() -> None:
    client, now_ms, pauses = Client(2_000), 0, []
    for _ in range(12):
        client.unanswered(now_ms)
        begun_ms = now_ms
        while client.waits(now_ms):
            now_ms += 100
        pauses.append(now_ms - begun_ms)
    assert pauses[:3] == [200, 400, 800]
    assert pauses[-1] == BACK_OFF_MAX_MS
    client.unanswered(now_ms)
    assert client.waits(now_ms)
    client.announced("beta", now_ms)
    assert not client.waits(now_ms)


def asked_slowly(world: World, address: Address) -> list[Answer | None]:
    """Have alpha force its name upon an address that needs 100 ms, with a patience of 80 ms; return what it is told."""
    told: list[Answer | None] = []
    address.slow_ms = (100, 100)
    asker = Asker(world.machines["alpha"], 80, lambda: True)
    exchange = Exchange(world, world.storage.san, asker, address)
    exchange.ask(lambda: address.force_reservation("alpha", ("alpha",)), told.append)
    return told


def test_a_shelf_does_what_it_was_asked_though_nobody_waits_for_its_answer() -> None:
    world, address = Settings().world(), Address("shelf1/1")
    told = asked_slowly(world, address)
    world.run(40)
    assert address.holders == ()
    world.run(20)
    assert address.holders == ("alpha",)
    address.force_reservation("beta", ("beta",))
    world.run(500)
    assert told == [None], "the patience was over before the answer came"
    assert address.holders == ("alpha",), "a frame that was sent again in vain is carried out like the first"


def test_frames_of_one_way_are_lost_and_those_of_the_other_pass() -> None:
    for way, holders in ((Way.REQUESTS, ()), (Way.ANSWERS, ("alpha",))):
        world, address = Settings().world(), Address("shelf1/1")
        san = world.storage.san
        san.lose("alpha", ["shelf1/1"], [way], 100)
        assert (san.joins("alpha", "shelf1/1"), san.joins("beta", "shelf1/1")) == (False, True)
        told = asked_slowly(world, address)
        world.run(500)
        assert (told, address.holders) == ([None], holders)
        san.heal("alpha")
        assert san.joins("alpha", "shelf1/1")
