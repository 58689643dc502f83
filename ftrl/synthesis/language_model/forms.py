"""What models fill in: the types of their answers, and how these become products.

All of it can be said in the JSON Schema that every provider's structured output takes: no free objects. Where a value
may be anything, it is JSON written as text.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from ftrl.environments.schema import Json, Scenario
from ftrl.synthesis.conclusion import Conclusion, Rule, Step
from ftrl.synthesis.decompose import Decomposition
from ftrl.synthesis.document import GoldenCall, Toolset
from ftrl.synthesis.language_model.given import Posed


class Form(BaseModel):
    """Base of what models fill in: fields that nobody asked for are ignored."""

    model_config = ConfigDict(extra="ignore")


def _object(value: Any) -> Any:
    """Arguments written as text; an object as such is what was meant, too."""
    if isinstance(value, str):
        try:
            value = json.loads(value, strict=False)
        except ValueError as error:
            raise ValueError(f"not one JSON object written as text: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object written as text")
    return value


Arguments = Annotated[
    dict[str, Any],
    BeforeValidator(_object),
    WithJsonSchema({"type": "string", "description": "one JSON object, written as text"}),
]

Plain = Literal["string", "number", "integer", "boolean"]


def _names(value: Any) -> Any:
    return [] if value is None else value


class QuestionForm(Form):
    """A question that was made up."""

    question: str
    answer: str = Field(description="a bare value")


class SubQuestionForm(Form):
    """A sub-question."""

    id: str = Field(description="q1, q2, …")
    text: str
    answer: str = Field(description="a bare value")
    depends_on: Annotated[list[str], BeforeValidator(_names)] = Field(default_factory=list, description="ids")


class ConclusionForm(Form):
    """How the answer follows."""

    rule: Rule
    of: list[str] = Field(description="ids of sub-questions")


class DecompositionForm(Form):
    """The answer to ``decompose``."""

    scenario: Scenario
    sub_questions: list[SubQuestionForm]
    conclusion: ConclusionForm

    def product(self, posed: Posed) -> Decomposition:
        """As a product."""
        return Decomposition(
            question=posed.question,
            answer=posed.answer,
            scenario=self.scenario,
            steps=tuple(
                Step(id=each.id, text=each.text, answer=each.answer, depends_on=tuple(each.depends_on))
                for each in self.sub_questions
            ),
            conclusion=Conclusion(rule=self.conclusion.rule, steps=tuple(self.conclusion.of)),
            source=posed.source,
        )


class FieldForm(Form):
    """A field of an object."""

    name: str
    type: Plain
    description: str
    required: bool
    choices: list[str] | None = None

    def schema_of(self) -> dict[str, Json]:
        """As JSON Schema."""
        schema: dict[str, Json] = {"type": self.type, "description": self.description}
        return {**schema, "enum": self.choices} if self.choices else schema


class ParameterForm(Form):
    """A parameter of a tool."""

    name: str
    type: Literal["string", "number", "integer", "boolean", "array", "object"]
    description: str
    required: bool
    choices: list[str] | None = Field(default=None, description="of a string, or of each string of an array")
    items: Literal["string", "number", "integer", "boolean", "object"] | None = Field(
        default=None, description="type of an array's items"
    )
    fields: list[FieldForm] | None = Field(default=None, description="of an object, or of each object of an array")
    default: str | None = Field(default=None, description="a JSON value, written as text")

    def schema_of(self) -> dict[str, Json]:
        """As JSON Schema."""
        schema: dict[str, Json] = {"type": self.type, "description": self.description}
        inner: dict[str, Json] = {}
        if self.choices and (self.type == "string" or self.items == "string"):
            inner["enum"] = self.choices
        if self.fields:
            inner["properties"] = {field.name: field.schema_of() for field in self.fields}
            inner["required"] = [field.name for field in self.fields if field.required]
        if self.type == "array":
            schema["items"] = {"type": self.items or "string", **inner}
        else:
            schema.update(inner)
        if self.default is not None and not self.required and (default := _loose(self.default)) is not None:
            schema["default"] = default
        return schema


class ToolForm(Form):
    """A tool's document."""

    name: str
    description: str
    parameters: list[ParameterForm]

    def document(self) -> dict[str, Json]:
        """As an OpenAI function schema, required parameters first."""
        ordered = sorted(self.parameters, key=lambda parameter: not parameter.required)
        parameters = {
            "type": "object",
            "properties": {parameter.name: parameter.schema_of() for parameter in ordered},
            "required": [parameter.name for parameter in ordered if parameter.required],
        }
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


class CallForm(Form):
    """The call for a sub-question."""

    sub_question: str = Field(description="its id")
    tool: str
    arguments: Arguments


class ToolsForm(Form):
    """The answer to ``document``, ``integrate`` and ``scale``."""

    tools: list[ToolForm]
    calls: list[CallForm]

    def product(self, decomposition: Decomposition) -> Toolset:
        """As a product; calls in the order of the steps, as far as there are steps for them."""
        order = [step.id for step in decomposition.steps]
        calls = [GoldenCall(step=each.sub_question, tool=each.tool, arguments=each.arguments) for each in self.calls]
        calls.sort(key=lambda call: order.index(call.step) if call.step in order else len(order))
        return Toolset(
            decomposition=decomposition, tools=tuple(tool.document() for tool in self.tools), calls=tuple(calls)
        )


class DistractorForm(ToolForm):
    """A tool that no sub-question needs."""

    near_miss_of: str | None = Field(default=None, description="name of a tool that is needed")


class DistractorsForm(Form):
    """The answer to ``distract``."""

    tools: list[DistractorForm]


class CodeForm(Form):
    """The answer to ``deploy``."""

    code: str = Field(description="Python source of the function")
    other_calls: list[Arguments]


def _loose(text: str) -> Json:
    """A default as it is meant: JSON, or plain text where quotes were forgotten."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def form_of(made: Toolset) -> str:
    """A toolset as models write it, for them to read."""
    tools = [_tool_form(tool).model_dump(mode="json") for tool in made.tools]
    calls = [
        {"sub_question": call.step, "tool": call.tool, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
        for call in made.calls
    ]
    return json.dumps({"tools": tools, "calls": calls}, ensure_ascii=False, indent=1)


def _tool_form(tool: dict[str, Json]) -> ToolForm:
    function = tool["function"]
    parameters = function["parameters"]
    return ToolForm(
        name=function["name"],
        description=function["description"],
        parameters=[
            _parameter_form(name, schema, name in parameters["required"])
            for name, schema in parameters["properties"].items()
        ],
    )


def _parameter_form(name: str, schema: dict[str, Json], required: bool) -> ParameterForm:
    inner = schema.get("items", {}) if schema["type"] == "array" else schema
    fields = [
        FieldForm(
            name=field,
            type=each["type"],
            description=each["description"],
            required=field in inner.get("required", []),
            choices=each.get("enum"),
        )
        for field, each in inner.get("properties", {}).items()
    ]
    return ParameterForm(
        name=name,
        type=schema["type"],
        description=schema["description"],
        required=required,
        choices=inner.get("enum"),
        items=schema["items"]["type"] if schema["type"] == "array" else None,
        fields=fields or None,
        default=json.dumps(schema["default"], ensure_ascii=False) if "default" in schema else None,
    )
