"""What a tool can return at all, where reading its source can tell.

A value is *closed* if it can hold nothing but what stands in the source: constants, and what is picked out of
them. If all that a function returns is closed, a gold with a word that stands in none of its constants can't come
back, whatever the arguments. Anything else - arithmetic, formatting, an argument handed back - leaves it open,
and nothing is said. (A whole gold may stand across two values of an output; a word can't.)
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

from ftrl.audit.source import Source

PICKS = frozenset({"get", "items", "keys", "values", "copy", "pop"})
"""Methods whose result is part of what they are called on (or a given default)."""

RECASES = frozenset({"lower", "upper", "title", "capitalize", "casefold"})
"""Methods whose result differs in case alone, which no matcher heeds."""

PUTS = frozenset({"append", "appendleft", "extend", "insert", "add", "update", "setdefault"})
"""Methods that put their arguments into what they are called on."""

KNOWN_MODULES = frozenset({"re", "datetime", "math", "json", "typing", "string"})
"""Modules none of whose functions changes a list or dictionary that it is given."""

PASSES = frozenset({"list", "tuple", "sorted", "dict", "set", "reversed", "next", "iter", "min", "max", "enumerate"})
"""Functions whose result holds nothing but what they are given (``enumerate`` adds counts)."""


def unreachable_word(source: Source, gold: str) -> str | None:
    """A word of the gold that no output of this tool can hold; null where there is none, or it can't be told."""
    texts = _closed_texts(source)
    if texts is None:
        return None
    everything = " ".join([*texts, "true false none null"]).lower().replace(",", "")
    words = re.findall(r"[^\W_]+", gold.lower().replace(",", ""))
    return next((word for word in words if word not in everything), None)


def _closed_texts(source: Source) -> list[str] | None:
    """All texts that an output of this tool can be made of; null where that can't be told."""
    function = source.function
    if function is None or not _is_plain(function):
        return None
    nodes = list(_own(function))
    given, put = _bindings(nodes)
    arguments = function.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    closed = _closed_names(given, {argument.arg for argument in parameters if argument is not None})
    returned = [node.value for node in nodes if isinstance(node, ast.Return) and node.value is not None]
    # What is put into one name may be seen under another: one open value, and all is open.
    if not returned or not all(_is_closed(value, closed) for value in [*returned, *put]):
        return None
    constants = [node.value for node in ast.walk(function) if isinstance(node, ast.Constant)]
    # Both as they are and as JSON writes them: an escape joins a letter to the word behind it.
    return [text for value in constants for text in (str(value), json.dumps(str(value), ensure_ascii=False))]


def _is_plain(function: ast.FunctionDef) -> bool:
    """Whether the function is of a kind that is understood here: it defines and generates nothing of its own."""
    unknown = (ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFunctionDef, ast.ClassDef, ast.Global, ast.Match)
    for node in ast.walk(function):
        if isinstance(node, unknown) or (isinstance(node, ast.FunctionDef) and node is not function):
            return False
        if isinstance(node, ast.Import) and not all(alias.name in KNOWN_MODULES for alias in node.names):
            return False
        if isinstance(node, ast.ImportFrom) and node.module not in KNOWN_MODULES:
            return False
    return True


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of the function's body; what a lambda computes is its own."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)


_Given = dict[str, list["ast.expr | None"]]


def _closed_names(given: _Given, parameters: set[str]) -> frozenset[str]:
    """Local names that never hold anything open: assumed of all, then taken back until it is consistent."""
    closed = set(given) - parameters
    while True:
        still = frozenset(closed)
        closed = {name for name in closed if all(v is not None and _is_closed(v, still) for v in given[name])}
        if closed == still:
            return still


def _bindings(nodes: list[ast.AST]) -> tuple[_Given, list[ast.expr]]:
    """What flows into each name (null where that is not known), and what is put into lists and dictionaries."""
    given: _Given = {}
    put: list[ast.expr] = []
    for node in nodes:
        for target, value in _assignments(node):
            for inner in _targets(target):
                if isinstance(inner, ast.Name):
                    given.setdefault(inner.id, []).append(value)
                else:
                    # A key is part of the output too: ``found[name] = 1``.
                    put += [value or target, *([inner.slice] if isinstance(inner, ast.Subscript) else [])]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PUTS:
            put += [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            given.setdefault(node.name, []).append(None)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                given.setdefault((alias.asname or alias.name).partition(".")[0], []).append(None)
    return given, put


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """(target, what flows into it); null where that is not known."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield target, node.value
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, (ast.For, ast.comprehension)):
        yield node.target, node.iter
    elif isinstance(node, ast.AugAssign):
        yield node.target, None
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.optional_vars, None


def _targets(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, (ast.Tuple, ast.List)):
        for inner in target.elts:
            yield from _targets(inner)
    elif isinstance(target, ast.Starred):
        yield from _targets(target.value)
    else:
        yield target


def _is_closed(node: ast.expr, names: frozenset[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names
    parts = _parts(node)
    return parts is not None and all(_is_closed(part, names) for part in parts)


def _parts(node: ast.expr) -> list[ast.expr] | None:
    """The expressions that flow into a value, besides constants; null where that is not known."""
    if isinstance(node, (ast.Constant, ast.Compare)):
        return []
    if isinstance(node, ast.UnaryOp):
        return [] if isinstance(node.op, ast.Not) or isinstance(node.operand, ast.Constant) else None
    if isinstance(node, ast.Call):
        return _parts_of_call(node)
    if isinstance(node, ast.Subscript):
        # A slice cuts a text into another one, of which the constants know nothing.
        return None if isinstance(node.slice, ast.Slice) else [node.value]
    return _parts_of_display(node)


def _parts_of_display(node: ast.expr) -> list[ast.expr] | None:
    """The same for lists, dictionaries, comprehensions and choices."""
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return list(node.elts)
    if isinstance(node, ast.Dict):
        return [*(key for key in node.keys if key is not None), *node.values]
    if isinstance(node, (ast.IfExp, ast.BoolOp)):
        return [node.body, node.orelse] if isinstance(node, ast.IfExp) else list(node.values)
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        return [node.elt]
    if isinstance(node, ast.DictComp):
        return [node.key, node.value]
    return [node.value] if isinstance(node, ast.Starred) else None


def _parts_of_call(node: ast.Call) -> list[ast.expr] | None:
    """The same for a call of something that is understood here."""
    if any(isinstance(argument, ast.Starred) for argument in node.args) or any(k.arg is None for k in node.keywords):
        return None
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in PICKS:
            return [node.func.value, *node.args[1:]]  # ``table.get(key, default)``: the key only picks
        return [node.func.value] if node.func.attr in RECASES and not node.args else None
    if isinstance(node.func, ast.Name) and node.func.id in PASSES:
        return [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "default")]
    return [] if isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "any", "all", "bool") else None
