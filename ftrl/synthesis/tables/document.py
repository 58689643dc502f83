"""Stage 2, document generation: one tool document for each sub-question (paper, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from ftrl.synthesis.tables import wording
from ftrl.synthesis.tables.facts import Date, Kind, Quantity, Relation
from ftrl.synthesis.tables.style import Style

_VERBS = ("lookup", "find", "finder", "search", "get", "query", "info")
_DESCRIPTIONS = ("Gives {it}.", "Finds {it}.", "Returns {it}.", "Looks up {it}.", "Tells {it}.")
_PARAMETER_DESCRIPTIONS = (
    "{called} of the {kind}.",
    "The {kind}'s {its}.",
    "Which {kind}, by its {its}.",
    "The {kind}, by {its}.",
)
_MORE = (
    " The answer comes from a register and is {what}; {a_kind} that the register does not know is an error.",
    " Use it when the {its} is known exactly. The result is {what}.",
    " Takes the {its} as it is written in full and gives {what}. Fails if there is no such {kind}.",
)


@dataclass(frozen=True)
class Parameter:
    """One argument of a tool.

    Attributes:
        type: its JSON Schema type.
        default: its value where it is left out; required parameters have none.
    """

    name: str
    type: str
    description: str
    required: bool = True
    enum: tuple[str, ...] = ()
    default: str | bool | int | None = None

    def schema(self) -> dict[str, Any]:
        """As a JSON Schema property."""
        schema: dict[str, Any] = {"type": self.type, "description": self.description}
        if self.enum:
            schema["enum"] = list(self.enum)
        if not self.required:
            schema["default"] = self.default
        return schema


@dataclass(frozen=True)
class ToolDocument:
    """What a model is told about a tool.

    Attributes:
        relation: what the tool knows.
        parameters: the subject first; all others optional.
    """

    name: str
    description: str
    relation: Relation
    parameters: tuple[Parameter, ...]

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
        """The same document with these parameters after its own."""
        return replace(self, parameters=self.parameters + parameters)


def document(relation: Relation, style: Style, rng: Random) -> ToolDocument:
    """Write the document of a tool that knows one relation, in words drawn anew for each task.

    The tool's name begins with what it knows, and never with a verb: a small policy reads the first token.
    """
    noun = rng.choice(relation.nouns)
    kind = relation.subject.noun
    first, *rest = noun.split()
    middle = kind.split() if rng.random() < 0.3 and not noun.startswith(kind) else []
    name = "_".join([first, *rest, *middle, rng.choice(_VERBS)])
    a_kind = wording.a(kind)
    called = relation.subject.called
    words = {
        "it": rng.choice(relation.phrases[:2]).format(a_kind),
        "kind": kind,
        "a_kind": a_kind,
        "its": called,
        "called": called[:1].upper() + called[1:],
        "what": _answer(relation),
    }
    description = rng.choice(_DESCRIPTIONS).format(**words)
    if style.long_documents:
        description += rng.choice(_MORE[:2] if relation.subject.numbered else _MORE).format(**words)
    subject = Parameter(
        name=rng.choice(relation.subject.parameters),
        type="integer" if relation.subject.numbered else "string",
        description=rng.choice(_PARAMETER_DESCRIPTIONS).format(**words),
    )
    return ToolDocument(name, description, relation, (subject,))


def _answer(relation: Relation) -> str:
    answer = relation.object
    if isinstance(answer, Quantity):
        number = "a whole number" if answer.whole else "a number"
        return f"{number} of {answer.unit}" if answer.unit else number
    if isinstance(answer, Date):
        return "a date, written YYYY-MM-DD"
    if isinstance(answer, Kind):
        return (
            "a full name" if answer.person and answer.words == 2 else f"the {answer.called} of {wording.a(answer.noun)}"
        )
    return "a short text"
