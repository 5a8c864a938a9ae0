"""Every block of TOML in the documents goes through `aoeha check`, as an operator who copies it would have it.

A block takes the place of the tables of its kind in the example. A recipe that nobody has run as a file was once called
valid, and switched the survivor off.
"""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from daemon_double import ROOT, aoeha

EXAMPLE = (ROOT / "etc" / "aoeha.toml").read_text()
DOCUMENTS = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
BLOCK = re.compile(r"(?:^ {4}\S.*\n(?:(?: {4}.*)?\n)*)", re.MULTILINE)
HEADER = re.compile(r"^ {4}\[{1,2}[a-z.]+\]{1,2}\s*(?:#.*)?$", re.MULTILINE)
KEY_IN_COMMENT = re.compile(r"^# ([a-z_]+ = .*)$", re.MULTILINE)


def blocks() -> list[tuple[str, str]]:
    """Return each block with the place where it stands."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text()
        for match in BLOCK.finditer(text):
            if HEADER.search(match[0]):
                place = f"{document.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
                found.append((place, re.sub(r"(?m)^ {4}", "", match[0])))
    return found


def in_the_example(block: str) -> str:
    """Return the example with the block in the place of its own tables of that kind."""
    kinds = "|".join(tomllib.loads(block))
    own = re.split(r"(?m)^(?=\[{1,2}[a-z.]+\]{1,2})", EXAMPLE)
    kept = [part for part in own if not re.match(rf"\[{{1,2}}(?:{kinds})\b", part)]
    return "".join(kept) + block


def test_there_are_blocks() -> None:
    assert len(blocks()) >= 6


@pytest.mark.parametrize(("place", "block"), blocks(), ids=[place for place, _ in blocks()])
@pytest.mark.parametrize("with_keys_in_comments", [False, True])
def test_a_block_is_a_valid_part_of_a_file(
    tmp_path: Path, place: str, block: str, *, with_keys_in_comments: bool
) -> None:
    program = re.search(r'type = "external:(\w+)"', block)
    if program is not None and shutil.which(program[1]) is None:
        pytest.skip(f"needs Debian's {program[1]}")
    if with_keys_in_comments:
        block = KEY_IN_COMMENT.sub(r"\1", block)
    file = tmp_path / "aoeha.toml"
    file.write_text(in_the_example(block))
    checked = aoeha("check", str(file))
    assert checked.returncode == 0, f"{place}: {checked.stderr}"


def test_the_example_with_every_default_that_it_shows_is_valid(tmp_path: Path) -> None:
    text, count = KEY_IN_COMMENT.subn(r"\1", EXAMPLE)
    assert count > 15
    file = tmp_path / "aoeha.toml"
    file.write_text(text)
    checked = aoeha("check", str(file))
    assert checked.returncode == 0, checked.stderr
