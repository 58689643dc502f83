"""One call, as the published code makes it, in the process that was forked for it.

The published host runs ``exec(code)`` inside a function and then ``eval(name)(**arguments)``. So names that
the source defines at its top are seen by ``eval`` but not from inside the tool; the host's own globals are.
"""

from __future__ import annotations

import json
import json.scanner
from collections.abc import Callable
from copy import deepcopy
from time import sleep
from types import CodeType
from typing import Any

OK, TOOL_ERROR, MEMORY, OUTPUT_LIMIT = "ok", "tool_error", "memory", "output_limit"
STATUSES = (OK, TOOL_ERROR, MEMORY, OUTPUT_LIMIT)
"""The ways a call may end that its own process can tell; all others are for the zygote to say."""

# A tool may overwrite these in their module; that must not reach even its own reply.
_loads = json.loads
_scan = json.scanner.make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # typeshed takes only itself
_to_json = json.JSONEncoder(ensure_ascii=False).encode
_exactly = str.__str__


class _Absent:
    """Stands for a library of the published host that the sandbox does not have; any use says so."""

    def __init__(self, name: str, why: str) -> None:
        self._say = f"{name} is not available to tools: {why}"

    def __getattr__(self, attribute: str) -> object:
        raise RuntimeError(self._say)

    def __call__(self, *arguments: object, **named: object) -> object:
        raise RuntimeError(self._say)


class FunctionTimedOut(BaseException):
    """Stands for the published host's time-out error; nothing here raises it."""


def func_set_timeout(seconds: float) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Stands for the published host's decorator; the call's own limit holds anyway."""
    return lambda function: function


def sha256(*arguments: Any, **named: Any) -> object:
    """``hashlib.sha256``, loaded when it is called: few tools do, and every fork would carry its library."""
    from hashlib import sha256 as original

    return original(*arguments, **named)


LEGACY_NAMES: dict[str, object] = {
    "AutoModelForCausalLM": _Absent("AutoModelForCausalLM", "the sandbox holds no models"),
    "AutoTokenizer": _Absent("AutoTokenizer", "the sandbox holds no models"),
    "FunctionTimedOut": FunctionTimedOut,
    "deepcopy": deepcopy,
    "func_set_timeout": func_set_timeout,
    "json": json,
    "requests": _Absent("requests", "the sandbox has no network"),
    "sha256": sha256,
    "sleep": sleep,
}
"""What the published host imports, and tools therefore see. Its own functions are left out."""


# With this module name CPython writes "f() argument after ** …" without a module in front.
_SEEN: dict[str, object] = {"__name__": "builtins", "__builtins__": __builtins__}
_SEEN_WITH_LEGACY_NAMES = _SEEN | LEGACY_NAMES


def error(name: str, why: str) -> str:
    """The output of a call that failed, in the published spelling."""
    return f"an error occured when call {name}: {why}"


def out_of_memory(name: str, memory_bytes: int) -> str:
    """The output of a call that used more memory than it may."""
    return error(name, f"it used more than {memory_bytes / 2**20:g} MiB of memory")


def compiled(source: str) -> CodeType:
    """The source as the published host's ``exec`` compiles it, without this file's own ``__future__`` imports.

    Raises:
        SyntaxError: or what else compiling raises.
    """
    return compile(source, "<string>", "exec", dont_inherit=True)


def run(
    name: str, arguments: str, source: str | CodeType | None, *, proven: bool, legacy: bool, output_bytes: int
) -> tuple[str, str]:
    """Make the call.

    Args:
        name: what is called.
        arguments: JSON text.
        source: what defines it, compiled or not; None if nothing does.
        proven: the source defines a function of that name, so it need not be evaluated as an expression.
        legacy: whether the tool sees the names that the published host imports.
        output_bytes: the longest output allowed.

    Returns:
        ``OK``, ``TOOL_ERROR`` or ``OUTPUT_LIMIT``, and the output, which UTF-8 can hold.

    Raises:
        MemoryError: the call used more than it may.
    """
    try:
        # A kind of text of the tool's own may lie about its length.
        status, output = OK, _exactly(_text(_result(name, arguments, source, proven, legacy)))
    except MemoryError:
        raise
    except BaseException as raised:  # noqa: BLE001 - whatever a tool raises, SystemExit too, is its answer
        status, output = TOOL_ERROR, error(name, _message(raised))
    if not str.isascii(output):
        # Half a surrogate pair, which no file or tokenizer takes, becomes its escape.
        encoded = str.encode(output, "utf-8", "backslashreplace")
        too_long = len(encoded) > output_bytes
        output = encoded.decode()
    else:
        too_long = len(output) > output_bytes
    if too_long:
        return OUTPUT_LIMIT, error(name, f"its output is longer than {output_bytes} bytes")
    return status, output


def _result(name: str, arguments: str, source: str | CodeType | None, proven: bool, legacy: bool) -> object:
    keywords = _from_json(arguments)
    if source is None:
        raise KeyError(name)
    seen_by_tool = (_SEEN_WITH_LEGACY_NAMES if legacy else _SEEN).copy()
    defined: dict[str, object] = {}
    exec(compiled(source) if isinstance(source, str) else source, seen_by_tool, defined)
    if proven:
        return defined[name](**keywords)  # type: ignore[operator]
    return eval(name, seen_by_tool, defined)(**keywords)


def _from_json(text: str) -> Any:
    """``json.loads``, in one step where nothing stands around the value."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return _loads(text)
    return value if end == len(text) else _loads(text)


def _text(result: object) -> str:
    kind = type(result)
    if kind is dict or kind is list:
        return _to_json(result)
    return result if kind is str else str(result)  # type: ignore[return-value]


def _message(raised: BaseException) -> str:
    try:
        return str(raised)
    except BaseException:  # noqa: BLE001 - an error whose text raises still has a type to name
        return type(raised).__name__
