"""Playing a suite: every sample, some trials each, whoever speaks; what was finished is kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from ftrl import storage
from ftrl.errors import FtrlError, InputError
from ftrl.evaluation.spending import MODEL, Meter, Metered, seconds_before
from ftrl.evaluation.suite import Sample, Score, Suite, Transcript
from ftrl.rewards import Unscorable
from ftrl.rollouts import EngineFault, EpisodeSettings, Policy, PolicyIdentity, Usage
from ftrl.rollouts.episode import ToolRunner
from ftrl.rollouts.trajectory import Record

EPISODES_OF_A_PART, SECONDS_OF_A_PART = 100, 10.0
"""What is finished is written after so many episodes, or when the first of them is so old."""

MOST_FAULTS = 3
"""An episode that fails so often through a fault of ours is left to the next run."""

MOST_FAULTS_IN_A_ROW = 20
"""When this many attempts (or all in flight, if those are more) fail one after the other, something is down."""

BUDGET_SPENT = "not begun: the budget is spent"

_PARTS = "episodes"


class Episode(Record):
    """One line of an evaluation's ``episodes/``.

    Attributes:
        sample: id of the sample.
        trial: 0-based.
        labels: of the sample.
        transcript: what happened.
        score: what it earned.
        usage: what it took, by who spoke: ``model``, and ``user`` where a second model played one.
    """

    sample: str
    trial: int
    labels: dict[str, str]
    transcript: Transcript
    score: Score
    usage: dict[str, Usage] = Field(default_factory=dict)


class RunIdentity(Record):
    """What must be the same for episodes to be added up; ``run.json`` of an evaluation's folder.

    Attributes:
        suite: name of the suite.
        version: of the suite.
        variant: what was chosen about it (mode, scenario), so that variants do not mix.
        policy: who spoke.
        settings: how episodes were played.
    """

    suite: str
    version: str
    variant: dict[str, str]
    policy: PolicyIdentity
    settings: EpisodeSettings


@dataclass(frozen=True)
class Played:
    """What a run has.

    Attributes:
        episodes: all that are finished and were asked for, by sample and trial.
        not_run: (sample, trial) → why, of those that failed through a fault of ours or were not begun. They are in no
            score; running again tries them again.
        stopped: what ended the run before its end, if anything did.
        seconds: for how long they were played, by this run and those before it that came to their end.
    """

    episodes: tuple[Episode, ...]
    not_run: dict[tuple[str, int], str]
    stopped: str | None = None
    seconds: float = 0.0


async def run_suite(
    suite: Suite[Any],
    samples: Sequence[Sample[Any]],
    policy: Policy,
    sandbox: ToolRunner,
    settings: EpisodeSettings,
    out: str,
    *,
    trials: int = 1,
    in_flight: int = 8,
    meter: Meter | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Played:
    """Play and score what ``out`` lacks.

    An episode that fails through a fault of ours is played again a few times, and then left to the next run. When
    nothing can be played any more, so are all others.

    Args:
        suite: the benchmark.
        samples: which of its samples.
        policy: who speaks.
        sandbox: where tools run.
        settings: of every episode.
        out: folder of the evaluation, local or s3://; finished episodes lie in ``episodes/``.
        trials: episodes of each sample.
        in_flight: episodes at the same time.
        meter: what may be taken; those of the folder's episodes count. No limit if left out.
        tell: is told how many episodes are finished, and how many attempts failed through a fault of ours.

    Raises:
        InputError: ``out`` holds episodes of another run.
        FtrlError: nothing can be played, and nothing was.
    """
    claim(out, suite, policy.identity, settings)
    wanted = {(sample.id, trial): sample for trial in range(trials) for sample in samples}
    stored = list(read_episodes(out))
    meter = meter or Meter()
    for episode in stored:
        meter.add(episode.usage.values())
    run = _Run(suite, Metered(policy, MODEL, meter), sandbox, settings, _Writer(out), meter, in_flight)
    run.done = {(e.sample, e.trial): e for e in stored if (e.sample, e.trial) in wanted}
    began = time.monotonic()
    waiting = [asyncio.ensure_future(run.play(key, sample)) for key, sample in wanted.items() if key not in run.done]
    stopped = None
    try:
        for finished in asyncio.as_completed(waiting):
            await finished
            run.writer.write_if_due()
            if tell is not None:
                tell(len(run.done), run.faults)
    except InputError:
        raise
    except FtrlError as error:
        if not run.done:
            raise
        stopped = str(error)
    finally:
        for task in waiting:
            task.cancel()
        run.writer.write()
        await asyncio.gather(*waiting, return_exceptions=True)  # none may be at work, or keep an error to itself
    left = {} if stopped is None else dict.fromkeys(wanted.keys() - run.done.keys(), f"not played: {stopped}")
    episodes = tuple(run.done[key] for key in wanted if key in run.done)
    return Played(episodes, {**left, **run.not_run}, stopped, seconds_before(out) + time.monotonic() - began)


class _Run:
    """Episodes that are being played."""

    def __init__(
        self,
        suite: Suite[Any],
        policy: Policy,
        sandbox: ToolRunner,
        settings: EpisodeSettings,
        writer: _Writer,
        meter: Meter,
        in_flight: int,
    ) -> None:
        self._suite = suite
        self._policy = policy
        self._sandbox = sandbox
        self._settings = settings
        self._meter = meter
        self._places = asyncio.Semaphore(in_flight)
        self._most_in_a_row = max(MOST_FAULTS_IN_A_ROW, in_flight)
        self._in_a_row = 0
        self.writer = writer
        self.faults = 0
        self.done: dict[tuple[str, int], Episode] = {}
        self.not_run: dict[tuple[str, int], str] = {}

    async def play(self, key: tuple[str, int], sample: Sample[Any]) -> None:
        """Play an episode, if need be a few times."""
        async with self._places:
            for _ in range(MOST_FAULTS):
                if self._meter.is_spent:
                    self.not_run[key] = BUDGET_SPENT
                    return
                try:
                    episode = await self._attempt(sample, key[1])
                except (EngineFault, Unscorable) as fault:
                    self.not_run[key] = str(fault)
                    self._note_fault(str(fault))
                    continue
                self._in_a_row = 0
                self.not_run.pop(key, None)
                self.done[key] = episode
                self.writer.add(episode)
                return

    async def _attempt(self, sample: Sample[Any], trial: int) -> Episode:
        with self._meter.episode() as taken:
            transcript = await self._suite.play(sample, self._policy, self._sandbox, self._settings, trial)
            score = await self._suite.score(sample, transcript, self._sandbox)
        return Episode(
            sample=sample.id, trial=trial, labels=dict(sample.labels), transcript=transcript, score=score, usage=taken
        )

    def _note_fault(self, why: str) -> None:
        self.faults += 1
        self._in_a_row += 1
        if self._in_a_row >= self._most_in_a_row:
            raise FtrlError(
                f"{self._in_a_row} attempts in a row could not be played ({why}); what was finished is kept: run the "
                "command again to go on"
            )


class _Writer:
    """Writes finished episodes, some at a time."""

    def __init__(self, out: str) -> None:
        self._out = out
        self._episodes: list[Episode] = []
        self._since = 0.0
        self._number = 0

    def add(self, episode: Episode) -> None:
        """Take a finished episode."""
        if not self._episodes:
            self._since = time.monotonic()
        self._episodes.append(episode)

    def write_if_due(self) -> None:
        """Write, if enough has come together or it was long ago."""
        old = time.monotonic() - self._since >= SECONDS_OF_A_PART
        if self._episodes and (old or len(self._episodes) >= EPISODES_OF_A_PART):
            self.write()

    def write(self) -> None:
        """Write all that was taken since."""
        if not self._episodes:
            return
        while storage.exists(_part(self._out, self._number)):
            self._number += 1
        text = "".join(episode.model_dump_json() + "\n" for episode in self._episodes)
        storage.write_bytes(_part(self._out, self._number), text.encode())
        self._episodes.clear()


def read_episodes(out: str) -> Iterable[Episode]:
    """The finished episodes of an evaluation, in the order in which they were written."""
    number = 0
    while storage.exists(part := _part(out, number)):
        for _, line in storage.json_lines(part):
            yield Episode.model_validate(line)
        number += 1


def endings(episodes: Iterable[Episode]) -> dict[str, int]:
    """How many episodes ended in which way."""
    return dict(sorted(Counter(episode.transcript.ending for episode in episodes).items()))


def claim(out: str, suite: Suite[Any], policy: PolicyIdentity, settings: EpisodeSettings) -> RunIdentity:
    """Say what ``out`` holds episodes of, or see that it already says the same.

    Raises:
        InputError: it holds episodes of something else.
    """
    identity = RunIdentity(
        suite=suite.name, version=suite.version, variant=dict(suite.variant), policy=policy, settings=settings
    )
    file = storage.join(out, "run.json")
    if not storage.exists(file):
        storage.write_bytes(file, identity.model_dump_json(indent=2).encode())
        return identity
    there = json.loads(storage.read_bytes(file))
    for field, value in identity.model_dump(mode="json").items():
        if there.get(field) != value:
            raise InputError(
                f"this folder holds episodes played with {there.get(field)!r}, not {value!r}; give another --out",
                file=file,
                field=field,
            )
    return identity


def _part(out: str, number: int) -> str:
    return storage.join(out, _PARTS, f"part-{number:05}.jsonl")
