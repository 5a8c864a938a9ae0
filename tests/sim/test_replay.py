"""`aoeha replay`: a journal tells what was decided and why, and the first answer that is another one today."""

import json
import re
import shutil
from pathlib import Path

import pytest
from journal_of import journals

from aoeha.cli.main import main
from aoeha.core.step import step
from aoeha.journal.records import Header, Step, decode_line, encode_header
from aoeha.sim.replay import Difference, JournalError, parts_of, replay
from aoeha.sim.stories.scenario import parse, perform

STORY = """
    boot alpha beta
    wait 20s
    ask alpha: switchover
    expect served storage by beta within 10s
    wait 2s
    kill alpha
    wait 4s
    expect served storage by beta
"""
SWITCHOVER_S = "20.000s"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journals")
    with journals(folder):
        trace = perform(parse("switchover", STORY))
    assert not [line for line in trace if " BROKEN " in line]
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "journals"))


def change(part: Path, wanted: str, old: str, new: str) -> int:
    """Change the first line that holds `wanted`; return its number."""
    lines = part.read_text().splitlines(keepends=True)
    number = next(number for number, line in enumerate(lines) if wanted in line)
    assert old in lines[number]
    lines[number] = lines[number].replace(old, new, 1)
    part.write_text("".join(lines))
    return number + 1


def test_a_whole_journal_over_two_daemons_comes_out_the_same(folder: Path) -> None:
    for node in ("alpha", "beta"):
        moments = list(replay(parts_of(folder / node)))
        assert len(moments) > 100
        assert [moment.number for moment in moments] == list(range(1, len(moments) + 1))
        assert not [moment for moment in moments if moment.rewording]


def test_the_decisions_are_printed_with_line_and_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(folder / "alpha")]) == 0
    out = capsys.readouterr().out
    assert "root asked for the switchover of storage to beta" in out
    assert re.search(r"alpha, boot [0-9a-f]{8}, daemon \d+ starts", out)
    assert out.splitlines()[-1].endswith("steps, every action the same")
    (line,) = [line for line in out.splitlines() if "root asked for" in line]
    assert SWITCHOVER_S in line


def test_an_answer_that_was_another_one_is_the_first_difference(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = parts_of(folder / "alpha")[0]
    number = change(part, '"kind":"stop"', '"kind":"stop"', '"kind":"start"')
    assert main(["replay", str(part)]) == 1
    error = capsys.readouterr().err
    assert f"{part}:{number}: " in error
    assert "StartTask.task.kind" in error
    assert "expected" in error


def test_an_action_that_is_missing_is_named(folder: Path) -> None:
    part = parts_of(folder / "beta")[0]
    lines = part.read_bytes().splitlines(keepends=True)
    number = next(number for number, line in enumerate(lines) if b'"SendBeat"' in line and number)
    plain = json.loads(lines[number])
    plain["actions"] = [action for action in plain["actions"] if action["type"] != "SendBeat"]
    lines[number] = json.dumps(plain).encode() + b"\n"
    part.write_bytes(b"".join(lines))
    with pytest.raises(Difference, match=rf":{number + 1}: .*"):
        list(replay([part]))


def test_other_words_for_the_same_are_told_and_do_not_end_the_replay(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(parts_of(folder / "alpha")[0], "asked for the switchover", "asked for the switchover", "wished the move")
    assert main(["replay", str(folder / "alpha")]) == 1
    captured = capsys.readouterr()
    assert "root wished the move of storage" in captured.out
    assert "1 lines say it in other words" in captured.err
    assert "every action the same but for its words" in captured.out


def test_an_answer_is_printed_with_its_code_and_another_code_is_a_difference(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(folder / "alpha")]) == 0
    assert "answer command.begun: storage is being handed over to beta" in capsys.readouterr().out
    change(parts_of(folder / "alpha")[0], '"Answer"', "command.begun", "command.done")
    with pytest.raises(Difference, match=r"Answer\.code"):
        list(replay(parts_of(folder / "alpha")))


@pytest.mark.parametrize(("until", "serves"), [("19.9s", True), ("25s", False), ("3", False)])
def test_why_shows_the_status_of_that_moment(
    folder: Path, capsys: pytest.CaptureFixture[str], until: str, serves: bool
) -> None:
    assert main(["replay", str(folder / "alpha"), "--until", until, "--why"]) == 0
    assert ("alpha serves storage since epoch" in capsys.readouterr().out) is serves


def test_words_that_name_no_moment_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(folder / "alpha"), "--until", "noon"]) == 64
    assert 'cannot stop at "noon"' in capsys.readouterr().err


def test_what_is_no_journal_is_refused_with_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part = parts_of(folder / "alpha")[0]
    for bad in (folder / "nowhere", folder):
        assert main(["replay", str(bad)]) == 112
    part.write_bytes(part.read_bytes().splitlines(keepends=True)[1])
    assert main(["replay", str(part)]) == 112
    assert "does not begin with a header" in capsys.readouterr().err


def test_a_line_cut_by_a_power_loss_ends_the_journal_and_one_cut_before_the_end_is_refused(folder: Path) -> None:
    part = parts_of(folder / "beta")[0]
    whole = part.read_bytes()
    lines = whole.count(b"\n")
    part.write_bytes(whole[:-20])
    assert len(list(replay([part]))) == lines - 1
    part.write_bytes(whole[:-20] + b"\n" + whole.splitlines(keepends=True)[-1])
    with pytest.raises(JournalError, match=f":{lines}: "):
        list(replay([part]))


def test_a_later_part_is_repeated_from_its_state_and_that_state_is_verified(folder: Path, tmp_path: Path) -> None:
    lines = parts_of(folder / "beta")[0].read_bytes().splitlines(keepends=True)
    header, state = decode_line(lines[0]), None
    assert isinstance(header, Header)
    middle = len(lines) // 2
    moments = list(replay(parts_of(folder / "beta")[:1]))
    state = moments[middle - 1].state
    second = Header("1", 2, state.now_ms, header.wall_ms, header.config, header.identity, None, (), state)
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "a-1-0001.jsonl").write_bytes(b"".join(lines[:middle]))
    (parts / "a-1-0002.jsonl").write_bytes(encode_header(second) + b"".join(lines[middle:]))
    assert len(list(replay(parts_of(parts)))) == len(lines) + 1
    assert len(list(replay([parts / "a-1-0002.jsonl"]))) == len(lines) - middle + 1
    first = decode_line(lines[middle])
    assert isinstance(first, Step)
    third = Header("1", 3, state.now_ms, header.wall_ms, header.config, header.identity, None, (), state)
    (parts / "a-1-0002.jsonl").write_bytes(encode_header(third) + b"".join(lines[middle:]))
    (parts / "a-1-0001.jsonl").write_bytes(b"".join(lines[: middle // 2]))
    moments = list(replay(parts_of(parts)))
    assert "the part before is missing" in moments[middle // 2].note, (
        "as where only the parts around something are kept"
    )
    another = step(state, first.event)[0]
    (parts / "a-1-0002.jsonl").write_bytes(
        encode_header(Header("1", 2, state.now_ms, 0, header.config, header.identity, None, (), another))
    )
    with pytest.raises(Difference, match="the state at the head of part 2 is another one"):
        list(replay(parts_of(parts)))
