"""The lists that the proof goes by: what a proven tool may be made of, and what makes an unproven one wild.

An addition is sound only if nothing that can be reached through it, whatever the value, remembers, acts by text, or
leads out of the interpreter; ``tests/sandbox/test_proof.py`` follows every attribute on the lists to see.
"""

from __future__ import annotations

from ftrl.sandbox.jail.tool_call import LEGACY_NAMES


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
"""Modules that a proven tool may import, and what it may take from each. None of it remembers anything, but for
``typing``, which gives out what it made for an equal question before: it is for annotations only."""

ANNOTATION_SYNTAX = _words("Name Load Attribute Subscript Tuple List Constant BinOp BitOr")
"""What an annotation is made of: nothing that could hand on what it holds."""

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

_USABLE_HOST_NAMES = frozenset({"json", "deepcopy"})
"""What the published host imports and a proven tool may use."""

OTHER_HOST_NAMES = frozenset(LEGACY_NAMES) - _USABLE_HOST_NAMES
"""What a name would mean that a tool binds in one scope and reads in another."""

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
