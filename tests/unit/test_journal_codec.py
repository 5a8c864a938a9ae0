"""What was written to the journal comes back equal, and nothing else comes back at all."""

from dataclasses import is_dataclass
from typing import get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aoeha.core.model.actions import Action, Say
from aoeha.core.model.beat import BeatFlag
from aoeha.core.model.conditions import Code, Condition, Level, Subject
from aoeha.core.model.config import Identity, PairConfig
from aoeha.core.model.events import Event, TaskDone, Tick
from aoeha.core.model.memory import Memory
from aoeha.core.model.state import NodeState
from aoeha.core.model.task import (
    LegTask,
    Outcome,
    PlugRead,
    PlugState,
    PowerTask,
    ReservationTask,
    ResourceTask,
    Task,
    TaskResult,
)
from aoeha.journal.codec import RecordError, action_from, event_from, from_plain, to_plain, to_record
from aoeha.journal.records import Header, Step, decode_line, encode_header, encode_step

# JSON text cannot hold lone surrogates; nothing that the daemon makes holds any.
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
st.register_type_strategy(int, st.integers(-(2**62), 2**62))
st.register_type_strategy(BeatFlag, st.integers(0, 255).map(BeatFlag))
for limited in (ResourceTask, PowerTask, ReservationTask, LegTask):
    st.register_type_strategy(limited, st.builds(limited, kind=st.sampled_from(limited.kinds)))

EVENTS = st.one_of([st.from_type(kind) for kind in get_args(Event)])
ACTIONS = st.one_of([st.from_type(kind) for kind in get_args(Action)])


def through_json(thing: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(thing))


