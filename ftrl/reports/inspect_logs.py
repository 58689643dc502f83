"""A run's episodes as logs of Inspect AI, which its viewer opens: a log a set of episodes.

Messages are those of the store. A sample's score is that of each profile, and its explanation says of every call what
it ticked, or why it did not. Logs say that their content is not to be trusted, so that the viewer shows it as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from inspect_ai.event import Event, ModelEvent, ScoreEvent, ToolEvent
from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import ChatMessage, ChatMessageAssistant, GenerateConfig, ModelOutput, ModelUsage
from inspect_ai.scorer import Score
from inspect_ai.viewer import ViewerConfig
from pydantic import BaseModel

import ftrl
from ftrl.evaluation import Episode, SuiteResults
from ftrl.evaluation.inspect_playing import chat_messages
from ftrl.evaluation.running import read_episodes
from ftrl.evaluation.statistics import estimate
from ftrl.reports.episode_data import ShownEpisode, ShownScore
from ftrl.reports.episodes import shown_trajectory, shown_transcript
from ftrl.reports.run import EpisodeSet, Evaluated, Run
from ftrl.reports.texts import short_path
from ftrl.reports.trajectories import METRIC
from ftrl.rollouts import Trajectory, Usage
from ftrl.sandbox import Sandbox


class WrittenLog(BaseModel):
    """A log: its file, what it is of, how many episodes it holds, and of how many."""

    path: str
    label: str
    episodes: int
    of: int


def export_logs(run: Run, folder: str, *, most: int | None = None, sandbox: Sandbox | None = None) -> list[WrittenLog]:
    """Write a log for every set of episodes of a run.

    Args:
        run: the run.
        folder: where to, on this machine; it is made if it is not there.
        most: episodes of a set at most, the same tasks in every set; all of them if left out.
        sandbox: where second looks of the strict profile are made.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    created = datetime.now(timezone.utc)
    written = []
    for episodes in run.episodes:
        samples = list(_samples(run, episodes, most, sandbox))
        written.append(
            _write(
                folder, created, episodes.label, short_path(episodes.collection.policy.name), samples, episodes.count
            )
        )
    for one in run.evaluations:
        if isinstance(one.stored.results, SuiteResults):
            played = sorted(read_episodes(one.stored.path), key=lambda episode: (episode.sample, episode.trial))
            samples = [_suite_sample(one, episode) for episode in played[:most]]
            written.append(_write(folder, created, one.label, short_path(one.stored.model), samples, len(played)))
    return written


def _samples(run: Run, episodes: EpisodeSet, most: int | None, sandbox: Sandbox | None) -> Iterator[EvalSample]:
    iteration, settings = episodes.collection.iteration, episodes.collection.settings
    keys = sorted(episodes.store.done(iteration))[:most]
    wanted = set(keys)
    metric = next((training.config.reward.metric for training in run.training), METRIC)
    for trajectory in episodes.store.read(iteration):
        if (trajectory.environment_id, trajectory.sample) in wanted:
            shown = shown_trajectory(trajectory, episodes.label, settings, metric, run.tasks, sandbox)
            yield _sample(run, trajectory, shown)


def _sample(run: Run, trajectory: Trajectory, shown: ShownEpisode) -> EvalSample:
    found = run.tasks.get(trajectory.environment_id)
    name, golds, scenario = trajectory.environment_id[:12], "", ""
    if found is not None:
        environment = found[0]
        name = f"{environment.split}-{run.tasks.place(environment.id)[1]:04}"
        golds = "; ".join(f"{gold.tool}: {gold.value}" for gold in environment.golds)
        scenario = environment.scenario.value
    messages = chat_messages(trajectory.messages)
    scores = {score.profile: _score(score, shown) for score in shown.scores}
    return EvalSample(
        id=name,
        epoch=trajectory.sample + 1,
        input=_first(messages),
        target=golds,
        messages=messages,
        output=_output(shown.policy, messages),
        scores=scores,
        events=list(_events(messages, shown, scores, golds)),
        model_usage={} if trajectory.usage is None else {shown.policy: _usage(trajectory.usage)},
        metadata={"environment": trajectory.environment_id, "scenario": scenario, "ended": trajectory.status.value},
    )


