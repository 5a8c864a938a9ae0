"""Which stories can tell anything about a mutant: those in which the core as it is would have done otherwise with it.

All stories are played once with the core as it is. Whenever a function is called that some mutant changes, the changed
one is called as well, with the same values, and the results are compared; the world sees the first one's. The core's
functions change nothing but the step that they are given, so each is given a copy. A story in which the results never
differ goes exactly the same way with the mutant: it need not be played.

What this file does not know: whether anybody notices a difference.
"""

import ast
import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, wraps
from typing import Any

from mutant import CORE, Mutant, edited, module_of, node_of, tree_of, whole_text

__all__ = ["Comparison", "compare"]


@dataclass(slots=True)
class Comparison:
    """What is being compared, and which mutants have made a difference since `differs` was cleared.

    `always`: mutants that cannot be compared in this way, so that every story may tell something about them.
    """

    always: set[str] = field(default_factory=set)
    differs: set[str] = field(default_factory=set)
    busy: bool = False

    def call(self, place: "_Place", original: Callable[..., Any], args: tuple[Any, ...], words: dict[str, Any]) -> Any:
        """Call a function, and each changed one that has made no difference yet."""
        waiting = [] if self.busy else [one for one in place.concerned(args) if one.name not in self.differs]
        if not waiting:
            return original(*args, **words)
        self.busy = True
        found = [(one, _outcome(one.function(), copy_of(args), words)) for one in waiting]
        self.busy = False
        result = original(*args, **words)
        self.differs |= {one.name for one, outcome in found if outcome != (result, _left(args))}
        return result


@dataclass(slots=True)
class _Changed:
    """A function as a mutant changes it. `values` are what the module's values become, besides the function itself."""

    name: str
    tree: ast.Module
    function_name: str
    home: dict[str, Any]
    values: tuple[ast.stmt, ...] = ()
    made: Any = None
    differing: dict[str, set[Any]] = field(default_factory=dict)

    def function(self) -> Callable[..., Any]:
        """The changed function, in a copy of its module in which nothing is compared."""
        if self.made is None:
            space = dict(self.home)
            for statement in self.values:
                exec(compile(ast.Module([statement], []), "<mutant>", "exec"), space)
            self.differing = {
                name: {key for key in value if value[key] != self.home[name][key]}
                for name, value in space.items()
                if isinstance(value, Mapping) and name in self.home and value is not self.home[name]
            }
            exec(compile(self.tree, "<mutant>", "exec"), space)
            self.made = space[self.function_name]
        return self.made  # type: ignore[no-any-return]


@dataclass(slots=True)
class _Place:
    """A function of the core, and what mutants make of it.

    `by_key`: those that differ only in a table, under each key where they differ; `keys` are all keys of such tables.
    """

    changed: list[_Changed]
    always: list[_Changed] | None = None
    by_key: dict[Enum, list[_Changed]] = field(default_factory=dict)
    keys: set[Enum] = field(default_factory=set)

    def concerned(self, args: tuple[Any, ...]) -> list[_Changed]:
        """Those by which a call can end otherwise: not those that look up in a table what is the same as before."""
        always = self.always if self.always is not None else self._sorted()
        if not self.by_key:
            return always
        known = [one for one in args if isinstance(one, Enum) and one in self.keys]
        return [*always, *(changed for key in known or self.by_key for changed in self.by_key.get(key, ()))]

    def _sorted(self) -> list[_Changed]:
        self.always = []
        for one in self.changed:
            one.function()
            for name, differing in one.differing.items():
                self.keys |= one.home[name].keys()
                for key in differing:
                    self.by_key.setdefault(key, []).append(one)
            if not one.differing:
                self.always.append(one)
        return self.always


def compare(mutants: tuple[Mutant, ...]) -> tuple[Comparison, dict[str, ast.Module], dict[str, object]]:
    """Prepare a comparison. Return it, the texts with which modules are to be imported, and a name that they need."""
    comparison, places, trees = Comparison(), dict[tuple[str, str], list[Mutant]](), dict[str, ast.Module]()
    for mutant in mutants:
        readers = _functions_of(mutant)
        if not readers:
            comparison.always.add(str(mutant))
        for name in readers:
            places.setdefault((module_of(mutant.path), name), []).append(mutant)
    for module in {module for module, _ in places}:
        path = next(mutant.path for mutant in mutants if module_of(mutant.path) == module)
        tree = ast.parse(whole_text(path))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and (module, node.name) in places:
                node.decorator_list.append(ast.parse(f"__compared__({node.name!r}, globals())", mode="eval").body)
        trees[module] = ast.fix_missing_locations(tree)

    def compared(name: str, home: dict[str, Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        known = places[home["__name__"], name]
        place = _Place([_changed(mutant, name, home) for mutant in known])

        def decorate(original: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(original)
            def both(*args: Any, **words: Any) -> Any:
                return comparison.call(place, original, args, words)

            return both

        return decorate

    return comparison, trees, {"__compared__": compared}


def copy_of(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a function is given, so that it cannot change the step that others have."""
    return tuple(_copied(one) for one in args)


def _copied(value: Any) -> Any:
    if type(value).__name__ != "StepContext":
        return value
    step = copy.copy(value)
    step.actions = list(value.actions)
    return step


def _left(args: tuple[Any, ...]) -> list[Any]:
    """What a function has made of the step that it was given."""
    steps = [one for one in args if type(one).__name__ == "StepContext"]
    return [(step.state, list(step.actions), step.chosen) for step in steps]


def _outcome(function: Callable[..., Any], args: tuple[Any, ...], words: dict[str, Any]) -> tuple[Any, Any]:
    try:
        return function(*args, **words), _left(args)
    except Exception as error:  # noqa: BLE001  # whatever a mutant makes of the core
        return error, None


def _functions_of(mutant: Mutant) -> list[str]:
    """The functions that a mutant changes, or that alone read the value that it changes; none for not known."""
    tree = tree_of(mutant.path)
    node = node_of(tree, mutant)
    if isinstance(node, ast.FunctionDef):
        return [node.name] if node in tree.body else []
    names = {name for statement in _recomputed(tree, mutant) for name in _targets(statement)}
    if not names or any(_is_read_elsewhere(mutant, name) for name in names):
        return []
    return [one.name for one in tree.body if isinstance(one, ast.FunctionDef) and _reads(one, names)]


def _changed(mutant: Mutant, name: str, home: dict[str, Any]) -> _Changed:
    tree = ast.parse(edited(mutant))
    function = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == name)
    values = () if isinstance(node_of(tree, mutant), ast.FunctionDef) else tuple(_recomputed(tree, mutant))
    return _Changed(str(mutant), ast.Module([function], []), name, home, values)


def _recomputed(tree: ast.Module, mutant: Mutant) -> list[ast.stmt]:
    """The value that a mutant changes, and those of its module that are made from it."""
    names, found = {mutant.name}, []
    for statement in tree.body:
        if _targets(statement) & names or (_targets(statement) and _reads(statement, names)):
            found.append(statement)
            names |= _targets(statement)
    return found


def _targets(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.AnnAssign(target=ast.Name() as target):
            return {target.id}
        case ast.Assign():
            return {one.id for target in statement.targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        case _:
            return set()


def _reads(node: ast.AST, names: set[str]) -> bool:
    return any(
        isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and one.id in names for one in ast.walk(node)
    )


@cache
def _is_read_elsewhere(mutant: Mutant, name: str) -> bool:
    word = re.compile(rf"\b{name}\b")
    return any(path != mutant.path and word.search(whole_text(path)) for path in CORE.rglob("*.py"))
