"""Stage 5, localised deployment: each document becomes one Python function, and when that is accepted.

What can be read of the code is judged here; what has to run is judged by ``verify_calls``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from ftrl.environments.schema import SubQuestion
from ftrl.rewards.tokens import fold
from ftrl.syntax import syntax_tree
from ftrl.synthesis.document import leaves_of
from ftrl.synthesis.finding import Finding

LONGEST_CODE = 20_000
"""Characters of a tool's source."""

_ENTRIES = 4
"""A table of fewer is none in which anything could be hidden."""

ALLOWED_MODULES = frozenset(
    (
        "bisect",
        "calendar",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "enum",
        "fractions",
        "functools",
        "heapq",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "statistics",
        "string",
        "textwrap",
        "typing",
        "unicodedata",
    )
)
"""Standard library modules without effects; those of time zones and locales read files, so they are not among them."""

_FORBIDDEN_NAMES = frozenset(
    ("eval", "exec", "compile", "open", "__import__", "__builtins__", "globals", "getattr", "setattr", "delattr")
)
_FORBIDDEN_CALLS = frozenset(("input", "print", "breakpoint", "exit", "quit", "hash", "locals", "vars", "dir"))
"""Names that may well be a variable's, but not that of what is called."""

_FORBIDDEN_ATTRIBUTES = frozenset(("now", "utcnow", "today", "fromtimestamp", "system", "popen"))
"""What depends on when and where a tool is called."""


def code_broken(tool: dict[str, Any], source: str) -> Iterator[Finding]:
    """What is wrong with a tool's source, as far as reading tells.

    Args:
        tool: its document.
        source: Python.
    """
    function = tool["function"]
    name = function["name"]
    if len(source) > LONGEST_CODE:
        yield "code_too_long", f"{name}: {len(source):,} characters; at most {LONGEST_CODE:,} are allowed"
    try:
        body = syntax_tree(source).body
    except (SyntaxError, ValueError) as error:
        yield "code_does_not_parse", f"{name}: {error}"
        return
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef) or body[0].name != name:
        yield "not_one_function", f"{name}: the source must be one function of that name; imports go inside of it"
        return
    if body[0].decorator_list:
        yield "not_one_function", f"{name}: the function must not be decorated"
    yield from _signature(name, body[0].args, function["parameters"])
    for node in ast.walk(body[0]):
        yield from _node(name, node)


def _signature(name: str, arguments: ast.arguments, parameters: dict[str, Any]) -> Iterator[Finding]:
    names = [argument.arg for argument in arguments.args]
    required = names[: len(names) - len(arguments.defaults)]
    properties = list(parameters["properties"])
    star = arguments.vararg or arguments.kwarg or arguments.posonlyargs or arguments.kwonlyargs
    if star or names != properties:
        yield "signature_differs", f"{name}: the function takes {names}, the document says {properties}"
    elif required != list(parameters["required"]):
        yield (
            "signature_differs",
            f"{name}: the function has no default for {required}, the document requires {parameters['required']}",
        )


def asked_first(tool: dict[str, Any], source: str, trace: Sequence[SubQuestion]) -> Iterator[Finding]:
    """Whether what is asked for stands first in a tool's data, so that who reads the first entry has it.

    Args:
        tool: its document.
        source: Python that can be read.
        trace: all sub-questions with their calls.
    """
    name = tool["function"]["name"]
    subject = next(iter(tool["function"]["parameters"]["properties"]), "")
    first = [set(_written(entries[0])) for entries in _tables(syntax_tree(source)) if len(entries) >= _ENTRIES]
    for step in trace:
        asked = {fold(str(value)) for value in leaves_of(step.arguments.get(subject))}
        if step.tool == name and any(fold(step.answer) in entry or (asked and asked <= entry) for entry in first):
            yield (
                "asked_for_first",
                f"{name}: what {step.id} asks for is the first entry of a table; put others before it",
            )


_Entry = tuple[ast.expr, ...]


def _tables(tree: ast.AST) -> Iterator[list[_Entry]]:
    """The entries of every table in a source: dictionaries, lists and sets, but for those that are records of one."""
    records: set[ast.AST] = set()
    for node in ast.walk(tree):  # whatever holds others comes before them
        entries = _entries(node)
        inner = [part for entry in entries for part in entry]
        records.update(part for part in inner if isinstance(part, ast.Tuple))
        named = [part for part in inner if isinstance(part, ast.Dict)]
        if len(named) > 1 and len({tuple(map(ast.dump, filter(None, part.keys))) for part in named}) == 1:
            records.update(named)
        if entries and node not in records:
            yield entries


def _entries(node: ast.AST) -> list[_Entry]:
    if isinstance(node, ast.Dict):
        return [(key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None]
    return [(each,) for each in node.elts] if isinstance(node, (ast.List, ast.Tuple, ast.Set)) else []


def _written(entry: _Entry) -> Iterator[str]:
    """The plain values of an entry, one level deep."""
    for part in entry:
        for node in [part, *(inner for few in _entries(part) for inner in few)]:
            if isinstance(node, ast.Constant):
                yield fold(str(node.value))


def _node(name: str, node: ast.AST) -> Iterator[Finding]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        modules = [node.module or "."] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
        for module in modules:
            if module.partition(".")[0] not in ALLOWED_MODULES:
                yield "code_imports", f"{name}: imports {module}; allowed are {', '.join(sorted(ALLOWED_MODULES))}"
    elif isinstance(node, ast.Name) and node.id in _FORBIDDEN_NAMES:
        yield "code_forbidden", f"{name}: uses {node.id}"
    elif isinstance(node, ast.Attribute) and (node.attr in _FORBIDDEN_ATTRIBUTES or node.attr.startswith("__")):
        yield "code_forbidden", f"{name}: uses .{node.attr}"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FORBIDDEN_CALLS:
        yield "code_forbidden", f"{name}: calls {node.func.id}()"
    elif isinstance(node, ast.Global):
        yield "code_forbidden", f"{name}: keeps something outside of itself (global)"
