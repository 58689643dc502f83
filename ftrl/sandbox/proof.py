"""What can be proven about a tool from its source alone: that it keeps nothing, reaches nothing, and is a function.

A call of a tool that is *proven* may run in an interpreter that other calls have used and will use. So the proof
must be sound, and says no whenever in doubt: every kind of syntax, every name, every attribute and every import must
be on a list (``ftrl.sandbox.allowed``). It holds because

* each call executes the source anew in a namespace of its own: what a tool assigns at any level dies with the call;
* attributes are read only by names on a list that leads, from whatever value, to methods of built-in values and to
  functions without a memory; none is ever assigned, and no name or attribute begins with an underscore;
* there are no classes, so no code of a tool runs when a value is compared, printed or freed;
* what can act on attributes by text (``getattr``, ``str.format``, ``operator.attrgetter``, …) is not on the lists;
* which of two equal objects it holds, a tool cannot ask: the library's own caches could tell it what others did.

Time and memory are not part of the proof: the worker's limits hold for proven tools too. Nor is what only the run can
show, such as a codec that has to be imported first: the warm interpreter refuses that, and the call is forked instead.
"""

from __future__ import annotations

import ast
import builtins
import string
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from ftrl.sandbox.allowed import (
    ANNOTATION_SYNTAX,
    ATTRIBUTES,
    BUILTINS,
    CLOCK,
    HOST_NAMES,
    MODULES,
    OTHER_HOST_NAMES,
    SYNTAX,
    WILD_MODULES,
    WILD_NAMES,
)

SOURCE_NAME = "<tool>"
"""What sources are called while they are read."""

# What Python would warn of in a tool's source is for nobody who runs it.
warnings.filterwarnings("ignore", module=SOURCE_NAME)

LONGEST_SOURCE = 100_000
"""Characters; a longer source is not looked into."""

DEEPEST = 60
"""Levels of syntax; nobody writes more, and deep ones have crashed compilers."""


@dataclass(frozen=True)
class Proof:
    """What is known of a source.

    Attributes:
        functions: names that the source defines as functions at its top, if it is proven; else empty.
        deterministic: proven, and what it returns depends on its arguments alone.
        wild: it mentions something that reaches beyond the call itself; or could not be read.
        why_not: why it is not proven; None if it is.
    """

    functions: frozenset[str]
    deterministic: bool
    wild: bool
    why_not: str | None


