"""The trajectories that a report shows, before and after training where there are both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from ftrl.evaluation import Episode, SuiteResults
from ftrl.evaluation.running import read_episodes
from ftrl.reports.choosing import Key, changed_pairs, from_best_to_worst
from ftrl.reports.episode_data import EpisodeGroup, Episodes, ShownEpisode
from ftrl.reports.episodes import shown_trajectory, shown_transcript
from ftrl.reports.run import EpisodeSet, Evaluated, Run, trained_iteration
from ftrl.reports.texts import clipped
from ftrl.sandbox import Sandbox

METRIC = "solve_f1"
"""The training reward that turns are told of where no training run says another."""


ALL_PAIRS = (
    "every task that {first} and {last} both played: those that gained by {score} first, then those that lost, then "
    "the others"
)
SOME_PAIRS = (
    "the same tasks for {first} and {last}: half of them gained most by {score}, a quarter lost most, a quarter "
    "stayed, scenarios taking turns (where one kind has too few, others fill up)"
)
"""How pairs were chosen, in a sentence."""


class Source(Protocol):
    """Episodes of one policy."""

    @property
    def label(self) -> str:
        """How the report calls them."""

    @property
    def score(self) -> str:
        """The score by which they are compared, in words."""

    def scores(self) -> dict[Key, float]:
        """(task, sample) → score, of every episode."""

    def shown(self, keys: Iterable[Key]) -> dict[Key, ShownEpisode]:
        """Those episodes."""

    def question(self, task: str) -> str:
        """What was asked, of a task that ``shown`` came by."""

    def scenario(self, task: str) -> str:
        """The scenario of a task; empty where it is not known."""


class OfStore:
    """Episodes of a trajectory store."""

    def __init__(self, run: Run, episodes: EpisodeSet, label: str, sandbox: Sandbox | None) -> None:
        self.label = label
        self._run = run
        self._episodes = episodes
        self._sandbox = sandbox
        self._questions: dict[str, str] = {}

    @property
    def score(self) -> str:
        """See ``Source``."""
        return f"F1 under the {self._episodes.collection.settings.profile} profile"

    def scores(self) -> dict[Key, float]:
        """See ``Source``."""
        columns = ["environment_id", "sample", "metrics"]
        rows = self._episodes.store.rows(columns, self._episodes.collection.iteration)
        return {(row["environment_id"], row["sample"]): row["metrics"][0]["f1"] for row in rows}

    def shown(self, keys: Iterable[Key]) -> dict[Key, ShownEpisode]:
        """See ``Source``."""
        wanted, found = set(keys), {}
        settings = self._episodes.collection.settings
        metric = next((run.config.reward.metric for run in self._run.training), METRIC)
        for trajectory in self._episodes.store.read(self._episodes.collection.iteration):
            key = (trajectory.environment_id, trajectory.sample)
            if key in wanted:
                self._questions[key[0]] = _asked(trajectory.messages)
                found[key] = shown_trajectory(trajectory, self.label, settings, metric, self._run.tasks, self._sandbox)
        return found

    def question(self, task: str) -> str:
        """See ``Source``."""
        return self._questions[task]

    def scenario(self, task: str) -> str:
        """See ``Source``."""
        found = self._run.tasks.get(task)
        return found[0].scenario.value if found else ""


class OfSuite:
    """Episodes of another suite."""

    def __init__(self, evaluated: Evaluated, label: str) -> None:
        self.label = label
        self._stored = evaluated.stored
        self._episodes: dict[Key, Episode] = {
            (episode.sample, episode.trial): episode for episode in read_episodes(evaluated.stored.path)
        }

    @property
    def score(self) -> str:
        """See ``Source``."""
        return f"{self._stored.metrics[0]} of {self._stored.suite}"

    def scores(self) -> dict[Key, float]:
        """See ``Source``."""
        metric = self._stored.metrics[0]
        return {key: episode.score.metrics[metric] for key, episode in self._episodes.items()}

    def shown(self, keys: Iterable[Key]) -> dict[Key, ShownEpisode]:
        """See ``Source``."""
        return {key: shown_transcript(self._episodes[key], self.label, self._stored.model) for key in keys}

    def question(self, task: str) -> str:
        """See ``Source``."""
        return next(_asked(episode.transcript.messages) for key, episode in self._episodes.items() if key[0] == task)

    def scenario(self, task: str) -> str:
        """See ``Source``."""
        return next((", ".join(e.labels.values()) for key, e in self._episodes.items() if key[0] == task), "")


def shown_episodes(run: Run, sandbox: Sandbox | None) -> Episodes | None:
    """Some of the run's episodes; none if it has none."""
    sources = _compared(run, sandbox)
    if not sources:
        return None
    of = sum(episodes.count for episodes in run.episodes) + sum(
        len(source.scores()) for source in sources if isinstance(source, OfSuite)
    )
    first, last = sources[0], sources[-1]
    if len(sources) == 1:
        scores = first.scores()
        keys = from_best_to_worst(scores)
        changes: dict[Key, float] = {}
        chosen = f"from the best to the worst by {first.score}{'' if len(keys) == len(scores) else ', evenly'}"
    else:
        before, after = first.scores(), last.scores()
        pairs = changed_pairs(before, after, first.scenario)
        keys, changes = [key for key, _ in pairs], dict(pairs)
        everything = len(pairs) == len(before.keys() & after.keys())
        chosen = (ALL_PAIRS if everything else SOME_PAIRS).format(first=first.label, last=last.label, score=first.score)
    found = [source.shown(keys) for source in sources]
    groups = tuple(_group(run, key, changes.get(key), [of_key[key] for of_key in found], first) for key in keys)
    shown = sum(len(group.episodes) for group in groups)
    return Episodes(of=of, shown=shown, chosen=chosen, score=first.score, groups=groups)


