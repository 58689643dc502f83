"""Collecting trajectories: the work that is missing from the store, played by a fleet, committed as it comes.

The driver holds no state of its own: what is left to do is what was asked for less what the store has. So a run can
be killed at any moment and gone on with, and nothing is lost but the episodes of the last seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict

from ftrl import telemetry
from ftrl.environments import Tasks, open_tasks
from ftrl.errors import FtrlError, InputError
from ftrl.ray_session import ray_session
from ftrl.rollouts.batch import Batch
from ftrl.rollouts.budget import RunBudget
from ftrl.rollouts.episode import EpisodeKey
from ftrl.rollouts.fleet import Fleet
from ftrl.rollouts.identity import identify
from ftrl.rollouts.leases import FleetEvents, Lease
from ftrl.rollouts.manifest import Collection
from ftrl.rollouts.progress import Display, Tally
from ftrl.rollouts.provider_fleet import ProviderFleet
from ftrl.rollouts.settings import CollectConfig
from ftrl.rollouts.store import TrajectoryStore, is_trajectory_store
from ftrl.rollouts.trajectory import PolicyIdentity


class CollectReport(BaseModel):
    """What a collection did. Means are over the episodes of this call; null if there were none.

    Attributes:
        episodes: in the store now, of what was asked for.
        collected: played by this call.
        statuses: how these ended.
        errors: calls that did not end well, by status; ``infrastructure`` are episodes played again, ``engine_lost``
            engines replaced.
        tokens: generated.
        usd: what the provider took for this call's episodes; null where no price is known.
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
    usd: float | None = None
    seconds: float


class Uncollected(FtrlError):
    """Not all that was asked for is in the store; what was finished is.

    Attributes:
        report: what the collection did all the same.
        given_up: (environment id, sample) → why, of episodes that failed again and again through a fault of ours.
    """

    def __init__(self, message: str, report: CollectReport, given_up: dict[tuple[str, int], str]) -> None:
        super().__init__(message)
        self.report = report
        self.given_up = given_up

    def __reduce__(self) -> tuple[type[Uncollected], tuple[object, ...]]:
        # By itself, an exception is made again of its message alone.
        return Uncollected, (*self.args, self.report, self.given_up)


def collect(config: CollectConfig, *, rows: Sequence[int] | None = None, display: bool = True) -> CollectReport:
    """Play every (task, sample) that the store does not have yet, and store it.

    Uses the Ray that is connected or running, else one of its own. All engines are gone when this returns.

    Args:
        config: what to collect.
        rows: of the tasks in the order in which they are begun; as they lie, if left out.
        display: whether to show progress on stderr.

    Raises:
        InputError: the model, the tasks or the store are not as they should be; nothing was started.
        Uncollected: the work failed, or episodes of it; what was finished is in the store.
    """
    identity = identify(config)
    if config.budget_usd is not None and identity.weights is not None:
        raise InputError("a model of your own costs nobody dollars; give --budget-tokens")
    tasks = open_tasks(config.tasks)
    ids = tasks.ids()[: config.limit]  # reads all of them: a broken row is found before an engine starts
    with _store(config) as store:
        store.claim()
        store.begin(Collection(iteration=config.iteration, policy=identity, settings=config.episode))
        done = store.done(config.iteration)
        wanted = [
            (row, sample)
            for row in (range(len(ids)) if rows is None else rows)
            for sample in range(config.samples)
            if (ids[row], sample) not in done
        ]
        tally = Tally(total=len(ids) * config.samples, before=len(ids) * config.samples - len(wanted))
        budget = RunBudget(config, store)
        events = FleetEvents(store.run, config.iteration)
        stopped: FtrlError | None = None
        try:
            if wanted:
                _run(config, identity, tasks, wanted, store, tally, budget, events, display=display)
        except InputError:
            raise
        except FtrlError as error:
            stopped = error
        report = _report(config, store, identity, tally)
    given_up = {(last.environment_id, last.sample): last.error or "" for _, last in events.given_up}
    if stopped is not None:
        raise Uncollected(str(stopped), report, given_up) from stopped
    if events.given_up:
        lease, last = events.given_up[0]
        raise Uncollected(
            f"{len(events.given_up)} of {tally.total} episodes could not be played through a fault of ours (first: "
            f"task {lease.task}, sample {lease.key.sample}: {last.error}); the others are stored, go on with --resume",
            report,
            given_up,
        )
    if report.episodes < tally.total:
        raise Uncollected(
            f"the budget is spent ({budget.spent}) with {report.episodes} of {tally.total} episodes played; they are "
            "stored: go on with --resume and a larger budget",
            report,
            given_up,
        )
    return report


