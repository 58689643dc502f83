"""A tool's source, read and not run: its signature, what it reaches for, what it could return at all."""

from __future__ import annotations

import ast
import builtins
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256

from ftrl.environments.checks import code_fault
from ftrl.syntax import syntax_tree

HOST_NAMES = frozenset({"sleep", "deepcopy", "sha256", "json", "requests", "FunctionTimedOut", "func_set_timeout"})
"""Names that the published host happens to import, and that the sandbox therefore gives to tools."""

OUTSIDE = frozenset(
    {
        *("aiohttp", "asyncio", "builtins", "ctypes", "fcntl", "fileinput", "ftplib", "getpass", "glob", "http"),
        *("httpx", "importlib", "io", "logging", "mmap", "multiprocessing", "os", "pathlib", "pickle", "platform"),
        *("pty", "requests", "resource", "select", "selectors", "shelve", "shutil", "signal", "smtplib", "socket"),
        *("socketserver", "sqlite3", "ssl", "subprocess", "sys", "syslog", "tempfile", "telnetlib", "threading"),
        *("urllib", "urllib3", "webbrowser"),
    }
)
"""Modules that reach out of the tool: files, network, processes, the interpreter's own state."""

DEEPEST = 120
"""Levels of syntax; of a source with more, nothing is said: looking into it would end in a RecursionError."""

OUTSIDE_CALLS = frozenset({"open", "input", "breakpoint"})
CLOCK_CALLS = frozenset({"now", "utcnow", "today"})
CHANCE = frozenset({"random", "secrets", "uuid"})
INTERPRETER_CALLS = frozenset(
    {"eval", "exec", "compile", "__import__", "globals", "locals", "vars", "setattr", "delattr"}
)


