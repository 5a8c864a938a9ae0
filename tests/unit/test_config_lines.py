"""Where each key stands, in texts that try to mislead."""

import tomllib
from typing import Any

import pytest

from aoeha.config.findings import KeyPath
from aoeha.config.lines import LineIndex

TEXT = '''\
# [not.a.table]
top = """
[[not]]
key = 1
"""
"quoted key" = 'it''s' # comment = 1
'''.replace("'it''s'", "'its'")


def test_strings_and_comments_are_no_structure() -> None:
    index = LineIndex(TEXT)
    assert index.line(("top",)) == 2
    assert index.line(("quoted key",)) == 6
    assert index.line(("not",)) == 0


def test_arrays_of_tables_within_arrays_of_tables() -> None:
    text = "[[a]]\n[[a.b]]\nx=1\n[[a.b]]\nx=2\n[a.b.c]\ny=1\n[[a]]\n[[a.b]]\nx=3\n"
    index = LineIndex(text)
    lines = {
        ("a", 0): 1,
        ("a", 0, "b", 0): 2,
        ("a", 0, "b", 0, "x"): 3,
        ("a", 0, "b", 1, "x"): 5,
        ("a", 0, "b", 1, "c"): 6,
        ("a", 0, "b", 1, "c", "y"): 7,
        ("a", 1): 8,
        ("a", 1, "b", 0, "x"): 10,
    }
    assert {path: index.line(path) for path in lines} == lines


def test_dotted_keys_inline_tables_and_long_arrays() -> None:
    text = 'a.b.c = 1\nd = { e = "}", f = [1,\n 2] }\ng = [\n "]", # ]\n]\nh = """"quoted\\""""""\ni = 1\n'
    index = LineIndex(text)
    assert index.line(("a", "b", "c")) == 1
    assert index.line(("d", "f", 1)) == 2
    assert index.line(("g",)) == 4
    assert index.line(("h",)) == 7
    assert index.line(("i",)) == 8


def test_a_long_array_of_arrays_is_no_row_of_headers() -> None:
    index = LineIndex('a = [\n  [1, 2],\n  [3],\n]\nb = 1\n[c]\nd = [\n[\n"]" ] ] # ]\ne = 1\n')
    assert index.line(("b",)) == 5
    assert index.line(("c", "e")) == 10


@pytest.mark.parametrize(
    "text", [TEXT, 'x = """a"""""\n[t]\ny = \'\'\'b\'\'\'\'\n[u]\nz = "\\\\"\n[v."w.x"]\nq = ""\n']
)
def test_every_key_that_tomllib_finds_has_a_line_that_names_it(text: str) -> None:
    index, lines = LineIndex(text), text.splitlines()
    for path in keys_of(tomllib.loads(text)):
        assert str(path[-1]) in lines[index.line(path) - 1], path


def keys_of(table: dict[str, Any], above: KeyPath = ()) -> list[KeyPath]:
    paths: list[KeyPath] = []
    for key, value in table.items():
        paths.append((*above, key))
        if isinstance(value, dict):
            paths += keys_of(value, (*above, key))
    return paths
