"""The verdict turns red for every fault that is planted into good evidence."""

import json
from pathlib import Path
from typing import Any

import pytest

from aoeha.rack.evidence.wires_record import ADDRESS_LIFETIME_MS
from aoeha.rack.judges.report import one_line, table
from aoeha.rack.judges.verdict import Verdict, judge, judge_record
from tests.rack.evidence_sample import (
    ACKNOWLEDGED,
    END_MS,
    MARK_MS,
    SERVED_MS,
    event,
    good_events,
    good_record,
    kernel,
    persist,
    stretch,
    task,
)


def complaint_about(verdict: Verdict, about: str) -> bool:
    return verdict.result == "fail" and any(line.startswith(f"{about}:") for line in verdict.complaints)


def with_facts(**changes: Any) -> Verdict:
    return judge_record(good_record(facts={**good_record().facts, **changes}))


def with_events(*extra: dict[str, Any], without: str = "") -> Verdict:
    kept = [each for each in good_events() if not without or without not in json.dumps(each)]
    return judge_record(good_record(events=tuple(sorted([*kept, *extra], key=lambda each: each["at_ms"]))))


def test_good_evidence_is_green_and_measured_from_the_mark() -> None:
    verdict = judge_record(good_record())
    assert (verdict.result, verdict.complaints, verdict.lost, verdict.acknowledged) == ("pass", [], 0, ACKNOWLEDGED)
    (outage,) = verdict.outages
    assert (outage.address_ms, outage.processes) == (13_000 - 10_000, 12)
    assert outage.steps["silent"] == 12_005 - 10_010
    assert outage.steps["mirror"] == 12_200 - 10_010
    assert "0 acknowledged writes lost of 100" in one_line(verdict)
    assert "address gap" in table([verdict, verdict])


@pytest.mark.parametrize("read", [{"places": ACKNOWLEDGED, "bad": [7]}, {"places": ACKNOWLEDGED - 1, "bad": []}, None])
@pytest.mark.parametrize("reader", ["client", "leg1", "leg2"])
def test_a_record_that_one_reader_lacks_is_lost(reader: str, read: dict[str, Any] | None) -> None:
    facts = json.loads(json.dumps(good_record().facts))
    if reader == "client":
        facts["client"] = read
    else:
        facts["disks"]["legs"][reader]["records"] = read
    verdict = judge_record(good_record(facts=facts))
    assert complaint_about(verdict, reader)
    assert verdict.lost == (None if read is None else 1)


def test_a_record_that_nobody_acknowledged_may_be_missing() -> None:
    facts = {**good_record().facts, "client": {"places": ACKNOWLEDGED + 3, "bad": [ACKNOWLEDGED + 1]}}
    assert judge_record(good_record(facts=facts)).result == "pass"


@pytest.mark.parametrize("mismatches", [128, None])
def test_legs_that_differ_are_red(mismatches: int | None) -> None:
    assert complaint_about(with_facts(mismatches=mismatches), "mirror")


def test_a_broken_file_system_is_red() -> None:
    facts = json.loads(json.dumps(good_record().facts))
    facts["disks"]["legs"]["leg2"]["e2fsck_code"] = 4
    assert complaint_about(judge_record(good_record(facts=facts)), "leg2 file system")


def test_an_expectation_that_was_not_met_is_red() -> None:
    assert complaint_about(with_facts(unmet="expect writes within 5s: nothing"), "play")


def test_a_failure_of_the_rack_is_red() -> None:
    assert complaint_about(with_events(event(11_000, "rack", "failed", sentence="boom")), "play")


def test_a_second_mirror_is_red_by_the_kernels_own_logs() -> None:
    early = kernel(9_000, "beta", "md/raid1:md127: active with 2 out of 2 mirrors")
    assert complaint_about(with_events(early), "one mirror")


def test_a_gateway_that_the_switch_only_claims_to_have_killed_has_a_second_mirror() -> None:
    verdict = with_events(without='"state": "off"')
    assert complaint_about(verdict, "one mirror")
    assert complaint_about(verdict, "proof")


def with_wires(*extra: dict[str, Any], **changes: Any) -> Verdict:
    return judge_record(good_record(wires=(*good_record().wires, *extra), **changes))


@pytest.mark.parametrize(("since_ms", "until_ms"), [(12_500, 12_500), (12_500, 12_600), (9_995, 12_600)])
def test_a_write_of_a_gateway_that_does_not_own_the_group_is_red(since_ms: int, until_ms: int) -> None:
    for shelf in ("shelf1", "shelf2"):
        assert complaint_about(with_wires(stretch("landed", shelf, "alpha", since_ms, until_ms)), "one writer")
        refused = with_wires(stretch("refused", shelf, "alpha", since_ms, until_ms))
        assert refused.result == "pass"


def beside_a_zombie(*extra: dict[str, Any], reserved_ms: int = 14_040) -> Verdict:
    drill = {**good_record().drill, "foreign": ["shelf1", 1_000]}
    restart = stretch("advert", "shelf1", "shelf1", 14_000, 14_000)
    return with_wires(restart, stretch("reserved", "shelf1", "beta", reserved_ms, reserved_ms), *extra, drill=drill)


