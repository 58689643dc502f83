"""What an output says: its values, without what is no result.

An output is text: JSON, the text of a Python value, or a sentence. Its *leaves* are the texts and numbers in it; the
names of its fields are kept apart. Error-shaped results - ``{"error": …}``, ``Error: …``, "no data found" - say
nothing, wherever in the output they stand.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ftrl.rewards.tokens import CACHED_CHARACTERS, Tokens, fold, stands_in, tokens_of


@dataclass(frozen=True)
class Leaf:
    """A text or number in an output, and its tokens."""

    text: str
    tokens: Tokens


@dataclass(frozen=True)
class Reading:
    """The values of an output.

    Attributes:
        leaves: every text and number in it.
        keys: the names of its fields.
    """

    leaves: tuple[Leaf, ...]
    keys: frozenset[Tokens]

    def holding(self, part: Tokens) -> Iterator[Tokens]:
        """The leaves in which these tokens stand in a row; refusals hold nothing. A field's whole name is one too."""
        for leaf in self.leaves:
            if stands_in(part, leaf.tokens) and not is_refusal(leaf.text):
                yield leaf.tokens
        if part in self.keys:
            yield part


LONGEST_READ = 65536
"""Characters of an output that are looked at: no context window shows a model more."""


def read_output(output: str) -> Reading:
    """The values of an output, as the sandbox gives it."""
    output = output[:LONGEST_READ]
    return _cached(output) if len(output) <= CACHED_CHARACTERS else _read(output)


@lru_cache(maxsize=1024)
def _cached(output: str) -> Reading:
    return _read(output)


def _read(output: str) -> Reading:
    leaves: list[Leaf] = []
    keys: set[Tokens] = set()
    for is_key, text in _values(parse_value(output)):
        if not (tokens := tokens_of(text)):
            continue
        if is_key:
            keys.add(tokens)
        else:
            leaves.append(Leaf(text, tokens))
    return Reading(tuple(leaves), frozenset(keys))


PYTHON_CHARACTERS, PYTHON_DEPTH = 16384, 40
"""Longer or deeper texts are not read as Python values: that takes too long, or too much stack."""


def parse_value(text: str) -> Any:
    """The value that a text spells in JSON or Python, numbers as they are spelled; the text itself if it spells none.

    A bare ``9,000,000`` is text, with a number in it; to Python it would be a tuple.
    """
    start = text.lstrip()[:1]
    if not start or start not in "{[(\"'":
        return text
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        pass
    if len(text) > PYTHON_CHARACTERS or _depth(text) > PYTHON_DEPTH:
        return text
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


def _values(value: Any) -> Iterator[tuple[bool, str]]:
    """Whether it is a key, and its text, for every value in a tree; a stack of our own, since trees may be deep."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if not _is_error(value):
                for key in value:
                    yield True, str(key)
                stack.extend(reversed(value.values()))
        elif isinstance(value, (list, tuple, set, frozenset)):
            stack.extend(reversed(list(value)))
        elif isinstance(value, str):
            if value[:1] in ("{", "[") and not isinstance(inner := parse_value(value), str):
                stack.append(inner)
            else:
                yield False, value
        elif value is not None:
            yield False, str(value)


_ERROR_KEYS = frozenset({"error", "errors", "exception", "error_message", "errormessage", "error message", "traceback"})
_STATE_KEYS = ("status", "state", "result", "type", "code")
_SUCCESS_KEYS = ("success", "ok", "valid", "is_valid")
_FAILED = frozenset({"error", "failed", "failure", "fail", "invalid", "not found", "not_found"})
_EXPLAINING_KEYS = ("message", "reason", "detail", "details", "msg", "description")


def _is_error(fields: dict[Any, Any]) -> bool:
    folded = {str(key).casefold().strip(): value for key, value in fields.items()}
    if any(folded.get(key) for key in _ERROR_KEYS & folded.keys()):
        return True
    explained = any(key in folded for key in _EXPLAINING_KEYS)
    for key in _STATE_KEYS:
        state = folded.get(key)
        if isinstance(state, str) and (fold(state) == "error" or (explained and fold(state) in _FAILED)):
            return True
    # A mission may have failed; a result that failed says why, and says nothing else.
    return explained and any(folded.get(key) is False for key in _SUCCESS_KEYS)


REFUSAL_CHARACTERS = 400
"""A longer text is no refusal, whatever words are in it."""

_REFUSAL = re.compile(
    r"""
    ^\W*(?:an?\s)?(?:\w+\s)?(?:error|exception)\s*[:\-(]
    |^\W*(?:error|traceback|an?\s(?:\w+\s)?(?:error|exception))\b
    |^\W*\w*(?:error|exception)\s*:
    |^\W*invalid\s
    |^\W*(?:unknown|unsupported|unrecogni[sz]ed|missing)\s(?:\w+\s){0,2}
      (?:arguments?|parameters?|values?|types?|options?|fields?|names?|formats?|units?|operations?|locations?|categor\w+)\b
    |^\W*(?:unable|failed)\sto\b
    |^\W*(?:cannot|can't|could\snot|couldn't)\b
    |^\W*(?:sorry|no)\b[^.]{0,120}\b(?:found|available|identified|match(?:es|ing|ed)?|data|results?|information|records?|entr\w+)\b
    |\b(?:not|no)\s(?:be\s|known\s)?(?:found|available|supported|recogni[sz]ed|determined|identified|match\w*)\b[^.]{0,60}\W*$
    |^[^.]{0,80}\bnot\s(?:be\s)?(?:found|available|supported|recogni[sz]ed|determined|identified)\b
    |\bmust\sbe\s(?:one\sof|an?\b|in\b|either|between|provided|specified|positive|non)
    |\b(?:is|are)\s(?:required|mandatory|invalid)\b
    |\bplease\s(?:provide|specify|use|enter|choose|select|check)\b
    |\bmissing\s(?:\d+\s)?required\b
    |\bunexpected\skeyword\sargument\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether a text says that there is no result, instead of being one."""
    return len(text) <= REFUSAL_CHARACTERS and _REFUSAL.search(text) is not None
