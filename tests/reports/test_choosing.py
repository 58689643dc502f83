"""Which episodes of many are shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ftrl.reports.choosing import Key, changed_pairs, from_best_to_worst, in_turns

SCORES = st.dictionaries(
    st.tuples(st.text("abc", min_size=1, max_size=2), st.integers(0, 3)), st.sampled_from([0.0, 0.25, 0.5, 1.0])
)


def first_letter(task: str) -> str:
    return task[0]


def keys(prefix: str, count: int) -> list[Key]:
    return [(f"{prefix}{number:02}", 0) for number in range(count)]


def test_half_of_the_pairs_gained_a_quarter_lost_a_quarter_stayed() -> None:
    first = dict.fromkeys([*keys("g", 40), *keys("l", 40), *keys("s", 40)], 0.5)
    last = {key: {"g": 1.0, "l": 0.0, "s": 0.5}[key[0][0]] for key in first}
    chosen = [key[0][0] for key, _ in changed_pairs(first, last, first_letter, 24)]
    assert chosen == ["g"] * 12 + ["l"] * 6 + ["s"] * 6


def test_where_one_kind_has_too_few_others_fill_up() -> None:
    first = dict.fromkeys([*keys("g", 40), *keys("l", 1)], 0.5)
    last = {key: 1.0 if key[0][0] == "g" else 0.0 for key in first}
    chosen = changed_pairs(first, last, first_letter, 24)
    assert len(chosen) == 24
    assert [by for _, by in chosen].count(-0.5) == 1


def test_the_largest_changes_come_first_and_scenarios_take_turns() -> None:
    first = {("a1", 0): 0.0, ("a2", 0): 0.0, ("b1", 0): 0.0}
    last = {("a1", 0): 0.2, ("a2", 0): 0.9, ("b1", 0): 0.1}
    assert [key[0] for key, _ in changed_pairs(first, last, first_letter)] == ["a2", "b1", "a1"]


@given(SCORES, SCORES, st.integers(4, 12))
def test_only_what_both_played_is_chosen_each_once_and_never_too_many(
    first: dict[Key, float], last: dict[Key, float], most: int
) -> None:
    chosen = changed_pairs(first, last, first_letter, most)
    shared = first.keys() & last.keys()
    assert len(chosen) == min(most, len(shared)) == len({key for key, _ in chosen})
    assert all(key in shared and by == last[key] - first[key] for key, by in chosen)
    backwards = dict(reversed(first.items()))
    assert changed_pairs(backwards, last, first_letter, most) == chosen


@given(SCORES, st.integers(1, 12))
def test_one_policys_episodes_go_evenly_from_the_best_to_the_worst(scores: dict[Key, float], most: int) -> None:
    chosen = from_best_to_worst(scores, most)
    assert len(chosen) == min(most, len(scores)) == len(set(chosen))
    values = [scores[key] for key in chosen]
    assert values == sorted(values, reverse=True)
    assert not scores or values[0] == max(scores.values())


def test_taking_turns_leaves_nobody_out() -> None:
    some = [("a1", 0), ("a2", 0), ("b1", 0), ("a3", 0)]
    assert [key[0] for key in in_turns(some, first_letter)] == ["a1", "b1", "a2", "a3"]
