"""What can be proven about a tool from its source alone: that it keeps nothing, reaches nothing, and is a function.

A call of a tool that is *proven* may run in an interpreter that other calls have used and will use. So the proof
must be sound, and says no whenever in doubt: every kind of syntax, every name, every attribute and every import must
be on a list (``ftrl.sandbox.allowed``). It holds because

* each call executes the source anew in a namespace of its own: what a tool assigns at any level dies with the call;
* attributes are read only by names on a list that leads, from whatever value, to methods of built-in values and to
  functions without a memory; none is ever assigned, and no name or attribute begins with an underscore;
* a name that neither the source nor Python nor the host binds is an error, in every call the same one;
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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ftrl.sandbox.allowed import (
    ANNOTATION_SYNTAX,
    ATTRIBUTES,
    BUILTINS,
    CLOCK,
    MODULES,
    OTHER_HOST_NAMES,
    SYNTAX,
    WILD_MODULES,
    WILD_NAMES,
)
from ftrl.syntax import syntax_tree

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
        tree = syntax_tree(source, SOURCE_NAME)
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


@dataclass(frozen=True)
class _NameRead:
    """A name where it stands, to be judged when every name that the source binds is known."""

    node: ast.Name
    is_parameter: bool


@dataclass(frozen=True)
class _Annotation:
    """An annotation, its level, and the parameters of the functions around it."""

    node: ast.AST
    depth: int
    parameters: tuple[set[str], ...]


class _Checks:
    """Walks a tree once and raises ``_Doubt`` at what is not on the lists; names and annotations are judged last."""

    def __init__(self) -> None:
        self.functions: frozenset[str] = frozenset()
        self.clock = False
        self._bound: set[str] = set()  # every name that the source itself binds, at any level
        self._of_typing: set[str] = set()  # every name that it binds to ``typing`` or to something of it
        self._moved: set[str] = set()  # every name that it deletes, or declares to be another scope's
        self._parameters: tuple[set[str], ...] = ()  # of the functions around, from the outside in
        self._names: list[_NameRead] = []
        self._annotations: list[_Annotation] = []

    def module(self, tree: ast.Module) -> None:
        self._visit(tree, 0)
        for annotation in self._annotations:
            self._parameters = annotation.parameters
            self._visit_annotation(annotation.node, annotation.depth)
        for name in self._names:
            self._judge(name)
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        # A name that may be gone, or be a global one, by the time of the call: its text must say what Python's would.
        self.functions = frozenset(defined - self._moved)

    def _visit(self, node: ast.AST, depth: int) -> None:
        kind = type(node)
        if kind.__name__ not in SYNTAX:
            raise _Doubt(f"{kind.__name__} is not looked into", node)
        if depth > DEEPEST:
            raise _Doubt("it is nested too deeply", node)
        check = _OWN_CHECKS.get(kind)
        if check is not None:
            check(self, node)
        for field in kind._fields:
            value = getattr(node, field, None)
            children = value if type(value) is list else (value,)
            if field == "type_params" and value:
                raise _Doubt("type parameters are not looked into", node)
            if field in ("annotation", "returns"):
                self._keep_annotations(children, depth + 1)
            elif field == "body" and isinstance(node, ast.FunctionDef):
                # Parameters are known in the body only; decorators and defaults belong to the scope around.
                around = self._parameters
                self._parameters = (*around, {argument.arg for argument in _parameters(node.args)})
                for statement in node.body:
                    self._visit(statement, depth + 1)
                self._parameters = around
            else:
                for child in children:
                    if isinstance(child, ast.AST):
                        self._visit(child, depth + 1)

    def _keep_annotations(self, annotations: Iterable[object], depth: int) -> None:
        for annotation in annotations:
            if isinstance(annotation, ast.AST):
                self._annotations.append(_Annotation(annotation, depth, self._parameters))
                # What it binds counts for the others before it is looked into itself.
                for part in ast.walk(annotation):
                    if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
                        self._bound.add(part.id)
                    elif isinstance(part, ast.arg):
                        self._bound.add(part.arg)

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

    def _judge(self, name: _NameRead) -> None:
        node = name.node
        if node.id in self._of_typing:
            raise _Doubt(f"'{node.id}' of the module 'typing' is not in an annotation", node)
        if name.is_parameter:
            _visible(node.id, node)  # never the built-in of that name, here or further inside
            return
        _plain(node.id, node)

    def _functiondef(self, node: ast.FunctionDef) -> None:
        _plain(node.name, node)
        self._bound.add(node.name)

    def _lambda(self, node: ast.Lambda) -> None:
        for argument in _parameters(node.args):
            _plain(argument.arg, node)

    def _arg(self, node: ast.arg) -> None:
        _visible(node.arg, node)
        self._bound.add(node.arg)

    def _excepthandler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            _plain(node.name, node)
            self._bound.add(node.name)

    def _global(self, node: ast.Global | ast.Nonlocal) -> None:
        for name in node.names:
            _plain(name, node)
        self._moved.update(node.names)

    def _name(self, node: ast.Name) -> None:
        is_parameter = any(node.id in names for names in self._parameters)
        self._names.append(_NameRead(node, is_parameter))
        if not isinstance(node.ctx, ast.Load):
            self._bound.add(node.id)
            if isinstance(node.ctx, ast.Del):
                self._moved.add(node.id)

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
            self._import_as(alias, node, of_typing=alias.name == "typing")

    def _importfrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if node.level or node.module not in MODULES or alias.name not in MODULES[node.module]:
                raise _Doubt(f"'{alias.name}' of the module '{node.module}' is not on the list", node)
            self._import_as(alias, node, of_typing=node.module == "typing")

    def _import_as(self, alias: ast.alias, node: ast.AST, *, of_typing: bool) -> None:
        name = alias.asname or alias.name
        _plain(name, node)
        self._bound.add(name)
        if of_typing:
            self._of_typing.add(name)


_OWN_CHECKS: dict[type[ast.AST], Callable[[_Checks, Any], None]] = {
    ast.FunctionDef: _Checks._functiondef,
    ast.Lambda: _Checks._lambda,
    ast.arg: _Checks._arg,
    ast.ExceptHandler: _Checks._excepthandler,
    ast.Global: _Checks._global,
    ast.Nonlocal: _Checks._global,
    ast.Name: _Checks._name,
    ast.Attribute: _Checks._attribute,
    ast.Compare: _Checks._compare,
    ast.comprehension: _Checks._comprehension,
    ast.Import: _Checks._import,
    ast.ImportFrom: _Checks._importfrom,
}
"""What more than its kind is asked of a node."""


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
