"""Power by an operator's order, in stories: what is refused, when an order is done, and what a wrong plug costs."""

import pytest
from pair import Pair

from aoeha.core.model.power_order import PowerAct
from aoeha.core.model.task import PlugState, TaskKind

LONG_MS = 15_000


def serving_pair() -> Pair:
    pair = Pair()
    pair.boot()
    pair.run(LONG_MS)
    assert pair.serves("alpha")
    return pair


def answers(pair: Pair, node: str) -> list[tuple[int, str]]:
    return [(answer.code, answer.sentence) for answer in pair[node].answers]


def test_the_owner_is_switched_off_and_its_groups_move_and_it_stays_off() -> None:
    pair = serving_pair()
    pair.command("beta", "fence", node="alpha", act="off")
    pair.run(60_000)
    assert pair.serves("beta")
    assert not pair["alpha"].powered
    ((code, sentence),) = answers(pair, "beta")
    assert code == 0
    assert "switch reads off, and nothing is heard of it" in sentence
    pair.command("beta", "fence", node="alpha", act="on")
    pair.run(LONG_MS)
    assert pair["alpha"].powered
    assert answers(pair, "beta")[-1] == (0, "switch reads alpha as on")
    assert not any(alarm.about == "power" for alarm in pair["beta"].state.alarms)  # type: ignore[union-attr]


def test_nothing_is_taken_before_the_beats_have_stopped() -> None:
    pair = serving_pair()
    pair.switch_lies = True
    pair.command("beta", "fence", node="alpha", act="off")
    pair.run(LONG_MS)
    assert pair.serves("alpha")
    assert pair["beta"].started == []
    assert answers(pair, "beta")[0][0] == 1
    assert "a wrong plug" in answers(pair, "beta")[0][1]
    assert pair["beta"].state is not None
    assert pair["beta"].state.devices[0].distrusted
    assert pair.plugged["alpha"], "what lost its power by mistake must get it back"


def test_a_pause_in_the_middle_of_an_order_makes_no_plug_more_believable() -> None:
    pair = serving_pair()
    pair.switch_lies = True
    pair.command("beta", "fence", node="alpha", act="off")
    pair.run(100)
    pair.command("beta", "pause")
    pair.run(LONG_MS)
    assert "a wrong plug" in answers(pair, "beta")[-1][1]
    pair.command("beta", "resume")
    pair.run(LONG_MS)
    assert pair.serves("alpha")
    assert pair["beta"].started == []


@pytest.mark.parametrize(
    ("verb", "arguments", "code", "words"),
    [
        ("fence", {"node": "beta", "act": "off"}, 64, "never fences itself"),
        ("fence", {"node": "gamma", "act": "off"}, 64, "the peer of beta is alpha"),
        ("fence", {"act": "off"}, 64, "the peer of beta is alpha"),
        ("fence", {"node": "alpha", "act": "cycle"}, 64, "off, on or reboot"),
        ("fence-verify", {"node": "alpha"}, 107, "not in standby"),
        ("fence-verify", {"node": "alpha", "level": "2"}, 64, "no such level"),
        ("fence-verify", {"node": "beta"}, 64, "never fences itself"),
        ("fence-test", {"device": "lamp"}, 64, "no fence device of that name"),
    ],
)
def test_what_is_not_sound_is_refused(verb: str, arguments: dict[str, str], code: int, words: str) -> None:
    pair = serving_pair()
    pair.command("beta", verb, **arguments)
    pair.run(5_000)
    ((given, sentence),) = answers(pair, "beta")
    assert given == code
    assert words in sentence
    assert pair.fences == 0


@pytest.mark.parametrize("verb", ["pause", "standby"])
def test_an_order_that_leaves_nobody_to_serve_needs_to_be_said_twice(verb: str) -> None:
    pair = serving_pair()
    pair.command("beta", verb)
    pair.run(1_000)
    pair.command("beta", "fence", node="alpha", act="off")
    pair.run(5_000)
    assert answers(pair, "beta")[-1][0] == 107
    assert pair.fences == 0
    pair.command("beta", "fence", node="alpha", act="off", anyway="yes")
    pair.run(LONG_MS)
    assert pair.fences == 1
    assert answers(pair, "beta")[-1][0] == 0
    assert not pair.serves("beta")


