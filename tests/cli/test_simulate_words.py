"""What `aoeha simulate FILE` says: sentences beside codes on demand, never in a record, and a broken promise."""

from pathlib import Path

import pytest
from daemon_double import ROOT, aoeha

SCENARIO = str(Path(ROOT) / "tests/scenarios/owner-loses-power.txt")


def test_a_trace_shows_the_sentences_on_demand() -> None:
    plain, worded = aoeha("simulate", SCENARIO), aoeha("simulate", "-v", SCENARIO)
    assert (worded.returncode, worded.stderr) == (0, "")
    pairs = list(zip(plain.stdout.splitlines(), worded.stdout.splitlines(), strict=True))
    assert all(longer.startswith(line) for line, longer in pairs)
    sentences = [longer[len(line) :].strip() for line, longer in pairs if " resource.running " in line]
    assert sentences[:2] == ["mirror is running", "address is running"]


def test_the_story_of_a_seed_shows_them_too() -> None:
    ran = aoeha("simulate", "-v", "--trace", "--seed", "1")
    assert "mirror is running" in ran.stdout.partition("\n----\n")[2]


@pytest.mark.parametrize("words", [["--check", SCENARIO], ["--rewrite", SCENARIO], ["--runs", "1"]])
def test_no_sentence_is_recorded(words: list[str]) -> None:
    ran = aoeha("simulate", "-v", *words)
    assert (ran.returncode, ran.stdout) == (64, "")
    assert ran.stderr.startswith("aoeha: cannot use -v")


def test_a_broken_promise_is_a_failure_in_a_trace_and_in_a_record(tmp_path: Path) -> None:
    story = tmp_path / "story.txt"
    story.write_text("# Never: The wrong one serves.\npair\nboot alpha beta\nwait 10s\nexpect served storage by beta\n")
    for words in (["simulate", str(story)], ["simulate", "--rewrite", str(story)]):
        ran = aoeha(*words)
        assert ran.returncode == 1
    assert "BROKEN promise expect served storage by beta" in ran.stderr
    assert ran.stderr.startswith(f"aoeha: {story} is recorded as one that breaks something")
    assert " BROKEN " in story.read_text().splitlines()[-1]
