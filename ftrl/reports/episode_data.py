"""Records of the trajectories that are shown."""

from __future__ import annotations

from ftrl.environments.schema import Record


class CallVerdict(Record):
    """What one scoring profile makes of a call.

    Attributes:
        profile: name of the profile.
        gold: index of the gold that the call ticked; null if none.
        worth: of the tick, in (0, 1]; 0 without one.
        why: a sentence.
    """

    profile: str
    gold: int | None
    worth: float
    why: str


class ShownCall(Record):
    """A call and what came back."""

    name: str
    arguments: str
    output: str
    status: str
    seconds: float
    verdicts: tuple[CallVerdict, ...]


class TurnReward(Record):
    """What a turn would earn in training under one profile, and why."""

    profile: str
    value: float
    why: str


class ShownTurn(Record):
    """An assistant's turn: its text, its calls, its rewards (empty where the task is not at hand).

    ``heard`` is what a user said in front of it, after the question: a customer of tau-bench, say.
    """

    heard: str = ""
    text: str
    calls: tuple[ShownCall, ...]
    rewards: tuple[TurnReward, ...]


class ShownScore(Record):
    """A score of a whole episode: precision, recall and F1 of a profile, or a suite's own metrics."""

    profile: str
    metrics: dict[str, float]


class ShownEpisode(Record):
    """One episode.

    Attributes:
        label: which of the pair it is, such as ``before``.
        policy: who spoke.
        status: how it ended.
        turns: in order.
        scores: as they are stored.
        note: what to know beside them; may be empty.
    """

    label: str
    policy: str
    status: str
    turns: tuple[ShownTurn, ...]
    scores: tuple[ShownScore, ...]
    note: str


class EpisodeGroup(Record):
    """The same task and sample, played by one policy or by two.

    Attributes:
        task: id of the task.
        known: whether the task is in the task browser.
        scenario: of the task; empty where it is not known.
        question: the user's message.
        golds: what the calls were to bring back, by tool and value; empty where the task is not at hand.
        sample: number among the episodes of the task.
        change: of the score from the first episode to the last; null for one episode.
        episodes: one or two.
    """

    task: str
    known: bool
    scenario: str
    question: str
    golds: tuple[tuple[str, str], ...]
    sample: int
    change: float | None
    episodes: tuple[ShownEpisode, ...]


class Episodes(Record):
    """Some of the trajectories.

    Attributes:
        of: how many episodes there are.
        shown: how many are here.
        chosen: how they were chosen, in a sentence.
        score: the score by which they were chosen, in words.
        groups: in the order of that choice.
    """

    of: int
    shown: int
    chosen: str
    score: str
    groups: tuple[EpisodeGroup, ...]
