"""One call, as the published code makes it, in the process that was forked for it.

The published host runs ``exec(code)`` inside a function and then ``eval(name)(**arguments)``. So names that
the source defines at its top are seen by ``eval`` but not from inside the tool; the host's own globals are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from time import sleep
from typing import Any

OK, TOOL_ERROR, MEMORY, OUTPUT_LIMIT = b"ok", b"tool_error", b"memory", b"output_limit"
STATUSES = (OK, TOOL_ERROR, MEMORY, OUTPUT_LIMIT)
"""The ways a call may end that its own process can tell; all others are for the zygote to say."""

# A tool may overwrite these in their module; that must not reach even its own reply.
_loads, _dumps = json.loads, json.dumps


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


def error(name: str, why: str) -> bytes:
    """The output of a call that failed, in the published spelling."""
    return _encoded(f"an error occured when call {name}: {why}")


def run(name: str, arguments: str, source: str | None, *, legacy: bool, output_bytes: int) -> tuple[bytes, bytes]:
    """Make the call.

    Returns:
        ``OK``, ``TOOL_ERROR`` or ``OUTPUT_LIMIT``, and the output as UTF-8.

    Raises:
        MemoryError: the call used more than it may.
    """
    try:
        status, output = OK, _encoded(_text(_result(name, arguments, source, legacy)))
    except MemoryError:
        raise
    except BaseException as raised:  # noqa: BLE001 - whatever a tool raises, SystemExit too, is its answer
        status, output = TOOL_ERROR, error(name, _message(raised))
    if len(output) > output_bytes:
        return OUTPUT_LIMIT, error(name, f"its output is longer than {output_bytes} bytes")
    return status, output


def _result(name: str, arguments: str, source: str | None, legacy: bool) -> object:
    keywords = _loads(arguments)
    if source is None:
        raise KeyError(name)
    # With this module name CPython writes "f() argument after ** …" without a module in front.
    seen_by_tool: dict[str, object] = {"__name__": "builtins", "__builtins__": __builtins__}
    if legacy:
        seen_by_tool.update(LEGACY_NAMES)
    defined: dict[str, object] = {}
    exec(source, seen_by_tool, defined)
    return eval(name, seen_by_tool, defined)(**keywords)


def _text(result: object) -> str:
    kind = type(result)
    if kind is dict or kind is list:
        return _dumps(result, ensure_ascii=False)
    return str(result)


def _encoded(text: str) -> bytes:
    """UTF-8; half a surrogate pair, which no file or tokenizer takes, becomes its escape."""
    return str.encode(text, "utf-8", "backslashreplace")


def _message(raised: BaseException) -> str:
    try:
        return str(raised)
    except BaseException:  # noqa: BLE001 - an error whose text raises still has a type to name
        return type(raised).__name__
