"""The parsers and their fuzz tests, as docs/engineering/fuzzing.md lists them, held against what the tests are."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FILES", "ROOT", "Parser", "excused", "fuzz_tests", "parsers"]

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "docs/engineering/fuzzing.md"
FILES = (*sorted((ROOT / "tests/unit").glob("test_*.py")), ROOT / "tests/contract/test_state_files.py")
_QUOTED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Parser:
    """One row: what is read, by which modules, and the tests as (file without ending, word of the test's name)."""

    what: str
    modules: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]

    def has(self, file: str, test: str) -> bool:
        """Whether a test belongs to this parser."""
        return any(file == of and word in test for of, word in self.tests)


def _rows(columns: int) -> Iterator[tuple[str, ...]]:
    for line in BOOK.read_text().splitlines():
        cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
        if line.startswith("|") and len(cells) == columns and "`" in line:
            yield cells


def parsers() -> tuple[Parser, ...]:
    """Return the rows of the first table."""
    found = []
    for what, modules, tests in _rows(3):
        chosen = (each.partition(": ") for each in _QUOTED.findall(tests))
        found.append(Parser(what, tuple(_QUOTED.findall(modules)), tuple((file, word) for file, _, word in chosen)))
    return tuple(found)


def excused() -> frozenset[str]:
    """Return the modules of the second table."""
    return frozenset(_QUOTED.findall(module)[0] for module, _ in _rows(2))


def fuzz_tests() -> tuple[tuple[str, str], ...]:
    """Return each test that Hypothesis plays, as (file without ending, name)."""
    return tuple((path.stem, name) for path in FILES for name in _given(path))


def _given(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and any(
            isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id == "given"
            for each in node.decorator_list
        ):
            yield node.name