def _run(
    config: CollectConfig,
    identity: PolicyIdentity,
    tasks: Tasks,
    wanted: list[tuple[int, int]],
    store: TrajectoryStore,
    tally: Tally,
    budget: RunBudget,
    events: FleetEvents,
    *,
    display: bool,
) -> None:
    batch = Batch(store)
    with _players(config, identity, len(wanted), events) as (fleet, put), Display(tally, silent=not display) as shown:

        def tick() -> None:
            batch.commit_if_due()
            tally.notice(engines=fleet.running, in_flight=fleet.in_flight, places=fleet.places, pulse=fleet.pulse)
            for kind, count in (("engine_lost", events.engines_lost), ("infrastructure", events.faults)):
                if count:
                    tally.errors[kind] = count
            _tell(events, left=tally.rest, in_flight=tally.in_flight, engines=tally.engines)
            shown.refresh()

        try:
            tally.notice(engines=fleet.running, in_flight=0)  # a provider is ready at once: its time begins here
            leases = _leases(put, tasks, wanted, store.run, config.iteration)
            for trajectory in fleet.play(budget.admit(leases), tick=tick):
                tally.add(trajectory)
                budget.spend(trajectory)
                batch.add(trajectory)
        finally:
            events.sum_up()
            _tell(events, left=tally.rest)
            batch.finish()


def _tell(events: FleetEvents, *, left: int, in_flight: int = 0, engines: int = 0) -> None:
    collection = {"run": events.run, "iteration": events.iteration}
    telemetry.EPISODES_LEFT.set(left, **collection)
    telemetry.EPISODES_IN_FLIGHT.set(in_flight, **collection)
    telemetry.ENGINES.set(engines, **collection)


@contextmanager
def _players(
    config: CollectConfig, identity: PolicyIdentity, episodes: int, events: FleetEvents
) -> Iterator[tuple[Fleet | ProviderFleet, Callable[[Any], Any]]]:
    """Who plays, and how a task is handed to them."""
    if identity.weights is None:
        with ProviderFleet(config, identity, events) as provider:
            yield provider, lambda value: value
    else:
        with ray_session() as ray, Fleet(ray, config, identity, episodes, events) as fleet:
            yield fleet, ray.put


def _leases(
    put: Callable[[Any], Any], tasks: Tasks, wanted: list[tuple[int, int]], run: str, iteration: int
) -> Iterator[Lease]:
    """The work, read from the tasks as it is handed out; samples of a task share one copy of it."""
    last = -1
    for row, sample in wanted:
        if row != last:
            environment = tasks[row]
            shared = put(environment), put(tasks.sources(environment))
            last = row
        yield Lease(*shared, task=row, key=EpisodeKey(run, iteration, sample))


def _store(config: CollectConfig) -> TrajectoryStore:
    if config.resume and is_trajectory_store(config.out):
        store = TrajectoryStore.open(config.out)
        if config.run not in (None, store.run):
            raise InputError(f"the store here is of run '{store.run}', not '{config.run}'", file=config.out)
        return store
    return TrajectoryStore.create(config.out, run=config.run)


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
        usd=tally.usd,
        seconds=tally.seconds,
    )