def test_the_test_reads_both_plugs_and_switches_nothing() -> None:
    pair = serving_pair()
    pair.command("alpha", "fence-test")
    pair.run(1_000)
    assert answers(pair, "alpha") == [(0, "switch reads beta as on; switch reads alpha as on")]
    pair.switch_works = False
    pair.command("alpha", "fence-test", device="switch")
    pair.run(30_000)
    assert answers(pair, "alpha")[-1][0] == 1
    assert pair.fences == 0


def test_a_plug_of_ours_that_reads_off_while_we_run_is_told() -> None:
    pair = serving_pair()
    pair.plugged["alpha"] = False
    pair.command("alpha", "fence-test")
    pair.run(1_000)
    assert answers(pair, "alpha")[0][0] == 1
    assert "switch reads alpha as off" in answers(pair, "alpha")[0][1]


def test_verify_takes_the_standbys_power_and_gives_it_back() -> None:
    pair = serving_pair()
    pair.command("beta", "standby")
    pair.run(1_000)
    pair.command("alpha", "fence-verify", node="beta")
    pair.run(LONG_MS)
    assert answers(pair, "alpha")[-1][0] == 0
    assert "the plug is that of beta" in answers(pair, "alpha")[-1][1]
    assert pair.fences == 1
    assert pair["beta"].powered
    assert pair.serves("alpha")


def test_verify_settles_the_doubt_of_a_wrong_plug_once_it_is_mended() -> None:
    pair = serving_pair()
    pair.command("beta", "standby")
    pair.switch_lies = True
    pair.run(1_000)
    pair.command("alpha", "fence-verify", node="beta")
    pair.run(LONG_MS)
    alpha = pair["alpha"]
    assert answers(pair, "alpha")[-1][0] == 1
    assert alpha.state is not None
    assert any(alarm.about == "protection" for alarm in alpha.state.alarms)
    pair.switch_lies = False
    pair.command("alpha", "fence-verify", node="beta")
    pair.run(LONG_MS)
    assert answers(pair, "alpha")[-1][0] == 0
    assert not alpha.state.devices[0].distrusted
    assert not any(alarm.about == "protection" for alarm in alpha.state.alarms)


def test_a_fence_that_fails_is_answered_and_not_repeated() -> None:
    pair = serving_pair()
    pair.switch_is_vague = True
    pair.command("beta", "fence", node="alpha", act="reboot")
    pair.run(60_000)
    assert answers(pair, "beta")[-1][0] == 1
    assert pair["alpha"].powered
    assert pair["beta"].state is not None
    assert pair["beta"].state.order is None


def test_who_waits_too_short_a_time_is_told_so_and_the_order_goes_on() -> None:
    pair = serving_pair()
    pair.command("beta", "fence", node="alpha", act="off", wait_ms="100")
    pair.run(300)
    assert answers(pair, "beta")[0][0] == 124
    pair.command("beta", "fence", node="alpha", act="on")
    assert "another order under way" in answers(pair, "beta")[1][1]
    pair.run(LONG_MS)
    assert not pair["alpha"].powered
    assert pair.serves("beta")


def test_an_order_is_about_the_peer_and_names_who_gave_it() -> None:
    pair = serving_pair()
    pair.command("beta", "fence", node="alpha", act="off")
    state = pair["beta"].state
    assert state is not None
    assert state.order is not None
    assert state.order.act is PowerAct.OFF
    (task,) = [task for task in state.tasks if task.kind is TaskKind.POWER_OFF]
    assert (task.node, task.reason) == ("alpha", "root switches alpha off")


def test_a_device_that_answers_again_protects_again() -> None:
    pair = serving_pair()
    pair.switch_works = False
    pair.command("beta", "fence-test")
    pair.run(30_000)
    state = pair["beta"].state
    assert state is not None
    assert state.devices[0].plug is PlugState.UNKNOWN
    (alarm,) = [alarm for alarm in state.alarms if alarm.about == "protection"]
    assert "NOT PROTECTED" in alarm.sentence
    assert "aoeha fence test switch" in alarm.sentence
    pair.switch_works = True
    pair.command("beta", "fence-test")
    pair.run(1_000)
    state = pair["beta"].state
    assert state is not None
    assert not any(alarm.about == "protection" for alarm in state.alarms)
