"""The trace notices: each test breaks one rule of the core whose breach is no violation, and sees its story change."""

from dataclasses import replace
from typing import Any

import pytest
from planted_bugs import Mutation, always_news, only_those_who_looked, only_what_shows_the_peer
from test_mutations import SCENARIOS

from aoeha.core import memory
from aoeha.core.fencing import devices, power_proof, power_restore
from aoeha.core.mirror import leg_rest, path_failover
from aoeha.core.ownership import client_isolation
from aoeha.core.peer import disk_heartbeat
from aoeha.core.storage import path_alarms, reservations
from aoeha.sim.stories.scenario import perform, read


def whoever_was_read_off(_original: Any) -> Any:
    return lambda _turn, device: bool(device.read_off_of)


def as_read_before(_original: Any) -> Any:
    return lambda _group: False


def first_of_its_kind(original: Any) -> Any:
    return lambda step, name, leg, what: original(step, name, replace(leg, errors=0), what)


def nobody_saw_to_it(_original: Any) -> Any:
    return lambda _turn: ()


def still_the_old_disk(original: Any) -> Any:
    """A target that is started anew is asked for its reservation, and that is all."""

    def target_started(step: Any, event: Any) -> None:
        before = step.state
        original(step, event)
        for group in before.groups:
            step.change_group(group.name, legs=group.legs)

    return target_started


def nothing_is_said(_original: Any) -> Any:
    return lambda *_: None


def always_news_of(_original: Any) -> Any:
    return lambda _state, _interface: True


def always_answers(_original: Any) -> Any:
    return lambda _state: True


def stamps_tell_no_pause(original: Any) -> Any:
    return lambda state, group, word: replace(original(state, group, word), pause_number=0, paused=False)


def never_missed(_original: Any) -> Any:
    return lambda _state, _group, _leg: False


IN_TRACES = (
    (
        Mutation("wait for the disk before a leg is taken again", memory, "_is_missed", never_missed, ()),
        "target-restarts-as-the-disk-hangs",
        "disk.write-failed",
    ),
    (
        Mutation("let beats of the dead contradict a plug", devices, "_called_off", whoever_was_read_off, ()),
        "late-beats-after-a-routine-reading",
        "device.contradicted",
    ),
    (
        Mutation("condemn a plug for one beat", power_proof, "beats_go_on", always_news, ()),
        "relay-opens-after-its-plug-reads-off",
        "device.wrong-plug",
    ),
    (
        Mutation("forget what devices did", devices, "remembered", nobody_saw_to_it, ()),
        "distrust-outlives-the-daemon",
        "refuses   takeover.refused.no-proof",
    ),
    (
        Mutation("trust a device that disobeyed", devices, "note_obedience", nothing_is_said, ()),
        "device-disobeys",
        "pair.not-protected",
    ),
    (
        Mutation("keep what a fence took that was given up", power_restore, "_is_given_up", nothing_is_said, ()),
        "given-up-fence-gives-power-back",
        "power on  left",
    ),
    (
        Mutation("say nothing of an address that nobody named", path_alarms, "note_used", nothing_is_said, ()),
        "address-that-nobody-named",
        "path.unlisted",
    ),
    (
        Mutation("say nothing of a path that is lost", path_alarms, "judge", nothing_is_said, ()),
        "path-lost-while-its-leg-serves",
        "path.silent",
    ),
    (
        Mutation("let a driver wait at a silent path", path_failover, "_order", nothing_is_said, ()),
        "path-lost-of-two",
        "says      path.failover ",
    ),
    (
        Mutation("hurry a driver while a leg is silent", path_failover, "_all_else_answers", always_answers, ()),
        "path-and-shelf-lost-together",
        "says      path.failover ",
    ),
    (
        Mutation("say nothing of an interface that is lost", path_alarms, "judge_interfaces", nothing_is_said, ()),
        "storage-interface-lost-of-two",
        "path.interface-silent",
    ),
    (
        Mutation(
            "expect nothing of an interface that never answered", path_alarms, "_ever_answered", always_news_of, ()
        ),
        "storage-interface-dead-at-boot",
        "path.interface-silent",
    ),
    (
        Mutation("try a bad disk at one pace", leg_rest, "rest", first_of_its_kind, ()),
        "disk-with-bad-sectors",
        "mirror.leg-returning-partial",
    ),
    (
        Mutation("let a leg rest whatever a human says", leg_rest, "end_rests", nobody_saw_to_it, ()),
        "disk-with-bad-sectors",
        "620.002 alpha  says      mirror.leg-returning-partial",
    ),
    (
        Mutation("let a leg rest on its new disk", reservations, "target_started", still_the_old_disk, ()),
        "disk-is-changed-while-its-leg-rests",
        "mirror.leg-returning-full",
    ),
    (
        Mutation("judge a leg by what another one shows", disk_heartbeat, "_unread", as_read_before, ()),
        "leg-taken-as-the-other-gateway-is-about-to",
        "storage-fence.stood-down",
    ),
    (
        Mutation("stamp no word about a pause", disk_heartbeat, "_stamp", stamps_tell_no_pause, ()),
        "pause-while-only-the-shelves-are-left",
        "beta   start     mirror",
    ),
    (
        Mutation("look for no words on legs of ours", disk_heartbeat, "_in_question", only_what_shows_the_peer, ()),
        "claimers-daemon-dies-before-the-grant",
        "28.706 alpha  says      ownership.granted",
    ),
    (
        Mutation("say nothing before having looked", client_isolation, "words", only_those_who_looked, ()),
        "claimers-daemon-dies-before-the-grant",
        "28.706 alpha  says      ownership.granted",
    ),
)
"""Rules whose breach is no violation, or is one too early to be judged: the line comes, or goes, with it."""


@pytest.mark.parametrize(("mutation", "story", "line"), IN_TRACES, ids=[mutation.name for mutation, *_ in IN_TRACES])
def test_a_broken_rule_changes_its_story(
    mutation: Mutation, story: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = read(SCENARIOS / f"{story}.txt")
    before = [line in known for known in perform(scenario)].count(True)
    monkeypatch.setattr(mutation.target, mutation.function, mutation.make(getattr(mutation.target, mutation.function)))
    assert [line in known for known in perform(scenario)].count(True) != before
