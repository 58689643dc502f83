"""Arguments that know nothing: values of the right or of a wrong type, made from a tool's document alone."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ftrl.environments.checks import tool_parameters, tool_required
from ftrl.environments.schema import Json

MOST_CHOICES = 64
"""Combinations of enumerated values that are tried for one tool."""

WILDCARDS = ("", " ", "*", "%", ".*", "all", "any", "a", "e")
"""Texts that careless look-ups take for everything."""


@dataclass(frozen=True)
class Filler:
    """How to fill parameters with nothing that was learned from the question.

    Attributes:
        text: for every text.
        number: for every number.
        flag: for every boolean.
        choice: index into every enumeration.
        empty: lists and objects stay empty.
        optional: also fill what is optional.
    """

    text: str
    number: int
    flag: bool = False
    choice: int = 0
    empty: bool = False
    optional: bool = False


BASE = Filler("Qwyx Xwyq", 7919)
"""Nonsense that is no name, no word, no number that anything is about."""

FILLERS = (
    BASE,
    Filler("zork", 1, flag=True, choice=-1),
    Filler("Qwyx Xwyq", 7919, flag=True, optional=True),
    Filler("12345", -1),
    Filler("2001-02-03", 2001),
    Filler("", 0, empty=True),
)
"""Several ways to know nothing: names, words, numbers, dates, nothing at all."""


@dataclass(frozen=True)
class Parameters:
    """The parameters of a tool, as its document gives them.

    Attributes:
        schemas: name → JSON schema.
        required: those that must be given.
    """

    schemas: dict[str, dict[str, Json]]
    required: tuple[str, ...]
    choices: dict[str, list[Json]] = field(init=False)
    """Name → every value that the document lists; parameters with such a list only."""

    def __post_init__(self) -> None:
        listed = {name: _listed(schema) for name, schema in self.schemas.items()}
        object.__setattr__(self, "choices", {name: values for name, values in listed.items() if values})

    @classmethod
    def of(cls, document: Json) -> Parameters:
        """The parameters of an OpenAI function schema."""
        schemas = tool_parameters(document)
        return cls(schemas, tuple(name for name in tool_required(document) if name in schemas))

    @property
    def free(self) -> list[str]:
        """Required parameters whose values no list gives away: to fill them rightly, one must know something."""
        return [name for name in self.required if name not in self.choices]

    @property
    def texts(self) -> list[str]:
        """Parameters, optional ones too, that take any text, or a list of any texts."""
        return [name for name, schema in self.schemas.items() if name not in self.choices and _takes_text(schema)]

    def filled(self, filler: Filler) -> dict[str, Json]:
        """Arguments for a call."""
        names = self.schemas if filler.optional else self.required
        return {name: _value(self.schemas[name], filler) for name in names}

    def with_text(self, name: str, text: str) -> Json:
        """The value that puts ``text`` into the parameter ``name``, one of ``texts``."""
        return [text] if _type(self.schemas[name]) == "array" else text

    def holding(self, name: str, text: str) -> list[Json]:
        """The values of the right type that put ``text`` into the parameter ``name``: one, or none."""
        if name in self.texts:
            return [self.with_text(name, text)]
        kind = _type(self.schemas[name])
        inner = self.schemas[name].get("properties")
        if kind == "object" and isinstance(inner, dict) and name not in self.choices:
            texts = [key for key, schema in inner.items() if isinstance(schema, dict) and _takes_text(schema)]
            return [dict.fromkeys(texts, text)] if texts else []
        number = re.fullmatch(r"-?\d+(\.\d+)?", text.replace(",", ""))
        if kind in ("number", "integer") and number and name not in self.choices:
            return [float(number[0]) if number[1] else int(number[0])]
        return []

    def wrongly_typed(self) -> Iterator[dict[str, Json]]:
        """Arguments none of which has the type that the document asks for."""
        names = self.required or tuple(self.schemas)
        yield {name: 7919 if _type(self.schemas[name]) == "string" else BASE.text for name in names}
        yield {name: [BASE.text] if _type(self.schemas[name]) != "array" else {"qwyx": 7919} for name in names}
        if self.required:  # null for what is optional is no more than leaving it out
            yield dict.fromkeys(names)

    def every_choice(self) -> Iterator[dict[str, Json]]:
        """All listed values of required parameters in all combinations, then each listed value of optional ones."""
        base = self.filled(BASE)
        lists = {name: self.choices[name] for name in self.required if name in self.choices}
        if lists:
            for combination in itertools.islice(itertools.product(*lists.values()), MOST_CHOICES):
                yield {**base, **dict(zip(lists, combination, strict=True))}
        for name, values in self.choices.items():
            if name not in self.required:
                for value in values:
                    yield {**base, name: value}


def _listed(schema: dict[str, Json]) -> list[Json]:
    if isinstance(schema.get("enum"), list):
        return list(schema["enum"])
    if _type(schema) == "boolean":
        return [True, False]
    items = schema.get("items")
    if _type(schema) == "array" and isinstance(items, dict) and isinstance(items.get("enum"), list):
        return [*([value] for value in items["enum"]), list(items["enum"])]
    return []


def _takes_text(schema: dict[str, Json]) -> bool:
    if _type(schema) == "array":
        items = schema.get("items")
        return not isinstance(items, dict) or _type(items) == "string"
    return _type(schema) == "string"


def _type(schema: dict[str, Json]) -> str:
    """The type that a schema asks for; text where it does not say."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if kind is None:
        for several in ("anyOf", "oneOf"):
            if isinstance(schema.get(several), list) and schema[several] and isinstance(schema[several][0], dict):
                return _type(schema[several][0])
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _value(schema: dict[str, Json], filler: Filler) -> Json:
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][filler.choice]
    kind = _type(schema)
    plain: dict[str, Json] = {
        "string": filler.text,
        "integer": filler.number,
        "number": filler.number,
        "boolean": filler.flag,
        "null": None,
    }
    if kind in plain:
        return plain[kind]
    if kind == "array":
        items = schema.get("items")
        return [] if filler.empty else [_value(items if isinstance(items, dict) else {}, filler)]
    inner: Any = schema.get("properties")
    if filler.empty or not isinstance(inner, dict) or not inner:
        return {} if filler.empty else {"qwyx": filler.text}
    return {name: _value(one if isinstance(one, dict) else {}, filler) for name, one in inner.items()}
