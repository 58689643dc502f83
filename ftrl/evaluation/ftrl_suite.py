"""Our own benchmark as a suite, for frameworks that bring their own loop over samples. ``evaluate`` plays it on Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftrl.environments import Environment, open_tasks
from ftrl.evaluation.environment_episode import play_environment
from ftrl.evaluation.ftrl_test import SUITE
from ftrl.evaluation.suite import DataSource, Sample, Score, Transcript
from ftrl.rewards import profile_named
from ftrl.rollouts import EpisodeKey, EpisodeSettings, Policy
from ftrl.rollouts.episode import ToolRunner


@dataclass(frozen=True)
class FtrlTask:
    """One task: the environment, and tool → source of its tools."""

    environment: Environment
    sources: Mapping[str, str]


class FtrlTest:
    """The suite. ``ending`` of its transcripts is a trajectory's status.

    Args:
        profile: name of the scoring profile that the metrics are of.
    """

    name = SUITE
    version = "1"
    metrics = ("f1", "precision", "recall")
    source = DataSource(
        title="FTRL: verifiable tool use in four scenarios",
        origin="bytedance/FTRL on GitHub, Data/jsonl/raw/test.jsonl",
        licence="Apache-2.0",
        files="a file in the published format (JSONL, Parquet), or a store of environments",
        how="`ftrl eval fetch ftrl-test` gets the published test set; `ftrl synth` makes tasks",
    )

    def __init__(self, profile: str = "reference") -> None:
        self.profile = profile_named(profile)
        self.variant: Mapping[str, str] = {"profile": self.profile.version}
        self.settings = EpisodeSettings(temperature=0.0, profile=profile)

    def load(self, path: str) -> list[Sample[FtrlTask]]:
        """The tasks.

        Raises:
            InputError: they are missing, or a row is not as published.
        """
        tasks = open_tasks(path)
        return [
            Sample(one.id, FtrlTask(one, tasks.sources(one)), {"scenario": one.scenario.value})
            for one in (tasks[row] for row in range(len(tasks)))
        ]

    async def play(
        self,
        sample: Sample[FtrlTask],
        policy: Policy,
        sandbox: ToolRunner,
        settings: EpisodeSettings,
        trial: int = 0,
    ) -> Transcript:
        """One episode, scored while it is played: what a call is worth hangs on the calls before it."""
        task = sample.task
        key = EpisodeKey(run=SUITE, sample=trial)
        played = await play_environment(task.environment, task.sources, policy, sandbox, settings, key)
        return Transcript(
            messages=played.messages, calls=played.calls, ending=played.status.value, earned=played.metrics
        )

    async def score(self, sample: Sample[FtrlTask], transcript: Transcript, sandbox: ToolRunner) -> Score:
        """Precision, recall and F1 of the calls under the suite's profile."""
        (earned,) = [one for one in transcript.earned if one.profile == self.profile.version]
        golds = sample.task.environment.golds
        ticked = {call.gold for call in transcript.calls if call.gold is not None}
        missing = [gold.tool for number, gold in enumerate(golds) if number not in ticked]
        why = f"{len(transcript.calls)} calls brought back {len(ticked)} of {len(golds)} answers"
        return Score(
            metrics={name: getattr(earned, name) for name in self.metrics},
            explanation=why + (f"; missing are those of {', '.join(missing)}" if missing else ""),
        )
