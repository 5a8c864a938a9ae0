"""Whatever bytes a file holds, `aoeha check` ends in findings of one printable line each, and never in a traceback."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aoeha.config.agent_parameters import agent_findings
from aoeha.config.load import inspect

EXAMPLE = (Path(__file__).parents[2] / "etc" / "aoeha.toml").read_text()
LINES = EXAMPLE.splitlines()
VALUES = [number for number, line in enumerate(LINES) if " = " in line.partition("#")[0] and "type" not in line]
LITERALS = [
    r"[]",
    r"[[]]",
    r"{}",
    r"[{}]",
    r"[1,{}]",
    r'["",[]]',
    r"{a={}}",
    r"{alpha=[],beta=1}",
    r'""',
    r'"\u0000"',
    r'"\u202e"',
    r'"/"',
    r'"0.0.0.0/0"',
    r'"::/0"',
    r'"999999999d"',
    r'"e99999.999"',
    r'"ff:ff:ff:ff:ff:ff"',
    r"nan",
    r"inf",
    r"-1",
    r"1e999",
    r"2020-01-01",
    r"true",
]
LONG = ("9" * 5_000, "1" * 400, "[" * 3_000 + "]" * 3_000, "'''\n'''")
ODD = st.one_of(
    st.sampled_from([*LITERALS, *LONG]),
    st.text(max_size=40).map(lambda text: f'"{text}"'),
    st.integers(min_value=-(10**30), max_value=10**30).map(str),
)


def judged(content: bytes) -> tuple[bool, list[str]]:
    """Read the content as `aoeha check` does. Return whether there is a configuration, and what is said of it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "aoeha.toml")
        file.write_bytes(content)
        inspection = inspect(file)
        findings = list(inspection.findings)
        if inspection.source is not None and inspection.draft is not None:
            findings += [inspection.source.located(finding) for finding in agent_findings(inspection.draft)]
    return inspection.configuration is not None, [str(finding) for finding in findings]


def is_in_words(outcome: tuple[bool, list[str]]) -> bool:
    """Whether a file is taken, or refused with a reason, and each finding is one printable line."""
    is_taken, findings = outcome
    return (is_taken or bool(findings)) and all(finding.isprintable() for finding in findings)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(content: bytes) -> None:
    assert is_in_words(judged(content))


@settings(deadline=None)
@given(st.integers(0, len(EXAMPLE) - 1), st.integers(0, 60), st.binary(max_size=20))
def test_a_damaged_file_is_judged_in_words(start: int, length: int, other: bytes) -> None:
    text = EXAMPLE.encode()
    assert is_in_words(judged(text[:start] + other + text[start + length :]))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(VALUES), ODD, min_size=1, max_size=3))
def test_odd_values_are_judged_in_words(changes: dict[int, str]) -> None:
    lines = [
        f"{line.partition(' = ')[0]} = {changes[number]}" if number in changes else line
        for number, line in enumerate(LINES)
    ]
    assert is_in_words(judged("\n".join(lines).encode("utf-8", "surrogateescape")))


@pytest.mark.parametrize("number", VALUES)
def test_no_value_steers_the_terminal_that_shows_what_is_wrong_with_it(number: int) -> None:
    lines = [*LINES[:number], f'{LINES[number].partition(" = ")[0]} = "\\u001b[2J"', *LINES[number + 1 :]]
    assert is_in_words(judged("\n".join(lines).encode()))


def test_tables_within_tables_without_end_are_refused(tmp_path: Path) -> None:
    for more in (f"[{'.'.join('a' * 3_000)}]\n", f"x = {'[' * 5_000}{']' * 5_000}\n", f"x = {'9' * 5_000}\n"):
        (tmp_path / "aoeha.toml").write_text(EXAMPLE + more)
        assert [finding for finding in inspect(tmp_path / "aoeha.toml").findings if not finding.warning]
