"""What a final answer earns under the strict profile: it has to be said aloud, once, and be right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrl.environments import Gold
from ftrl.rewards import Context, Earlier, Score, TaskFacts, profile_named, score_parsed
from ftrl.tool_calls import parse_qwen_strict

STRICT = profile_named("strict")
OLDER = "Question: Which is older: (a) the bridge of Orun, built in 1254, or (b) the tower of Tesk?"
HIGHER = "Which mountain is higher, Mount Orun or Mount Tesk, when both are measured from the sea?"
MAYOR = "Who is the mayor of the town where the bridge of 1254 stands?"


def answered(
    text: str, answer: str, question: str = MAYOR, unsolved: int = 0, history: tuple[Earlier, ...] = ()
) -> Score:
    golds = [Gold(tool="t", value=f"open {number}") for number in range(unsolved)]
    return score_parsed(
        parse_qwen_strict(text),
        [],
        {"t": [gold.value for gold in golds]},
        answer=answer,
        profile=STRICT,
        context=Context(TaskFacts(question, (), [*golds, Gold(tool="u", value="195,210")]), history),
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Ada Vell", "Ada Vell"),
        ("The mayor is **Ada Vell**.", "Ada Vell"),
        ("<think>Bo? No.</think>It is Ada Vell.", "Ada Vell"),
        ("They are Bo Lind and Ada Vell.", "Ada Vell, Bo Lind"),
        ("6500 people", "6,500"),
        ("195,210 + 39 = 195,249, for he was 39.", "195,249"),
        ("It cost $1500.", "$1500"),
        ("1. I asked for the town.\n2. I asked for its mayor.\n3. There are 5,762.", "5,762"),
    ],
)
def test_the_right_answer_is_paid_in_full_when_all_is_solved(text: str, answer: str) -> None:
    seen = Earlier("t", "{}", "he was 39")
    assert answered(text, answer, history=(seen,)).value == 1.0


def test_what_was_left_open_divides_the_reward() -> None:
    assert answered("Ada Vell", "Ada Vell", unsolved=3).value == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("text", "answer", "value"),
    [
        ("", "39", -0.5),
        ("<think>39</think>", "39", -0.5),
        ("<think>39", "39", -0.5),
        ("<tool_response>39</tool_response>39", "39", -0.3),
        ("</tool_call>39", "39", -0.3),
        ("It is 1390.", "39", 0.0),
        ("There is nothing known.", "no", 0.0),
        ("Done.", "39", 0.0),
    ],
)
def test_what_is_not_said_aloud_and_on_its_own_is_not_paid(text: str, answer: str, value: float) -> None:
    assert answered(text, answer).value == value


def test_numbers_from_nowhere_are_guesses() -> None:
    assert answered("It is 38 or 39.", "39").value == pytest.approx(1 / 2)
    assert answered("It is 36, 37, 38 or 39.", "39").value == pytest.approx(1 / 4)
    assert answered(" ".join(map(str, range(100))), "39").value == 0.0
    assert answered("\n".join(f"{number}." for number in range(100)), "39").value == 0.0


def test_numbers_of_the_question_are_guesses_if_the_answer_stands_there_too() -> None:
    question = "Is the number of the bus 12, 39 or 40?"
    assert answered("39", "39", question).value == 1.0
    assert answered("12 39 40", "39", question).value < 0.5


def test_a_long_list_of_names_is_no_answer() -> None:
    names = " ".join(f"name{chr(97 + a)}{chr(97 + b)}" for a in range(10) for b in range(10))
    assert answered(f"{names} Ada Vell", "Ada Vell").value == 0.0


def test_a_long_explanation_of_what_is_known_is_an_answer() -> None:
    known = Earlier("t", "{}", " ".join(f"word{chr(97 + a)}{chr(97 + b)}" for a in range(10) for b in range(10)))
    assert answered(f"{known.output}. So it is Ada Vell.", "Ada Vell", history=(known,)).value == 1.0


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Yes.", "yes"),
        ("Yes, there is no doubt.", "yes"),
        ("No doubt about it, the answer is yes.", "yes"),
        ("As far as I can see, no", "no"),
        ("It might be no, but the answer is: yes. No doubt!", "yes"),
        ("yes no", "yes"),
        ("We compared both numbers. No, wait. Yes", "yes"),
    ],
)
def test_between_yes_and_no_a_text_is_held_to_one(text: str, right: str) -> None:
    wrong = {"yes": "no", "no": "yes"}[right]
    assert answered(text, right.title()).value == 1.0
    assert answered(text, wrong).value == 0.0


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("b", "b"),
        ("(b) is older.", "b"),
        ("(b) is older than (a).", "b"),
        ("The bridge (a) is younger, so the answer is (b).", "b"),
        ("Comparing (a), 1254, with (b), 1100, it is b.", "b"),
        ("A tower like that is a rare thing: b", "b"),
        ("a", "a"),
        ("**a**", "a"),
        ("(b), (a)", "b, a"),
        ("b, a. For (a) the year is 1254.", "b, a"),
        ("From old to new: (b) > (a)", "b, a"),
        ("a, b; b, a", "a, b"),
    ],
)
def test_between_options_a_text_is_held_to_one_or_to_one_order(text: str, right: str) -> None:
    assert answered(text, right, OLDER).value == 1.0
    assert (
        answered(
            text, ", ".join(reversed(right.split(", "))) if "," in right else {"a": "b", "b": "a"}[right], OLDER
        ).value
        == 0.0
    )


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Mount Tesk", "Mount Tesk"),
        ("Mount Tesk is higher than Mount Orun.", "Mount Tesk"),
        ("Of Mount Orun and Mount Tesk, the higher one is Mount Tesk.", "Mount Tesk"),
        ("Mount Tesk. Mount Orun.", "Mount Tesk"),
    ],
)
def test_between_things_that_the_question_offers_a_text_is_held_to_one(text: str, right: str) -> None:
    assert answered(text, right, HIGHER).value == 1.0
    assert answered(text, "Mount Orun", HIGHER).value == 0.0


@pytest.mark.parametrize("answer", ["a", "b", "the bridge of Orun", "1254", "Orun"])
def test_the_question_is_no_answer(answer: str) -> None:
    assert answered(OLDER, answer, OLDER).value == 0.0


@pytest.mark.parametrize("answer", ["Mount Orun", "Mount Tesk", "the sea"])
def test_a_passage_of_the_question_is_no_answer(answer: str) -> None:
    passage = "higher, Mount Orun or Mount Tesk, when both are measured from the sea?"
    assert answered(passage, answer, HIGHER).value == 0.0


@given(st.text(max_size=80), st.text(max_size=12), st.text(max_size=80))
def test_no_text_makes_the_judge_raise_and_all_shares_are_shares(text: str, answer: str, question: str) -> None:
    assert -0.5 <= answered(text, answer, question).value <= 1.0


@given(number=st.integers(0, 10**9), others=st.sets(st.integers(0, 10**9), min_size=1, max_size=30))
def test_naming_more_numbers_never_pays_more_than_the_best_guess(number: int, others: set[int]) -> None:
    candidates = [number, *(others - {number})]
    spray = " ".join(map(str, candidates))
    total = sum(answered(spray, str(right)).value for right in candidates)
    assert total <= 1.0 + 1e-9
