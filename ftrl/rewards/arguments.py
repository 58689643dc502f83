"""The arguments of a call: their values, and whether two calls are the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ftrl.rewards.conformity import is_listed, required_of
from ftrl.rewards.tokens import CACHED_CHARACTERS, Tokens, fold, tokens_of

Schema = Mapping[str, Any]
NO_SCHEMA: Schema = {}


@dataclass(frozen=True)
class Value:
    """A text or number somewhere in the arguments.

    Attributes:
        parameter: the parameter it was given for.
        value: as it was given; never null, true or false.
        tokens: its words and numbers.
        schema: what the document says about this place, if anything.
    """

    parameter: str
    value: str | int | float
    tokens: Tokens
    schema: Schema


def read_arguments(text: str) -> Any:
    """The arguments of a call; the text itself where it is no JSON, which a parser never lets through."""
    return _cached(text) if len(text) <= CACHED_CHARACTERS else _read(text)


@lru_cache(maxsize=2048)
def _cached(text: str) -> Any:
    return _read(text)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def values_of(arguments: Any, schema: Schema = NO_SCHEMA) -> Iterator[Value]:
    """Every text and number in the arguments, with what the document says about its place.

    The names within an object that the document does not know are values too: somebody chose them.
    """
    if not isinstance(arguments, dict):
        yield from _values("", arguments, NO_SCHEMA)
        return
    properties = schema.get("properties")
    for name, value in arguments.items():
        inner = properties.get(name) if isinstance(properties, dict) else None
        yield from _values(name, value, inner if isinstance(inner, dict) else NO_SCHEMA)


def _values(parameter: str, value: Any, schema: Schema) -> Iterator[Value]:
    stack = [(value, schema)]
    while stack:
        value, schema = stack.pop()
        if isinstance(value, dict):
            properties = schema.get("properties")
            for key, inner in value.items():
                of_key = properties.get(key) if isinstance(properties, dict) else None
                stack.append((inner, of_key if isinstance(of_key, dict) else NO_SCHEMA))
                if of_key is None:
                    yield Value(parameter, key, tokens_of(key), NO_SCHEMA)
        elif isinstance(value, list):
            items = schema.get("items")
            stack.extend((inner, items if isinstance(items, dict) else NO_SCHEMA) for inner in value)
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
            yield Value(parameter, value, tokens_of(str(value)), schema)


def names_of(arguments: Any) -> Iterator[str]:
    """Every name in the arguments, at any depth."""
    stack = [arguments]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            yield from value
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)


def canonical(arguments: Any, schema: Schema = NO_SCHEMA) -> str:
    """Equal for calls that say the same: in another order, case or spelling of numbers, or with what means nothing.

    Nothing is meant by a null, by the documented default, and by an argument that the document does not know.
    """
    if isinstance(arguments, dict):
        properties = schema.get("properties")
        known = properties if isinstance(properties, dict) and properties else None
        arguments = {
            name: value
            for name, value in arguments.items()
            if value is not None and (known is None or (name in known and not _is_default(value, known[name])))
        }
    return json.dumps(_folded(arguments), sort_keys=True, ensure_ascii=False)


def gist_of(arguments: Any, schema: Schema = NO_SCHEMA) -> str:
    """Equal for calls that differ only in what nobody asked for and was chosen from a list, or between yes and no."""
    if isinstance(arguments, dict):
        told = {
            value.parameter
            for value in values_of(arguments, schema)
            if not is_listed(value.value, value.schema.get("enum"))
        }
        told.update(required_of(schema))
        arguments = {name: value for name, value in arguments.items() if name in told}
    return canonical(arguments, schema)


def _is_default(value: Any, schema: Any) -> bool:
    return isinstance(schema, dict) and "default" in schema and bool(schema["default"] == value)


def _folded(value: Any) -> Any:
    if isinstance(value, dict):
        return {fold(key): _folded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_folded(inner) for inner in value]
    if isinstance(value, str):
        return fold(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
