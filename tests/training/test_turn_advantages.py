"""What each turn learns from its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

torch = pytest.importorskip("torch")
core_algos = pytest.importorskip("verl.trainer.ppo.core_algos")

from ftrl.training.turn_advantages import TurnAdvantages  # noqa: E402
from tests.training.episodes import Rows, episode, torn  # noqa: E402

REWARDS = some.integers(-64, 64).map(lambda number: number / 64)
"""Whose sums and means are exact: what a flat group learns of rounding alone is not the same twice."""


class Batch:
    """Rows as verl has them: each sequence one, filled up with what is not learnt."""

    def __init__(self, groups: Mapping[str, Sequence[Rows]]) -> None:
        self.keys, self.index, rows = [], [], []
        for group, episodes in groups.items():
            for session, parts in enumerate(episodes):
                for part, row in enumerate(parts):
                    self.keys.append(f"{group}_{session}_{part}")
                    self.index.append(group)
                    rows.append(row)
        width = max(len(scores) for _, scores in rows) + 1
        self.rewards, self.mask = torch.zeros(len(rows), width), torch.zeros(len(rows), width)
        for at, (segment, scores) in enumerate(rows):
            self.rewards[at, : len(scores)] = torch.tensor(scores)
            self.mask[at, : len(scores)] = torch.tensor(segment.mask, dtype=torch.float32)
        self.turns = [torch.tensor(segment.turns) for segment, _ in rows]

    def advantages(self, **config: Any) -> Any:
        estimator = TurnAdvantages()
        estimator.expect(self.keys, self.turns)
        advantages, _ = estimator(self.rewards, self.mask, self.index, config)
        return advantages

    def by_turn(self, of_tokens: Any) -> list[list[float]]:
        """One value a turn, row by row; all tokens of a turn have it, and what was told has 0."""
        found = []
        for values, turns in zip(of_tokens, self.turns, strict=True):
            assert values[: len(turns)][turns < 0].abs().sum() == values[len(turns) :].abs().sum() == 0
            row = []
            for turn in turns[turns >= 0].unique():
                of_turn = values[: len(turns)][turns == turn]
                assert of_turn.min() == of_turn.max()
                row.append(of_turn[0].item())
            found.append(row)
        return found


def test_a_turn_is_compared_with_what_the_whole_group_brought_from_its_number_on() -> None:
    # Ahead of the turns: [0.75, 0.25], [0.25, 0.25], [-0.25], which means 0.25 and (0.25 + 0.25 + 0) / 3.
    batch = Batch({"g": [episode(0.5, 0.25), episode(0.0, 0.25), episode(-0.25)]})
    means, scale = (0.25, 0.5 / 3), 0.5  # of 0.75, 0.25, -0.25; that of the second turn is 0.14
    assert batch.by_turn(batch.advantages()) == [
        pytest.approx([(0.75 - means[0]) / scale, (0.25 - means[1]) / scale], abs=1e-5),
        pytest.approx([(0.25 - means[0]) / scale, (0.25 - means[1]) / scale], abs=1e-5),
        pytest.approx([(-0.25 - means[0]) / scale], abs=1e-5),
    ]
    unscaled = batch.by_turn(batch.advantages(norm_adv_by_std_in_grpo=False))
    assert unscaled[0] == pytest.approx([0.5, 0.25 - means[1]])


def test_episodes_that_earned_the_same_in_other_turns_still_teach_and_nothing_explodes() -> None:
    batch = Batch({"g": [episode(0.5, 0.0), episode(0.0, 0.5)]})
    early, late = batch.by_turn(batch.advantages())
    assert early == pytest.approx([0.0, -(0.5**0.5)], abs=1e-4)  # in its second turn the other brought more
    assert late == pytest.approx([0.0, 0.5**0.5], abs=1e-4)
    flat = Batch({"g": [episode(0.5, 0.25)] * 3})
    assert flat.advantages().abs().max() == 0


@given(some.lists(some.lists(REWARDS, min_size=1, max_size=4), min_size=2, max_size=6))
def test_no_turn_has_a_larger_advantage_than_a_response_can_have_in_grpo(group: list[list[float]]) -> None:
    batch = Batch({"g": [episode(*rewards) for rewards in group]})
    assert batch.advantages().abs().max() <= (len(group) - 1) / len(group) ** 0.5 + 1e-4


@given(some.lists(some.lists(REWARDS, min_size=1, max_size=5), min_size=1, max_size=3), some.booleans())
def test_with_one_turn_an_episode_it_is_verls_grpo(groups: list[list[float]], by_std: bool) -> None:
    import numpy as np

    batch = Batch({f"g{at}": [episode(reward) for reward in group] for at, group in enumerate(groups)})
    theirs, _ = core_algos.compute_grpo_outcome_advantage(
        batch.rewards, batch.mask, np.array(batch.index, dtype=object), norm_adv_by_std_in_grpo=by_std
    )
    torch.testing.assert_close(batch.advantages(norm_adv_by_std_in_grpo=by_std), theirs, atol=1e-4, rtol=1e-4)


@given(some.lists(some.lists(REWARDS, min_size=2, max_size=5), min_size=2, max_size=5), some.data())
def test_an_episode_of_several_sequences_learns_as_if_it_were_one(group: list[list[float]], data: Any) -> None:
    whole = Batch({"g": [episode(*rewards) for rewards in group]})
    cuts = [data.draw(some.integers(1, len(rewards) - 1)) for rewards in group]
    parts = Batch({"g": [torn(rewards[:cut], rewards[cut:]) for rewards, cut in zip(group, cuts, strict=True)]})
    rows = parts.by_turn(parts.advantages())
    together = [first + second for first, second in zip(rows[::2], rows[1::2], strict=True)]
    for one, other in zip(together, whole.by_turn(whole.advantages()), strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_verls_reinforce_plus_plus_looks_ahead_of_each_turn_by_itself() -> None:
    from verl.trainer.config import AlgoConfig

    batch = Batch({"g": [episode(0.5, -0.25, 0.25), torn([0.5], [-0.25, 0.25])]})
    _, ahead = core_algos.compute_reinforce_plus_plus_outcome_advantage(
        batch.rewards, batch.mask, config=AlgoConfig(gamma=1.0)
    )
    assert batch.by_turn(ahead) == [[0.5, 0.0, 0.25], [0.5], [0.0, 0.25]]


def test_what_is_not_learnt_has_no_advantage_and_changes_nothing_for_the_others() -> None:
    batch = Batch({"g": [episode(1.0, 0.5), episode(0.0)], "pad": [episode(0.0)]})
    before = batch.advantages()
    batch.mask[0] = 0
    after = batch.advantages()
    assert after[0].abs().sum() == after[2].abs().sum() == 0
    assert torch.equal(after[1], before[1])
