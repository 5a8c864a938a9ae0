"""A mutant: one small change of the core's text, as a tired programmer would make it, and the rule that it breaks.

What this file does not know: how a mutant is planted, and who notices it.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

__all__ = ["CORE", "ROOT", "Mutant", "TextError", "edited", "module_of", "node_of", "tree_of", "whole_text"]

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "aoeha/core"


class TextError(Exception):
    """An entry of the table does not fit the code any more. The message names the entry."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`where` is a file of aoeha/core and a function, class, method or value in it: `peer/membership.py:hear`.

    `text` stands there exactly once, and `becomes` takes its place. `rule` is the number of the rule (R) that is
    broken, and `what` says in a few words what the core does then. `survives` says why nobody can notice: that the two
    texts are equivalent, or which other guard stands before this one; empty where somebody has to notice.
    """

    where: str
    rule: str
    what: str
    text: str
    becomes: str
    survives: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    @property
    def path(self) -> Path:
        """The file that is changed."""
        return CORE / self.where.partition(":")[0]

    @property
    def name(self) -> str:
        """What is changed in it: a function, a class, a method as `Class.method`, or a value of the module."""
        return self.where.partition(":")[2]


def module_of(path: Path) -> str:
    """The name under which a file of the core is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@cache
def whole_text(path: Path) -> str:
    """What a file of the core says."""
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a file of the core. Nobody may change it."""
    return ast.parse(whole_text(path))


def edited(mutant: Mutant) -> str:
    """Return the whole file with the change. Raises TextError."""
    if not mutant.path.is_file():
        raise TextError(f"{mutant}: there is no such file")
    source = whole_text(mutant.path)
    node = node_of(tree_of(mutant.path), mutant)
    first, last = node.lineno, node.end_lineno or node.lineno
    lines = source.splitlines(keepends=True)
    before, within, after = "".join(lines[: first - 1]), "".join(lines[first - 1 : last]), "".join(lines[last:])
    if (times := within.count(mutant.text)) != 1:
        raise TextError(f"{mutant}: its text occurs {times} times there, and must occur once: {mutant.text!r}")
    becomes = within.replace(mutant.text, mutant.becomes)
    try:
        same = ast.dump(ast.parse(dedent(becomes))) == ast.dump(ast.parse(dedent(within)))
    except SyntaxError as error:
        raise TextError(f"{mutant}: what it becomes is no Python: {error}") from error
    if same:
        raise TextError(f"{mutant}: it changes nothing")
    return before + becomes + after


def node_of(tree: ast.Module, mutant: Mutant) -> ast.stmt:
    """Return what is changed, in the syntax tree of its file. Raises TextError."""
    node: ast.AST = tree
    for word in mutant.name.split("."):
        found = [one for one in ast.iter_child_nodes(node) if word in _names(one)]
        if len(found) != 1:
            raise TextError(f'{mutant}: there is no "{word}" in that file, or more than one')
        node = found[0]
    assert isinstance(node, ast.stmt)
    return node


def _names(node: ast.AST) -> set[str]:
    """What a statement of a module or a class defines."""
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.AnnAssign(target=ast.Name() as target):
            return {target.id}
        case ast.Assign():
            names = [one for target in node.targets for one in ast.walk(target)]
            return {one.id for one in names if isinstance(one, ast.Name)}
        case _:
            return set()
