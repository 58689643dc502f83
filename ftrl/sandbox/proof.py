"""What can be proven about a tool from its source alone: that it keeps nothing, reaches nothing, and is a function.

A call of a tool that is *proven* may run in an interpreter that other calls have used and will use. So the proof
must be sound, and says no whenever in doubt: every kind of syntax, every name, every attribute and every import must
be on a list. It holds because

* each call executes the source anew in a namespace of its own: what a tool assigns at any level dies with the call;
* attributes are read only by names on a list that leads, from whatever value, to methods of built-in values and to
  functions without a memory; none is ever assigned, and no name or attribute begins with an underscore;
* there are no classes, so no code of a tool runs when a value is compared, printed or freed;
* what can act on attributes by text (``getattr``, ``str.format``, ``operator.attrgetter``, …) is not on the lists.

Time and memory are not part of the proof: the worker's limits hold for proven tools too.
"""

from __future__ import annotations

import ast
import builtins
import string
import warnings
from dataclasses import dataclass

SOURCE_NAME = "<tool>"
"""What sources are called while they are read."""

# What Python would warn of in a tool's source is for nobody who runs it.
warnings.filterwarnings("ignore", module=SOURCE_NAME)

LONGEST_SOURCE = 100_000
"""Characters; a longer source is not looked into."""