def _group(run: Run, key: Key, change: float | None, episodes: list[ShownEpisode], source: Source) -> EpisodeGroup:
    task, sample = key
    known = run.tasks.get(task)
    return EpisodeGroup(
        task=task,
        known=known is not None,
        scenario=source.scenario(task),
        question=clipped(source.question(task)),
        golds=tuple((gold.tool, clipped(gold.value)) for gold in known[0].golds) if known else (),
        sample=sample,
        change=change,
        episodes=tuple(episodes),
    )


def _compared(run: Run, sandbox: Sandbox | None) -> list[Source]:
    """The episodes to show: of the first and the last policy where two played the same; else of one.

    Evaluations tell more than what was collected for training, since both policies played the same tasks.
    """
    played = [one for one in run.episodes if one.kind != "training"]
    played.sort(key=lambda one: trained_iteration(one.collection.policy.name))
    trained = [one for one in run.episodes if one.kind == "training"]
    for sets in (played, trained):
        if len(sets) > 1 and _compare(sets[0], sets[-1]):
            return [OfStore(run, one, one.label, sandbox) for one in (sets[0], sets[-1])]
    suites = [one for one in run.evaluations if isinstance(one.stored.results, SuiteResults)]
    same = [one for one in suites if _kind(one) == _kind(suites[0])]
    if played or not suites:
        return [OfStore(run, one, one.label, sandbox) for one in (played or trained)[-1:]]
    return [OfSuite(one, one.label) for one in (same[:1] if len(same) == 1 else [same[0], same[-1]])]


def _kind(one: Evaluated) -> tuple[str, Mapping[str, str]]:
    return one.stored.suite, one.stored.variant


def _compare(first: EpisodeSet, last: EpisodeSet) -> bool:
    """Whether two policies played the same tasks by the same rules."""
    if first.collection.settings.profile != last.collection.settings.profile:
        return False
    return bool(first.store.done(first.collection.iteration) & last.store.done(last.collection.iteration))


def _asked(messages: Iterable[Mapping[str, object]]) -> str:
    """The first message of the user."""
    return next((str(message.get("content") or "") for message in messages if message["role"] == "user"), "")
