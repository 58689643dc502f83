"""What a response or a trajectory earns under the strict profile; rules that hold over all responses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ftrl.environments import Gold, SubQuestion
from ftrl.rewards import (
    METRICS,
    Context,
    Earlier,
    Score,
    Scoreboard,
    TaskFacts,
    profile_named,
    score_parsed,
    score_response,
    score_trajectories,
    score_trajectory,
)
from ftrl.rewards.assignment import Prospect, best_matching
from ftrl.sandbox import CallResult, CallStatus, Sandbox
from ftrl.tool_calls import ParsedCall, ParsedResponse

REFERENCE, STRICT = profile_named("reference"), profile_named("strict")
MAYOR = """
def mayor_find(town, year=1949, loud=False):
    return {'Orun': 'Ada Vell', 'Tesk': 'Bo Lind', 'Mire': 'Ada Vell'}[town]
"""
GOLDS = {"mayor_find": ["Ada Vell", "Bo Lind"]}


def calls(*arguments: dict[str, object], name: str = "mayor_find") -> str:
    return "".join(
        f"<tool_call>{json.dumps({'name': name, 'arguments': values})}</tool_call>\n" for values in arguments
    )


ORUN, TESK, MIRE, NOWHERE = ({"town": town} for town in ("Orun", "Tesk", "Mire", "Nowhere"))


def strict(text: str, sandbox: Sandbox, golds: dict[str, list[str]] = GOLDS, **options: Any) -> Score:
    return score_response(text, golds, {"mayor_find": MAYOR}, sandbox, answer="Ada Vell", profile=STRICT, **options)


# One response


@pytest.mark.parametrize(
    ("text", "values"),
    [
        # solve_f1, solve_pr, solve_rate, solve_precision
        (calls(ORUN), (1, 1, 1, 1)),
        (calls(ORUN, TESK), (1, 1, 1, 1)),
        (calls(ORUN, TESK, NOWHERE), (4 / 5, 2 / 3, 2 / 3, 2 / 3)),
        (calls(ORUN, NOWHERE), (2 / 3, 1 / 2, 1 / 2, 1 / 2)),
        (calls(NOWHERE), (0, 0, 0, 0)),
    ],
)
def test_without_a_trace_a_response_is_measured_by_what_it_solved(
    sandbox: Sandbox, text: str, values: tuple[float, ...]
) -> None:
    assert [strict(text, sandbox, metric=metric).value for metric in METRICS] == pytest.approx(list(values))


def test_sixteen_guesses_cost_under_every_metric(sandbox: Sandbox) -> None:
    guesses = calls(ORUN, *({"town": f"Town {number}"} for number in range(15)))
    for metric in METRICS:
        assert strict(guesses, sandbox, metric=metric).value <= 2 / 17
        assert strict(calls(ORUN), sandbox, metric=metric).value == 1


@pytest.mark.parametrize("broken", ["{", '{"name": ["mayor_find"], "arguments": {}}', '{"name": "mayor_find"}', ""])
def test_a_call_that_does_not_parse_counts_as_a_call(sandbox: Sandbox, broken: str) -> None:
    score = strict(f"{calls(ORUN)}<tool_call>{broken}</tool_call>", sandbox)
    assert (score.value, score.calls, score.unparsable) == (pytest.approx(2 / 3), 2, 1)
    assert strict(f"<tool_call>{broken}</tool_call>", sandbox).value == -0.3
    assert strict(f"{calls(NOWHERE)}<tool_call>{broken}</tool_call>", sandbox).value == -0.3


def test_the_same_call_again_counts_and_cannot_tick_again(sandbox: Sandbox) -> None:
    twice = {"mayor_find": ["Ada Vell", "Ada Vell"]}
    for again in (ORUN, {"town": "orun"}, {"town": " Orun "}, {"town": "Orun", "year": None}):
        score = strict(calls(ORUN, again), sandbox, twice)
        assert len(score.ticked) == 1, again
        assert score.calls == 2
    assert len(strict(calls(ORUN, MIRE), sandbox, twice).ticked) == 2


def test_a_gold_that_stands_twice_needs_calls_that_differ_in_what_is_asked_for(sandbox: Sandbox) -> None:
    properties = {
        "town": {"type": "string"},
        "year": {"type": "integer", "default": 1949},
        "loud": {"type": "boolean"},
    }
    document = {"function": {"name": "mayor_find", "parameters": {"properties": properties, "required": ["town"]}}}
    golds = [Gold(tool="mayor_find", value="Ada Vell")] * 2
    context = Context(TaskFacts("Who governs Orun, and who governs Mire?", [document], golds))
    twice = {"mayor_find": ["Ada Vell", "Ada Vell"]}
    for again in ({"town": "Orun", "year": 1949}, {"town": "Orun", "loud": True}):
        assert len(strict(calls(ORUN, again), sandbox, twice, context=context).ticked) == 1
    assert len(strict(calls(ORUN, MIRE), sandbox, twice, context=context).ticked) == 2
    # ... in another turn, too, though the scorer saw only what the conversation shows.
    later = Context(context.task, (Earlier("mayor_find", '{"town": "Orun"}', "Ada Vell"),))
    assert strict(calls(ORUN), sandbox, {"mayor_find": ["Ada Vell"]}, context=later).ticked == ()
    assert len(strict(calls(MIRE), sandbox, {"mayor_find": ["Ada Vell"]}, context=later).ticked) == 1


@pytest.mark.parametrize("status", [status for status in CallStatus if status.value not in ("ok", "infrastructure")])
def test_only_a_call_that_went_well_ticks(status: CallStatus) -> None:
    board = Scoreboard.of({"t": ["39"]}, STRICT)
    assert board.record([ParsedCall("t", "{}")], [CallResult("39", status, 0.0)])[0].gold is None
    assert board.calls == 1


def test_calls_after_all_is_solved_earn_nothing(sandbox: Sandbox) -> None:
    assert strict(calls(ORUN), sandbox, {"mayor_find": []}, solve_rate=1.0).value == 0


# Completeness


def steps(*needs: tuple[str, ...]) -> Context:
    """Sub-questions q0, q1, …, each with a gold of the tool t and the sub-questions that it needs."""
    golds = [Gold(tool="t", value=f"gold{number}", sub_question=f"q{number}") for number in range(len(needs))]
    trace = [
        SubQuestion(id=f"q{number}", text="?", answer=gold.value, depends_on=need, tool="t", arguments={})
        for number, (gold, need) in enumerate(zip(golds, needs, strict=True))
    ]
    return Context(TaskFacts("I have wishes, number 1, 2 and 3.", (), golds, trace))


def step(context: Context, unsolved: Sequence[int], *brought: int, metric: str = "solve_f1") -> Score:
    """The score of a response that brings these golds back, with one call each."""
    made = [ParsedCall("t", json.dumps({"wish": "wishes", "number": number})) for number in range(len(brought))]
    results = [CallResult(f"here is gold{number}", CallStatus.OK, 0.0) for number in brought]
    return score_parsed(
        ParsedResponse("", tuple(made)),
        results,
        {"t": [f"gold{number}" for number in unsolved]},
        answer=None,
        profile=STRICT,
        context=context,
        metric=metric,
    )


PARALLEL = steps((), (), ("q0", "q1"))
CHAIN = steps((), ("q0",), ("q1",))


def test_leaving_a_parallel_sub_question_out_costs_completeness() -> None:
    assert step(PARALLEL, (0, 1, 2), 0, 1).value == 1
    assert step(PARALLEL, (0, 1, 2), 0).value == pytest.approx(2 / 3)
    assert step(PARALLEL, (1, 2), 1).value == 1
    assert step(PARALLEL, (2,), 2).value == 1
    assert step(PARALLEL, (0, 1, 2), 0, metric="solve_rate").value == 1 / 2
    assert step(PARALLEL, (0, 1, 2), 0, metric="solve_precision").value == 1


def test_a_hop_that_depends_on_another_of_the_same_turn_is_solved_but_earns_nothing() -> None:
    guessed = step(CHAIN, (0, 1, 2), 0, 1, 2)
    assert len(guessed.ticked) == 3
    assert guessed.ready == 1
    assert guessed.value == pytest.approx(2 / 4)
    assert step(CHAIN, (0, 1, 2), 0).value == 1
    assert step(CHAIN, (1, 2), 1).value == 1


def test_honest_work_hop_by_hop_earns_the_most_that_there_is() -> None:
    assert [step(CHAIN, tuple(range(at, 3)), at).value for at in range(3)] == [1, 1, 1]


# A trajectory


def test_a_trajectory_has_the_published_formulae_over_strict_counts(sandbox: Sandbox) -> None:
    turns = [f"{calls(ORUN, ORUN)}<tool_call>{{</tool_call>", calls(NOWHERE), "Done."]
    reference, under_strict = score_trajectories(
        turns, GOLDS, {"mayor_find": MAYOR}, sandbox, profiles=(REFERENCE, STRICT)
    )
    assert (reference.precision, reference.recall, reference.f1) == pytest.approx((1 / 3, 1 / 2, 2 / 5))
    assert (under_strict.precision, under_strict.recall, under_strict.f1) == pytest.approx((1 / 4, 1 / 2, 2 / 6))
    assert under_strict.outputs == reference.outputs


def test_a_trajectory_without_a_call_has_no_precision(sandbox: Sandbox) -> None:
    reference, under_strict = score_trajectories(["Ada."], GOLDS, {}, sandbox, profiles=(REFERENCE, STRICT))
    assert (reference.precision, under_strict.precision) == (1.0, 0.0)


def test_each_profile_plays_on_until_it_reads_no_call(sandbox: Sandbox) -> None:
    turns = [f"<think>{calls(ORUN)}</think>Hm.", calls(TESK)]
    both = score_trajectories(turns, GOLDS, {"mayor_find": MAYOR}, sandbox, profiles=(REFERENCE, STRICT))
    assert [score.recall for score in both] == [1.0, 0.0]
    assert both[1] == score_trajectory(turns, GOLDS, {"mayor_find": MAYOR}, sandbox, profile=STRICT)


def test_a_call_of_an_earlier_turn_made_again_does_not_tick_again(sandbox: Sandbox) -> None:
    twice = {"mayor_find": ["Ada Vell", "Ada Vell"]}
    sources = {"mayor_find": MAYOR}
    assert score_trajectory([calls(ORUN), calls(ORUN)], twice, sources, sandbox, profile=STRICT).recall == 0.5
    assert score_trajectory([calls(ORUN), calls(MIRE)], twice, sources, sandbox, profile=STRICT).recall == 1.0


# Rules over all responses

TOOLS = ("t", "u", "nowhere")
VALUES = ("39", "6,300", "Ada Vell", "Ada", "July 1, 1949", "1949", "no")
CALLS = st.tuples(
    st.sampled_from(TOOLS),
    st.dictionaries(
        st.sampled_from(["x", "y"]), st.sampled_from([1, "1", "Ada", "orun", "Orun", None, 1949]), max_size=2
    ),
)
OUTPUTS = st.one_of(
    st.lists(st.sampled_from([*VALUES, "nothing", "6300", "not known", "Error: 39"]), max_size=4).map(json.dumps),
    st.dictionaries(st.sampled_from(["a", "error", "Ada"]), st.sampled_from([*VALUES, 39, 6300, None]), max_size=3).map(
        json.dumps
    ),
    st.lists(st.sampled_from(VALUES), max_size=3).map(" and ".join),
)
STATUSES = st.sampled_from([CallStatus.OK] * 4 + [CallStatus.TOOL_ERROR, CallStatus.TIMEOUT])
MADE = st.lists(st.tuples(CALLS, OUTPUTS, STATUSES), max_size=6)
UNSOLVED = st.dictionaries(st.sampled_from(["t", "u"]), st.lists(st.sampled_from(VALUES), max_size=4), max_size=2)
Made = list[tuple[tuple[str, dict[str, Any]], str, CallStatus]]

DOCUMENTS = [
    {"function": {"name": "t", "parameters": {"properties": {"x": {"type": "string"}, "y": {}}, "required": ["x"]}}},
    {
        "function": {
            "name": "u",
            "parameters": {"properties": {"x": {"enum": ["orun", "Ada"]}, "y": {}}, "required": []},
        }
    },
]


def contexts(unsolved: dict[str, list[str]]) -> list[Context | None]:
    """No context; documents; documents and a trace in which each gold needs the one before."""
    golds = [
        Gold(tool=tool, value=value, sub_question=f"{tool}{number}")
        for tool, values in unsolved.items()
        for number, value in enumerate(values)
    ]
    trace = [
        SubQuestion(
            id=str(gold.sub_question),
            text="?",
            answer=gold.value,
            depends_on=() if not at else (str(golds[at - 1].sub_question),),
            tool=gold.tool,
            arguments={},
        )
        for at, gold in enumerate(golds)
    ]
    return [
        None,
        Context(TaskFacts("Who is Ada of Orun?", DOCUMENTS, golds)),
        Context(TaskFacts("Who is Ada of Orun?", DOCUMENTS, golds, trace)),
    ]


def value(
    made: Made, unsolved: dict[str, list[str]], context: Context | None, metric: str, unread: int = 0, text: str = ""
) -> float:
    parsed = [ParsedCall(name, json.dumps(arguments)) for (name, arguments), _, _ in made]
    results = [CallResult(output, status, 0.0) for _, output, status in made]
    return score_parsed(
        ParsedResponse(text, tuple(parsed), unread),
        results,
        unsolved,
        answer="39",
        metric=metric,
        profile=STRICT,
        context=context,
    ).value


@given(made=MADE, unsolved=UNSOLVED, unread=st.integers(0, 2), text=st.sampled_from(["", "39", "39 or 40", "No."]))
def test_every_score_is_bounded(made: Made, unsolved: dict[str, list[str]], unread: int, text: str) -> None:
    for context in contexts(unsolved):
        for metric in METRICS:
            assert -0.5 <= value(made, unsolved, context, metric, unread, text) <= 1.0


@given(made=MADE, unsolved=UNSOLVED, unread=st.integers(0, 2), useless=CALLS, data=st.data())
def test_a_useless_call_never_raises_a_score(
    made: Made, unsolved: dict[str, list[str]], unread: int, useless: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    assume(made or unread)
    bad = data.draw(st.sampled_from([("nothing", CallStatus.OK), ("39 Ada Vell 6300", CallStatus.TOOL_ERROR)]))
    at = data.draw(st.integers(0, len(made)))
    more = [*made[:at], (useless, *bad), *made[at:]]
    for context in contexts(unsolved):
        for metric in METRICS:
            before = value(made, unsolved, context, metric, unread)
            assert value(more, unsolved, context, metric, unread) <= before
            assert value(made, unsolved, context, metric, unread + 1) <= before


@given(made=st.lists(st.tuples(CALLS, OUTPUTS, STATUSES), min_size=1, max_size=6), unsolved=UNSOLVED)
def test_saying_a_call_again_never_raises_a_score(made: Made, unsolved: dict[str, list[str]]) -> None:
    for context in contexts(unsolved):
        for metric in METRICS:
            assert value([*made, made[0]], unsolved, context, metric) <= value(made, unsolved, context, metric)


@given(made=MADE, unsolved=UNSOLVED, data=st.data())
def test_the_order_of_parallel_calls_changes_nothing(
    made: Made, unsolved: dict[str, list[str]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(made))
    for context in contexts(unsolved):
        for metric in METRICS:
            assert value(shuffled, unsolved, context, metric) == pytest.approx(value(made, unsolved, context, metric))


@given(text=st.sampled_from(["39", "39 or 40", "It is 39.", "No.", "thirty-nine"]), useless=CALLS, unsolved=UNSOLVED)
def test_a_useless_call_beside_an_answer_never_raises_a_score(
    text: str, useless: tuple[str, dict[str, Any]], unsolved: dict[str, list[str]]
) -> None:
    for context in contexts(unsolved):
        before = value([], unsolved, context, "solve_f1", text=text)
        assert value([(useless, "nothing", CallStatus.OK)], unsolved, context, "solve_f1", text=text) <= before


@given(made=MADE, later=MADE, unsolved=UNSOLVED.filter(lambda golds: any(golds.values())))
def test_the_figures_of_a_trajectory_are_shares(made: Made, later: Made, unsolved: dict[str, list[str]]) -> None:
    for context in contexts(unsolved):
        board = Scoreboard.of(unsolved, STRICT, context)
        for turn in (made, later):
            parsed = [ParsedCall(name, json.dumps(arguments)) for (name, arguments), _, _ in turn]
            board.record(parsed, [CallResult(output, status, 0.0) for _, output, status in turn], 1)
        figures = board.metrics()
        assert all(0 <= share <= 1 for share in (figures.precision, figures.recall, figures.f1))


PROSPECTS = st.lists(st.tuples(st.sets(st.integers(0, 4), min_size=1), st.sampled_from([0.5, 1.0])), max_size=5).map(
    lambda drawn: [Prospect(at, tuple(sorted(golds)), worth, f"{at}") for at, (golds, worth) in enumerate(drawn)]
)


@given(PROSPECTS, st.frozensets(st.integers(0, 4)))
def test_no_other_matching_of_calls_and_golds_is_worth_more(prospects: list[Prospect], ready: frozenset[int]) -> None:
    def worth(chosen: dict[int, int]) -> float:
        return sum(prospects[call].worth for call, gold in chosen.items() if gold in ready)

    def matchings(left: list[Prospect], taken: dict[int, int]) -> Any:
        if not left:
            yield taken
            return
        first, *rest = left
        yield from matchings(rest, taken)
        for gold in first.golds:
            if gold not in taken.values():
                yield from matchings(rest, {**taken, first.call: gold})

    chosen = dict(best_matching(prospects, ready))
    assert len(set(chosen.values())) == len(chosen)
    assert all(gold in prospects[call].golds for call, gold in chosen.items())
    assert worth(chosen) == max(worth(other) for other in matchings(prospects, {}))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["\ud83d", "2001-08-02", "Ada", ".*", "1" * 400, "\u0661\u0662", "\u00b2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(
    arguments=st.dictionaries(st.sampled_from(["x", "y", "z"]), ANYTHING, max_size=3) | ANYTHING,
    document=ANYTHING
    | st.just({"properties": {"x": {"enum": ["Ada", 1]}, "y": {"type": "integer"}}, "required": ["x"]}),
    output=st.sampled_from(["39", "Ada is 39", '{"age": 39}']) | ANYTHING.map(json.dumps),
    probed=st.sampled_from(["39", "nothing", '{"error": 39}']),
)
def test_no_arguments_and_no_document_are_too_odd(arguments: Any, document: Any, output: str, probed: str) -> None:
    tool = {"function": {"name": "t", "parameters": document}}
    context = Context(TaskFacts("Who is Ada of Orun?", [tool], [Gold(tool="t", value="39")] * 2))
    board = Scoreboard.of({"t": ["39", "39"]}, STRICT, context)
    for _ in range(2):
        call = ParsedCall("t", json.dumps(arguments))
        considered = board.consider([call, call], [CallResult(output, CallStatus.OK, 0.0)] * 2, 1)
        assert all(isinstance(json.loads(probe.arguments), dict) for probe in considered.probes)
        board.settle(considered, [CallResult(probed, CallStatus.OK, 0.0) for _ in considered.probes])
    assert len(board.solved) <= 1
    assert board.calls == 6