def _suite_sample(evaluated: Evaluated, episode: Episode) -> EvalSample:
    shown = shown_transcript(episode, evaluated.label, evaluated.stored.model)
    messages = chat_messages(episode.transcript.messages)
    scores = {score.profile: _score(score, shown) for score in shown.scores}
    return EvalSample(
        id=episode.sample,
        epoch=episode.trial + 1,
        input=_first(messages),
        target="",
        messages=messages,
        output=_output(shown.policy, messages),
        scores=scores,
        events=list(_events(messages, shown, scores, "")),
        model_usage={role: _usage(usage) for role, usage in episode.usage.items()},
        metadata={**episode.labels, "ended": episode.transcript.ending},
    )


def _score(score: ShownScore, shown: ShownEpisode) -> Score:
    lines = [
        f"turn {number}: {call.name}({call.arguments}): {verdict.why}"
        for number, turn in enumerate(shown.turns, start=1)
        for call in turn.calls
        for verdict in call.verdicts
        if verdict.profile == score.profile
    ]
    return Score(
        value=dict(score.metrics),
        answer=shown.turns[-1].text if shown.turns else "",
        explanation="\n\n".join([*lines, *([shown.note] if shown.note else [])]) or "no call was made",
    )


def _events(
    messages: Sequence[ChatMessage], shown: ShownEpisode, scores: dict[str, Score], target: str
) -> Iterator[Event]:
    """The transcript: each turn as the model's output, its calls with what came back, the scores."""
    spoken = [message for message in messages if isinstance(message, ChatMessageAssistant)]
    for message, turn in zip(spoken, shown.turns, strict=True):
        yield ModelEvent(
            model=shown.policy,
            input=[],
            tools=[],
            tool_choice="auto",
            config=GenerateConfig(),
            output=ModelOutput.from_message(message),
        )
        for asked, made in zip(message.tool_calls or (), turn.calls, strict=False):
            yield ToolEvent(
                id=asked.id,
                function=asked.function,
                arguments=asked.arguments,
                result=made.output,
                working_time=made.seconds,
            )
    for name, score in scores.items():
        yield ScoreEvent(score=score, target=target, scorer=name)


def _write(folder: str, created: datetime, label: str, model: str, samples: list[EvalSample], of: int) -> WrittenLog:
    slug = re.sub(r"[^a-zA-Z0-9]+", "-", label).strip("-") or "episodes"
    stamp = f"{created:%Y-%m-%dT%H-%M-%S}"
    log = EvalLog(
        status="success",
        eval=EvalSpec(
            created=created.isoformat(),
            eval_id=f"{stamp}-{slug}",
            run_id=stamp,
            task=label,
            task_id=slug,
            dataset=EvalDataset(name=label, samples=len({sample.id for sample in samples})),
            model=model,
            config=EvalConfig(),
            packages={"ftrl": ftrl.__version__},
            viewer=ViewerConfig(trust_content=False),
        ),
        results=EvalResults(total_samples=len(samples), completed_samples=len(samples), scores=list(_means(samples))),
        stats=EvalStats(started_at=created.isoformat(), completed_at=created.isoformat()),
        samples=samples,
    )
    path = str(Path(folder) / f"{stamp}_{slug}.eval")
    write_eval_log(log, path)
    return WrittenLog(path=path, label=label, episodes=len(samples), of=of)


def _means(samples: Sequence[EvalSample]) -> Iterator[EvalScore]:
    """The mean of every score over the samples, with its standard error by task."""
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    for sample in samples:
        for scorer, score in (sample.scores or {}).items():
            for name, value in score.as_dict().items():
                values.setdefault((scorer, name), {}).setdefault(str(sample.id), []).append(float(str(value)))
    for (scorer, name), of_tasks in values.items():
        found = estimate(of_tasks)
        metrics = {"mean": found.mean, "stderr": found.standard_error}
        yield EvalScore(
            name=f"{scorer} {name}",
            scorer=scorer,
            metrics={key: EvalMetric(name=key, value=value) for key, value in metrics.items() if value is not None},
        )


def _usage(usage: Usage) -> ModelUsage:
    read = usage.input + usage.cache_read + usage.cache_write
    return ModelUsage(
        input_tokens=usage.input,
        output_tokens=usage.output,
        total_tokens=read + usage.output,
        input_tokens_cache_read=usage.cache_read,
        input_tokens_cache_write=usage.cache_write,
    )


def _first(messages: Iterable[ChatMessage]) -> str:
    """What was asked, in one line: the viewer's list shows no more, and the messages have it as it is."""
    return next((" ".join(message.text.split()) for message in messages if message.role == "user"), "")


def _output(model: str, messages: Sequence[ChatMessage]) -> ModelOutput:
    last = messages[-1].text if messages and isinstance(messages[-1], ChatMessageAssistant) else ""
    return ModelOutput.from_content(model=model, content=last)
