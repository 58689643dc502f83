"""What to synthesise, and what came of it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ftrl.environments.schema import Scenario
from ftrl.llm import Totals
from ftrl.synthesis.language_model.settings import LanguageModelRun
from ftrl.synthesis.tables.style import StyleName


class SynthesisConfig(BaseModel):
    """One run of ``ftrl synth``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    out: str = Field(description="The store to write, local or s3://.")
    generator: Literal["tables", "llm"] = Field(
        default="tables",
        description="tables: facts of a fictional world or of your tables, no model. llm: a language model.",
    )
    tables: tuple[str, ...] = Field(
        default=(), description="CSV, TSV, Parquet and SQLite files, or folders of them; none: the fictional world."
    )
    table_schema: str | None = Field(default=None, description="A YAML file that says what the tables do not.")
    count: int = Field(default=100, ge=1, description="Items to make; an item that is rejected each time is missing.")
    scenarios: tuple[Scenario, ...] = Field(
        default=tuple(Scenario), min_length=1, description="Scenarios; the items take turns between them."
    )
    seed: int = Field(default=0, ge=0, description="Which world, and which tasks in it.")
    split: Literal["train", "test"] = Field(
        default="train", description="The two splits of a seed are two worlds that share no name."
    )
    style: StyleName = Field(
        default="compact",
        description="compact: for policies of a few million parameters. rich: for real models.",
    )
    distractors: tuple[int, int] | None = Field(
        default=None, description="Fewest and most distractor tools; the style decides where it is left out."
    )
    hops: tuple[int, int] | None = Field(default=None, description="Fewest and most hops of a multi-hop chain.")
    branches: tuple[int, int] | None = Field(default=None, description="Fewest and most branches that are parallel.")
    queries: float | None = Field(
        default=None, ge=0, le=1, description="Share of chains that filter, add up, convert or ask for a time."
    )
    near_misses: float | None = Field(
        default=None, ge=0, le=1, description="Share of the distractors that are close to a tool that is needed."
    )
    functional: float | None = Field(
        default=None, ge=0, le=1, description="Functional generalisation: share of tools that serve more than asked."
    )
    expansions: int | None = Field(
        default=None, ge=0, le=12, description="Parameter expansion: most parameters beyond those that are needed."
    )
    required: float | None = Field(
        default=None, ge=0, le=1, description="Share of the added parameters that have to be given."
    )
    types: float | None = Field(
        default=None, ge=0, le=1, description="Type generalisation: share of tools that take lists and objects."
    )
    like: str | None = Field(
        default=None, description="Solve rates, a task a line: more is made of what is solved sometimes."
    )
    like_tasks: str | None = Field(default=None, description="The tasks that the ids in these lines are of.")
    language_model: LanguageModelRun | None = Field(default=None, description="What the llm generator is given.")
    exclude: tuple[str, ...] = Field(
        default=(), description="Evaluation sets, as TASKS: nothing that overlaps with them is accepted."
    )
    embeddings: str | None = Field(
        default=None,
        description="The folder of a sentence-embedding model: near-duplicates and contamination go by meaning, too.",
    )
    workers: int = Field(default=2, ge=1, description="How many verify side by side; Ray actors in a large run.")
    resume: bool = Field(default=False, description="Go on behind the last item of a store that is there.")

    @field_validator("hops", "branches")
    @classmethod
    def _is_more_than_one(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 2 <= value[0] <= value[1] <= 8:
            raise ValueError("must be a range such as 2-6, within 2-8")
        return value

    @field_validator("distractors")
    @classmethod
    def _is_a_range(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 0 <= value[0] <= value[1] <= 20:
            raise ValueError("distractors must be a range such as 2-4, within 0-20")
        return value


class StageReport(BaseModel):
    """What a stage did.

    Attributes:
        entered: products that it was given; what is drawn anew counts again.
        left: products that it made of them.
        sent_back: answers of its model that were asked for again, by rule; of items that are accepted or rejected.
        rejected: products that it rejected, by rule.
        in_flight: products that it is at work on.
        repeated: products that it was given again, because a worker died under them.
        seconds: time of its calls, of those side by side too.
    """

    name: str
    entered: int
    left: int
    sent_back: dict[str, int] = Field(default_factory=dict)
    rejected: dict[str, int]
    in_flight: int
    repeated: int
    seconds: float


class SynthesisReport(BaseModel):
    """What a run made. An item is an index; a candidate is one attempt at it.

    Attributes:
        done: items of this run that were accepted or given up; with ``resume``, also those before.
        accepted: environments written by this run.
        kept: environments that were in the store before (``resume``).
        candidates: attempts that were verified.
        given_up: items of which every attempt was rejected.
        rejections: candidates rejected, by the rule that they broke.
        examples: the first few rejections, in words.
        scenarios: accepted environments by scenario.
        calls: sandbox calls that verified the accepted ones, by purpose.
        means: tools, parameters_per_tool, question_characters, documents_characters, code_characters_per_tool,
            golden_calls: per accepted environment.
        stages: what each stage did, in their order.
        seconds: wall clock, all starting included.
        ledger: what was asked of models for the whole store, by stage and under ``all``; nothing where none was asked.
    """

    out: str
    done: int = 0
    accepted: int = 0
    kept: int = 0
    candidates: int = 0
    given_up: int = 0
    rejections: dict[str, int] = Field(default_factory=dict)
    examples: list[str] = Field(default_factory=list)
    scenarios: dict[str, int] = Field(default_factory=dict)
    calls: dict[str, int] = Field(default_factory=dict)
    means: dict[str, float] = Field(default_factory=dict)
    stages: list[StageReport] = Field(default_factory=list)
    seconds: float = 0.0
    ledger: dict[str, Totals] = Field(default_factory=dict)

    @property
    def acceptance(self) -> float:
        """Share of the candidates that were accepted; 1.0 where there was none."""
        return self.accepted / self.candidates if self.candidates else 1.0
