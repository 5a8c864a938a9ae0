"""Each parser of the product has a fuzz test, and each fuzz test a parser: docs/engineering/fuzzing.md says which."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "fuzz"))
import table

READS = {"splitlines", "fromhex", "from_bytes", "unpack", "unpack_from", "iter_unpack", "loads", "decode", "fromstring"}
"""What a module calls that takes bytes or text of others apart."""
FOLDERS = (*(f"aoeha/{name}" for name in ("wire", "journal", "io", "fabric", "agents", "config", "daemon", "preflight",
                                          "scenario")), "fencing", "resources")  # fmt: skip
PARSERS = table.parsers()


def readers() -> Iterator[str]:
    for path in (path for folder in FOLDERS for path in sorted((table.ROOT / folder).rglob("*.py"))):
        calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        if READS & {call.attr for call in calls if isinstance(call, ast.Attribute)}:
            yield str(path.relative_to(table.ROOT))


def test_every_module_that_reads_has_a_fuzz_test_or_a_reason_why_not() -> None:
    fuzzed = {module for parser in PARSERS for module in parser.modules}
    found = set(readers())
    assert len(found) > 30
    assert found <= fuzzed | table.excused()
    assert table.excused() <= found - fuzzed, "a reason that nobody needs"
    assert [module for module in fuzzed if not (table.ROOT / module).is_file()] == []


def test_every_fuzz_test_belongs_to_a_parser() -> None:
    assert [test for test in table.fuzz_tests() if not any(parser.has(*test) for parser in PARSERS)] == []


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.what)
def test_a_parser_has_fuzz_tests_that_are_there(parser: table.Parser) -> None:
    for file, word in parser.tests:
        assert any(file == of and word in name for of, name in table.fuzz_tests()), (file, word)
