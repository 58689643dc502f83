"""What makes a task sound enough to be practised on, short of running its tools.

The checks name the fields of an ``Environment``; who reads another format says which of its fields that is.
"""

from __future__ import annotations

import ast
import functools
import platform
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ftrl.environments.schema import Environment, Json
from ftrl.syntax import syntax_tree


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a task.

    Attributes:
        field: the field at fault; null when the row as a whole is.
        message: what is wrong, as a sentence that names the tool or gold.
    """

    field: str | None
    message: str


def check_environment(environment: Environment, sources: Mapping[str, str]) -> Iterator[Problem]:
    """Everything that is wrong with a task; nothing if it is sound.

    Args:
        environment: the task.
        sources: tool name → source, as far as there are sources.
    """
    if not environment.question.strip():
        yield Problem("question", "the question is empty")
    names = []
    for position, schema in enumerate(environment.tools, start=1):
        yield from check_tool_schema(schema, position)
        if (name := tool_name(schema)) is not None:
            if name in names:
                yield Problem("tools", f"the tool '{name}' stands twice")
            names.append(name)
    if not environment.tools:
        yield Problem("tools", "there is no tool")
    for name in names:
        if name not in sources:
            yield Problem("implementations", f"the tool '{name}' has no code")
    for name, source in sources.items():
        if name not in names:
            yield Problem("implementations", f"there is code for '{name}', but no such tool")
        if (fault := code_fault(name, source)) is not None:
            yield Problem("implementations", f"the code of '{name}' {fault}")
    yield from _check_golds(environment, names)


def tool_name(schema: Json) -> str | None:
    """The name in an OpenAI function schema, or null if there is none."""
    function = schema.get("function") if isinstance(schema, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else None


def tool_parameters(schema: Json) -> dict[str, Json]:
    """The parameters of an OpenAI function schema: name → JSON schema."""
    properties: dict[str, Json] = schema.get("function", {}).get("parameters", {}).get("properties", {})
    return properties


def tool_required(schema: Json) -> list[str]:
    """The names of the parameters that an OpenAI function schema requires."""
    required: list[str] = schema.get("function", {}).get("parameters", {}).get("required", [])
    return required


def check_tool_schema(schema: Json, position: int) -> Iterator[Problem]:
    """What keeps ``schema``, the tool at this 1-based position, from being an OpenAI function schema."""
    what = f"tool {position}"
    if not isinstance(schema, dict) or schema.get("type") != "function" or not isinstance(schema.get("function"), dict):
        yield Problem("tools", f'{what} is not a function schema: {{"type": "function", "function": {{…}}}}')
        return
    function = schema["function"]
    name = function.get("name")
    if not isinstance(name, str) or not name.isidentifier():
        yield Problem("tools", f"{what} has no name that a Python function can have, but {name!r}")
    else:
        what = f"tool {position} ('{name}')"
    if not isinstance(function.get("description", ""), str):
        yield Problem("tools", f"the description of {what} is not text")
    parameters = function.get("parameters")
    if not isinstance(parameters, dict) or parameters.get("type", "object") != "object":
        yield Problem("tools", f'the parameters of {what} are not a JSON schema of "type": "object"')
        return
    properties = parameters.get("properties", {})
    if not isinstance(properties, dict) or not all(isinstance(inner, dict) for inner in properties.values()):
        yield Problem("tools", f"the properties of {what} are not an object of JSON schemas")
        return
    required = parameters.get("required", [])
    if not isinstance(required, list) or not all(isinstance(entry, str) for entry in required):
        yield Problem("tools", f"the required parameters of {what} are not a list of names")
    elif unknown := [entry for entry in required if entry not in properties]:
        yield Problem("tools", f"{what} requires '{unknown[0]}', which is none of its properties")


@functools.lru_cache(maxsize=4096)
def code_fault(name: str, source: str) -> str | None:
    """Why this source cannot be the tool ``name``, as the end of a sentence; null if it can. Runs nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd escapes in text: not ours to judge
            tree = syntax_tree(source)
    except SyntaxError as error:
        return f"does not compile with Python {platform.python_version()}: {error.msg}, line {error.lineno}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"does not compile: {error or 'it is nested too deeply'}"
    if name not in _defined(tree.body):
        return f"does not define a function '{name}'"
    return None


def _check_golds(environment: Environment, names: list[str]) -> Iterator[Problem]:
    if not environment.golds:
        yield Problem("golds", "there is no gold, so nothing could ever be solved")
    unknown = []
    for gold in environment.golds:
        if gold.tool not in names and gold.tool not in unknown:
            unknown.append(gold.tool)
            yield Problem("golds", f"there are golds for '{gold.tool}', but no such tool")
        if not gold.value.strip():
            yield Problem("golds", f"a gold of '{gold.tool}' is empty: any output would match it")


def _defined(body: list[ast.stmt]) -> set[str]:
    """The names that running these statements can define."""
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in statement.names)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names.update(node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
        for inner in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names |= _defined(getattr(statement, inner, []))
        for handler in getattr(statement, "handlers", []):
            names |= _defined(handler.body)
    return names
