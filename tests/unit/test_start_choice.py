"""Which legs a mirror is started from: the cases in which acknowledged writes would be lost are refused."""

from dataclasses import replace

from aoeha.agents.parts.superblock import parse_examine
from aoeha.core.model.superblock import Superblock
from aoeha.core.model.task import ExaminedLeg, SuperblocksRead
from aoeha.core.storage import leg_sentences, start_choice
from aoeha.core.storage.start_choice import Legs, Omission, Refusal, Selection, choose_legs, why_not_take_back

UUID = "a0e4a000:00000000:00000000:00000001"
A, B = "/dev/etherd/e1.0", "/dev/etherd/e2.0"


def record(
    leg: str, states: str = "AA", events: int = 100, *, recovering: bool = False, uuid: str = UUID
) -> Superblock:
    return Superblock(leg, uuid, events, 0 if leg == A else 1, states, recovering)


def choose(
    *records: Superblock,
    present: tuple[str, ...] = (A, B),
    complete: tuple[str, ...] = (),
    doubted: tuple[str, ...] = (),
    too_old: tuple[str, ...] = (),
) -> Selection | Refusal:
    legs = Legs((A, B), present, complete, doubted=doubted, too_old=too_old)
    return choose_legs(UUID, legs, {one.leg: one for one in records})


def why(refusal: Refusal) -> str:
    return leg_sentences.why_not_start("/dev/md/x", UUID, refusal)


def test_two_legs_that_agree_are_both_used() -> None:
    assert choose(record(A), record(B, events=101)) == Selection((A, B))


def test_a_leg_that_the_other_calls_failed_is_left_out() -> None:
    choice = choose(record(A, "A.", 200), record(B, "AA", 100))
    assert isinstance(choice, Selection)
    assert choice.legs == (A,)
    assert choice.left_out == ((B, Omission.CALLED_FAILED),)


def test_a_leg_that_is_more_than_an_event_behind_is_set_aside() -> None:
    aside = ((B, Omission.OUTDATED),)
    assert choose(record(A, events=102), record(B)) == Selection((A,), aside, short=True)
    # It is no half of the mirror that would have to be waited for, and a copy onto it does not go on where it was.
    assert choose(record(A, events=102), record(B, recovering=True)) == Selection((A,), aside, short=True)


def test_what_an_old_copy_says_of_the_other_leg_counts_for_nothing() -> None:
    choice = choose(record(A, events=200), record(B, ".A", 100))
    assert choice == Selection((A,), ((B, Omission.OUTDATED),), short=True)


def test_a_leg_whose_target_may_have_lost_what_it_acknowledged_is_set_aside() -> None:
    aside = ((B, Omission.MAY_HAVE_LOST),)
    assert choose(record(A), record(B), doubted=(B,)) == Selection((A,), aside, short=True)
    assert choose(record(A), record(B, recovering=True), doubted=(B,)) == Selection((A,), aside, short=True)


def test_a_leg_whose_generation_is_old_is_set_aside_whatever_its_superblock_says() -> None:
    assert choose(record(A), record(B), too_old=(B,)) == Selection((A,), ((B, Omission.TOO_OLD),), short=True)
    choice = choose(record(A), record(B, ".A", 200), too_old=(B,))
    assert choice == Selection((A,), ((B, Omission.TOO_OLD),), short=True)


def test_legs_that_are_all_too_old_are_refused_with_the_way_out() -> None:
    choice = choose(record(A), record(B), too_old=(A, B))
    assert isinstance(choice, Refusal)
    assert "run: aoeha cleanup" in why(choice)
    choice = choose(record(A), present=(A,), too_old=(A,))
    assert isinstance(choice, Refusal)
    assert f"{B}: it is absent" in why(choice)


def test_a_doubted_leg_is_used_where_no_other_one_is_better() -> None:
    assert choose(record(A), record(B), doubted=(A, B)) == Selection((A, B))
    assert choose(record(A, "A.", 200), record(B), doubted=(A,)) == Selection((A,), ((B, Omission.CALLED_FAILED),))
    # The other one left the mirror, by the ledger, so it is no better.
    assert choose(record(A), record(B), complete=(A,), doubted=(A,)) == Selection((A, B))


def test_a_doubted_leg_alone_is_refused_although_the_ledger_calls_it_complete() -> None:
    assert isinstance(choose(record(A), present=(A,), complete=(A, B), doubted=(A,)), Refusal)


def test_a_lone_leg_that_calls_the_other_failed_starts() -> None:
    choice = choose(record(A, "A."), present=(A,))
    assert isinstance(choice, Selection)
    assert choice.legs == (A,)


def test_a_lone_leg_that_still_expects_the_other_is_refused_with_the_way_out() -> None:
    choice = choose(record(A, "AA"), present=(A,))
    assert isinstance(choice, Refusal)
    assert f"mdadm --assemble --run /dev/md/x {A}" in why(choice)
    assert f"{B}: it is absent" in why(choice)


def test_a_lone_leg_that_the_ledger_calls_complete_starts_short() -> None:
    choice = choose(record(B, "AA"), present=(B,), complete=(A, B))
    assert choice == Selection((B,), ((A, Omission.ABSENT),), short=True)


def test_a_lone_leg_that_the_ledger_does_not_name_is_refused() -> None:
    assert isinstance(choose(record(B, "AA"), present=(B,), complete=(A,)), Refusal)


