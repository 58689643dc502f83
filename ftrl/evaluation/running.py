"""Playing a suite: every sample, some trials each, whoever speaks; what was finished is kept."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ftrl import storage
from ftrl.errors import InputError
from ftrl.evaluation.suite import Sample, Score, Suite, Transcript
from ftrl.rewards import Unscorable
from ftrl.rollouts import EngineFault, EpisodeSettings, Policy, PolicyIdentity
from ftrl.rollouts.episode import ToolRunner
from ftrl.rollouts.trajectory import Record

EPISODES_OF_A_PART = 100
"""Episodes after which what is finished is written."""

_PARTS = "episodes"


class Episode(Record):
    """One line of an evaluation's ``episodes/``.

    Attributes:
        sample: id of the sample.
        trial: 0-based.
        labels: of the sample.
        transcript: what happened.
        score: what it earned.
    """

    sample: str
    trial: int
    labels: dict[str, str]
    transcript: Transcript
    score: Score


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
        not_run: (sample, trial) → why, of those that failed through a fault of ours. They are in no score; running
            again tries them again.
    """

    episodes: tuple[Episode, ...]
    not_run: dict[tuple[str, int], str]


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
) -> Played:
    """Play and score what ``out`` lacks.

    Args:
        suite: the benchmark.
        samples: which of its samples.
        policy: who speaks.
        sandbox: where tools run.
        settings: of every episode.
        out: folder of the evaluation, local or s3://; finished episodes lie in ``episodes/``.
        trials: episodes of each sample.
        in_flight: episodes at the same time.

    Raises:
        InputError: ``out`` holds episodes of another run.
        EngineLost: the policy's engine died; what was finished is kept.
    """
    _claim(
        out,
        RunIdentity(
            suite=suite.name,
            version=suite.version,
            variant=dict(suite.variant),
            policy=policy.identity,
            settings=settings,
        ),
    )
    wanted = {(sample.id, trial): sample for trial in range(trials) for sample in samples}
    done = {(e.sample, e.trial): e for e in read_episodes(out) if (e.sample, e.trial) in wanted}
    not_run: dict[tuple[str, int], str] = {}
    unwritten: list[Episode] = []
    places = asyncio.Semaphore(in_flight)

    async def play(key: tuple[str, int], sample: Sample[Any]) -> None:
        async with places:
            try:
                transcript = await suite.play(sample, policy, sandbox, settings, key[1])
                score = await suite.score(sample, transcript, sandbox)
            except (EngineFault, Unscorable) as fault:
                not_run[key] = str(fault)
                return
            episode = Episode(
                sample=sample.id, trial=key[1], labels=dict(sample.labels), transcript=transcript, score=score
            )
            done[key] = episode
            unwritten.append(episode)
            if len(unwritten) >= EPISODES_OF_A_PART:
                _write_part(out, unwritten)

    waiting = [asyncio.ensure_future(play(key, sample)) for key, sample in wanted.items() if key not in done]
    try:
        for finished in asyncio.as_completed(waiting):
            await finished
    finally:
        for task in waiting:
            task.cancel()
        if unwritten:
            _write_part(out, unwritten)
    return Played(tuple(done[key] for key in wanted if key in done), not_run)


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


def _claim(out: str, identity: RunIdentity) -> None:
    file = storage.join(out, "run.json")
    if not storage.exists(file):
        storage.write_bytes(file, identity.model_dump_json(indent=2).encode())
        return
    there = json.loads(storage.read_bytes(file))
    for field, value in identity.model_dump(mode="json").items():
        if there.get(field) != value:
            raise InputError(
                f"this folder holds episodes played with {there.get(field)!r}, not {value!r}; give another --out",
                file=file,
                field=field,
            )


def _write_part(out: str, episodes: list[Episode]) -> None:
    number = 0
    while storage.exists(_part(out, number)):
        number += 1
    text = "".join(episode.model_dump_json() + "\n" for episode in episodes)
    storage.write_bytes(_part(out, number), text.encode())
    episodes.clear()


def _part(out: str, number: int) -> str:
    return storage.join(out, _PARTS, f"part-{number:05}.jsonl")
