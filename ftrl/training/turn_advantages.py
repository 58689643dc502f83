"""GRPO in which each turn answers for what it and the turns after it brought, not for the whole episode.

A turn is compared with its whole group: from its number on, what did the others bring? An episode that had ended by
then brought nothing more, and counts with 0. So what is subtracted does not depend on where the episode itself stops,
which is the policy's own choice. Where rewards are normalised turn by turn and then summed (the process supervision of
GRPO, arXiv:2402.03300; in the manner of MT-GRPO, arXiv:2505.11821) it does, since there are as many terms as turns, and
longer or shorter episodes are taught for nothing (verl-project/verl#7244).

All turns of a group have one scale, the largest standard deviation of any of its turns. So what hardly matters stays
small beside what does, and nothing is larger than in GRPO. With one turn an episode it is GRPO.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch

EPSILON = 1e-6
"""As in verl's GRPO."""


class TurnAdvantages:
    """An advantage estimator as verl calls it, which first has to be told what verl does not tell it."""

    def __init__(self) -> None:
        self._episodes: list[str] = []
        self._turns: list[torch.Tensor] = []

    def expect(self, keys: Sequence[str], turns: Sequence[torch.Tensor]) -> None:
        """Say what the rows of the next batch are.

        Args:
            keys: verl's: ``{group}_{episode}_{sequence of the episode}``.
            turns: one number a token of the response: its turn in the episode, -1 where the model was told.
        """
        self._episodes = [key.rpartition("_")[0] for key in keys]
        self._turns = list(turns)

    def __call__(
        self,
        token_level_rewards: torch.Tensor,
        response_mask: torch.Tensor,
        index: Sequence[Hashable],
        config: Mapping[str, Any],
        **_: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Advantages and rewards to go.

        Args:
            token_level_rewards: (rows, tokens); the last token of a sequence bears those of later ones, too.
            response_mask: (rows, tokens); 1 for what is learnt.
            index: the group of each row.
            config: verl's ``algorithm``.

        Returns:
            (rows, tokens) each, 0 for what is not learnt; all tokens of a turn have the same advantage.
        """
        ahead = token_level_rewards.flip(-1).cumsum(-1).flip(-1)
        rows = list(zip(index, self._episodes, self._turns, strict=True))
        brought: dict[Hashable, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
        for rest, (group, episode, turns) in zip(ahead, rows, strict=True):
            begins = (turns >= 0) & (turns.diff(prepend=turns.new_tensor([-1])) != 0)
            brought[group][episode].update(
                zip(turns[begins].tolist(), rest[: len(turns)][begins].tolist(), strict=True)
            )
        by_std = config.get("norm_adv_by_std_in_grpo", True)
        learnt = {group: _compared(episodes, by_std=by_std) for group, episodes in brought.items()}
        advantages = torch.zeros_like(ahead)
        for row, (group, episode, turns) in enumerate(rows):
            of_turns = ahead.new_tensor([*learnt[group][episode], 0.0])  # the last for -1
            advantages[row, : len(turns)] = of_turns[turns]
        return advantages * response_mask, ahead * response_mask


def _compared(episodes: Mapping[str, Mapping[int, float]], *, by_std: bool) -> dict[str, list[float]]:
    """The advantages of each turn of each episode of a group.

    Args:
        episodes: what each turn and those after it brought, by number.
        by_std: divide by the group's scale.
    """
    most = max((len(turns) for turns in episodes.values()), default=0)
    # In double precision, or a group without variance learns from the rounding of its mean.
    togo = torch.tensor(
        [[turns.get(turn, 0.0) for turn in range(most)] for turns in episodes.values()], dtype=torch.float64
    )
    if len(episodes) > 1:
        togo = togo - togo.mean(dim=0)
        if by_std and most:
            togo = togo / (togo.std(dim=0).max() + EPSILON)
    return dict(zip(episodes, togo.tolist(), strict=True))
