"""Which tokens of an episode the trainer learns from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from ftrl.training.segments import TurnTokens, laid_on_tokens, segments

TOKENS = some.lists(some.integers(0, 9), max_size=5)


def turn(prompt: list[int], *sampled: int) -> TurnTokens:
    return TurnTokens(prompt, sampled, tuple(-0.5 * token for token in sampled))


def test_what_the_model_was_told_between_its_turns_is_in_the_sequence_and_is_not_learnt() -> None:
    (whole,) = segments([turn([1, 2], 3, 4), turn([1, 2, 3, 4, 5, 6], 7)])
    assert whole.prompt == [1, 2]
    assert whole.response == [3, 4, 5, 6, 7]
    assert whole.mask == [1, 1, 0, 0, 1]
    assert whole.logprobs == [-1.5, -2.0, 0.0, 0.0, -3.5]
    assert whole.turns == [0, 0, -1, -1, 1]


def test_where_the_template_rewrites_what_was_said_a_new_sequence_begins() -> None:
    first, second = segments([turn([1], 2, 3), turn([1, 3, 4], 5)])
    assert (first.prompt, first.response, first.mask) == ([1], [2, 3], [1, 1])
    assert (second.prompt, second.response, second.mask) == ([1, 3, 4], [5], [1])


def test_a_turns_reward_lies_on_its_last_token() -> None:
    found = segments([turn([1, 2], 3, 4), turn([1, 2, 3, 4, 5, 6], 7)])
    assert laid_on_tokens([0.5, -0.25], found) == [[0.0, 0.5, 0.0, 0.0, -0.25]]


def test_the_last_token_of_a_sequence_bears_all_that_the_sequences_after_it_earned() -> None:
    found = segments([turn([1], 2, 3), turn([1, 3, 4], 5), turn([1, 3, 4, 5, 6], 7), turn([8], 9)])
    assert laid_on_tokens([1.0, 2.0, 4.0, 8.0], found) == [[0.0, 15.0], [2.0, 0.0, 12.0], [8.0]]


def test_an_episode_without_a_turn_has_no_sequence() -> None:
    assert segments([]) == []


@given(TOKENS, some.lists(some.tuples(TOKENS, some.lists(some.integers(0, 9), min_size=1, max_size=5)), max_size=6))
def test_an_appending_template_gives_one_sequence_in_which_every_sampled_token_is_learnt_once(
    prompt: list[int], said: list[tuple[list[int], list[int]]]
) -> None:
    turns, so_far = [], list(prompt)
    for told, sampled in said:
        so_far = [*so_far, *told]
        turns.append(turn(list(so_far), *sampled))
        so_far += sampled
    found = segments(turns)
    assert len(found) == (1 if said else 0)
    for whole in found:
        assert whole.prompt + whole.response == so_far
        learnt = [token for token, mask in zip(whole.response, whole.mask, strict=True) if mask]
        assert learnt == [token for _, sampled in said for token in sampled]