DEEPEST = 60
"""Levels of syntax; nobody writes more, and deep ones have crashed compilers."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SYNTAX = _words(
    """
    Module FunctionDef arguments arg Return Expr Assign AugAssign AnnAssign NamedExpr Delete
    For While Break Continue Pass If IfExp Try ExceptHandler Raise Assert
    Import ImportFrom alias Global Nonlocal Lambda
    Constant JoinedStr FormattedValue Name Load Store Del Attribute Subscript Slice Starred Call keyword
    List Tuple Set Dict ListComp SetComp DictComp GeneratorExp comprehension
    BoolOp And Or UnaryOp Not USub UAdd Invert
    BinOp Add Sub Mult Div FloorDiv Mod Pow LShift RShift BitOr BitXor BitAnd
    Compare Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn
    """
)
"""Kinds of syntax that a proven tool is made of. Left out: classes, generators, coroutines, ``with``, ``match``."""

BUILTINS = _words(
    """
    abs all any ascii bin bool bytes callable chr dict divmod enumerate filter float format frozenset hex int
    isinstance issubclass iter len list map max min next oct ord pow print range repr reversed round set slice sorted
    str sum tuple zip complex
    ArithmeticError AssertionError AttributeError BaseException Exception FloatingPointError IndexError KeyError
    LookupError NameError NotImplementedError OverflowError RecursionError RuntimeError StopIteration SystemExit
    TypeError UnicodeDecodeError UnicodeEncodeError UnicodeError ValueError ZeroDivisionError NotImplemented Ellipsis
    """
)
"""Built-in names that a proven tool may read."""

MODULES: dict[str, frozenset[str]] = {
    "json": frozenset({"dumps", "loads", "JSONDecodeError"}),
    "math": _words(
        """
        acos acosh asin asinh atan atan2 atanh ceil comb copysign cos cosh degrees dist e erf erfc exp expm1 fabs
        factorial floor fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm ldexp lgamma log
        log10 log1p log2 modf nan perm pi pow prod radians remainder sin sinh sqrt tan tanh tau trunc
        """
    ),
    "re": _words(
        """
        A ASCII DOTALL I IGNORECASE M MULTILINE S VERBOSE X compile error escape findall finditer fullmatch match
        search split sub subn
        """
    ),
    "datetime": frozenset({"date", "datetime", "time", "timedelta", "timezone", "MINYEAR", "MAXYEAR"}),
    "collections": frozenset({"Counter", "OrderedDict", "defaultdict", "deque"}),
    "itertools": _words(
        """
        accumulate chain combinations combinations_with_replacement compress count cycle dropwhile filterfalse groupby
        islice pairwise permutations product repeat starmap takewhile zip_longest
        """
    ),
    "functools": frozenset({"reduce"}),
    "copy": frozenset({"copy", "deepcopy"}),
    "statistics": frozenset({"fmean", "mean", "median", "median_high", "median_low", "mode", "pstdev", "stdev"}),
    "string": frozenset({"ascii_letters", "ascii_lowercase", "ascii_uppercase", "digits", "punctuation"}),
    "unicodedata": frozenset({"category", "combining", "name", "normalize"}),
    "fractions": frozenset({"Fraction"}),
    "bisect": frozenset({"bisect", "bisect_left", "bisect_right"}),
    "typing": _words("Any Callable Dict Iterable Iterator List Literal Mapping Optional Sequence Set Tuple Union"),
}
"""Modules that a proven tool may import, and what it may take from each. None of it remembers anything."""

METHODS = _words(
    """
    add append as_integer_ratio args bit_length capitalize casefold center clear combine conjugate copy count
    date day days decode denominator difference difference_update discard elements encode end endswith expandtabs
    extend find fold fromisocalendar fromisoformat fromkeys fromordinal get group groups groupdict hour imag index
    insert intersection intersection_update is_integer isalnum isalpha isascii isdecimal isdigit isdisjoint
    isidentifier islower isnumeric isocalendar isoformat isoweekday isprintable isspace issubset issuperset istitle
    isupper items join keys lastgroup lastindex limit_denominator ljust lower lstrip maketrans microsecond
    microseconds minute month most_common move_to_end numerator partition pop popitem popleft real remove
    removeprefix removesuffix replace reverse rfind rindex rjust rotate rpartition rsplit rstrip second seconds
    setdefault sort span split splitlines start startswith strftime strip strptime subtract swapcase
    symmetric_difference timetuple title toordinal total_seconds translate tzinfo union update upper utc utcoffset
    values weekday year zfill appendleft extendleft appendright timetz dst msg pos lineno colno
    """
)
"""Attributes of values that a proven tool may read, whatever the value is."""

CLOCK = frozenset({"now", "today", "utcnow", "astimezone", "timestamp", "fromtimestamp"})
"""As ``METHODS``, but what they give depends on when or where: such a tool is proven, yet no function."""

ATTRIBUTES = METHODS | CLOCK | frozenset().union(*MODULES.values())

HOST_NAMES = frozenset({"json", "deepcopy"})
"""What the published host imports and a proven tool may use."""

WILD_NAMES = _words(
    """
    breakpoint compile delattr eval exec exit getattr globals input locals memoryview open quit setattr vars
    """
)
WILD_MODULES = _words(
    """
    _thread asyncio atexit builtins code codeop concurrent ctypes faulthandler fcntl fileinput gc glob importlib inspect
    io linecache logging mmap multiprocessing operator os pathlib pdb pickle pkgutil pty resource runpy select selectors
    shelve shutil signal site socket sqlite3 ssl subprocess sys sysconfig tempfile threading trace traceback types
    weakref zipfile zipimport
    """
)
"""What lets a tool reach beyond its own call; one that mentions any of it shares its process with no other call."""


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
        self._parameters: list[set[str]] = []  # of the functions around, from the outside in

    def module(self, tree: ast.Module) -> None:
        self._bound = _names_bound(tree)
        self._visit(tree, 0)
        self.functions = frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))

    def _visit(self, node: ast.AST, depth: int) -> None:
        kind = type(node).__name__
        if kind not in SYNTAX:
            raise _Doubt(f"{kind} is not looked into", node)
        if depth > DEEPEST:
            raise _Doubt("it is nested too deeply", node)
        check = getattr(self, f"_{kind.lower()}", None)
        if check is not None:
            check(node)
        if isinstance(node, ast.FunctionDef):
            self._visit_function(node, depth + 1)
        else:
            for child in ast.iter_child_nodes(node):
                self._visit(child, depth + 1)

    def _visit_function(self, node: ast.FunctionDef, depth: int) -> None:
        """Decorators, defaults and annotations belong to the scope around; parameters are known in the body only."""
        around = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        for child in around:
            self._visit(child, depth)
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        self._parameters.append({argument.arg for argument in every if argument is not None})
        for statement in node.body:
            self._visit(statement, depth)
        self._parameters.pop()

    def _functiondef(self, node: ast.FunctionDef) -> None:
        _plain(node.name, node)

    def _lambda(self, node: ast.Lambda) -> None:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        for argument in every:
            if argument is not None:
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
    if name not in BUILTINS and hasattr(builtins, name):
        raise _Doubt(f"the built-in '{name}' is not on the list", node)


def _check_template(node: ast.Attribute) -> None:
    """``"…".format`` on a literal whose fields read no attributes and no items."""
    if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
        raise _Doubt("'format' reads attributes that a text names", node)
    _check_fields(node.value.value, node)


def _check_fields(template: str, node: ast.AST) -> None:
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError:
        return  # it raises the same when it is called
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
