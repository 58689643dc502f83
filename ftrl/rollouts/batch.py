"""Finished episodes on their way into the store, which may be away for a while."""

from __future__ import annotations

import logging
import time

from ftrl import storage, telemetry
from ftrl.errors import FtrlError
from ftrl.rollouts.store import TrajectoryStore
from ftrl.rollouts.trajectory import Trajectory

_log = logging.getLogger(__name__)

COMMIT_EPISODES = 256
"""Episodes that are committed together at most."""

COMMIT_SECONDS = 5.0
"""A finished episode waits no longer than about this to be committed."""

MOST_WAITING = 4 * COMMIT_EPISODES
"""With so many waiting for a store that is away, no more are taken: whoever plays has to wait, too."""

OUTAGE_SECONDS = 600.0
"""For how long a store may be away."""


class Batch:
    """Takes finished episodes and commits them, some at a time.

    A store on S3 may be away for ten minutes: episodes wait for it meanwhile. After that, and at once for a local one,
    its error is raised; what was finished and not committed is played again by ``--resume``.
    """

    def __init__(self, store: TrajectoryStore) -> None:
        self._store = store
        self._waiting: list[Trajectory] = []
        self._next = 0.0
        self._away_since: float | None = None

    def add(self, trajectory: Trajectory) -> None:
        """Take one; commits if it is time to, and waits while the store is away and too many are waiting."""
        if not self._waiting:
            self._next = time.monotonic() + COMMIT_SECONDS
        self._waiting.append(trajectory)
        if len(self._waiting) >= COMMIT_EPISODES and self._away_since is None:
            self._commit()
        while len(self._waiting) >= MOST_WAITING:
            self._wait()

    def commit_if_due(self) -> None:
        """Commit if it is time to."""
        self._tell()
        if self._waiting and time.monotonic() >= self._next:
            self._commit()

    def finish(self) -> None:
        """Commit what is left."""
        while self._waiting:
            self._commit()
            if self._waiting:
                self._wait()

    def _wait(self) -> None:
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._commit()

    def _commit(self) -> None:
        # Taken out first: if the store fails (a full disk, say), the clean-up must not try the same again.
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        began = time.monotonic()
        try:
            self._store.append(waiting)
        except Exception as error:
            if not self._may_come_back(error):
                raise
            self._waiting = waiting
            self._next = time.monotonic() + COMMIT_SECONDS
            telemetry.COMMITS_RETRIED.add(run=self._store.run)
        else:
            self._away_since = None
            telemetry.COMMIT_SECONDS.observe(time.monotonic() - began, run=self._store.run)
        self._tell()

    def _tell(self) -> None:
        telemetry.EPISODES_UNCOMMITTED.set(len(self._waiting), run=self._store.run)

    def _may_come_back(self, error: Exception) -> bool:
        """Whether it is the store that is away, and not for too long yet."""
        if not storage.is_outage(self._store.path, error):
            return False
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            _log.warning(
                "run %s: %s does not answer (%s); episodes wait for it", self._store.run, self._store.path, error
            )
        if now - self._away_since > OUTAGE_SECONDS:
            raise FtrlError(
                f"{self._store.path} has not answered for {OUTAGE_SECONDS / 60:.0f} minutes ({error}); what was "
                "committed is kept: go on with --resume when it is back"
            ) from error
        return True
