"""Whether a call's arguments are what the tool's document asks for: names, types, what is required, what is listed.

The part of JSON Schema that tool documents use. A document that is itself unsound (a type that does not exist, a list
that is none) forbids nothing. A null for a parameter that is not required counts as leaving it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ftrl.rewards.tokens import fold

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}

DEEPEST = 16
"""How deep a document is followed into the arguments; nothing is asked of what lies below."""


def conforms(arguments: Any, parameters: Any) -> bool:
    """Whether arguments fit the ``parameters`` of an OpenAI function schema.

    Unlike in JSON Schema, an argument that the document does not name never fits: tools that swallow any argument
    would otherwise take in anything.
    """
    if not isinstance(arguments, dict):
        return False
    if not isinstance(parameters, Mapping):
        return True
    return _object_fits(arguments, parameters, closed="properties" in parameters, depth=0)


def _fits(value: Any, schema: Any, depth: int) -> bool:
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return True
    if not (_has_type(value, schema.get("type")) and _is_allowed(value, schema.get("enum")) and _within(value, schema)):
        return False
    for choice in ("anyOf", "oneOf"):
        options = schema.get(choice)
        if isinstance(options, list) and options and not any(_fits(value, one, depth + 1) for one in options):
            return False
    if isinstance(value, list):
        return all(_fits(inner, schema.get("items"), depth + 1) for inner in value)
    if isinstance(value, dict):
        return _object_fits(value, schema, closed=schema.get("additionalProperties") is False, depth=depth + 1)
    return True


def _object_fits(value: dict[str, Any], schema: Mapping[str, Any], *, closed: bool, depth: int) -> bool:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    required = required_of(schema)
    if any(name not in value for name in required):
        return False
    for name, inner in value.items():
        if name not in properties:
            if closed:
                return False
        elif (inner is not None or name in required) and not _fits(inner, properties[name], depth):
            return False
    return True


def required_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The names that a schema requires; none where its list is unsound."""
    required = schema.get("required")
    return tuple(name for name in required if isinstance(name, str)) if isinstance(required, list) else ()


def _has_type(value: Any, wanted: Any) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted]
    checks = [_TYPES[name] for name in names if isinstance(name, str) and name in _TYPES]
    return not checks or any(check(value) for check in checks)


def _is_allowed(value: Any, listed: Any) -> bool:
    # Documents often list the values of an array's items at the array itself.
    return not isinstance(listed, list) or not listed or isinstance(value, list) or is_listed(value, listed)


def _within(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a value keeps within the bounds of its size. Patterns are not looked at: they may be made to hang."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        size, names = value, ("minimum", "maximum")
    elif isinstance(value, (str, list)):
        size, names = len(value), ("minLength", "maxLength") if isinstance(value, str) else ("minItems", "maxItems")
    else:
        return True
    least, most = schema.get(names[0]), schema.get(names[1])
    return not (isinstance(least, (int, float)) and size < least) and not (
        isinstance(most, (int, float)) and size > most
    )


def is_listed(value: Any, listed: Any) -> bool:
    """Whether a value is one of those that a document lists; case and white space aside."""
    if not isinstance(listed, list):
        return False
    if isinstance(value, str):
        folded = fold(value)
        return any(isinstance(one, str) and fold(one) == folded for one in listed)
    return any(type(one) is type(value) and one == value for one in listed)
