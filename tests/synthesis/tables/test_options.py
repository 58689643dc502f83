"""Each option that a tool takes beside what it needs does what it says, and changes nothing when it is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from ftrl.environments import Scenario
from ftrl.environments.schema import SubQuestion
from ftrl.sandbox import Call, CallResult, CallStatus, Sandbox
from ftrl.synthesis import SynthesisConfig
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.tables import options
from ftrl.synthesis.tables.generator import build
from ftrl.synthesis.tables.world import World

Made = tuple[Candidate, SubQuestion, dict[str, str]]
"""A candidate, a step of it, and the options of that step's tool: own name to what it is called there."""

OWN_NAME = {name: own for own, names in options.NAMES.items() for name in names}


@pytest.fixture(scope="module")
def made() -> list[Made]:
    plain = {
        "functional": 0.0,
        "types": 0.0,
        "queries": 0.7,
        "expansions": 12,
        "required": 0.0,
        "distractors": (0, 0),
        "hops": (2, 2),
    }
    config = SynthesisConfig.model_validate({"out": "unused", "style": "rich", "seed": 2, **plain})
    world = World(2, "train", True)
    return [
        (candidate, step, _options(candidate, step))
        for candidate in (build(config, world, index, 0) for index in range(400))
        for step in candidate.environment.trace
    ]


def _options(candidate: Candidate, step: SubQuestion) -> dict[str, str]:
    tool = next(t["function"] for t in candidate.environment.tools if t["function"]["name"] == step.tool)
    schemas = tool["parameters"]["properties"]
    optional = [name for name in schemas if name not in tool["parameters"]["required"]]
    found = {OWN_NAME[name]: name for name in optional if name in OWN_NAME}
    other_end = [name for name in optional if name.startswith("also_")]
    return {**found, "other_end": other_end[0]} if other_end else found


def with_option(made: list[Made], option: str, fits: Callable[[SubQuestion], bool]) -> Iterator[Made]:
    found = [each for each in made if option in each[2] and fits(each[1])]
    assert found, f"no tool takes {option}"
    return iter(found[:3])


def called(sandbox: Sandbox, candidate: Candidate, step: SubQuestion, arguments: dict[str, Any]) -> CallResult:
    (result,) = sandbox.run([Call(step.tool, json.dumps(arguments), candidate.sources[step.tool])])
    return result


def subject_of(step: SubQuestion) -> str:
    return str(next(iter(step.arguments.values())))


def with_subject(step: SubQuestion, subject: str) -> dict[str, Any]:
    return {**step.arguments, next(iter(step.arguments)): subject}


def _any(step: SubQuestion) -> bool:
    return True


def _whole(step: SubQuestion) -> bool:
    return step.answer.isdigit()


def _long(step: SubQuestion) -> bool:
    return step.answer.isdigit() and len(step.answer) > 3


# What is set, and what then comes back for a golden call whose answer is known.
WRITTEN: dict[str, tuple[Any, Callable[[SubQuestion], bool], Callable[[str], str]]] = {
    "round_to": (1000, _long, lambda answer: str(round(int(answer) / 1000) * 1000)),
    "number_format": ("spaced", _long, lambda answer: f"{int(answer):,}".replace(",", " ")),
    "as_text": (True, _whole, lambda answer: f'"{answer}"'),
    "name_order": ("family_first", _any, lambda answer: ", ".join(reversed(answer.split()))),
    "name_part": ("family", _any, lambda answer: f'"{answer.split()[1]}"'),
    "shorten_given_name": (True, _any, lambda answer: f"{answer[0]}. {answer.split()[1]}"),
    "letter_case": ("upper", _any, str.upper),
    "max_length": (3, _any, lambda answer: f'"{answer[:3]}"'),
    "with_kind": (True, _any, lambda answer: f" {answer}"),
    "date_order": ("day_first", _any, lambda answer: "-".join(reversed(answer.split("-")))),
    "date_separator": ("/", _any, lambda answer: answer.replace("-", "/")),
    "precision": ("month", _any, lambda answer: f'"{answer[:7]}"'),
    "include_weekday": (True, _any, lambda answer: date.fromisoformat(answer).strftime("%A")),
    "time_separator": (".", _any, lambda answer: answer.replace(":", ".")),
    "include_offset": (True, _any, lambda answer: '"minutes_ahead": '),
    "include_source": (True, _any, lambda answer: ' register"'),
    "include_size": (True, _any, lambda answer: '"register_size": '),
    "include_count": (True, _any, lambda answer: '"count": '),
    "detail": ("record", _any, lambda answer: ", "),
}


@pytest.mark.parametrize("option", list(WRITTEN))
def test_an_option_changes_how_the_answer_is_written_or_what_stands_beside_it(made, sandbox, option):
    value, fits, expected = WRITTEN[option]
    for candidate, step, names in with_option(made, option, fits):
        plain = called(sandbox, candidate, step, step.arguments)
        result = called(sandbox, candidate, step, {**step.arguments, names[option]: value})
        assert result.status is CallStatus.OK, result.output
        # A bare text comes back without quotes.
        assert expected(step.answer) in (result.output if result.output[0] in "{[" else json.dumps(result.output))
        if plain.output[0] == "{":
            assert result.output != plain.output


