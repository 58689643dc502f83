"""What Prometheus is told of a run: every metric with its name, and where the work is done, one line that counts.

Ray exports them on each node's metrics port, counters as ``ray_NAME_total`` and the others as ``ray_NAME``. Names and
tags are kept stable: ``cluster/grafana/ftrl.json`` and docs/operating.md are made of them. A process that is not
connected to Ray counts nothing; it is neither started nor imported from here.

A tag has few values; no task, trajectory or sample is one. To record sends no message and takes some microseconds, half
a one where there is no Ray; what is done thousands of times a second is added up first.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A metric, as it is declared.

    Attributes:
        name: without Ray's prefix.
        says: one sentence, for Prometheus and the documentation.
        tags: names of its tags; each of them is given whenever something is recorded.
    """

    name: str
    says: str
    tags: tuple[str, ...] = ()

    @property
    def exported(self) -> str:
        """What queries call it."""
        return f"ray_{self.name}"

    def _values(self, tags: dict[str, object]) -> dict[str, str] | None:
        """The tags as Ray wants them; None where there is nobody to tell.

        Raises:
            ValueError: they are not those that were declared; with Ray or without.
        """
        if tags.keys() != set(self.tags):
            raise ValueError(f"{self.name} has the tags {', '.join(self.tags)}, not {', '.join(tags)}")
        return {tag: str(value) for tag, value in tags.items()} if _connected() else None


class Counter(Metric):
    """Goes up only; what one asks for is how fast."""

    @property
    def exported(self) -> str:
        """What queries call it."""
        return f"ray_{self.name}_total"

    @cached_property
    def _recorder(self) -> Any:
        from ray.util.metrics import Counter as RayCounter

        return RayCounter(self.name, self.says, tag_keys=self.tags)

    def add(self, amount: float = 1, /, **tags: object) -> None:
        """Count so many more; nothing is counted where it is 0."""
        if (values := self._values(tags)) is not None and amount:
            self._recorder.inc(float(amount), tags=values)


class Gauge(Metric):
    """Goes up and down. Ray forgets a value after about twenty seconds: what stays the same for longer is set again."""

    @cached_property
    def _recorder(self) -> Any:
        from ray.util.metrics import Gauge as RayGauge

        return RayGauge(self.name, self.says, tag_keys=self.tags)

    def set(self, value: float, /, **tags: object) -> None:
        """Take note of the present value."""
        if (values := self._values(tags)) is not None:
            self._recorder.set(float(value), tags=values)


@dataclass(frozen=True)
class Histogram(Metric):
    """How values are spread, in buckets. Ray makes up the sum of the middles of buckets: never ask for a mean.

    Attributes:
        bounds: upper ends of the buckets, in ascending order.
    """

    bounds: tuple[float, ...] = ()

    @property
    def exported(self) -> str:
        """What queries call it."""
        return f"ray_{self.name}_bucket"

    @cached_property
    def _recorder(self) -> Any:
        from ray.util.metrics import Histogram as RayHistogram

        return RayHistogram(self.name, self.says, boundaries=list(self.bounds), tag_keys=self.tags)

    def observe(self, value: float, /, **tags: object) -> None:
        """Add a value."""
        if (values := self._values(tags)) is not None:
            self._recorder.observe(float(value), tags=values)


def _connected() -> bool:
    """Whether this process is connected to Ray; one that never imported it is not."""
    asked = getattr(sys.modules.get("ray"), "is_initialized", None)
    return asked is not None and asked()


# Rollouts: told by the process that hands the episodes out. `run` is that of the trajectory store.

_COLLECTION = ("run", "iteration")

EPISODES = Counter("ftrl_rollout_episodes", "Episodes that were finished, by how they ended.", (*_COLLECTION, "status"))
TOKENS = Counter("ftrl_rollout_tokens", "Tokens that the model generated in finished episodes.", _COLLECTION)
F1 = Counter("ftrl_rollout_f1", "Sum of the F1 of finished episodes, under each profile.", (*_COLLECTION, "profile"))
EPISODES_LEFT = Gauge("ftrl_rollout_left", "Episodes that were asked for and are not finished.", _COLLECTION)
EPISODES_IN_FLIGHT = Gauge("ftrl_rollout_in_flight", "Episodes that are with an engine.", _COLLECTION)
ENGINES = Gauge("ftrl_rollout_engines", "Engines that are ready.", _COLLECTION)
ENGINES_LOST = Counter("ftrl_rollout_engines_lost", "Engines that died and were replaced.", _COLLECTION)
LEASES_EXPIRED = Counter(
    "ftrl_rollout_leases_expired",
    "Episodes handed out again since their engine, or the node with their result, was lost.",
    _COLLECTION,
)
FAULTS = Counter(
    "ftrl_rollout_faults",
    "Episodes that failed through a fault of ours, by what came of them: retried or given_up.",
    (*_COLLECTION, "outcome"),
)
EPISODES_UNCOMMITTED = Gauge("ftrl_store_uncommitted", "Finished episodes that wait to be committed.", ("run",))
COMMIT_SECONDS = Histogram(
    "ftrl_store_commit_seconds",
    "Seconds that a commit to the trajectory store took.",
    ("run",),
    (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
)
COMMITS_RETRIED = Counter(
    "ftrl_store_commits_retried", "Commits that failed since the store was away, and were tried again.", ("run",)
)

# Tools: told by the sandbox of each node, on which rollouts and rewards depend.

TOOL_CALLS = Counter("ftrl_tool_calls", "Tool calls that were answered, by how they ended.", ("status",))
TOOL_CALLS_IN_FLIGHT = Gauge("ftrl_tool_calls_in_flight", "Tool calls that a node's sandbox has not yet answered.")
TOOL_CALLS_RETRIED = Counter("ftrl_tool_calls_retried", "Tool calls made again since their node's sandbox died.")

# Training. `run` is the name of the iteration, RUN-iteration-N.

STEP = Gauge("ftrl_training_step", "The last step that was finished.", ("run",))
REWARD = Gauge(
    "ftrl_training_reward", "Mean reward of the last step's responses, under each profile.", ("run", "profile")
)
RESPONSES = Counter(
    "ftrl_training_responses",
    "Responses of finished steps; lost are those that a fault of ours kept from being scored.",
    ("run", "status"),
)
RESPONSE_TOKENS = Counter("ftrl_training_tokens", "Tokens of the responses of finished steps.", ("run",))
BEING_SCORED = Gauge("ftrl_training_being_scored", "Responses that wait for their reward.", ("run",))
RESTARTS = Counter("ftrl_training_restarts", "Trainers that were started again from a checkpoint.", ("run",))

# Synthesis: told by the process that the stages work for.

ITEMS = Counter(
    "ftrl_synthesis_items",
    "Items that left a stage, by what came of them: made, rejected, or repeated since a worker died.",
    ("stage", "outcome"),
)
ITEMS_WAITING = Gauge("ftrl_synthesis_waiting", "Items that wait for a stage.", ("stage",))
ITEMS_IN_FLIGHT = Gauge("ftrl_synthesis_in_flight", "Items that a stage is at work on.", ("stage",))

METRICS: tuple[Metric, ...] = tuple(each for each in list(globals().values()) if isinstance(each, Metric))
"""All of them, in this order."""
