"""What can be chosen about a collection, each choice with its reason."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ftrl.errors import InputError


class Settings(BaseModel):
    """Base: immutable, and an option that does not exist is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EpisodeSettings(Settings):
    """How one episode is played. Two collections compare only if these are equal."""

    max_turns: int = Field(default=20, ge=1, description="Assistant turns at most (paper, section 4.1).")
    temperature: float = Field(default=1.0, ge=0, description="0 takes the likeliest token; 1 is right for training.")
    max_response_tokens: int = Field(default=1024, ge=1, description="Tokens of one assistant turn at most.")
    max_output_chars: int | None = Field(
        default=None, ge=1, description="Characters of a tool's output that are shown; all, as published, if left out."
    )
    thinking: bool = Field(default=False, description="Passed to the chat template as enable_thinking.")
    profile: str = Field(
        default="reference",
        description="Scoring profile whose parser reads the calls and whose ticks the snapshots follow; "
        "scored is under every profile.",
    )
    parser: str | None = Field(
        default=None,
        description="Parser that reads the calls for all profiles: qwen or llama31, as published, or one of vLLM's by "
        "its own name. If left out, each profile reads with its own, which is the Qwen family's.",
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        description="Each episode's sampling gets a seed of its own, made from this one, its task and its sample. "
        "Not every engine and provider takes seeds.",
    )
    reasoning_effort: str | None = Field(
        default=None, description="low, medium, high …, for a provider's models that think."
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="Tokens that the model may generate in one episode; any number if left out."
    )
    stop_after: int | None = Field(
        default=None,
        ge=1,
        description="End an episode after so many turns in a row whose calls were all made before, word for word, or "
        "are no calls of any tool. Saves tokens; not under the reference profile, which plays on.",
    )

    @model_validator(mode="after")
    def _reference_plays_on(self) -> EpisodeSettings:
        if self.stop_after is not None and self.profile == "reference":
            raise ValueError("episodes are never stopped early under the profile 'reference'; choose another profile")
        return self


class EngineSettings(Settings):
    """How the engines run; none of it changes what an episode means."""

    engines: int = Field(default=1, ge=1, description="Engines side by side, each with its own copy of the model.")
    least_engines: int | None = Field(
        default=None,
        ge=1,
        description="Begin when the cluster has room for so many; the others join when it has room for them. All of "
        "them if left out.",
    )
    tensor_parallel: int = Field(default=1, ge=1, description="GPUs that share one copy of the model.")
    max_model_len: int | None = Field(
        default=None,
        ge=1,
        description="Context in tokens; the model's own if left out. Shorter saves memory.",
    )
    dtype: str = Field(default="auto", description="Precision of the weights, as vLLM spells it.")
    episodes_in_flight: int | None = Field(
        default=None,
        ge=1,
        description="Episodes that one engine plays at once; 256 on a GPU and 32 on a CPU if left out, and 32 with a "
        "provider. More than the engine can batch only wait inside it.",
    )
    sandbox_workers: int | None = Field(
        default=None, ge=1, description="Tools at work on each node; one per core if left out."
    )
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1, description="Share of each GPU's memory to use.")
    cpu_kv_cache_gib: int = Field(default=1, ge=1, description="Key-value cache of an engine on a CPU, in GiB.")
    hang_seconds: float = Field(
        default=300.0,
        gt=0,
        description="An engine that gives no sign of life for so long is taken for hung, and replaced. One step of it "
        "must take less.",
    )

    @model_validator(mode="after")
    def _no_more_at_least_than_at_most(self) -> EngineSettings:
        if self.least_engines is not None and self.least_engines > self.engines:
            raise ValueError(f"at least {self.least_engines} engines cannot be had of {self.engines}")
        return self


class ProviderSettings(Settings):
    """How a provider's model is reached; none of it changes what an episode means."""

    base_url: str | None = Field(default=None, description="Where the provider is, if not where it usually is.")
    price_input: float | None = Field(default=None, ge=0, description="Dollars for a million tokens read.")
    price_output: float | None = Field(default=None, ge=0, description="Dollars for a million tokens generated.")
    timeout: int = Field(default=600, ge=1, description="Seconds that one request may take.")
    retries: int = Field(
        default=6, ge=0, description="How often a request is made again that failed for no reason of its own."
    )


class CollectConfig(Settings):
    """One collection: which tasks, which model, how many samples, where to."""

    tasks: str = Field(description="An environment store, or a JSONL or Parquet file in the published format.")
    model: str = Field(description="Folder of a model on this machine, or PROVIDER/NAME.")
    out: str = Field(description="The trajectory store, local or s3://.")
    samples: int = Field(default=1, ge=1, description="Episodes of each task.")
    iteration: int = Field(default=0, ge=0, description="Round of training that these episodes belong to.")
    limit: int | None = Field(default=None, ge=1, description="Only the first so many tasks.")
    resume: bool = Field(default=False, description="Go on with a store that is there.")
    run: str | None = Field(
        default=None, description="Name of the run, part of every trajectory's id; random if left out."
    )
    budget_tokens: int | None = Field(
        default=None,
        ge=1,
        description="No further episode begins once the store's episodes have taken so many generated tokens.",
    )
    budget_usd: float | None = Field(
        default=None, gt=0, description="No further episode begins once the store's episodes have cost so much."
    )
    episode: EpisodeSettings = EpisodeSettings()
    engine: EngineSettings = EngineSettings()
    provider: ProviderSettings = ProviderSettings()


S = TypeVar("S", bound=Settings)


def settings_from(kind: type[S], /, **values: Any) -> S:
    """Settings from a caller's values.

    Raises:
        InputError: a value that cannot be; names the field.
    """
    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        if not field:  # values that do not go together
            raise InputError(first["msg"].removeprefix("Value error, ")) from error
        raise InputError(f"{first['msg'].lower()}, not {first['input']!r}", field=field) from error
