"""What a response earns under the reference profile, case by case."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrl.errors import InputError
from ftrl.rewards import (
    Scoreboard,
    Unscorable,
    matches_reference,
    profile_named,
    score_parsed,
    score_response,
)
from ftrl.sandbox import CallResult, CallStatus, Sandbox
from ftrl.tool_calls import ParsedCall, parse_qwen

REFERENCE = profile_named("reference")
MAYOR = "def mayor_find(town):\n    return {'Orun': 'Ada Vell', 'Tesk': 'Bo Lind'}[town]\n"
GOLDS = {"mayor_find": ["Ada Vell", "Bo Lind"]}


def calls(*arguments: dict[str, object], name: str = "mayor_find") -> str:
    return "".join(
        f"<tool_call>{json.dumps({'name': name, 'arguments': values})}</tool_call>\n" for values in arguments
    )


def reward(text: str, sandbox: Sandbox, **options: object) -> float:
    return score_response(text, GOLDS, {"mayor_find": MAYOR}, sandbox, answer="Ada Vell", **options).value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "value"),
    [("solve_f1", 4 / 4), ("solve_pr", 4 / 3), ("solve_rate", 2.0), ("solve_precision", 2 / 3)],
)
def test_two_right_calls_of_three_earn_what_each_metric_says(sandbox: Sandbox, metric: str, value: float) -> None:
    text = calls({"town": "Orun"}, {"town": "Tesk"}, {"town": "Nowhere"})
    assert reward(text, sandbox, metric=metric) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "solve_rate", "value"),
    [
        ("", 0.0, -0.5),
        ("<tool_call>{broken", 0.0, -0.3),
        ("It is Ada Vell.", 0.0, 1 / 3),
        ("Nothing to say.", 1.0, 0.5),
        ("Nothing to say.", 0.5, 0.0),
    ],
)
def test_a_response_without_calls_earns_the_published_amounts(
    sandbox: Sandbox, text: str, solve_rate: float, value: float
) -> None:
    assert reward(text, sandbox, solve_rate=solve_rate) == pytest.approx(value)


def test_the_same_call_again_cannot_tick_the_same_gold_again(sandbox: Sandbox) -> None:
    assert reward(calls({"town": "Orun"}, {"town": "Orun"}), sandbox) == pytest.approx(2 / 3)


def test_a_call_ticks_only_golds_of_its_own_tool(sandbox: Sandbox) -> None:
    score = score_response(
        calls({"town": "Orun"}), {"other": ["Ada Vell"]}, {"mayor_find": MAYOR}, sandbox, answer=None
    )
    assert score.ticked == ()


def test_the_golds_that_are_given_are_never_changed(sandbox: Sandbox) -> None:
    before = json.dumps(GOLDS)
    reward(calls({"town": "Orun"}), sandbox)
    assert json.dumps(GOLDS) == before


@pytest.mark.parametrize("status", [CallStatus.TIMEOUT, CallStatus.MEMORY, CallStatus.OUTPUT_LIMIT, CallStatus.CRASHED])
def test_a_call_that_was_stopped_ticks_nothing_whatever_its_text_says(status: CallStatus) -> None:
    board = Scoreboard.of({"t": ["10"]}, REFERENCE)
    scored = board.record([ParsedCall("t", "{}")], [CallResult("it ran longer than 10 s", status, 10.0)])
    assert scored[0].gold is None
    assert board.calls == 1


def test_a_failure_of_ours_gives_no_score_at_all() -> None:
    board = Scoreboard.of(GOLDS, REFERENCE)
    lost = CallResult("the worker is gone", CallStatus.INFRASTRUCTURE, 0.0)
    with pytest.raises(Unscorable):
        board.record([ParsedCall("mayor_find", "{}")], [lost])
    assert board.calls == 0
    with pytest.raises(Unscorable):
        score_parsed(parse_qwen(calls({"town": "Orun"})), [lost], GOLDS, answer=None)


def test_after_all_is_solved_calls_earn_nothing(sandbox: Sandbox) -> None:
    text = calls({"town": "Orun"})
    score = score_response(text, {"mayor_find": []}, {"mayor_find": MAYOR}, sandbox, answer=None, solve_rate=1.0)
    assert score.value == 0.0


def test_an_unknown_profile_or_metric_is_refused_by_name(sandbox: Sandbox) -> None:
    with pytest.raises(InputError, match="generous"):
        profile_named("generous")
    with pytest.raises(InputError, match="solve_all"):
        reward(calls({"town": "Orun"}), sandbox, metric="solve_all")


ASCII = st.characters(min_codepoint=32, max_codepoint=126)


@given(before=st.text(ASCII, max_size=40), gold=st.text(ASCII, min_size=1, max_size=20))
def test_an_output_that_holds_the_gold_matches_whatever_stands_around_it(before: str, gold: str) -> None:
    assert matches_reference(f"{before} {gold.upper()} and more", gold)


@pytest.mark.parametrize(
    ("output", "gold", "matches"),
    [
        ('{"population": 195210}', "195,210", True),
        ("Pelusium and Alexandria", "alexandria, Pelusium", True),
        ("Pelusium", "Alexandria, Pelusium", False),
        ("6300000", "6,300", True),  # known to be too lenient, and kept for comparability
    ],
)
def test_golds_are_compared_as_published(output: str, gold: str, matches: bool) -> None:
    assert matches_reference(output, gold) is matches
