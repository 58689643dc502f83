"""What a strict scorer asks of the arguments: that they fit the document, and that they are what brought the gold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftrl.environments import Gold
from ftrl.rewards import Context, Earlier, Score, TaskFacts, profile_named, score_response
from ftrl.rewards.conformity import conforms
from ftrl.sandbox import Sandbox

STRICT = profile_named("strict")


def call(name: str, arguments: dict[str, Any]) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


def schema(name: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


# The document


@pytest.mark.parametrize(
    ("arguments", "fits"),
    [
        ({"town": "Orun"}, True),
        ({"town": "Orun", "year": 1949, "kind": "PEOPLE"}, True),
        ({"town": "Orun", "year": 1949.0}, True),
        ({"town": "Orun", "year": None}, True),  # left out
        ({"town": "Orun", "tags": ["a", "b"], "area": {"km": 3}}, True),
        ({}, False),
        ({"town": None}, False),
        ({"town": 7}, False),
        ({"town": "Orun", "year": "1949"}, False),
        ({"town": "Orun", "year": True}, False),
        ({"town": "Orun", "year": 900}, False),
        ({"town": ""}, False),
        ({"town": "Orun", "tags": []}, False),
        ({"town": "Orun", "kind": "cats"}, False),
        ({"town": "Orun", "tags": "a"}, False),
        ({"town": "Orun", "tags": ["a", 1]}, False),
        ({"town": "Orun", "area": {}}, False),
        ({"town": "Orun", "junk": 1}, False),
        (["Orun"], False),
        ("Orun", False),
    ],
)
def test_arguments_fit_their_document_or_not(arguments: Any, fits: bool) -> None:
    parameters = {
        "type": "object",
        "properties": {
            "town": {"type": "string", "minLength": 1},
            "year": {"type": "integer", "minimum": 1000, "maximum": 3000},
            "kind": {"type": "string", "enum": ["people", "houses"]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "area": {"type": "object", "properties": {"km": {"type": "number"}}, "required": ["km"]},
        },
        "required": ["town"],
    }
    assert conforms(arguments, parameters) is fits


@pytest.mark.parametrize(
    "parameters",
    [None, [], {}, {"type": "object"}, {"properties": {"x": {"type": "str"}}}, {"properties": {"x": {"enum": "a"}}},
     {"properties": {"x": 3}, "required": "x"}, {"properties": {"x": {"type": ["string", "integer"]}}},
     {"properties": {"x": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}}],
)  # fmt: skip
def test_an_unsound_document_forbids_nothing(parameters: Any) -> None:
    assert conforms({"x": 1}, parameters)


def test_arguments_that_the_document_does_not_allow_earn_half(sandbox: Sandbox) -> None:
    source = "def people(town, **junk):\n    return {'Orun': 1200}[str(town)]\n"
    document = schema("people", {"town": {"type": "string"}}, ["town"])
    good = score(sandbox, source, document, "1200", {"town": "Orun"})
    bad = score(sandbox, source, document, "1200", {"town": "Orun", "please": "now"})
    assert (good.value, bad.value) == (1.0, 0.5)
    assert [tick.worth for tick in bad.ticked] == [0.5]


# Grounding

LOOSE = "def mayor(town=None):\n    return 'Ada Vell'\n"
TIGHT = "def mayor(town):\n    return {'Orun': 'Ada Vell'}.get(town, 'Bo Lind')\n"
ASKS = schema("mayor", {"town": {"type": "string"}}, ["town"])
ASKS_NOTHING = schema("mayor", {"town": {"type": "string"}, "loud": {"type": "boolean"}}, [])
QUESTION = "Instructions about tools.\nQuestion: Who is the mayor of the old harbour town?"


def score(
    sandbox: Sandbox,
    source: str,
    document: dict[str, Any],
    gold: str,
    arguments: dict[str, Any],
    history: tuple[Earlier, ...] = (),
    solved: tuple[Gold, ...] = (),
) -> Score:
    name = document["function"]["name"]
    facts = TaskFacts(QUESTION, [document], [*solved, Gold(tool=name, value=gold)])
    return score_response(
        call(name, arguments),
        {name: [gold]},
        {name: source},
        sandbox,
        answer=None,
        profile=STRICT,
        context=Context(facts, history),
    )


@pytest.mark.parametrize(
    "town", ["Zqxv", "tools", "e", "", "*", "1949-08-01", "the", "Which", " ".join(["Guess"] * 50)]
)
def test_nonsense_is_not_paid_though_the_tool_answers_it(sandbox: Sandbox, town: str) -> None:
    assert score(sandbox, LOOSE, ASKS, "Ada Vell", {"town": town}).value == 0.0


def test_a_letter_that_stands_in_many_names_is_nonsense_too(sandbox: Sandbox) -> None:
    source = "def mayor(town):\n    return [m for t, m in {'Orun bay': 'Ada Vell'}.items() if town in t]\n"
    assert score(sandbox, source, ASKS, "Ada Vell", {"town": "a"}).value == 0.0
    assert score(sandbox, source, ASKS, "Ada Vell", {"town": "Orun"}).value == 1.0


@pytest.mark.parametrize(("date", "format_"), [("1949-08-01", "%Y-%m-%d"), ("1949-08", "%Y-%m")])
def test_nonsense_in_a_sound_format_is_nonsense_too(sandbox: Sandbox, date: str, format_: str) -> None:
    source = (
        f"import datetime\ndef mayor(town):\n    datetime.datetime.strptime(town, '{format_}')\n    return 'Ada Vell'\n"
    )
    assert score(sandbox, source, ASKS, "Ada Vell", {"town": date}).value == 0.0


@pytest.mark.parametrize(
    ("history", "solved"),
    [
        ((Earlier("harbours", '{"kind": "old"}', '{"town": "Orun"}'),), ()),
        ((), (Gold(tool="harbours", value="Orun"),)),
    ],
)
def test_a_value_from_an_earlier_output_or_a_solved_gold_is_grounded(
    sandbox: Sandbox, history: tuple[Earlier, ...], solved: tuple[Gold, ...]
) -> None:
    assert score(sandbox, LOOSE, ASKS, "Ada Vell", {"town": "orun"}, history, solved).value == 1.0


def test_a_value_from_the_question_is_grounded_and_from_its_instructions_not(sandbox: Sandbox) -> None:
    assert score(sandbox, LOOSE, ASKS, "Ada Vell", {"town": "the old harbour town"}).value == 1.0
    assert score(sandbox, LOOSE, ASKS, "Ada Vell", {"town": "Instructions about"}).value == 0.0


def test_saying_nonsense_aloud_to_a_tool_that_repeats_it_does_not_ground_it(sandbox: Sandbox) -> None:
    said = Earlier("echo", '{"text": "zqxv"}', '{"result": "You said zqxv"}')
    refused = Earlier("find", '{"text": "other"}', "No data found for zqxv.")
    assert score(sandbox, LOOSE, ASKS, "Ada Vell", {"town": "zqxv"}, (said, refused)).value == 0.0


def test_a_value_that_the_document_lists_is_grounded_if_it_was_asked_for_and_was_a_choice(sandbox: Sandbox) -> None:
    towns = {"town": {"type": "string", "enum": ["Orun", "Tesk"]}}
    assert score(sandbox, LOOSE, schema("mayor", towns, ["town"]), "Ada Vell", {"town": "Orun"}).value == 1.0
    assert score(sandbox, LOOSE, schema("mayor", towns, []), "Ada Vell", {"town": "Orun"}).value == 0.5
    only = {"town": {"type": "string", "enum": ["Orun"]}}
    assert score(sandbox, LOOSE, schema("mayor", only, ["town"]), "Ada Vell", {"town": "Orun"}).value == 0.5


def test_a_guess_that_the_tool_needed_is_paid(sandbox: Sandbox) -> None:
    assert score(sandbox, TIGHT, ASKS, "Ada Vell", {"town": "Orun"}).value == 1.0


def test_a_call_that_says_nothing_earns_half_where_nothing_is_asked_and_else_nothing(sandbox: Sandbox) -> None:
    for empty in ({}, {"town": None}, {"loud": True}):
        source = LOOSE.replace("town=None", "town=None, loud=False")
        assert score(sandbox, source, ASKS_NOTHING, "Ada Vell", empty).value == 0.5
    assert score(sandbox, LOOSE, ASKS, "Ada Vell", {}).value == 0.0


def test_sums_of_numbers_that_came_from_nowhere_are_paid_as_long_as_they_matter(sandbox: Sandbox) -> None:
    document = schema("add", {"a": {"type": "number"}, "b": {"type": "number"}}, ["a", "b"])
    for source in ("def add(a, b):\n    return a + b\n", "def add(a, b):\n    return a - b\n"):
        gold = "195249" if "+" in source else "195171"
        assert score(sandbox, source, document, gold, {"a": 195210, "b": 39}).value == 1.0


def test_without_a_context_grounding_and_documents_are_not_judged(sandbox: Sandbox) -> None:
    given = score_response(
        call("mayor", {"town": "zqxv"}), {"mayor": ["Ada Vell"]}, {"mayor": LOOSE}, sandbox, answer=None, profile=STRICT
    )
    assert given.value == 1.0


def test_what_the_model_was_not_shown_does_not_count(sandbox: Sandbox) -> None:
    source = "def mayor(town):\n    return 'x ' * 100 + 'Ada Vell'\n"
    facts = TaskFacts(QUESTION, [ASKS], [Gold(tool="mayor", value="Ada Vell")])
    text, unsolved = call("mayor", {"town": "harbour"}), {"mayor": ["Ada Vell"]}
    for shown, value in ((None, 1.0), (100, 0.0)):
        context = Context(facts, shown=shown)
        score_ = score_response(
            text, unsolved, {"mayor": source}, sandbox, answer=None, profile=STRICT, context=context
        )
        assert score_.value == value