def test_a_fenced_gateways_write_may_land_while_a_target_that_restarted_is_taken_again() -> None:
    landed = stretch("landed", "shelf1", "alpha", 14_010, 14_030)
    assert beside_a_zombie(landed).result == "pass"
    assert complaint_about(with_wires(landed), "one writer")


@pytest.mark.parametrize("landed", [("shelf1", 13_990, 14_010), ("shelf1", 14_010, 14_041), ("shelf2", 14_010, 14_030)])
def test_it_may_land_neither_before_nor_after_nor_elsewhere(landed: tuple[str, int, int]) -> None:
    place, since_ms, until_ms = landed
    assert complaint_about(beside_a_zombie(stretch("landed", place, "alpha", since_ms, until_ms)), "one writer")


def test_a_target_that_is_taken_again_too_late_or_never_restarted_is_red() -> None:
    asked = stretch("asked", "shelf1", "beta", 14_012, 14_012)
    assert beside_a_zombie(asked, reserved_ms=14_222).result == "pass", "a machine may be slow"
    late = beside_a_zombie(asked, reserved_ms=15_001)
    assert "shelf1 was reserved again after 1001 ms, asked for after 12 ms" in " ".join(late.complaints)
    drill = {**good_record().drill, "foreign": ["shelf1", 1_000]}
    assert complaint_about(judge_record(good_record(drill=drill)), "reservations")


def test_a_stranger_who_writes_is_red() -> None:
    assert complaint_about(with_wires(stretch("landed", "shelf1", "02:00:00:00:00:99", 12_500, 12_501)), "one writer")


def test_a_story_that_names_no_owners_is_not_judged_by_them() -> None:
    verdict = judge_record(good_record(drill={**good_record().drill, "owners": []}))
    assert not complaint_about(verdict, "owners")


def test_a_former_owner_that_goes_on_to_answer_for_the_address_is_red() -> None:
    late_ms = SERVED_MS + ADDRESS_LIFETIME_MS
    assert with_wires(stretch("answered", "address", "alpha", 13_500, late_ms)).result == "pass"
    assert complaint_about(with_wires(stretch("answered", "address", "alpha", 13_500, late_ms + 1)), "one answerer")


@pytest.mark.parametrize("changes", [{"wires": ()}, {"unseen": 1}])
def test_wires_that_nobody_watched_are_red(changes: dict[str, Any]) -> None:
    assert complaint_about(judge_record(good_record(**changes)), "wires")


@pytest.mark.parametrize("wanted", [0, 2])
def test_another_number_of_power_offs_is_red(wanted: int) -> None:
    drill = {**good_record().drill, "power_offs": wanted}
    assert complaint_about(judge_record(good_record(drill=drill)), "power-offs")


def test_a_longer_outage_than_allowed_is_red() -> None:
    drill = {**good_record().drill, "outage_max_ms": 5_499}
    assert complaint_about(judge_record(good_record(drill=drill)), "outage")


@pytest.mark.parametrize(("allowed_ms", "good"), [(1, False), (60_000, True)])
def test_a_longer_outage_after_one_mark_than_allowed_there_is_red(allowed_ms: int, good: bool) -> None:
    mark = judge_record(good_record()).outages[0].mark
    drill = {**good_record().drill, "outage_limits_ms": {mark: allowed_ms}}
    assert bool(complaint_about(judge_record(good_record(drill=drill)), "outage")) is not good


def test_one_of_several_histories_is_enough() -> None:
    drill = {**good_record().drill, "owners": [[{"node": "alpha", "proof": ""}], *good_record().drill["owners"]]}
    assert judge_record(good_record(drill=drill)).result == "pass"


def test_a_gateway_that_rebooted_has_its_mirror_no_more() -> None:
    reboot = event(11_000, "alpha", "hello", boot_id="second")
    events = tuple(
        sorted([e for e in (*good_events(), reboot) if e.get("state") != "off"], key=lambda each: each["at_ms"])
    )
    assert not complaint_about(judge_record(good_record(events=events)), "one mirror")


@pytest.mark.parametrize("missing", ["status alpha", "off alpha"])
def test_a_takeover_without_the_switchs_word_is_red(missing: str) -> None:
    assert complaint_about(with_events(without=missing), "proof")


def test_a_takeover_without_any_proof_is_red() -> None:
    journal = (persist(3_900, "alpha", 1, "handed over"), persist(12_050, "beta", 2, ""))
    verdict = judge_record(good_record(journal=journal))
    assert complaint_about(verdict, "proof")
    assert complaint_about(verdict, "owners")


def test_a_takeover_that_nobody_expected_is_red() -> None:
    drill = {**good_record().drill, "owners": [[{"node": "alpha", "proof": ""}]]}
    assert complaint_about(judge_record(good_record(drill=drill)), "owners")


def test_a_missing_takeover_is_red() -> None:
    assert complaint_about(judge_record(good_record(journal=good_record().journal[:1])), "owners")


