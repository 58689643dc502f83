"""The unit of work of a collection: one episode, lent to whoever plays it."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ftrl import telemetry
from ftrl.rollouts.episode import EpisodeKey
from ftrl.rollouts.trajectory import Trajectory

_log = logging.getLogger(__name__)

MOST_FAULTS = 3
"""An episode that fails so often through a fault of ours is left out, and reported."""

MOST_TOLD = 5
"""Reasons of which the first episode is told at once and in full; all others are told in one line at the end. Where a
provider is down, hundreds of episodes fail for one reason, each of them three times."""


@dataclass
class Lease:
    """One episode to be played.

    Attributes:
        environment: the environment, or a reference to it in Ray's object store.
        sources: its tools' sources, likewise.
        task: 0-based row of the task, for messages.
        key: names the episode.
        faults: how often it failed through a fault of ours.
    """

    environment: Any
    sources: Any
    task: int
    key: EpisodeKey
    faults: int = 0


@dataclass
class FleetEvents:
    """What went wrong in a collection so far, by kind; and leases that were given up, with their last trajectories."""

    run: str
    iteration: int
    engines_lost: int = 0
    faults: int = 0
    given_up: list[tuple[Lease, Trajectory]] = field(default_factory=list)
    _told: set[str | None] = field(default_factory=set)
    _untold: int = 0

    def fault(self, lease: Lease, trajectory: Trajectory) -> bool:
        """Note that an episode failed through a fault of ours; whether it is to be played again."""
        self.faults += 1
        lease.faults += 1
        again = lease.faults < MOST_FAULTS
        if not again:
            self.given_up.append((lease, trajectory))
        telemetry.FAULTS.add(run=self.run, iteration=self.iteration, outcome="retried" if again else "given_up")
        told = trajectory.error not in self._told and len(self._told) < MOST_TOLD
        self._told |= {trajectory.error} if told else set()
        self._untold += not told
        _log.log(
            logging.WARNING if told else logging.INFO,
            "run %s, iteration %d, task %s (row %d), sample %d, trajectory %s: failed through a fault of ours (%s), %s",
            self.run,
            self.iteration,
            trajectory.environment_id,
            lease.task,
            trajectory.sample,
            trajectory.id,
            trajectory.error,
            "played again" if again else "given up",
        )
        return again

    def sum_up(self) -> None:
        """Tell what ``fault`` did not, in one line that names every episode that was given up."""
        if not self._untold:
            return
        _log.warning(
            "run %s, iteration %d: %d more attempts failed through a fault of ours; %d episodes were given up (row of "
            "the task/sample: %s)",
            self.run,
            self.iteration,
            self._untold,
            len(self.given_up),
            " ".join(f"{lease.task}/{lease.key.sample}" for lease, _ in self.given_up) or "none",
        )

    def engine_lost(self, leases: Collection[Lease], why: str) -> None:
        """Note that an engine died, and that the episodes it had, if any, are handed out again."""
        self.engines_lost += 1
        telemetry.ENGINES_LOST.add(run=self.run, iteration=self.iteration)
        if leases:
            self.expired(leases, f"their engine died: {why}")
        else:
            _log.warning("run %s, iteration %d: an engine died that had no episode: %s", self.run, self.iteration, why)

    def expired(self, leases: Collection[Lease], why: str) -> None:
        """Note that episodes are handed out again, and why."""
        telemetry.LEASES_EXPIRED.add(len(leases), run=self.run, iteration=self.iteration)
        _log.warning(
            "run %s, iteration %d: %d episodes are played again (row of the task/sample: %s), since %s",
            self.run,
            self.iteration,
            len(leases),
            " ".join(f"{lease.task}/{lease.key.sample}" for lease in leases),
            why,
        )