def test_a_time_is_told_by_twelve_hours(made, sandbox):
    for candidate, step, names in with_option(made, "twelve_hour_clock", _any):
        result = called(sandbox, candidate, step, {**step.arguments, names["twelve_hour_clock"]: True})
        hour, minutes = step.answer[-5:].split(":")
        half = "pm" if int(hour) >= 12 else "am"
        assert f"{int(hour) % 12 or 12}:{minutes} {half}" in result.output


def test_the_unit_stands_behind_the_number(made, sandbox):
    for candidate, step, names in with_option(made, "with_unit", _whole):
        result = called(sandbox, candidate, step, {**step.arguments, names["with_unit"]: True})
        assert re.search(rf"\b{step.answer} [a-z]+", result.output)


@pytest.mark.parametrize(
    ("option", "written"),
    [
        ("ignore_case", str.upper),
        ("ignore_spacing", lambda name: name.replace(" ", "   ")),
        ("allow_beginning", lambda name: name[:-1]),
    ],
)
def test_a_name_may_be_written_otherwise_where_an_option_says_so(made, sandbox, option, written):
    def fits(step: SubQuestion) -> bool:
        return written(subject_of(step)) != subject_of(step)

    for candidate, step, names in with_option(made, option, fits):
        arguments = with_subject(step, written(subject_of(step)))
        assert called(sandbox, candidate, step, arguments).status is not CallStatus.OK
        result = called(sandbox, candidate, step, {**arguments, names[option]: True})
        assert all(answer in result.output for answer in step.answer.split(", "))


def test_three_letters_are_too_few_to_begin_a_name(made, sandbox):
    for candidate, step, names in with_option(made, "allow_beginning", _any):
        arguments = with_subject(step, subject_of(step)[:3])
        assert called(sandbox, candidate, step, {**arguments, names["allow_beginning"]: True}).status is not (
            CallStatus.OK
        )


def test_nothing_is_returned_for_an_unknown_name_where_that_is_wanted(made, sandbox):
    for candidate, step, names in with_option(made, "on_missing", _any):
        arguments = with_subject(step, "Qwyx Xwyq")
        assert called(sandbox, candidate, step, arguments).status is not CallStatus.OK
        result = called(sandbox, candidate, step, {**arguments, names["on_missing"]: "nothing"})
        assert (result.status, result.output) == (CallStatus.OK, "None")


def test_a_list_can_be_turned_round_and_cut(made, sandbox):
    for candidate, step, names in with_option(made, "sort_order", lambda step: ", " in step.answer):
        result = called(sandbox, candidate, step, {**step.arguments, names["sort_order"]: "descending"})
        first, *_, last = step.answer.split(", ")
        assert result.output.index(last) < result.output.index(first)
    for candidate, step, names in with_option(made, "limit", lambda step: ", " in step.answer):
        result = called(sandbox, candidate, step, {**step.arguments, names["limit"]: 1})
        first, *_, last = step.answer.split(", ")
        assert first in result.output
        assert last not in result.output


def test_what_is_passed_over_or_not_the_first_is_not_returned(made, sandbox):
    single = [each for each in made if ", " not in each[1].answer]
    for option, value in (("exclude", lambda step: [step.answer]), ("rank", lambda step: 2)):
        for candidate, step, names in with_option(single, option, lambda step: not step.answer.isdigit()):
            result = called(sandbox, candidate, step, {**step.arguments, names[option]: value(step)})
            assert step.answer not in result.output


def test_the_bound_itself_counts_where_that_is_wanted_and_a_second_bound_narrows(made, sandbox):
    # A departure's time is its own figure.
    for candidate, step, names in with_option(made, "inclusive", lambda step: bool(re.fullmatch("..:..", step.answer))):
        at = {**step.arguments, list(step.arguments)[1]: step.answer}
        assert step.answer not in called(sandbox, candidate, step, at).output
        assert step.answer in called(sandbox, candidate, step, {**at, names["inclusive"]: True}).output
    for candidate, step, names in with_option(made, "other_end", _any):
        bound = list(step.arguments.values())[1]
        result = called(sandbox, candidate, step, {**step.arguments, names["other_end"]: bound})
        assert result.status is not CallStatus.OK, "nothing lies between a bound and itself"


def test_days_are_counted_with_both_ends_and_with_a_sign(made, sandbox):
    for candidate, step, names in with_option(made, "count_both_days", _any):
        result = called(sandbox, candidate, step, {**step.arguments, names["count_both_days"]: True})
        assert str(int(step.answer) + 1) in result.output
    for candidate, step, names in with_option(made, "signed", _any):
        values = sorted(step.arguments.values())
        backwards = dict(zip(step.arguments, reversed(values), strict=True))
        result = called(sandbox, candidate, step, {**backwards, names["signed"]: True})
        assert f"-{step.answer}" in result.output


def test_every_option_has_names_of_its_own(made):
    names = [name for several in options.NAMES.values() for name in several]
    assert len(names) == len(set(names))
    assert {own for _, _, found in made for own in found} == {*options.NAMES, "other_end"}


def test_rich_tools_take_about_as_many_parameters_as_published_ones(candidate):
    counts = [
        len(tool["function"]["parameters"]["properties"])
        for index in range(24)
        for tool in candidate(list(Scenario)[index % 4], index, style="rich").environment.tools
    ]
    assert 5 <= sum(counts) / len(counts) <= 7.5