@given(EVENTS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_event_comes_back_equal(event: Event) -> None:
    back = event_from(through_json(to_record(event)))
    assert back == event
    assert type(back) is type(event)


@given(ACTIONS)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_action_comes_back_equal(action: Action) -> None:
    back = action_from(through_json(to_record(action)))
    assert back == action
    assert type(back) is type(action)


@given(EVENTS, st.lists(ACTIONS, max_size=4).map(tuple))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_step_is_one_line_and_comes_back_equal(event: Event, actions: tuple[Action, ...]) -> None:
    line = encode_step(event, actions)
    assert line.count(b"\n") == 1
    assert decode_line(line) == Step(event, actions)
    assert encode_step(event, actions) == line


@given(
    st.builds(
        Header,
        config=st.from_type(PairConfig),
        identity=st.from_type(Identity),
        memory=st.none() | st.from_type(Memory),
        actions=st.lists(ACTIONS, max_size=3).map(tuple),
        state=st.none() | st.from_type(NodeState),
    )
)
@settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_a_header_comes_back_equal(header: Header) -> None:
    assert decode_line(encode_header(header)) == header


def test_every_type_of_the_unions_is_a_dataclass_with_a_name_of_its_own() -> None:
    kinds = [*get_args(Event), *get_args(Action), *get_args(Task), *get_args(Outcome)]
    assert all(is_dataclass(kind) for kind in kinds)
    assert len({kind.__name__ for kind in kinds}) == len(kinds)


def test_the_class_of_a_task_and_of_its_outcome_are_told_by_name() -> None:
    record = to_record(TaskDone(1, 2, TaskResult.OK, outcome=PlugRead(PlugState.OFF)))
    assert record["outcome"] == {"type": "PlugRead", "plug": "off"}
    with pytest.raises(RecordError, match=r"'Guess'.*PlugRead.*\$\.outcome"):
        event_from({**record, "outcome": {"type": "Guess", "plug": "off"}})
    with pytest.raises(RecordError, match=r"\$\.outcome\.plug"):
        event_from({**record, "outcome": {"type": "PlugRead", "plug": "perhaps"}})
    with pytest.raises(RecordError, match=r"\$\.outcome\.colour"):
        event_from({**record, "outcome": {"type": "PlugRead", "plug": "off", "colour": "red"}})


def test_a_task_of_another_classes_kind_is_refused() -> None:
    task = {"type": "LegTask", "id": 1, "deadline_ms": 1, "reason": "", "group": "g", "subject": "m", "leg": "e1.0"}
    assert action_from({"type": "StartTask", "task": {**task, "kind": "evict_leg"}})
    with pytest.raises(RecordError, match="start is no kind of LegTask"):
        action_from({"type": "StartTask", "task": {**task, "kind": "start"}})


def test_an_unknown_event_is_refused_by_name() -> None:
    with pytest.raises(RecordError, match="'Earthquake'"):
        event_from({"type": "Earthquake", "now_ms": 1})


def test_an_action_is_no_event() -> None:
    with pytest.raises(RecordError, match="'Leave'"):
        event_from({"type": "Leave"})


@pytest.mark.parametrize("record", [None, [], "Tick", {}, {"type": 5}, {"type": ["Tick"]}])
def test_what_is_no_record_is_refused(record: object) -> None:
    with pytest.raises(RecordError):
        event_from(record)


def test_a_wrong_field_is_refused_and_named() -> None:
    with pytest.raises(RecordError, match="now_ms"):
        event_from({"type": "Tick", "now_ms": "soon"})


def test_an_unknown_field_is_refused_even_deep_inside() -> None:
    record = to_record(TaskDone(1, 2, result=TaskResult.OK))
    assert event_from(record)
    with pytest.raises(RecordError, match=r"\$\.flavour"):
        event_from({**record, "flavour": "sweet"})
    memory = to_plain(Memory("b", 1, "", standby=False, groups=(), peer_was_alive=False, panicked=False))
    assert from_plain(memory, Memory, "memory")
    memory["groups"] = [{"name": "g", "epoch": 1, "claim_floor": 1, "holding": False, "proof": None, "grant": None,
                         "claims": 0, "lease": 3}]  # fmt: skip
    with pytest.raises(RecordError, match=r"\$\.groups\[0\]\.lease"):
        from_plain(memory, Memory, "memory")


def test_a_field_that_an_older_version_did_not_write_takes_its_default() -> None:
    record = to_record(TaskDone(1, 2, TaskResult.OK, detail=""))
    del record["detail"]
    assert event_from(record) == TaskDone(1, 2, TaskResult.OK)


@pytest.mark.parametrize(
    "line",
    [b"", b"\0\0\0", b"[]", b'{"now_ms":1}', b'{"schema":99}', b'{"schema":1}', b'{"now_ms":1,"event":{"ty',
     b'{"now_ms":1,"event":{"type":"Tick","now_ms":1},"actions":{}}'],
)  # fmt: skip
def test_a_line_that_is_cut_or_foreign_is_refused_with_a_sentence(line: bytes) -> None:
    with pytest.raises(RecordError, match="cannot read"):
        decode_line(line)


def is_read_or_refused(line: bytes) -> bool:
    """Whether a line is a record that is written again as a line, or is refused with a sentence."""
    try:
        record = decode_line(line)
    except RecordError as error:
        return str(error).startswith("cannot read")
    return isinstance(record, Header | Step)


@given(st.binary(max_size=80), st.data())
def test_whatever_a_line_holds_it_is_read_or_refused(garbage: bytes, data: st.DataObject) -> None:
    line = encode_step(Tick(7), (Say(Level.INFO, Condition(Code.LINK_HEARD, Subject.link("lan"), "heard")),))
    place = data.draw(st.integers(0, len(line)))
    for spoilt in (garbage, line[:place] + garbage[:3] + line[place + 1 :]):
        assert is_read_or_refused(spoilt)


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"schema": ' + b"1" * 5_000 + b"}", b'{"schema": "\xff"}'])
def test_what_no_decoder_takes_is_refused_with_a_sentence(line: bytes) -> None:
    with pytest.raises(RecordError):
        decode_line(line)


def test_enums_go_by_value_and_flags_by_number() -> None:
    say = Say(Level.ALARM, Condition(Code.LINK_DOWN, Subject.link("lan"), "it is cut"))
    condition = {"code": "link.down", "subject": {"kind": "link", "name": "lan"}, "sentence": "it is cut"}
    assert to_record(say) == {"type": "Say", "level": "alarm", "condition": condition, "ends": False}
