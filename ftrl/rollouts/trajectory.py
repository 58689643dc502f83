"""The record of one episode: what the model saw, what it said, what its calls brought back, and the score."""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ftrl.sandbox import CallStatus

Json = Any
"""Any JSON value."""


class Record(BaseModel):
    """Base of the records here: immutable, and unknown fields are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TrajectoryStatus(str, Enum):
    """How an episode ended."""

    ANSWERED = "answered"
    """The model made a turn without calls."""
    MAX_TURNS = "max_turns"
    """The model was still calling tools at its last turn."""
    CONTEXT_FULL = "context_full"
    """The conversation no longer fits the model's context."""
    OUT_OF_TOKENS = "out_of_tokens"
    """The episode's own budget of tokens is spent (``EpisodeSettings.max_tokens``)."""
    STOPPED = "stopped"
    """Turn after turn brought nothing new (``EpisodeSettings.stop_after``)."""
    INFRASTRUCTURE = "infrastructure"
    """A fault of ours: no score, never stored as finished, collected again."""


class PolicyIdentity(Record):
    """Which model spoke: a name for people, and the hash of its weights (null where the weights are not at hand)."""

    name: str
    weights: str | None = None


class TrajectoryCall(Record):
    """One tool call.

    Attributes:
        turn: 0-based assistant turn that made it.
        name: as the model wrote it; there may be no such tool.
        arguments: JSON text.
        output: what the model was shown.
        seconds: how long the tool ran.
        gold: index (in the environment's ``golds``) of the gold it ticked, or null.
    """

    turn: int
    name: str
    arguments: str
    output: str
    call_status: CallStatus
    seconds: float
    gold: int | None = None


class AssistantTokens(Record):
    """The tokens of one assistant turn, as they were sampled.

    Attributes:
        prompt_tokens: length of the prompt in front of them.
        kept_tokens: how many of the prompt's tokens are the very tokens of the turns before (prompt and sample);
            the rest was tokenised anew. 0 for the first turn.
        token_ids: sampled, end-of-turn token included.
        logprobs: natural logarithms, one a token, of the distribution that was sampled from.
        finish_reason: ``stop`` (end of turn) or ``length`` (cut off by a limit).
    """

    prompt_tokens: int
    kept_tokens: int = 0
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str


class Usage(Record):
    """Tokens of all turns of an episode, as the engine or the provider counted them.

    Attributes:
        input: read, those from a provider's cache left out; for an engine of ours, all prompts.
        output: generated, thinking included.
        cache_read: read from the provider's cache.
        cache_write: written to it.
        usd: what the provider takes for them; null where no price is known, 0 for an engine of ours.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    usd: float | None = 0.0

    def plus(self, other: Usage) -> Usage:
        """Both together; what is not known of one is not known of both."""
        return Usage(
            input=self.input + other.input,
            output=self.output + other.output,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            usd=None if self.usd is None or other.usd is None else self.usd + other.usd,
        )


class Metrics(Record):
    """Precision, recall and F1 of an episode (paper, section 4.1) under one scoring profile."""

    profile: str
    precision: float
    recall: float
    f1: float


class Trajectory(Record):
    """One episode.

    Attributes:
        id: see ``trajectory_id``.
        run: the run that collected it.
        iteration: the round of training whose policy spoke.
        sample: 0-based number among the episodes of one environment in one iteration.
        seed: the seed of its sampling; null where the engine takes none.
        parser: name of the parser that read the calls for all profiles; null where each read with its own, or where
            a provider named them.
        messages: the conversation in OpenAI chat format, first user message included.
        calls: in the order in which they were made.
        turns: the tokens of each assistant turn; empty for a policy without tokens.
        usage: tokens in sums; null for a script, and for a provider that does not tell.
        metrics: one entry a scoring profile, that of the episode's settings first; empty for ``infrastructure``.
        error: what went wrong, for ``infrastructure``.
    """

    id: str
    run: str
    environment_id: str
    policy: PolicyIdentity
    iteration: int = Field(ge=0)
    sample: int = Field(ge=0)
    seed: int | None = None
    parser: str | None = None
    status: TrajectoryStatus
    messages: tuple[dict[str, Json], ...]
    calls: tuple[TrajectoryCall, ...] = ()
    turns: tuple[AssistantTokens, ...] = ()
    metrics: tuple[Metrics, ...] = ()
    usage: Usage | None = None
    error: str | None = None

    def metrics_of(self, profile: str) -> Metrics:
        """The metrics under the profile with this version.

        Raises:
            KeyError: the trajectory was not scored under it.
        """
        for metrics in self.metrics:
            if metrics.profile == profile:
                return metrics
        raise KeyError(profile)


def episode_seed(seed: int, environment_id: str, sample: int, iteration: int) -> int:
    """The seed of an episode's sampling: 31 bits, the same for the same collection seed, task, sample and iteration."""
    text = f"{seed}\0{iteration}\0{environment_id}\0{sample}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def trajectory_id(run: str, environment_id: str, sample: int, iteration: int) -> str:
    """The name of an episode: the same for the same run, environment, sample and iteration, wherever it is made."""
    return hashlib.sha256(f"{run}\0{iteration}\0{environment_id}\0{sample}".encode()).hexdigest()[:32]
