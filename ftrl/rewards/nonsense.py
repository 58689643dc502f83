"""Calls that know nothing: the same call, with nonsense for the values whose worth is in doubt.

Different kinds of nonsense, since tools are fooled by different things: text in the shape of the value (``Orun`` →
``Zdqk``, a date → another date), for tools that look at the format; one meaningless word, for tools that look at
nothing; and for values of a letter or two, other letters, for tools that take whatever has that letter in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from ftrl.rewards.arguments import Value
from ftrl.tool_calls import ParsedCall

WORD, NUMBER, YEAR = "zqxv", 7919, 1787
SHORT = 3
"""Letters up to which a text may be meant to stand in others."""

_DATE = re.compile(r"(\d{4})-(\d{1,2})(-\d{1,2})?")

Change = Callable[[Any], Any]


def probes_for(tool: str, arguments: Any, doubtful: Sequence[Value]) -> tuple[ParsedCall, ...]:
    """The calls to make.

    Args:
        tool: the tool's name.
        arguments: the call's arguments.
        doubtful: the values to be replaced.
    """
    replaced = {str(value.value) for value in doubtful}
    changes: list[Change] = [_in_shape, _Meaningless()]
    if any(isinstance(value.value, str) and _is_short(value.value) for value in doubtful):
        changes += [_Meaningless("a", "o"), _Meaningless("e", "i")]
    # A parameter keeps its name, even where the name is also a value.
    given = arguments if isinstance(arguments, dict) else {}
    probes = [{name: _changed(value, replaced, change) for name, value in given.items()} for change in changes]
    return tuple(ParsedCall(tool, json.dumps(probe, ensure_ascii=False)) for probe in probes)


def _changed(value: Any, replaced: set[str], change: Change) -> Any:
    if isinstance(value, dict):
        return {_name(key, replaced): _changed(inner, replaced, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_changed(inner, replaced, change) for inner in value]
    if isinstance(value, bool) or value is None or str(value) not in replaced:
        return value
    return change(value)


def _name(name: str, replaced: set[str]) -> str:
    return _scrambled(name) if name in replaced else name


def _in_shape(value: Any) -> Any:
    if isinstance(value, str):
        date = _DATE.fullmatch(value)
        if date is None:
            return _scrambled(value)
        return f"{YEAR}-0{1 + int(date[2]) % 9}" + ("-11" if date[3] else "")
    try:
        return type(value)(_scrambled(str(value)))
    except (ValueError, OverflowError):  # 1e+300, nan: changing their digits does not give a number
        return NUMBER


class _Meaningless:
    """One word for all texts, or one letter for all short ones; numbers nearby, each a different step away.

    Nearby, for tools that ask for a sensible number; different steps, so that a difference or ratio changes too.
    """

    def __init__(self, letter: str | None = None, instead: str = "") -> None:
        self._letter, self._instead = letter, instead
        self._numbers = 0

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, str):
            self._numbers += 1
            return value + self._numbers
        if _DATE.fullmatch(value):
            return _in_shape(value)
        if self._letter is None or not _is_short(value):
            return WORD
        return self._letter if self._letter not in value.lower() else self._instead


def _is_short(text: str) -> bool:
    return sum(character.isalnum() for character in text) <= SHORT


def _scrambled(text: str) -> str:
    """Other letters and digits, in the same places, the same for the same text."""
    noise = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(max(len(text), 1))
    return "".join(map(_other, text, noise))


def _other(character: str, noise: int) -> str:
    if character.isdecimal():
        return str((int(character) + noise % 8) % 9 + 1)  # no zero, which could lead a number
    if character.isalpha():
        letter = "bcdfghjklmnpqrstvwxz"[noise % 20]
        return letter.upper() if character.isupper() else letter
    return character
