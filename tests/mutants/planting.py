"""Plants a mutant in the running process: its file is imported with the change in it.

This has to happen before anything of aoeha is imported. So each mutant lives in a process of its own, and whatever
holds a function of the core, by whatever name, in whatever table, holds the changed one.

What this file does not know: who imports the core.
"""

import ast
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from meetings import Comparison, compare
from mutant import Mutant, edited, module_of

__all__ = ["plant", "watch"]


class _Loader(SourceFileLoader):
    """Compiles a file of ours from another text, and never from a cache."""

    def __init__(self, name: str, path: str, tree: ast.Module, given: dict[str, object]) -> None:
        super().__init__(name, path)
        self._tree, self._given = tree, given

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._tree, self.get_filename(fullname), "exec")

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self._given)
        super().exec_module(module)


class _Finder(MetaPathFinder):
    """Finds every module as usual, and gives some of them another text."""

    def __init__(self, trees: dict[str, ast.Module], given: dict[str, object]) -> None:
        self._trees, self._given = trees, given

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        tree = self._trees.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if tree is not None else None
        if tree is None or spec is None or spec.origin is None:
            return None
        spec.loader = _Loader(fullname, spec.origin, tree, self._given)
        return spec


def _install(trees: dict[str, ast.Module], given: dict[str, object]) -> None:
    assert not [name for name in sys.modules if name.startswith("aoeha.core")], "the core is imported already"
    sys.meta_path.insert(0, _Finder(trees, given))


def plant(mutant: Mutant) -> None:
    """Plant a mutant. Raises TextError."""
    _install({module_of(mutant.path): ast.parse(edited(mutant))}, {})


def watch(mutants: tuple[Mutant, ...]) -> Comparison:
    """Plant nothing, and compare what each mutant would make of every call."""
    comparison, trees, given = compare(mutants)
    _install(trees, given)
    return comparison
