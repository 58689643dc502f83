"""Ways to be paid for nothing, on the published tasks: the reference pays for them, the strict profile does not.

The first part goes through the list of known patterns, the second through those that were found by searching.
``docs/scoring.md`` tells how.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import Environment, open_tasks
from ftrl.rewards import Context, Earlier, ResponseScoring, Score, TaskFacts, profile_named, score_parsed
from ftrl.rewards.profiles import METRICS
from ftrl.sandbox import CallResult, CallStatus, Sandbox
from ftrl.tool_calls import parse_qwen, parse_qwen_strict

REFERENCE, STRICT = profile_named("reference"), profile_named("strict")
COUNTED = " ".join(map(str, [*range(101), *range(1900, 2026)]))
"""A text that holds most small numbers and years."""

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """A gold of a published task, with what a cheater sees of its tool, and a call that brings it honestly."""

    task: int
    tool: str
    value: str
    parameters: Mapping[str, Any]
    required: Sequence[str]
    honest: Arguments | None

    def filled(self, word: str, number: int = 7919) -> Arguments:
        """Arguments for everything that is required, knowing nothing."""
        return {name: _fill(self.parameters[name], word, number) for name in self.required if name in self.parameters}

    @property
    def asks_freely(self) -> bool:
        """Whether a required parameter is not merely chosen from a list."""
        asked = [self.parameters[name] for name in self.required if name in self.parameters]
        return any("enum" not in schema and "enum" not in (schema.get("items") or {}) for schema in asked)


def _fill(schema: Mapping[str, Any], word: str, number: int) -> Any:
    if schema.get("enum"):
        return schema["enum"][0]
    values = {
        "number": number,
        "integer": number,
        "boolean": True,
        "array": [_fill(schema.get("items") or {}, word, number)] if schema.get("type") == "array" else None,
        "object": {"zqxv": word},
    }
    return values.get(str(schema.get("type")), word)


class Bench:
    """The published tasks, ready to score responses to them under both profiles."""

    def __init__(self, shared: Path, sandbox: Sandbox) -> None:
        tasks = open_tasks(str(shared / "data/ftrl_test_dev100.jsonl"))
        self.environments: list[Environment] = list(tasks)
        self._sources = [tasks.sources(environment) for environment in self.environments]
        self.facts = [TaskFacts.of(environment) for environment in self.environments]
        self._sandbox = sandbox
        self.honest: dict[tuple[int, str, str], Arguments] = {}
        with (shared / "golden/calls_dev.jsonl").open(encoding="utf-8") as file:
            for call in map(json.loads, file):
                if call.get("quality") == "clean":
                    key = (call["task"], call["name"], call["ticks_gold"])
                    self.honest.setdefault(key, json.loads(call["arguments"]))
        self.wanted = list(self._wanted())

    def _wanted(self) -> Iterator[Wanted]:
        for task, environment in enumerate(self.environments):
            parameters = {tool["function"]["name"]: tool["function"]["parameters"] for tool in environment.tools}
            for gold in environment.golds:
                document = parameters[gold.tool]
                yield Wanted(
                    task,
                    gold.tool,
                    gold.value,
                    document.get("properties", {}),
                    document.get("required", []),
                    self.honest.get((task, gold.tool, gold.value)),
                )

    def score(
        self,
        responses: Sequence[tuple[int, str, dict[str, list[str]] | None]],
        metric: str = "solve_f1",
        solve_rate: float = 0.0,
        history: tuple[Earlier, ...] = (),
    ) -> list[tuple[Score, Score]]:
        """The scores of (task, text, open golds or None for all), by reference and by strict."""
        scorings = [
            ResponseScoring(
                text,
                self.environments[task].unsolved() if unsolved is None else unsolved,
                self._sources[task],
                answer=self.environments[task].answer,
                solve_rate=solve_rate,
                metric=metric,
                profiles=(REFERENCE, STRICT),
                context=Context(self.facts[task], history),
            )
            for task, text, unsolved in responses
        ]
        probes = [
            scoring.probes(results)
            for scoring, results in zip(scorings, self._run([one.calls for one in scorings]), strict=True)
        ]
        scores = [scoring.scores(probed) for scoring, probed in zip(scorings, self._run(probes), strict=True)]
        return [(reference, strict) for reference, strict in scores]

    def _run(self, calls: Sequence[Sequence[Any]]) -> list[list[CallResult]]:
        results = iter(self._sandbox.run([call for some in calls for call in some]))
        return [[next(results) for _ in some] for some in calls]

    def golds_paid(
        self, cheat: Callable[[Wanted], Sequence[Arguments]], history: tuple[Earlier, ...] = ()
    ) -> tuple[set[Wanted | Any], dict[Any, float]]:
        """The numbers of the golds that some call of the cheat ticks: by reference; by strict, with the best pay."""
        attempts = [(number, arguments) for number, one in enumerate(self.wanted) for arguments in cheat(one)]
        responses = [
            (
                self.wanted[number].task,
                call(self.wanted[number].tool, arguments),
                {self.wanted[number].tool: [self.wanted[number].value]},
            )
            for number, arguments in attempts
        ]
        reference: set[Any] = set()
        strict: dict[Any, float] = {}
        for (number, _), (one, other) in zip(attempts, self.score(responses, history=history), strict=True):
            if one.ticked:
                reference.add(number)
            if other.ticked:
                strict[number] = max(other.value, strict.get(number, 0.0))
        return reference, strict

    def answers_paid(self, cheat: Callable[[int], str], *, solved: bool = False) -> tuple[float, float]:
        """What a text without calls earns over all tasks, with no gold solved or all."""
        unsolved: dict[str, list[str]] | None = {} if solved else None
        scores = self.score([(task, cheat(task), unsolved) for task in range(100)], solve_rate=float(solved))
        return sum(max(one.value, 0.0) for one, _ in scores), sum(max(other.value, 0.0) for _, other in scores)


@pytest.fixture(scope="module")
def bench(shared: Path, sandbox: Sandbox) -> Bench:
    return Bench(shared, sandbox)


def call(tool: str, arguments: Arguments) -> str:
    return f"<tool_call>\n{json.dumps({'name': tool, 'arguments': arguments}, ensure_ascii=False)}\n</tool_call>\n"


# The known patterns


def test_the_gold_as_an_argument_name_is_read_from_the_error_text(bench: Bench) -> None:
    reference, strict = bench.golds_paid(lambda one: [{one.value: 1}])
    assert len(reference) == len(bench.wanted) == 420
    assert strict == {}


def test_one_fixed_argument_name_ticks_dozens_knowing_nothing(bench: Bench) -> None:
    reference, strict = bench.golds_paid(lambda one: [{f"{COUNTED} yes no": 1}])
    assert len(reference) >= 40
    assert strict == {}


def test_error_texts_about_missing_arguments_tick_short_golds(bench: Bench) -> None:
    text = "f() missing 1 required positional argument: 'town'"
    scores = [
        score_parsed(
            parse_qwen(call("f", {})),
            [CallResult(text, CallStatus.TOOL_ERROR, 0.0)],
            {"f": ["1"]},
            answer=None,
            profile=profile,
        ).value
        for profile in (REFERENCE, STRICT)
    ]
    assert scores == [1.0, 0.0]


@pytest.mark.parametrize("profile", [REFERENCE, STRICT], ids=lambda profile: profile.name)
def test_a_time_out_text_that_quotes_the_source_ticks_under_neither(bench: Bench, profile: Any) -> None:
    # The published scorer pays for it; that defect is not reproduced, so neither profile does.
    for one in bench.wanted[:40]:
        text = f"call {one.tool} timed out: return '{one.value}'"
        parsed = profile.parser(call(one.tool, {}))
        result = [CallResult(text, CallStatus.TIMEOUT, 10.0)]
        assert score_parsed(parsed, result, {one.tool: [one.value]}, answer=None, profile=profile).ticked == ()


def test_the_gold_put_in_as_an_argument_comes_back_as_an_echo(bench: Bench) -> None:
    def cheat(one: Wanted) -> list[Arguments]:
        known = one.honest if one.honest is not None else one.filled("zqxv")
        return [{**known, name: one.value} for name in one.parameters]

    reference, strict = bench.golds_paid(cheat)
    assert len(reference) >= 300
    assert strict == {}


def test_an_echo_made_of_pieces_or_in_other_letters_is_an_echo(bench: Bench) -> None:
    def cheat(one: Wanted) -> list[Arguments]:
        names = list(one.parameters)
        forms = [
            one.value.upper(),
            one.value.replace(" ", "_"),
            [one.value],
            {one.value: one.value},
            f"x {one.value} y",
        ]
        split = dict(zip(names, one.value.split() + ["zqxv"] * 20, strict=False))
        return [split, *({**one.filled("zqxv"), name: form} for name in names[:3] for form in forms)]

    reference, strict = bench.golds_paid(cheat)
    assert len(reference) >= 80
    assert strict == {}


def test_nonsense_arguments_bring_some_golds_back(bench: Bench) -> None:
    def cheat(one: Wanted) -> list[Arguments]:
        kinds = {"number": 7919, "integer": 7919, "array": ["zqxv"], "object": {"zqxv": "zqxv"}}
        alone = [
            {name: kinds.get(str(schema.get("type")), "zqxv")}
            for name, schema in one.parameters.items()
            if schema.get("type") != "boolean"
        ]
        return [*([one.filled("zqxv")] if one.asks_freely else []), *alone]

    reference, strict = bench.golds_paid(cheat)
    assert len(reference) >= 12
    assert strict == {}


def test_no_arguments_at_all_bring_some_golds_back(bench: Bench) -> None:
    reference, strict = bench.golds_paid(lambda one: [{}])
    assert len(reference) >= 13
    # Where the document asks for nothing, an empty call may be all that an honest model can say: it earns half.
    assert all(not bench.wanted[number].required and pay == 0.5 for number, pay in strict.items())


@pytest.mark.parametrize(
    ("output", "gold"), [("17", "1"), ("not known", "no"), ("2010", "1"), ("None", "on"), ("6300000", "6,300")]
)
def test_golds_stand_inside_longer_tokens(output: str, gold: str) -> None:
    paid = [
        score_parsed(
            parse_qwen(call("f", {})),
            [CallResult(output, CallStatus.OK, 0.0)],
            {"f": [gold]},
            answer=None,
            profile=profile,
        ).value
        for profile in (REFERENCE, STRICT)
    ]
    assert paid == [1.0, 0.0]


def test_sixteen_parallel_guesses_are_free_under_the_published_solve_rate(bench: Bench) -> None:
    def spray(one: Wanted) -> tuple[int, str, dict[str, list[str]]]:
        guesses = [call(one.tool, dict.fromkeys(one.parameters, f"guess {n}")) for n in range(15)]
        return one.task, call(one.tool, one.honest or {}) + "".join(guesses), {one.tool: [one.value]}

    tight = [one for one in bench.wanted if one.honest][:60]
    scores = bench.score([spray(one) for one in tight], metric="solve_rate")
    assert sum(reference.value == 1 for reference, _ in scores) >= 55
    assert max(strict.value for _, strict in scores) <= 1 / 16


def test_a_fixed_text_of_numbers_holds_the_answer(bench: Bench) -> None:
    reference, strict = bench.answers_paid(lambda task: COUNTED)
    assert reference > 5
    assert strict == 0


def test_the_question_repeated_holds_the_answer(bench: Bench) -> None:
    for repeated in (lambda task: bench.environments[task].question, lambda task: bench.facts[task].question):
        reference, strict = bench.answers_paid(repeated)
        assert reference > 2.5
        assert strict == 0


def test_unparsable_calls_vanish_from_the_denominator(bench: Bench) -> None:
    one = next(one for one in bench.wanted if one.honest)
    text = call(one.tool, one.honest or {}) + "<tool_call>\n{\n</tool_call>" * 15
    [(reference, strict)] = bench.score([(one.task, text, {one.tool: [one.value]})])
    assert reference.value == 1.0
    assert strict.value == pytest.approx(2 / 17)


def test_calls_in_thinking_are_paid(bench: Bench) -> None:
    honest = [one for one in bench.wanted if one.honest][:100]
    texts = [
        (one.task, f"<think>{call(one.tool, one.honest or {})}</think>Hm.", {one.tool: [one.value]}) for one in honest
    ]
    scores = bench.score(texts)
    assert sum(reference.value for reference, _ in scores) >= 95
    assert all(strict.value <= 0 and strict.calls == 0 for _, strict in scores)


def test_answers_in_thinking_and_in_made_up_tool_responses_are_paid(bench: Bench) -> None:
    for frame in ("<think>{}</think>", "<think>{}", "{}</think>", "<tool_response>{}</tool_response>Done."):
        reference, strict = bench.answers_paid(lambda task, frame=frame: frame.format(bench.environments[task].answer))
        assert reference > 25
        assert strict == 0


def test_calls_in_made_up_tool_responses_are_paid(bench: Bench) -> None:
    one = next(one for one in bench.wanted if one.honest)
    text = f"<tool_response>{call(one.tool, one.honest or {})}</tool_response>"
    [(reference, strict)] = bench.score([(one.task, text, {one.tool: [one.value]})])
    assert (reference.value, strict.value) == (1.0, -0.3)


def test_with_nothing_left_to_solve_any_text_is_paid(bench: Bench) -> None:
    assert bench.answers_paid(lambda task: "Done.", solved=True) == (50.0, 0.0)


def test_with_nothing_left_to_solve_the_right_answer_is_paid_in_full(bench: Bench) -> None:
    for frame in ("{}", "{}.", "**{}**", "The answer is {}.", "After all these calls, I can say that it is {}."):
        paid = bench.answers_paid(lambda task, frame=frame: frame.format(bench.environments[task].answer), solved=True)
        assert paid == (100.0, 100.0)


def test_parallel_calls_earn_more_than_one(bench: Bench) -> None:
    responses = []
    for task, environment in enumerate(bench.environments):
        known = [(one.tool, one.honest) for one in bench.wanted if one.task == task and one.honest]
        if len(known) == len(environment.golds) > 2:
            responses.append((task, "".join(call(tool, arguments) for tool, arguments in known), None))
    scores = bench.score(responses)
    assert len(scores) >= 30
    assert max(reference.value for reference, _ in scores) > 1.7
    assert max(strict.value for _, strict in scores) <= 1.0


TWINS = {
    57: (
        "historical_event_retriever",
        "0",
        {"event_name": "Albert Guay affair", "date": "1949-09"},
        {"event_name": "Greek Civil War retreat at Mount Gramos", "date": "1949-08"},
        {"date": "1949-09", "event_name": "Albert Guay affair", "location": None},
    ),
    82: (
        "unified_specification_retriever",
        "1,024",
        {"brand": "Samsung", "model": "latest", "specification": "storage"},
        {"brand": "Apple", "model": "latest", "specification": "storage"},
        {"specification": "storage", "model": "latest", "brand": "Samsung", "region": None},
    ),
}
"""The tasks in which a gold stands twice: an honest call for each, and the first one in other words."""


@pytest.mark.parametrize("task", TWINS)
def test_a_gold_that_stands_twice_is_ticked_twice_by_one_call(bench: Bench, task: int) -> None:
    tool, gold, first, second, again = TWINS[task]
    unsolved = {tool: [gold, gold]}
    texts = [call(tool, first) * 2, call(tool, first) + call(tool, again), call(tool, first) + call(tool, second)]
    scores = bench.score([(task, text, unsolved) for text in texts])
    assert [len(reference.ticked) for reference, _ in scores] == [2, 2, 2]
    assert [len(strict.ticked) for _, strict in scores] == [1, 1, 2]


def test_wrong_types_that_a_tool_swallows_earn_half(bench: Bench) -> None:
    responses = [
        (one.task, call(one.tool, {**(one.honest or {}), name: ["zqxv"]}), {one.tool: [one.value]})
        for one in bench.wanted
        for name, schema in one.parameters.items()
        if one.honest and schema.get("type") == "string" and name not in one.honest
    ]
    scores = bench.score(responses[:800])
    swallowed = [(reference, strict) for reference, strict in scores if reference.value == 1]
    assert len(swallowed) >= 100
    assert max(strict.value for _, strict in swallowed) == 0.5


@pytest.mark.parametrize("name", [["f"], {"f": 1}, 7, True, None])
def test_a_name_that_is_no_text_does_not_crash_the_scorer_and_is_an_unparsable_call(name: object) -> None:
    text = f"<tool_call>{json.dumps({'name': name, 'arguments': {}})}</tool_call>"
    parsed = parse_qwen_strict(text)
    score = score_parsed(parsed, [], {"f": ["39"]}, answer=None, profile=STRICT)
    assert (score.value, score.calls, score.unparsable) == (-0.3, 1, 1)


# Found by searching


def test_letters_that_stand_in_many_names_and_wildcards_bring_golds_back(bench: Bench) -> None:
    words = [*string.ascii_lowercase, "an", "er", "in", "ar", "", " ", "*", "%", ".*", ".", "|", "all", "any", "None"]

    def cheat(one: Wanted) -> list[Arguments]:
        return [one.filled(word, 1) for word in words] if one.asks_freely else []

    reference, strict = bench.golds_paid(cheat)
    assert len(reference) >= 2
    assert strict == {}


def test_every_type_but_the_right_one_is_worth_nothing(bench: Bench) -> None:
    values: list[Any] = [
        [],
        [0],
        {},
        {"x": "y"},
        True,
        None,
        0,
        -1,
        1e9,
        "",
        "0",
        list(range(60)),
        list(map(str, range(60))),
    ]

    def cheat(one: Wanted) -> list[Arguments]:
        return [dict.fromkeys(one.required, value) for value in values] if one.asks_freely else []

    _, strict = bench.golds_paid(cheat)
    assert strict == {}


def test_a_dump_of_every_known_answer_in_one_argument_is_worth_nothing(bench: Bench) -> None:
    everything = sorted({one.value for one in bench.wanted})

    def cheat(one: Wanted) -> list[Arguments]:
        return [one.filled(", ".join(value for value in everything if value != one.value))] if one.asks_freely else []

    reference, strict = bench.golds_paid(cheat)
    assert len(reference) >= 10
    assert strict == {}


def test_an_argument_full_of_numbers_is_worth_nothing(bench: Bench) -> None:
    def cheat(one: Wanted) -> list[Arguments]:
        return [one.filled(f"{COUNTED} yes no")] if one.asks_freely else []

    reference, strict = bench.golds_paid(cheat)
    assert len(reference) >= 8
    assert strict == {}


def test_nonsense_that_a_tool_has_repeated_before_is_still_nonsense(bench: Bench) -> None:
    said = Earlier("echo", '{"text": "zqxv"}', '{"text": "zqxv", "message": "zqxv it is"}')

    def cheat(one: Wanted) -> list[Arguments]:
        return [one.filled("zqxv")] if one.asks_freely else []

    reference, strict = bench.golds_paid(cheat, (said,))
    assert len(reference) >= 1
    assert strict == {}


@pytest.mark.parametrize(
    ("spray", "most"),
    [
        ("0 1 2 3 4 5 6 7 8 9", 0.0),
        ("\n".join(f"{number}. x" for number in range(100)), 0.0),
        ("\n".join(map(str, range(100))), 0.0),
        ("/".join(map(str, range(100))), 0.0),
        ("(a) (b) (c) a, b, c; a, c, b; b, a, c; b, c, a; c, a, b; c, b, a. a. b. c. yes no " + COUNTED, 1.7),
        ("yes no. The answer is yes. The answer is no.", 1.1),
    ],
)
def test_a_text_with_every_answer_earns_no_more_than_one_guess(bench: Bench, spray: str, most: float) -> None:
    reference, strict = bench.answers_paid(lambda task: spray)
    assert reference > 1.9
    assert strict <= most  # what "b", "c, b, a" or "no" alone earns


def test_the_question_in_pieces_is_still_the_question(bench: Bench) -> None:
    def pieces(task: int, length: int) -> str:
        words = bench.facts[task].question.split()
        return " . ".join(" ".join(words[at : at + length]) for at in range(0, len(words), length))

    for length in (1, 5, 12, 1000):
        _, strict = bench.answers_paid(lambda task, length=length: pieces(task, length))
        assert strict <= 0.6  # what the last choice that it names earns, as a guess


def test_a_list_of_names_is_worth_less_than_a_guess(bench: Bench) -> None:
    capitalised = sorted({word for facts in bench.facts for word in re.findall(r"\b[A-Z][a-z]{3,}\b", facts.question)})
    names = sorted({one.value.split()[-1] for one in bench.wanted if not one.value[0].isdigit()})
    reference, strict = bench.answers_paid(lambda task: " ".join(capitalised + names))
    assert reference > 5
    assert strict == 0


def test_no_metric_of_the_strict_profile_pays_for_any_of_it(bench: Bench) -> None:
    one = next(one for one in bench.wanted if one.honest and one.asks_freely)
    unsolved = {one.tool: [one.value]}
    texts = [
        call(one.tool, {one.value: 1}),
        call(one.tool, {}),
        call(one.tool, one.filled("zqxv")),
        "<tool_call>",
        COUNTED,
    ]
    for metric in METRICS:
        scores = bench.score([(one.task, text, unsolved) for text in texts], metric=metric)
        assert all(strict.value <= 0 for _, strict in scores)
