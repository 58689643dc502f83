"""Stage 5, localised deployment: each document becomes one Python function, and when that is accepted.

What can be read of the code is judged here; what has to run is judged by ``verify_calls``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from ftrl.syntax import syntax_tree
from ftrl.synthesis.finding import Finding

LONGEST_CODE = 20_000
"""Characters of a tool's source."""

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
