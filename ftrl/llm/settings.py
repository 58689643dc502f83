"""Which model, and how it is asked."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Price(BaseModel):
    """Dollars per million tokens. Tokens that a provider read from or wrote to its cache count as input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class ModelSettings(BaseModel):
    """One model as one stage uses it. What can change an answer is part of an exchange's key; the rest is not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        description="Provider and name, as Inspect spells them: openai/NAME, anthropic/NAME, google/NAME, "
        "vllm/NAME, or openai-api/SERVICE/NAME for any server that speaks OpenAI's protocol.",
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="The provider's default if left out.")
    max_tokens: int = Field(default=16_384, ge=1, description="Longest answer, thinking included.")
    reasoning_effort: str | None = Field(default=None, description="low, medium, high …, for models that think.")
    seed: int | None = Field(
        default=None, description="Sent along where given; not all providers take one, and vLLM on a CPU dies of it."
    )
    structured: bool = Field(
        default=True, description="Send the answer's schema along; for servers that refuse one, turn it off."
    )
    base_url: str | None = Field(default=None, description="Where the provider is, if not where it usually is.")
    price: Price | None = Field(
        default=None, description="What tokens cost, where Inspect does not know; else money is shown as unknown."
    )
    connections: int = Field(default=8, ge=1, description="Requests to the model under way at the same time.")
    timeout: int = Field(default=600, ge=1, description="Seconds that one request may take.")
    retries: int = Field(
        default=6, ge=0, description="How often a request is made again that failed for no reason of its own."
    )

    @field_validator("model")
    @classmethod
    def _names_a_provider(cls, value: str) -> str:
        provider, _, name = value.partition("/")
        if not provider or not name or value.split() != [value]:
            raise ValueError(f"'{value}' names no provider and model; write PROVIDER/NAME, such as openai/NAME")
        return value

    def deciding(self) -> dict[str, Any]:
        """What can change an answer."""
        return self.model_dump(
            include={"model", "temperature", "max_tokens", "reasoning_effort", "seed", "structured"}, mode="json"
        )
