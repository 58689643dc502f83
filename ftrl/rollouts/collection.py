"""Collecting trajectories: the work that is missing from the store, played by a fleet, committed as it comes.

The driver holds no state of its own: what is left to do is what was asked for less what the store has. So a run can
be killed at any moment and gone on with, and nothing is lost but the episodes of the last seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from ftrl import storage
from ftrl.environments import Tasks, open_tasks
from ftrl.errors import FtrlError, InputError
from ftrl.models import check_model_folder, weights_hash
from ftrl.ray_session import ray_session
from ftrl.rewards import profile_named
from ftrl.rollouts.episode import EpisodeKey
from ftrl.rollouts.fleet import Fleet, Lease
from ftrl.rollouts.progress import Display, Tally
from ftrl.rollouts.settings import CollectConfig
from ftrl.rollouts.store import Collection, TrajectoryStore, is_trajectory_store
from ftrl.rollouts.trajectory import PolicyIdentity, Trajectory

COMMIT_EPISODES = 256
"""Episodes that are committed together at most."""

COMMIT_SECONDS = 5.0
"""A finished episode waits no longer than about this to be committed."""

PROVIDERS = (
    "openai",
    "openai-api",
    "anthropic",
    "google",
    "vllm",
    "together",
    "openrouter",
    "groq",
    "mistral",
)


class CollectReport(BaseModel):
    """What a collection did. Means are over the episodes of this call; null if there were none.

    Attributes:
        episodes: in the store now, of what was asked for.
        collected: played by this call.
        statuses: how these ended.
        errors: calls that did not end well, by status; ``infrastructure`` are episodes played again, ``engine_lost``
            engines replaced.
        tokens: generated.
        seconds: for how long there was an engine ready.
    """

    model_config = ConfigDict(frozen=True)

    store: str
    run: str
    iteration: int
    policy: PolicyIdentity
    episodes: int
    collected: int
    statuses: dict[str, int]
    errors: dict[str, int]
    turns: float | None
    calls: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    tokens: int
    seconds: float


def collect(config: CollectConfig, *, display: bool = True) -> CollectReport:
    """Play every (task, sample) that the store does not have yet, and store it.

    Uses the Ray that is connected or running, else one of its own. All engines are gone when this returns.

    Args:
        config: what to collect.
        display: whether to show progress on stderr.

    Raises:
        InputError: the model, the tasks or the store are not as they should be; nothing was started.
        FtrlError: the work failed; what was finished is in the store.
    """
    profile_named(config.episode.profile)
    _refuse_providers(config.model)
    check_model_folder(config.model)
    tasks = open_tasks(config.tasks)
    ids = tasks.ids()[: config.limit]  # reads all of them: a broken row is found before an engine starts
    identity = PolicyIdentity(name=config.model, weights=weights_hash(config.model))
    with _store(config) as store:
        store.begin(Collection(iteration=config.iteration, policy=identity, settings=config.episode))
        done = store.done(config.iteration)
        wanted = [
            (row, sample)
            for row, id_ in enumerate(ids)
            for sample in range(config.samples)
            if (id_, sample) not in done
        ]
        tally = Tally(total=len(ids) * config.samples, before=len(ids) * config.samples - len(wanted))
        given_up: list[tuple[Lease, str]] = []
        if wanted:
            given_up = _run(config, identity, tasks, wanted, store, tally, display=display)
        report = _report(config, store, identity, tally)
    if given_up:
        lease, error = given_up[0]
        raise FtrlError(
            f"{len(given_up)} of {tally.total} episodes could not be played through a fault of ours (first: task "
            f"{lease.task}, sample {lease.key.sample}: {error}); the others are stored, go on with --resume"
        )
    return report


def _run(
    config: CollectConfig,
    identity: PolicyIdentity,
    tasks: Tasks,
    wanted: list[tuple[int, int]],
    store: TrajectoryStore,
    tally: Tally,
    *,
    display: bool,
) -> list[tuple[Lease, str]]:
    batch = _Batch(store)
    with (
        ray_session() as ray,
        Fleet(ray, config, identity, len(wanted)) as fleet,
        Display(tally, silent=not display) as shown,
    ):

        def tick() -> None:
            batch.commit_if_due()
            tally.notice(engines=fleet.running, in_flight=fleet.in_flight)
            for kind, count in (
                ("engine_lost", fleet.events.engines_lost),
                ("infrastructure", fleet.events.faults),
            ):
                if count:
                    tally.errors[kind] = count
            shown.refresh()

        try:
            for trajectory in fleet.play(_leases(ray, tasks, wanted, store.run, config.iteration), tick=tick):
                tally.add(trajectory)
                batch.add(trajectory)
        finally:
            batch.commit()
        return fleet.events.given_up


def _leases(ray: Any, tasks: Tasks, wanted: list[tuple[int, int]], run: str, iteration: int) -> Iterator[Lease]:
    """The work, read from the tasks as it is handed out; samples of a task share one copy of it in Ray."""
    last = -1
    for row, sample in wanted:
        if row != last:
            environment = tasks[row]
            shared = ray.put(environment), ray.put(tasks.sources(environment))
            last = row
        yield Lease(*shared, task=row, key=EpisodeKey(run, iteration, sample))


class _Batch:
    """Finished episodes on their way into the store."""

    def __init__(self, store: TrajectoryStore) -> None:
        self._store = store
        self._waiting: list[Trajectory] = []
        self._since = 0.0

    def add(self, trajectory: Trajectory) -> None:
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.append(trajectory)
        if len(self._waiting) >= COMMIT_EPISODES:
            self.commit()

    def commit_if_due(self) -> None:
        if self._waiting and time.monotonic() - self._since >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        # Taken out first: if the store fails (a full disk, say), the clean-up must not try the same again.
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._store.append(waiting)


def _store(config: CollectConfig) -> TrajectoryStore:
    if config.resume and is_trajectory_store(config.out):
        store = TrajectoryStore.open(config.out)
        if config.run not in (None, store.run):
            raise InputError(f"the store here is of run '{store.run}', not '{config.run}'", file=config.out)
        return store
    return TrajectoryStore.create(config.out, run=config.run)


def _refuse_providers(model: str) -> None:
    provider, slash, name = model.partition("/")
    if slash and name and provider in PROVIDERS and not storage.exists(model):
        raise InputError(f"models of providers ('{model}') cannot be used yet; give the folder of a model")


def _report(config: CollectConfig, store: TrajectoryStore, identity: PolicyIdentity, tally: Tally) -> CollectReport:
    return CollectReport(
        store=config.out,
        run=store.run,
        iteration=config.iteration,
        policy=identity,
        episodes=tally.before + tally.episodes,
        collected=tally.episodes,
        statuses=dict(sorted(tally.statuses.items())),
        errors=dict(sorted(tally.errors.items())),
        turns=tally.mean(tally.turns),
        calls=tally.mean(tally.calls),
        precision=tally.mean(tally.precision),
        recall=tally.mean(tally.recall),
        f1=tally.mean(tally.f1),
        tokens=tally.tokens,
        seconds=tally.seconds,
    )
