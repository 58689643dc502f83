"""The unit of work of a collection: one episode, lent to whoever plays it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ftrl.rollouts.episode import EpisodeKey

MOST_FAULTS = 3
"""An episode that fails so often through a fault of ours is left out, and reported."""


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
    """What went wrong so far, by kind; and leases that were given up."""

    engines_lost: int = 0
    faults: int = 0
    given_up: list[tuple[Lease, str]] = field(default_factory=list)

    def fault(self, lease: Lease, error: str) -> bool:
        """Note that an episode failed through a fault of ours; whether it is to be played again."""
        self.faults += 1
        lease.faults += 1
        if lease.faults < MOST_FAULTS:
            return True
        self.given_up.append((lease, error))
        return False