def test_of_three_legs_one_that_calls_the_missing_one_failed_does_not_speak_for_all() -> None:
    third = "/dev/etherd/e3.0"
    read = {A: record(A, "AA."), B: record(B, "AAA")}
    assert isinstance(choose_legs(UUID, Legs((A, B, third), (A, B)), read), Refusal)


def test_of_three_legs_those_that_the_ledger_does_not_call_complete_are_left_out() -> None:
    third = "/dev/etherd/e3.0"
    read = {A: record(A, "AAA"), B: record(B, "AAA")}
    choice = choose_legs(UUID, Legs((A, B, third), (A, B), (A,)), read)
    left_out = ((third, Omission.ABSENT), (B, Omission.MAY_LACK_WRITES))
    assert choice == Selection((A,), left_out, short=True)


def test_what_the_legs_record_goes_before_the_ledger() -> None:
    choice = choose(record(A, "A.", 200), record(B, "AA", 100), complete=(B,))
    assert isinstance(choice, Selection)
    assert choice.legs == (A,)
    assert isinstance(choose(record(A, "A."), record(B, ".A"), complete=(A, B)), Refusal)


def test_a_blank_second_leg_does_not_make_the_first_one_complete() -> None:
    choice = choose(record(A, "AA"))
    assert isinstance(choice, Refusal)
    assert "no md superblock could be read" in why(choice)


def test_legs_that_call_each_other_failed_are_refused() -> None:
    choice = choose(record(A, "A."), record(B, ".A"))
    assert isinstance(choice, Refusal)
    assert "each record the other as failed" in why(choice)
    assert "--zero-superblock" in why(choice)


def test_a_leg_of_another_array_is_refused() -> None:
    choice = choose(record(A), record(B, uuid="b" * 35))
    assert isinstance(choice, Refusal)
    assert f"{B} belongs to array" in why(choice)


def test_a_leg_whose_rebuild_was_interrupted_comes_along_but_never_alone() -> None:
    assert choose(record(A), record(B, recovering=True)) == Selection((A, B))
    alone = choose(record(B, recovering=True), present=(B,))
    assert isinstance(alone, Refusal)
    assert "no leg to start" in why(alone)


def test_a_mirror_that_runs_already_is_started_from_nothing() -> None:
    """An OCF agent is asked that, and a daemon whose earlier start was not waited for."""
    assert start_choice.choose(SuperblocksRead("/dev/md/x", UUID, running=True), ()) == Selection(())


def test_nothing_at_all_is_refused() -> None:
    choice = choose(present=())
    assert isinstance(choice, Refusal)
    assert f"{A}: it is absent; {B}: it is absent" in why(choice)


EXAMINED = """\
/dev/etherd/e1.0:
          Magic : a92b4efc
        Version : 1.2
     Array UUID : a0e4a000:00000000:00000000:00000001
           Name : gw:aoeha
     Raid Level : raid1
   Raid Devices : 2
          State : clean
    Device UUID : 7e11e2d4:4b3d5ea5:1d3c6d1f:f6a7a0a5
    Update Time : Fri Nov 20 23:59:59 2026
         Events : 18
   Device Role : Active device 0
   Array State : A. ('A' == active, '.' == missing, 'R' == replacing)
/dev/etherd/e2.0:
          Magic : a92b4efc
     Array UUID : a0e4a000:00000000:00000000:00000001
Recovery Offset : 2048 sectors
         Events : 17
   Device Role : spare
   Array State : AA ('A' == active, '.' == missing, 'R' == replacing)
"""


def test_superblocks_are_read_from_what_mdadm_prints() -> None:
    assert parse_examine(EXAMINED) == {
        A: Superblock(A, UUID, 18, 0, "A.", recovering=False),
        B: Superblock(B, UUID, 17, None, "AA", recovering=True),
    }
    assert parse_examine("") == {}
    assert parse_examine("/dev/etherd/e1.0:\n   MBR Magic : aa55\n") == {}


def refusal_to_take_back(*records: Superblock) -> str:
    refusal = why_not_take_back(UUID, B, (A,), {one.leg: one for one in records})
    return leg_sentences.why_not_take_back("/dev/md/x", UUID, refusal) if refusal else ""


def test_a_leg_that_lacks_writes_may_be_taken_back() -> None:
    assert refusal_to_take_back(record(A, "A.", 200), record(B, "AA", 100)) == ""


def test_a_leg_that_was_written_apart_is_not_taken_back() -> None:
    sentence = refusal_to_take_back(record(A, "A.", 200), record(B, ".A", 100))
    assert "written apart" in sentence
    assert f"mdadm --zero-superblock {B}" in sentence


def test_a_disk_of_another_array_or_of_none_is_not_taken_back() -> None:
    assert "belongs to array" in refusal_to_take_back(record(A, "A."), record(B, uuid="b" * 35))
    assert "no md superblock" in refusal_to_take_back(record(A, "A."))


def test_no_leg_is_taken_back_when_the_working_one_cannot_be_read() -> None:
    assert "cannot be read" in refusal_to_take_back(record(B))


def test_a_disk_that_did_not_answer_in_time_is_not_called_blank() -> None:
    late = ExaminedLeg("e2.0", "/dev/etherd/e2.0", present=True, late=True)
    blank = replace(late, late=False)
    reasons = []
    for leg in (late, blank):
        refusal = start_choice.choose(SuperblocksRead("/dev/md/volume", "1:2:3:4", (leg,)), ())
        assert isinstance(refusal, Refusal)
        reasons.append(leg_sentences.why_not_start("/dev/md/volume", "1:2:3:4", refusal))
    assert "did not answer in time" in reasons[0]
    assert "no md superblock could be read" in reasons[1]
