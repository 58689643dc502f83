"""Stage 2, document generation: one tool document for each sub-question (paper, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from ftrl.synthesis.relations import PERSON, Quantity, Relation
from ftrl.synthesis.style import Style

_VERBS = ("lookup", "find", "finder", "search", "get", "query", "info")
_DESCRIPTIONS = ("Gives {it}.", "Finds {it}.", "Returns {it}.", "Looks up {it}.", "Tells {it}.")
_PARAMETER_DESCRIPTIONS = ("Name of the {kind}.", "The {kind}'s name.", "Which {kind}.", "The {kind}.")
_MORE = (
    " The answer comes from a register and is {what}; {a_kind} that the register does not know is an error.",
    " Takes the name as it is written in full and gives {what}. Fails if there is no such {kind}.",
    " Use it when the name is known exactly. The result is {what}.",
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
    middle = [kind] if rng.random() < 0.3 and kind != first else []
    name = "_".join([first, *rest, *middle, rng.choice(_VERBS)])
    a_kind = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    words = {
        "it": rng.choice(relation.phrases).format(a_kind),
        "kind": kind,
        "a_kind": a_kind,
        "what": _answer(relation),
    }
    description = rng.choice(_DESCRIPTIONS).format(**words)
    if style.long_documents:
        description += rng.choice(_MORE).format(**words)
    subject = Parameter(
        name=rng.choice(relation.subject.parameters),
        type="string",
        description=rng.choice(_PARAMETER_DESCRIPTIONS).format(**words),
    )
    return ToolDocument(name, description, relation, (subject,))


def _answer(relation: Relation) -> str:
    answer = relation.object
    if isinstance(answer, Quantity):
        return f"a whole number of {answer.unit}" if answer.unit else "a year"
    return "a full name" if answer == PERSON else f"the name of a {answer.noun}"
