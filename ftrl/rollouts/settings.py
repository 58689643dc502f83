"""What can be chosen about a collection, each choice with its reason."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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


class EngineSettings(Settings):
    """How the engines run; none of it changes what an episode means."""

    engines: int = Field(default=1, ge=1, description="Engines side by side, each with its own copy of the model.")
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
        description="Episodes that one engine plays at once; 256 on a GPU and 32 on a CPU if left out. "
        "More than the engine can batch only wait inside it.",
    )
    sandbox_workers: int | None = Field(
        default=None, ge=1, description="Tools at work on each node; one per core if left out."
    )
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1, description="Share of each GPU's memory to use.")
    cpu_kv_cache_gib: int = Field(default=1, ge=1, description="Key-value cache of an engine on a CPU, in GiB.")


class CollectConfig(Settings):
    """One collection: which tasks, which model, how many samples, where to."""

    tasks: str = Field(description="An environment store, or a JSONL or Parquet file in the published format.")
    model: str = Field(description="Folder of a model on this machine.")
    out: str = Field(description="The trajectory store, local or s3://.")
    samples: int = Field(default=1, ge=1, description="Episodes of each task.")
    iteration: int = Field(default=0, ge=0, description="Round of training that these episodes belong to.")
    limit: int | None = Field(default=None, ge=1, description="Only the first so many tasks.")
    resume: bool = Field(default=False, description="Go on with a store that is there.")
    run: str | None = Field(
        default=None, description="Name of the run, part of every trajectory's id; random if left out."
    )
    episode: EpisodeSettings = EpisodeSettings()
    engine: EngineSettings = EngineSettings()


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
        raise InputError(f"{first['msg'].lower()}, not {first['input']!r}", field=field) from error
