"""What a run of the generator is given."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ftrl.llm import ModelSettings
from ftrl.synthesis.language_model.prompts import versions
from ftrl.synthesis.scale import Scaling

ROLES = ("pose", "decompose", "document", "integrate", "scale", "distract", "judge", "deploy")
"""Who can have a model of its own: the stages, whoever makes distractor tools and their code, and the judge."""


class LanguageModelRun(BaseModel):
    """One run of the llm generator."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    questions: str | None = Field(
        default=None, description="A JSONL file of {question, answer} lines; scenario may be given as well."
    )
    documents: tuple[str, ...] = Field(
        default=(), description="Text files, or folders of them: questions are made from what they say."
    )
    topics: str | None = Field(default=None, description="A file with a topic a line: questions are made up.")
    model: ModelSettings = Field(description="The model of every role that has none of its own.")
    models: dict[str, ModelSettings] = Field(default_factory=dict, description="Models by role.")
    scaling: Scaling = Field(default_factory=Scaling)
    prompts: dict[str, str] = Field(
        default_factory=dict, description="Versions of prompts by name, where not the newest: deploy: deploy.v1."
    )
    judge: bool = Field(default=False, description="Have a model look over each toolset before its code is written.")
    budget_tokens: int | None = Field(default=None, ge=1, description="The most tokens this store may cost in all.")
    budget_usd: float | None = Field(default=None, gt=0, description="The most dollars this store may cost in all.")
    replay: str | None = Field(default=None, description="A recording to play back: no model is asked.")
    exchanges: str | None = Field(
        default=None, description="Where to keep what is asked and answered; in the store if left out."
    )

    @model_validator(mode="after")
    def _fits(self) -> LanguageModelRun:
        given = [bool(self.questions), bool(self.documents), bool(self.topics)]
        if sum(given) != 1:
            raise ValueError("give one of --questions, --documents and --topics")
        if unknown := sorted(set(self.models) - set(ROLES)):
            raise ValueError(f"there is no role {', '.join(unknown)}; the roles are {', '.join(ROLES)}")
        if unknown := [version for name, version in self.prompts.items() if version not in versions(name)]:
            raise ValueError(f"there is no prompt {', '.join(unknown)}")
        return self

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a prompt that may be asked, the first of them unless only another has its answer recorded."""
        if name in self.prompts:
            return (self.prompts[name],)
        return versions(name) if self.replay is not None else versions(name)[:1]

    def settings(self, role: str) -> ModelSettings:
        """The model of a role."""
        return self.models.get(role, self.model)
