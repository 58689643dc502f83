"""What every benchmark is to the rest of us: samples from a file, a way to play one, a way to score what was played.

The three steps are apart on purpose. ``play`` needs a policy and leaves a ``Transcript``; ``score`` needs only that
transcript, so a stored run is scored again without a model, and each step is one part of an evaluation framework's
task: samples are its data set, ``play`` its solver, ``score`` its scorer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from ftrl.rollouts import EpisodeSettings, Metrics, Policy
from ftrl.rollouts.episode import ToolRunner
from ftrl.rollouts.trajectory import Json, Record, TrajectoryCall, episode_seed

T = TypeVar("T")


@dataclass(frozen=True)
class DataSource:
    """Where a benchmark's data comes from.

    Attributes:
        title: what it is.
        origin: who publishes it, and where.
        licence: SPDX identifiers.
        files: what has to lie at the path that is given to ``load``.
        how: how to get it, as a sentence.
    """

    title: str
    origin: str
    licence: str
    files: str
    how: str


@dataclass(frozen=True)
class Sample(Generic[T]):
    """One task of a benchmark.

    Attributes:
        id: unique within the benchmark, the same in every run.
        task: what ``play`` and ``score`` need.
        labels: what results are broken down by: name → value.
    """

    id: str
    task: T
    labels: Mapping[str, str] = field(default_factory=dict)


class Transcript(Record):
    """What happened in one episode; all that a score may depend on.

    Attributes:
        messages: in OpenAI chat format, the prompt included.
        calls: the tool calls that were made, in order.
        ending: why the episode ended, in one word; the suite says which there are.
        earned: scores that were made while it was played, by profile; only of suites where that is so.
    """

    messages: tuple[dict[str, Json], ...]
    calls: tuple[TrajectoryCall, ...] = ()
    ending: str
    earned: tuple[Metrics, ...] = ()

    def said(self) -> list[str]:
        """The assistant's texts, in order; empty ones for turns of calls only."""
        return [message.get("content") or "" for message in self.messages if message["role"] == "assistant"]


class Score(Record):
    """What an episode earned.

    Attributes:
        metrics: metric → value in [0, 1].
        explanation: why, in a line that a person can read.
    """

    metrics: dict[str, float]
    explanation: str


class Suite(Protocol[T]):
    """A benchmark."""

    @property
    def name(self) -> str:
        """As it is chosen on the command line."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever a score could change."""
        ...

    @property
    def source(self) -> DataSource:
        """Where its data comes from."""
        ...

    @property
    def metrics(self) -> Sequence[str]:
        """What ``score`` returns, the metric that stands for the whole first."""
        ...

    @property
    def variant(self) -> Mapping[str, str]:
        """What was chosen where its authors left a choice: name → value."""
        ...

    @property
    def settings(self) -> EpisodeSettings:
        """How its episodes are played unless the user says otherwise: as its authors did."""
        ...

    def load(self, path: str) -> list[Sample[T]]:
        """The tasks in the file or folder.

        Raises:
            InputError: it is missing, or not what it should be; names the file, the line and the field.
        """
        ...

    async def play(
        self, sample: Sample[T], policy: Policy, sandbox: ToolRunner, settings: EpisodeSettings, trial: int = 0
    ) -> Transcript:
        """One episode; ``trial`` is its number among those of the sample, and makes its seed (``seed_of``).

        Raises:
            EngineFault, Unscorable: a turn or a call failed through a fault of ours; the episode is to be played again.
            EngineLost: the engine died; so has it.
        """
        ...

    async def score(self, sample: Sample[T], transcript: Transcript, sandbox: ToolRunner) -> Score:
        """What the transcript earns.

        Raises:
            Unscorable: a call that scoring needs failed through a fault of ours.
        """
        ...


def seed_of(sample: Sample[Any], settings: EpisodeSettings, trial: int) -> int | None:
    """The seed of an episode's sampling, the same in every run; ``None`` where the settings ask for none."""
    return None if settings.seed is None else episode_seed(settings.seed, sample.id, trial, 0)


def message(role: str, content: str) -> dict[str, Any]:
    """A chat message that is only text."""
    return {"role": role, "content": content}


def spoken(text: str) -> str:
    """A turn without what the model thought; nothing where its thinking was cut off."""
    return text.rpartition("</think>")[2].partition("<think>")[0]
