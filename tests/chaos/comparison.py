"""What came of it: the stores of disturbed jobs beside those of one that nobody disturbed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from replay import scores_the_same

from ftrl import storage
from ftrl.environments import EnvironmentStore
from ftrl.rollouts import TrajectoryStatus, TrajectoryStore
from ftrl.sandbox import CallStatus, Sandbox


@dataclass(frozen=True)
class Compared:
    """One disturbed job.

    Attributes:
        environments: how many there are.
        same_environments: whether ids and order are those of the undisturbed job.
        episodes: how many there are.
        doubles: (task, sample) that are there more than once.
        same_episodes: whether the set of (task, sample) is that of the undisturbed job.
        not_rescored: episodes that, played once more, score something else than what is stored.
        blamed: episodes in which a fault of ours is told of the model.
    """

    environments: int
    same_environments: bool
    episodes: int
    doubles: int
    same_episodes: bool
    not_rescored: tuple[str, ...]
    blamed: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return self.same_environments and self.same_episodes and not (self.doubles or self.not_rescored or self.blamed)

    def __str__(self) -> str:
        return (
            f"{self.environments} environments, ids and order {_is(self.same_environments)}; {self.episodes} episodes, "
            f"set of (task, sample) {_is(self.same_episodes)}, {self.doubles} twice; {len(self.not_rescored)} score "
            f"otherwise when played again; {len(self.blamed)} with a fault of ours told of the model"
        )


def compare(out: str, undisturbed: str, model: str, sandbox: Sandbox) -> Compared:
    """Look at everything that a job has left in ``out``."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    tasks = EnvironmentStore.open(storage.join(out, "tasks"))
    episodes = list(TrajectoryStore.open(storage.join(out, "rollouts")))
    counts = Counter((one.environment_id, one.sample) for one in episodes)
    others = TrajectoryStore.open(storage.join(undisturbed, "rollouts")).done()
    not_rescored = [
        one.id
        for one in episodes
        for task in [tasks.get(one.environment_id)]
        if not scores_the_same(one, task, dict(tasks.sources(task)), sandbox, tokenizer)
    ]
    return Compared(
        environments=len(tasks),
        same_environments=tasks.ids() == _ids(undisturbed),
        episodes=len(episodes),
        doubles=sum(count > 1 for count in counts.values()),
        same_episodes=set(counts) == others,
        not_rescored=tuple(not_rescored),
        blamed=tuple(
            one.id
            for one in episodes
            if one.status is TrajectoryStatus.INFRASTRUCTURE
            or not {call.call_status for call in one.calls} <= {CallStatus.OK, CallStatus.TOOL_ERROR}
        ),
    )


def _ids(out: str) -> Sequence[str]:
    return EnvironmentStore.open(storage.join(out, "tasks")).ids()


def _is(same: bool) -> str:
    return "as undisturbed" if same else "NOT AS UNDISTURBED"