def prove(source: str) -> Proof:
    """Look into a source; never runs any of it."""
    if len(source) > LONGEST_SOURCE:
        return _unproven("it is too long", wild=True)
    try:
        tree = ast.parse(source, SOURCE_NAME)
        checks = _Checks()
        checks.module(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return _unproven(f"it cannot be read ({type(error).__name__})", wild=True)
    except _Doubt as doubt:
        return _unproven(str(doubt), wild=_is_wild(tree))
    return Proof(functions=checks.functions, deterministic=not checks.clock, wild=False, why_not=None)


def _unproven(why_not: str, *, wild: bool) -> Proof:
    return Proof(functions=frozenset(), deterministic=False, wild=wild, why_not=why_not)


def _is_wild(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and (node.id in WILD_NAMES or node.id.startswith("__")):
            return True
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            return True
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] in WILD_MODULES for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in WILD_MODULES:
            return True
    return False


class _Doubt(Exception):
    """Something that the proof does not cover."""

    def __init__(self, what: str, node: ast.AST) -> None:
        line = getattr(node, "lineno", None)
        super().__init__(what if line is None else f"line {line}: {what}")


class _Checks:
    """Walks a tree and raises ``_Doubt`` at the first thing that is not on the lists."""

    def __init__(self) -> None:
        self.functions: frozenset[str] = frozenset()
        self.clock = False
        self._bound: set[str] = set()
        self._of_typing: set[str] = set()
        self._parameters: list[set[str]] = []  # of the functions around, from the outside in

    def module(self, tree: ast.Module) -> None:
        self._bound = _names_bound(tree)
        self._of_typing = _names_of_typing(tree)
        self._visit(tree, 0)
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        # A name that may be gone, or be a global one, by the time of the call: its text must say what Python's would.
        self.functions = frozenset(defined - _names_moved(tree))

    def _visit(self, node: ast.AST, depth: int) -> None:
        kind = type(node).__name__
        if kind not in SYNTAX:
            raise _Doubt(f"{kind} is not looked into", node)
        if depth > DEEPEST:
            raise _Doubt("it is nested too deeply", node)
        check = getattr(self, f"_{kind.lower()}", None)
        if check is not None:
            check(node)
        for field, value in ast.iter_fields(node):
            self._visit_field(node, field, value, depth + 1)

    def _visit_field(self, node: ast.AST, field: str, value: object, depth: int) -> None:
        children = [child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)]
        if field == "type_params" and children:
            raise _Doubt("type parameters are not looked into", node)
        # Parameters are known in the body only; decorators, defaults and annotations belong to the scope around.
        inside = isinstance(node, ast.FunctionDef) and field == "body"
        if inside:
            assert isinstance(node, ast.FunctionDef)
            self._parameters.append({argument.arg for argument in _parameters(node.args)})
        for child in children:
            if field in ("annotation", "returns"):
                self._visit_annotation(child, depth)
            else:
                self._visit(child, depth)
        if inside:
            self._parameters.pop()

    def _visit_annotation(self, annotation: ast.AST, depth: int) -> None:
        """It may name what ``typing`` has, since nothing can get hold of what it makes of it."""
        names = {part.id for part in ast.walk(annotation) if isinstance(part, ast.Name)}
        if not names & self._of_typing:
            self._visit(annotation, depth)
            return
        for part in ast.walk(annotation):
            if type(part).__name__ not in ANNOTATION_SYNTAX:
                raise _Doubt(f"{type(part).__name__} in an annotation is not looked into", part)
        for name in names - self._of_typing:
            if name not in BUILTINS or name in self._bound:
                raise _Doubt(f"the name '{name}' beside one of 'typing' is not on the list", annotation)

    def _functiondef(self, node: ast.FunctionDef) -> None:
        _plain(node.name, node)

    def _lambda(self, node: ast.Lambda) -> None:
        for argument in _parameters(node.args):
            _plain(argument.arg, node)

    def _arg(self, node: ast.arg) -> None:
        _visible(node.arg, node)

    def _excepthandler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            _plain(node.name, node)

    def _global(self, node: ast.Global) -> None:
        for name in node.names:
            _plain(name, node)

    _nonlocal = _global

    def _name(self, node: ast.Name) -> None:
        if node.id in self._of_typing:
            raise _Doubt(f"'{node.id}' of the module 'typing' is not in an annotation", node)
        if any(node.id in names for names in self._parameters):
            _visible(node.id, node)  # never the built-in of that name, here or further inside
            return
        _plain(node.id, node)
        if not isinstance(node.ctx, ast.Load):
            return
        if node.id not in self._bound and node.id not in BUILTINS and node.id not in HOST_NAMES:
            raise _Doubt(f"the name '{node.id}' is not on the list", node)

    def _attribute(self, node: ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            raise _Doubt("it assigns an attribute", node)
        if node.attr == "format":
            _check_template(node)
        elif node.attr in CLOCK:
            self.clock = True
        elif node.attr not in ATTRIBUTES:
            raise _Doubt(f"the attribute '{node.attr}' is not on the list", node)

    def _compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            if isinstance(operator, (ast.Is, ast.IsNot)) and not (_is_singleton(left) or _is_singleton(right)):
                raise _Doubt("it asks whether two objects are the same one", node)

    def _comprehension(self, node: ast.comprehension) -> None:
        if node.is_async:
            raise _Doubt("an asynchronous comprehension is not looked into", node)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name not in MODULES:
                raise _Doubt(f"the module '{alias.name}' is not on the list", node)
            _plain(alias.asname or alias.name, node)

    def _importfrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if node.level or node.module not in MODULES or alias.name not in MODULES[node.module]:
                raise _Doubt(f"'{alias.name}' of the module '{node.module}' is not on the list", node)
            _plain(alias.asname or alias.name, node)


def _visible(name: str, node: ast.AST) -> None:
    # A lone underscore is how people name what they do not need.
    if name.startswith("_") and name != "_":
        raise _Doubt(f"the name '{name}' begins with an underscore", node)


def _plain(name: str, node: ast.AST) -> None:
    _visible(name, node)
    # Where the source binds such a name in one scope only, the built-in is what it means in all others.
    if (name not in BUILTINS and hasattr(builtins, name)) or name in OTHER_HOST_NAMES:
        raise _Doubt(f"the built-in '{name}' is not on the list", node)


def _is_singleton(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _parameters(arguments: ast.arguments) -> Iterable[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (rest for rest in (arguments.vararg, arguments.kwarg) if rest is not None)


def _check_template(node: ast.Attribute) -> None:
    """``"…".format`` on a literal whose fields read no attributes and no items."""
    if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
        raise _Doubt("'format' reads attributes that a text names", node)
    _check_fields(node.value.value, node)


def _check_fields(template: str, node: ast.AST) -> None:
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError as error:
        # Python notices only when it gets there: the fields in front are filled in before.
        raise _Doubt("a template cannot be read", node) from error
    for _, field, layout, _ in fields:
        if field is not None and not (field == "" or field.isdecimal() or field.isidentifier()):
            raise _Doubt("a template reads attributes or items", node)
        if layout:
            _check_fields(layout, node)


def _names_bound(tree: ast.Module) -> set[str]:
    """Every name that the source itself binds, at any level."""
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name is not None:
            bound.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {alias.asname or alias.name for alias in node.names}
    return bound


def _names_of_typing(tree: ast.Module) -> set[str]:
    """Every name that the source binds to ``typing`` or to something of it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name for alias in node.names if alias.name == "typing"}
        elif isinstance(node, ast.ImportFrom) and node.module == "typing":
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def _names_moved(tree: ast.Module) -> set[str]:
    """Every name that the source deletes, or declares to be another scope's, at any level."""
    moved: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
            moved.add(node.id)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            moved |= set(node.names)
    return moved