@dataclass(frozen=True)
class Signature:
    """The parameters of a function.

    Attributes:
        defaults: name → source text of its default; null where it must be given. In order.
        values: name → the default itself, where it is a literal.
        annotations: name → source text of its annotation.
        any_name: whether it takes names that it does not list (``**kwargs``).
        by_position_only: names that can't be given by name.
    """

    defaults: dict[str, str | None]
    values: dict[str, object]
    annotations: dict[str, str]
    any_name: bool
    by_position_only: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """One tool source.

    Attributes:
        name: the tool that it is to define.
        text: the source.
        fault: why it does not define that tool, as a sentence; null if it does.
        tree: the whole source, parsed; null with a fault, or where it is nested too deeply to be looked into.
        function: the function; null without a tree, or where the tool is defined in another way.
    """

    name: str
    text: str
    fault: str | None
    tree: ast.Module | None = None
    function: ast.FunctionDef | None = None

    @cached_property
    def signature(self) -> Signature | None:
        """Null without a function."""
        if self.function is None:
            return None
        arguments = self.function.args
        plain = [*arguments.posonlyargs, *arguments.args]
        given: list[ast.expr | None] = [*[None] * (len(plain) - len(arguments.defaults)), *arguments.defaults]
        pairs = [*zip(plain, given, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
        return Signature(
            defaults={argument.arg: None if default is None else ast.unparse(default) for argument, default in pairs},
            values={argument.arg: value for argument, default in pairs for value in _literal(default)},
            annotations={
                argument.arg: ast.unparse(argument.annotation) for argument, _ in pairs if argument.annotation
            },
            any_name=arguments.kwarg is not None,
            by_position_only=tuple(argument.arg for argument in arguments.posonlyargs),
        )

    @cached_property
    def outside(self) -> list[str]:
        """What it does that reaches files, network, processes or the interpreter's state, as short phrases."""
        found = [f"imports {module}" for module in self._imports if module.partition(".")[0] in OUTSIDE]
        found += [f"calls {name}" for name in self._calls if name in OUTSIDE_CALLS]
        return list(dict.fromkeys([*found, *(f"uses {name}" for name in self._names if name == "requests")]))

    @cached_property
    def varying(self) -> list[str]:
        """What it does whose outcome changes from run to run: the clock, chance, addresses."""
        found = [f"imports {module}" for module in self._imports if module.partition(".")[0] in CHANCE]
        found += [f"calls {name}" for name in self._calls if _reads_clock(name)]
        return list(dict.fromkeys([*found, *(f"calls {name}" for name in self._calls if name in ("id", "hash"))]))

    @cached_property
    def waits(self) -> list[str]:
        """Calls that do nothing but wait."""
        return list(dict.fromkeys(name for name in self._calls if name.rpartition(".")[2] == "sleep"))

    @cached_property
    def dynamic(self) -> list[str]:
        """Calls that make code out of text or reach into the interpreter."""
        dunders = [name for name in self._attributes if name.startswith("__") and name != "__name__"]
        return list(dict.fromkeys([*(name for name in self._calls if name in INTERPRETER_CALLS), *dunders]))

    @cached_property
    def invisible_names(self) -> list[str]:
        """Names that the function uses and that nothing defines where it runs.

        Tools are run as published: names that the source defines at its top, imports and helper functions too,
        can't be seen from inside the function. Using one raises ``NameError``.
        """
        return sorted(self._outer_names - HOST_NAMES)

    @cached_property
    def host_names(self) -> list[str]:
        """Names that the function uses without importing them, and that the published host happens to have."""
        return sorted(self._outer_names & HOST_NAMES)

    @cached_property
    def unused_parameters(self) -> list[str]:
        """Parameters that the function never looks at."""
        if self.function is None or self.signature is None:
            return []
        read = {node.id for node in ast.walk(self.function) if isinstance(node, ast.Name)}
        return [name for name in self.signature.defaults if name not in read]

    @cached_property
    def shape(self) -> str:
        """A hash that two sources share if they do the same under different names."""
        if self.function is None:
            return sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()
        body = self.function.body
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        dumped = [ast.dump(self.function.args), *(ast.dump(statement) for statement in body)]
        return sha256("\n".join(dumped).encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def _outer_names(self) -> set[str]:
        """Names that the function takes from outside itself, built-in ones left out."""
        if self.function is None:
            return set()
        table = symtable.symtable(self.text, "<tool>", "exec")
        scopes = [scope for scope in table.get_children() if scope.get_name() == self.name]
        names = set(_global_names(scopes[-1])) - set(vars(builtins))
        # A function that declares a name global and assigns it has defined it.
        return names - {name for node in ast.walk(self.function) if isinstance(node, ast.Global) for name in node.names}

    @cached_property
    def _imports(self) -> list[str]:
        names = []
        for node in self._walk():
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
        return names

    @cached_property
    def _calls(self) -> list[str]:
        """Dotted names that are called, imported names in full: ``from time import time`` → ``time.time``."""
        full = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in self._walk()
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        names = []
        for node in self._walk():
            if isinstance(node, ast.Call) and (dotted := _dotted(node.func)) is not None:
                first, dot, rest = dotted.partition(".")
                names.append(full.get(first, first) + dot + rest)
        return names

    @cached_property
    def _names(self) -> list[str]:
        return [node.id for node in self._walk() if isinstance(node, ast.Name)]

    @cached_property
    def _attributes(self) -> list[str]:
        return [node.attr for node in self._walk() if isinstance(node, ast.Attribute)]

    def _walk(self) -> Iterator[ast.AST]:
        return iter(()) if self.tree is None else ast.walk(self.tree)


@lru_cache(maxsize=64)  # a parsed source takes 50 kB or more
def read_source(name: str, text: str) -> Source:
    """A tool's source, parsed. Runs nothing; a source that can't be the tool is one with a ``fault``."""
    if (fault := code_fault(name, text)) is not None:
        return Source(name, text, f"its code {fault}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = syntax_tree(text)
    if _depth(tree) > DEEPEST:
        return Source(name, text, None)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    return Source(name, text, None, tree, functions[-1] if functions else None)


def _depth(tree: ast.AST) -> int:
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in ast.iter_child_nodes(node)]
    return depth


def _literal(node: ast.expr | None) -> Iterator[object]:
    """The value of a literal; nothing for any other expression."""
    if node is not None:
        try:
            yield ast.literal_eval(node)
        except ValueError:
            return


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else f"().{node.attr}"
    return None


def _reads_clock(dotted: str) -> bool:
    module, _, last = dotted.rpartition(".")
    if last in CLOCK_CALLS:
        return bool(module)
    # Of ``time``, all but what formats a time that is given.
    return module.split(".")[-1:] == ["time"] and last not in ("sleep", "strptime", "fromisoformat")


def _global_names(scope: symtable.SymbolTable) -> Iterator[str]:
    for symbol in scope.get_symbols():
        if symbol.is_global() and symbol.is_referenced():
            yield symbol.get_name()
    for inner in scope.get_children():
        yield from _global_names(inner)
