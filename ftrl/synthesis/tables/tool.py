"""What a model is told about a tool: its document and parameters, as records and as JSON Schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ftrl.synthesis.tables.facts import Fact, Relation


class Role(str, Enum):
    """What an argument is for."""

    SUBJECT = "subject"
    KEY = "key"
    """A further part of the subject, where it takes several to tell one."""
    FIELD = "field"
    """Which of several relations is asked for."""
    BOUND = "bound"
    EVENT = "event"
    END = "end"
    UNIT = "unit"
    PIECES = "pieces"
    STATISTIC = "statistic"
    """Which figure is made of several."""
    OPTION = "option"
    """Nothing that the question asks for."""


class Form(str, Enum):
    """How a value is passed."""

    PLAIN = "plain"
    LIST = "list"
    """The subject as one of several names."""
    NAMES = "names"
    """A person as an object of given and family name."""
    RANGE = "range"
    """A bound as an object of two ends, one of which may be left out."""


MOST_AT_ONCE = 5
"""Subjects that a tool takes at once, where it takes several."""


@dataclass(frozen=True)
class Parameter:
    """One argument of a tool.

    Attributes:
        type: its JSON Schema type.
        default: its value where it is left out; required parameters have none.
        role: what it is for.
        form: how its value is passed.
        parts: for objects, name to JSON Schema; the first has to be given, unless all have.
        option: which option it is, whatever it is called; see ``options``.
    """

    name: str
    type: str
    description: str
    required: bool = True
    enum: tuple[str, ...] = ()
    default: str | bool | int | tuple[()] | None = None
    role: Role = Role.OPTION
    form: Form = Form.PLAIN
    parts: tuple[tuple[str, dict[str, Any]], ...] = ()
    option: str = ""

    def schema(self) -> dict[str, Any]:
        """As a JSON Schema property."""
        schema: dict[str, Any] = {"type": self.type, "description": self.description}
        if self.form is Form.LIST:
            schema |= {"items": {"type": "string"}, "minItems": 1, "maxItems": MOST_AT_ONCE}
        if self.parts:
            needed = [name for name, _ in self.parts]
            schema["properties"] = dict(self.parts)
            schema["required"] = needed if self.form is Form.NAMES else needed[:1]
            schema["additionalProperties"] = False
        if self.enum:
            schema["enum"] = list(self.enum)
        if self.type == "array" and self.form is Form.PLAIN:
            schema["items"] = {"type": "string"}
        if not self.required and self.default is not None:
            schema["default"] = [] if self.default == () else self.default
        return schema

    def wrapped(self, value: Any) -> Any:
        """A value as this parameter takes it."""
        if self.form is Form.LIST:
            return [value]
        if self.form is Form.NAMES:
            given, family = str(value).split()
            return dict(zip((name for name, _ in self.parts), (given, family), strict=True))
        return {self.parts[0][0]: value} if self.form is Form.RANGE else value


@dataclass(frozen=True)
class ToolDocument:
    """What a model is told about a tool.

    Attributes:
        relations: what the tool knows; where it is more than one, an argument says which is asked for.
        parameters: the subject first; required ones before others.
    """

    name: str
    description: str
    relations: tuple[Relation, ...]
    parameters: tuple[Parameter, ...]

    @property
    def relation(self) -> Relation:
        """What the tool knows, or the first that it knows."""
        return self.relations[0]

    def field_of(self, relation: Relation) -> str:
        """What the tool calls one of its relations."""
        return relation.nouns[0].replace(" ", "_")

    def parameter(self, role: Role) -> Parameter | None:
        """The parameter of that role, if there is one."""
        return next((parameter for parameter in self.parameters if parameter.role is role), None)

    def option(self, option: Parameter) -> Parameter | None:
        """The parameter that is this option, under whatever name, if there is one."""
        return next((parameter for parameter in self.parameters if parameter.option == option.option), None)

    @property
    def subject(self) -> tuple[Parameter, ...]:
        """The parameters that say what is asked about."""
        return tuple(parameter for parameter in self.parameters if parameter.role in (Role.SUBJECT, Role.KEY))

    def call(self, fact: Fact) -> dict[str, Any]:
        """The arguments that ask for a fact, and nothing that could be left out."""
        arguments: dict[str, Any] = {}
        subject = iter(fact.subject.arguments)
        for parameter in self.parameters:
            if parameter.role in (Role.SUBJECT, Role.KEY):
                arguments[parameter.name] = parameter.wrapped(next(subject))
            elif parameter.role is Role.FIELD:
                arguments[parameter.name] = self.field_of(fact.relation)
            elif fact.given is not None and parameter.role.value == fact.given.role:
                arguments[parameter.name] = parameter.wrapped(fact.given.value)
            elif parameter.required:
                arguments[parameter.name] = parameter.enum[0] if parameter.enum else False
        return arguments

    def schema(self) -> dict[str, Any]:
        """As an OpenAI function schema."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": {
                    "type": "object",
                    "properties": {parameter.name: parameter.schema() for parameter in self.parameters},
                    "required": [parameter.name for parameter in self.parameters if parameter.required],
                },
            },
        }

    def with_parameters(self, parameters: tuple[Parameter, ...]) -> ToolDocument:
        """The same document with these parameters after its own, those that are required before the others."""
        every = sorted((*self.parameters, *parameters), key=lambda parameter: not parameter.required)
        return replace(self, parameters=tuple(every))

    def with_parameter(self, parameter: Parameter) -> ToolDocument:
        """The same document with this parameter in the place of the one of its role."""
        changed = tuple(parameter if one.role is parameter.role else one for one in self.parameters)
        return replace(self, parameters=changed)


def apart(tools: Sequence[ToolDocument]) -> list[ToolDocument]:
    """The tools with names that differ: of two that are called the same, the later says what it is about."""
    names: set[str] = set()
    told: list[ToolDocument] = []
    for tool in tools:
        name = tool.name
        if name in names:
            name = f"{name}_of_{tool.relation.subject.noun.replace(' ', '_')}"
        number = 2
        while name in names:
            name, number = f"{tool.name}_{number}", number + 1
        names.add(name)
        told.append(tool if name == tool.name else replace(tool, name=name))
    return told
