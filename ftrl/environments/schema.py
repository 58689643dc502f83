"""The record of one task: its question, its tools, and the answers that its tool calls must bring back.

An ``Environment`` is a value: its ``id`` is the sha256 of its canonical content, so that the same task has
the same id wherever it was made. Tool sources are not part of the record; ``implementations`` names them by
sha256 and the store holds each source once (paper, section 3.1).
"""

from __future__ import annotations

import hashlib
import json
from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Json = Any
"""Any JSON value."""


class Scenario(str, Enum):
    """The four shapes of a task (paper, section 3.1): how its sub-questions depend on each other."""

    SINGLE_HOP = "single_hop"
    PARALLEL_SINGLE_HOP = "parallel_single_hop"
    MULTI_HOP = "multi_hop"
    PARALLEL_MULTI_HOP = "parallel_multi_hop"


class Record(BaseModel):
    """Base of every stored record: immutable, and unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Gold(Record):
    """An answer that some call of ``tool`` must bring back for the task to be solved."""

    tool: str
    value: str
    sub_question: str | None = Field(default=None, description="id of the sub-question it answers; null if imported")


class SubQuestion(Record):
    """One step of the decomposed question, with the golden call that answers it."""

    id: str
    text: str
    answer: str
    depends_on: tuple[str, ...] = ()
    tool: str
    arguments: dict[str, Json]


class Environment(Record):
    """One task and everything needed to practise on it, but for the tools' sources.

    Attributes:
        id: sha256 of the canonical content (see ``content_id``); filled in when left out.
        question: the user message, whole, as the model sees it.
        answer: the final answer, or null where the source gives none.
        tools: OpenAI function schemas, in the order in which they are shown.
        implementations: tool name -> sha256 of its source.
        golds: in the order of the source; the same value may stand twice.
        trace: sub-questions with golden calls; empty for imported tasks.
        provenance: generator, models, prompt versions, seed, cost, verification results.
    """

    id: str = ""
    scenario: Scenario
    question: str
    answer: str | None = None
    tools: tuple[dict[str, Json], ...]
    implementations: dict[str, str]
    golds: tuple[Gold, ...]
    trace: tuple[SubQuestion, ...] = ()
    split: str = "train"
    data_source: str = ""
    provenance: dict[str, Json] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fill_id(self) -> Environment:
        # Only once every field is validated: the id must not depend on how the caller spelled the values.
        if not self.id:
            self.__dict__["id"] = content_id(self)
            self.__pydantic_fields_set__.add("id")
        return self

    def unsolved(self) -> dict[str, list[str]]:
        """The golds as ``{tool: [values]}``, as published: tools by first mention, values by position."""
        unsolved: dict[str, list[str]] = {}
        for gold in self.golds:
            unsolved.setdefault(gold.tool, []).append(gold.value)
        return unsolved

    def messages(self) -> list[dict[str, Json]]:
        """The conversation before the first turn: one user message."""
        return [{"role": "user", "content": self.question}]


def source_id(source: str) -> str:
    """The name of a tool source in a store: sha256 of its UTF-8 text, in hexadecimal."""
    return hashlib.sha256(source.encode()).hexdigest()


def content_id(environment: Environment) -> str:
    """The sha256 of an environment's canonical JSON: everything but ``id``, ``provenance`` and ``split``."""
    body = environment.model_dump(mode="json", exclude={"id", "provenance", "split"})
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
