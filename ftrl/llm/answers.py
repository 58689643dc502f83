"""Answers as values: what a model is told of an answer's shape, and how its text becomes one."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Answer = TypeVar("Answer", bound=BaseModel)

_MOST_COMPLAINTS = 4


class Unreadable(Exception):
    """A text that is not an answer of its type; the message says why, for the model to read."""


def answer_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of an answer, in the dialect that every provider takes.

    No references, nothing but described fields; every field is required and no other is allowed, as strict modes
    want it: a field that may be left out is one that may be null.
    """
    whole = kind.model_json_schema()
    whole.pop("description", None)
    plain: dict[str, Any] = _plain(whole, whole.get("$defs", {}))
    return {"title": kind.__name__, **plain}


def read_answer(text: str, kind: type[Answer]) -> Answer:
    """The answer in a model's text: the one JSON object in it, whatever prose or fence is around it.

    Raises:
        Unreadable: there is none, or it is not of the type.
    """
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise Unreadable("there is no JSON object in it")
    try:
        # Line breaks inside of strings are no valid JSON, but there is only one thing they can mean.
        value = json.loads(text[start : end + 1], strict=False)
    except ValueError as error:
        raise Unreadable(f"it is not one JSON object: {error}") from error
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise Unreadable(_complaints(error)) from error


def _complaints(error: ValidationError) -> str:
    errors = error.errors(include_url=False)
    told = [f"{'.'.join(map(str, one['loc'])) or 'the object'}: {one['msg']}" for one in errors[:_MOST_COMPLAINTS]]
    more = f"; and {len(errors) - len(told)} more" if len(errors) > len(told) else ""
    return "; ".join(told) + more


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema with references resolved; what is said of Python classes, and not of fields, is left out."""
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        own = {key: value for key, value in target.items() if key != "description"}
        schema = {**own, **{key: value for key, value in schema.items() if key != "$ref"}}
    kept = ("type", "description", "enum")
    plain: dict[str, Any] = {key: value for key, value in schema.items() if key in kept}
    if "const" in schema:
        plain["enum"] = [schema["const"]]
    if "anyOf" in schema:
        plain["anyOf"] = [_plain(choice, definitions) for choice in schema["anyOf"]]
    if "items" in schema:
        plain["items"] = _plain(schema["items"], definitions)
    if "properties" in schema:
        plain["properties"] = {name: _plain(field, definitions) for name, field in schema["properties"].items()}
        plain["required"] = list(schema["properties"])
        plain["additionalProperties"] = False
    return plain
