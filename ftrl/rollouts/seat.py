"""A place for an engine in a fleet."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ftrl.rollouts.leases import Lease
from ftrl.rollouts.pulse import NOTHING_TOLD, PULSE_SECONDS, Pulse


@dataclass
class Seat:
    """A place for a worker, which may be taken by one after the other.

    Attributes:
        actor: the worker.
        starting: a reference that is there when it is ready; none once it is.
        leases: what it plays, by the reference of what will come of it.
        task: whose samples it was given last.
        deaths: of workers in this place, without an episode in between.
        pulse: a reference to what it will tell of itself, while it is asked.
        asked: when it was asked last; seconds of the monotonic clock.
        told: what it told last.
    """

    actor: Any = None
    starting: Any = None
    leases: dict[Any, Lease] = field(default_factory=dict)
    task: int | None = None
    deaths: int = 0
    pulse: Any = None
    asked: float = 0.0
    told: Pulse = NOTHING_TOLD

    def feel_pulse(self, ray: Any) -> float:
        """Ask the worker how it is, if it is time to, and take note of what it has told.

        Returns:
            for how many seconds it has owed an answer.

        Raises:
            RayError: it cannot answer any more.
        """
        now = time.monotonic()
        if self.starting is not None:
            self.asked = now
        elif self.pulse is None:
            if now - self.asked >= PULSE_SECONDS:
                self.pulse, self.asked = self.actor.pulse.remote(), now
        elif ray.wait([self.pulse], timeout=0)[0]:
            answer, self.pulse = self.pulse, None
            self.told = ray.get(answer)
        else:
            return now - self.asked
        return 0.0