@pytest.mark.parametrize("kind", ["start", "stop", "power_off"])
def test_a_resource_that_is_touched_where_nothing_may_move_is_red(kind: str) -> None:
    drill = {**good_record().drill, "untouched": True, "power_offs": 0, "owners": [[{"node": "alpha", "proof": ""}]]}
    quiet = (persist(3_900, "alpha", 1, "handed over"),)
    moves = ("alpha", '"state": "off"', "raid1", "off alpha", "status alpha")
    events = tuple(each for each in good_events() if not any(word in json.dumps(each) for word in moves[1:]))
    events = (kernel(4_000, "alpha", "md/raid1:md126: active with 2 out of 2 mirrors"), *events)
    wires = good_record().wires[:3]
    assert judge_record(good_record(drill=drill, journal=quiet, events=events, wires=wires)).result == "pass"
    touched = (*quiet, *task(MARK_MS + 500, "alpha", 9, kind, "exports"))
    verdict = judge_record(good_record(drill=drill, journal=touched, events=events, wires=wires))
    assert complaint_about(verdict, "resources")


def test_power_that_is_cut_on_purpose_moves_nothing_where_the_drill_says_how_often() -> None:
    drill = {**good_record().drill, "untouched": True, "owners": [[{"node": "alpha", "proof": ""}]]}
    own = persist(3_900, "alpha", 1, "handed over")
    ordered = (own, *task(MARK_MS + 500, "alpha", 9, "power_off", "power-switch"))
    events = tuple(
        {**each, "request": each["request"].replace("alpha", "beta")} if each["kind"] == "request" else each
        for each in good_events()
        if each.get("state") != "off" and not (each["who"] == "beta" and each["kind"] == "line")
    )
    record = good_record(drill=drill, journal=ordered, events=events, wires=good_record().wires[:3])
    assert judge_record(record).result == "pass"
    unbidden = good_record(drill={**drill, "power_offs": None}, journal=ordered, events=events, wires=record.wires)
    assert complaint_about(judge_record(unbidden), "resources")


def test_a_client_that_never_comes_back_is_red() -> None:
    events = tuple(e for e in good_events() if not (e["kind"] == "acknowledged" and e["at_ms"] > MARK_MS))
    assert complaint_about(judge_record(good_record(events=events)), "outage")


def test_a_machine_that_stalled_makes_the_run_void() -> None:
    assert with_events(event(MARK_MS + 1, "host", "stalled", stalled_ms=1_001)).result == "void"
    assert with_events(event(MARK_MS + 1, "host", "stalled", stalled_ms=999)).result == "pass"
    assert with_events(event(MARK_MS - 1, "host", "stalled", stalled_ms=5_000)).result == "pass"
    assert with_events(event(END_MS + 1, "host", "stalled", stalled_ms=5_000)).result == "pass"


@pytest.mark.parametrize(
    ("lack_it", "result"),
    [({"client"}, "fail"), ({"leg1", "leg2"}, "fail"), ({"leg1"}, "void"), ({"leg2"}, "void"), (set(), "void")],
)
def test_no_stall_excuses_a_lost_write(lack_it: set[str], result: str) -> None:
    facts = json.loads(json.dumps(good_record().facts))
    lacking = {"places": ACKNOWLEDGED, "bad": [7]}
    for leg in lack_it - {"client"}:
        facts["disks"]["legs"][leg]["records"] = lacking
    if "client" in lack_it:
        facts["client"] = lacking
    events = sorted([*good_events(), event(MARK_MS + 1, "host", "stalled", stalled_ms=5_000)], key=lambda e: e["at_ms"])
    assert judge_record(good_record(facts=facts, events=tuple(events))).result == result


def test_a_folder_without_evidence_is_red(tmp_path: Path) -> None:
    assert complaint_about(judge(tmp_path), "evidence")


def alarm(code: str, source: str = "aoeha") -> dict[str, Any]:
    return event(12_300, "beta", "line", source=source, text=f"<2>[{code}] ALARM: group storage: look at it")


@pytest.mark.parametrize("code", ["mirror.data-doubtful", "group.failing", "leg.foreign-reservation"])
def test_an_alarm_that_the_drill_does_not_call_for_is_red(code: str) -> None:
    assert complaint_about(with_events(alarm(code)), "alarms")
    called = {**good_record().drill, "alarms": [code]}
    events = tuple(sorted([*good_events(), alarm(code)], key=lambda each: each["at_ms"]))
    assert judge_record(good_record(events=events, drill=called)).result == "pass"


@pytest.mark.parametrize("said", [alarm("link.down"), alarm("mirror.data-doubtful", "client")])
def test_an_alarm_of_a_broken_part_is_called_for_by_every_drill(said: dict[str, Any]) -> None:
    assert with_events(said).result == "pass"


def test_an_alarm_that_ends_is_not_raised_by_that() -> None:
    over = event(12_300, "beta", "line", source="aoeha", text="<6>[group.failing over] group storage: it runs")
    assert with_events(over).result == "pass"
