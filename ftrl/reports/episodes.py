"""Stored trajectories and transcripts as the report shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile, zip_longest
from typing import Any

from ftrl.evaluation import Episode, Transcript
from ftrl.reports.episode_data import ShownCall, ShownEpisode, ShownScore, ShownTurn
from ftrl.reports.task_index import TaskIndex
from ftrl.reports.texts import clipped, short_path
from ftrl.reports.ticking import Judging
from ftrl.rewards import PROFILES
from ftrl.rollouts import EpisodeSettings, Trajectory, TrajectoryCall
from ftrl.sandbox import Sandbox

_CLOSE = 1e-6

_NAMES = {profile.version: profile.name for profile in PROFILES.values()}


def shown_trajectory(
    trajectory: Trajectory,
    label: str,
    settings: EpisodeSettings,
    metric: str,
    tasks: TaskIndex,
    sandbox: Sandbox | None,
) -> ShownEpisode:
    """A trajectory, each call with what every profile makes of it; without verdicts where its task is not at hand.

    Args:
        trajectory: as it is stored.
        label: how the report calls its policy.
        settings: with which it was played.
        metric: the training reward that is told for each turn.
        tasks: where its task may be.
        sandbox: where second looks at tools are made.
    """
    task = tasks.get(trajectory.environment_id)
    judging = None if task is None else Judging(*task, settings, metric, sandbox)
    turns = []
    for text, calls in _turns(trajectory.messages, trajectory.calls):
        judged = None if judging is None else judging.turn(text, calls)
        verdicts = [()] * len(calls) if judged is None else judged.verdicts
        turns.append(
            ShownTurn(
                text=clipped(text),
                calls=tuple(_call(call, of) for call, of in zip(calls, verdicts, strict=True)),
                rewards=() if judged is None else judged.rewards,
            )
        )
    return ShownEpisode(
        label=label,
        policy=short_path(trajectory.policy.name),
        status=trajectory.status.value,
        turns=tuple(turns),
        scores=tuple(
            ShownScore(
                profile=_NAMES.get(one.profile, one.profile),
                metrics={"F1": one.f1, "precision": one.precision, "recall": one.recall},
            )
            for one in trajectory.metrics
        ),
        note=_note(trajectory, judging),
    )


def shown_transcript(episode: Episode, label: str, policy: str) -> ShownEpisode:
    """An episode of another suite: its score is that suite's, for the whole."""
    transcript = episode.transcript
    return ShownEpisode(
        label=label,
        policy=short_path(policy),
        status=transcript.ending,
        turns=tuple(_conversation(transcript)),
        scores=(ShownScore(profile="score", metrics=dict(episode.score.metrics)),),
        note=clipped(episode.score.explanation),
    )


def _turns(
    messages: Sequence[Mapping[str, Any]], calls: Sequence[TrajectoryCall]
) -> Iterator[tuple[str, list[TrajectoryCall]]]:
    """Text and calls of each of the assistant's turns."""
    spoken = [message for message in messages if message["role"] == "assistant"]
    for number, message in enumerate(spoken):
        content = message.get("content") or ""
        yield content if isinstance(content, str) else str(content), [call for call in calls if call.turn == number]


def _conversation(transcript: Transcript) -> Iterator[ShownTurn]:
    """The turns of a suite's episode, as its messages tell: some begin in the middle, in some a user speaks again."""
    left = list(transcript.calls)
    heard, asked = "", False
    for at, message in enumerate(transcript.messages):
        if message["role"] == "user":
            heard, asked = (str(message.get("content") or "") if asked else ""), True
        if message["role"] != "assistant":
            continue
        outputs = [
            str(one.get("content") or "")
            for one in takewhile(lambda one: one["role"] == "tool", transcript.messages[at + 1 :])
        ]
        calls = []
        for call, output in zip_longest(message.get("tool_calls") or (), outputs):
            if call is None:
                break  # an output that answers no call
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            made = next((one for one in left if (one.name, one.arguments) == (name, arguments)), None)
            if made is not None:
                left.remove(made)
            calls.append(_of_message(name, arguments, output or "", made))
        yield ShownTurn(
            heard=clipped(heard), text=clipped(str(message.get("content") or "")), calls=tuple(calls), rewards=()
        )
        heard = ""


def _of_message(name: str, arguments: str, output: str, made: TrajectoryCall | None) -> ShownCall:
    """A call as the conversation shows it; how it ended, if it was made in this episode."""
    return ShownCall(
        name=clipped(name, 200),
        arguments=clipped(arguments),
        output=clipped(output),
        status=made.call_status.value if made is not None else "",
        seconds=made.seconds if made is not None else 0.0,
        verdicts=(),
    )


def _call(call: TrajectoryCall, verdicts: Any) -> ShownCall:
    return ShownCall(
        name=clipped(call.name, 200),
        arguments=clipped(call.arguments),
        output=clipped(call.output),
        status=call.call_status.value,
        seconds=call.seconds,
        verdicts=tuple(verdicts),
    )


def _note(trajectory: Trajectory, judging: Judging | None) -> str:
    """What to know beside the marks."""
    if judging is None:
        return "the task is not at hand, so nothing is said of why calls ticked or did not; name it with --tasks"
    found = judging.metrics()
    differing = [
        f"{_NAMES.get(stored.profile, stored.profile)}: F1 {stored.f1:.3f} in the store, {again.f1:.3f} by these marks"
        for stored in trajectory.metrics
        if (again := found.get(stored.profile)) is not None and abs(again.f1 - stored.f1) > _CLOSE
    ]
    if not differing:
        return ""
    return (
        "The marks are worked out anew from the stored calls. When the episode was played, more was known, such as "
        f"calls that could not be read: {'; '.join(differing)}."
    )
