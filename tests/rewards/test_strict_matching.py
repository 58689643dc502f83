"""When an output holds a gold under the strict profile, and when it only repeats what was given."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ftrl.rewards import matches_strict
from ftrl.rewards.echo import is_echo
from ftrl.rewards.reading import is_refusal
from ftrl.rewards.tokens import parts_of


@pytest.mark.parametrize(
    ("output", "gold"),
    [
        ('{"population": 195210}', "195,210"),
        ("9,000,000", "9000000"),  # to Python a tuple
        ("5762.0", "5,762"),
        ("{'place': 'Orun', 'people': 1200}", "1,200"),  # the text of a Python value
        ('["Pelusium", {"city": "Alexandria"}]', "alexandria, Pelusium"),
        ("Roald Amundsen reached it at the age of 39.", "39"),
        ('{"inner": "{\\"age\\": 39}"}', "39"),  # JSON within JSON
        ('{"Japan": 27, "Kenya": 4}', "Japan"),  # the name of a field that the tool found
        ("The answer is (AST).", "AST"),
        ('{"error": null, "age": 39}', "39"),
        ('{"status": "ok", "age": 39}', "39"),
        ('{"mission": "Orun 1", "success": false, "year": 1969}', "1969"),
        ("!?", "!?"),
    ],
)
def test_an_output_holds_its_values(output: str, gold: str) -> None:
    assert matches_strict(output, gold)


@pytest.mark.parametrize(
    ("output", "gold"),
    [
        ("6300000", "6,300"),
        ("It was built in 1254.", "4"),
        ("Pelusium", "Alexandria, Pelusium"),
        ("None", "on"),
        ('{"population_of_japan": 1}', "Japan"),  # a part of a field's name
        ("", "39"),
        ("anything", "?!"),
    ],
)
def test_an_output_does_not_hold_what_is_only_a_part_of_its_values(output: str, gold: str) -> None:
    assert not matches_strict(output, gold)


@pytest.mark.parametrize(
    "output",
    [
        '{"error": "There is no tool for 39"}',
        '{"Errors": ["39"]}',
        '{"status": "error", "value": 39}',
        '{"success": false, "message": "39 is too much"}',
        '{"data": {"error": "39"}}',
        '[{"error": "39"}, {"error": "39"}]',
        "Error: 39",
        "ValueError: 39",
        "An error occurred: 39",
        "Invalid age 39.",
        "No data found for 39.",
        "Nothing known: 39 could not be found",
        "'age' must be one of [38, 39]",
        "Please choose 38 or 39",
        '{"message": "No record of 39 available"}',
    ],
)
def test_an_error_shaped_result_holds_nothing(output: str) -> None:
    assert not matches_strict(output, "39")


def test_of_many_results_only_the_error_shaped_ones_are_left_out() -> None:
    assert matches_strict('[{"error": "no such town"}, {"town": "Orun", "age": 39}]', "39")


def test_a_long_text_is_no_refusal_whatever_words_are_in_it() -> None:
    assert not is_refusal("The treasure was not found. " + "It was looked for a long time. " * 30)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
GOLDS = st.text(min_size=1, max_size=24)


def buried(gold: object, path: list[tuple[bool, Any]]) -> object:
    """A value somewhere deep in a tree of lists and objects, beside others."""
    value = gold
    for in_list, beside in path:
        value = [beside, value] if in_list else {"beside": beside, "inside": value}
    return value


@given(gold=GOLDS, path=st.lists(st.tuples(st.booleans(), TREES), max_size=4))
def test_a_gold_is_found_however_deep_it_lies(gold: str, path: list[tuple[bool, Any]]) -> None:
    assume(parts_of(gold) and not is_refusal(gold) and gold[:1] not in "[{")
    assume(gold.lower().strip() != "error")
    assert matches_strict(json.dumps(buried(gold, path), ensure_ascii=False), gold)
    assert matches_strict(json.dumps(buried(gold, path)), gold.upper()) or gold.upper().casefold() != gold.casefold()


@given(
    number=st.integers(min_value=-(10**12), max_value=10**12),
    path=st.lists(st.tuples(st.booleans(), TREES), max_size=3),
)
def test_a_number_is_found_as_a_number(number: int, path: list[tuple[bool, Any]]) -> None:
    output = json.dumps(buried(number, path))
    assert matches_strict(output, f"{number:,}")
    assert matches_strict(output, f"{number}.0")


@given(output=st.text(max_size=200) | TREES.map(json.dumps), gold=st.text(max_size=20))
def test_no_output_makes_the_matcher_raise(output: str, gold: str) -> None:
    assert matches_strict(output, gold) in (True, False)


@pytest.mark.parametrize(
    "output",
    [
        "[" * 200_000,
        "(" * 200_000,
        "{" * 1_000,
        "(" * 30 + "1" + ")" * 30,
        '{"a":' * 900 + "1" + "}" * 900,
        "x " * 500_000,
        "1," * 500_000,
    ],
)
def test_monstrous_outputs_are_read_in_no_time(output: str) -> None:
    start = time.process_time()
    matches_strict(output, "39")
    assert time.process_time() - start < 2


# Echo


@pytest.mark.parametrize(
    ("arguments", "output", "gold"),
    [
        ({"name": "Ada Vell"}, '{"name": "Ada Vell"}', "Ada Vell"),
        ({"name": "ada vell"}, "Result for ADA VELL", "Ada Vell"),
        ({"first": "Ada", "last": "Vell"}, "Result for Ada Vell", "Ada Vell"),
        ({"last": "Vell", "first": "Ada"}, '{"who": ["Ada Vell"]}', "Ada Vell"),
        ({"names": ["Ada", "Vell"]}, "Ada Vell", "Ada Vell"),
        ({"name": "Who is Ada Vell, please?"}, "Ada Vell", "Ada Vell"),
        ({"name": "Ada_Vell"}, "Ada Vell", "Ada Vell"),
        ({"name": "AdaVell"}, "Ada Vell", "Ada Vell"),
        ({"name": "lleV adA"}, "Ada Vell", "Ada Vell"),
        ({"name": "\u00c1da V\u00e9ll"}, "Ada Vell", "Ada Vell"),
        ({"who": {"deep": [{"er": "Ada Vell"}]}}, "Ada Vell", "Ada Vell"),
        ({"Ada Vell": 1}, "Ada Vell", "Ada Vell"),
        ({"age": 39}, '{"age": 39.0, "known": true}', "39"),
        ({"age": "thirty or 39"}, "39", "39"),
        ({"age": 38.6}, "39", "39"),
        ({"all": "0 1 2 3 38 39 40"}, "39", "39"),
        ({"town": "Alexandria", "other": "Pelusium"}, "Pelusium and Alexandria", "Alexandria, Pelusium"),
        ({"key": "Japan"}, '{"Japan": 1}', "Japan"),
    ],
)
def test_what_the_arguments_say_already_is_no_news(arguments: dict[str, Any], output: str, gold: str) -> None:
    assert matches_strict(output, gold)
    assert is_echo(output, gold, arguments)


@pytest.mark.parametrize(
    ("arguments", "output", "gold"),
    [
        ({"town": "Orun"}, '{"town": "Orun", "mayor": "Ada Vell"}', "Ada Vell"),
        ({"name": "Chopin"}, "Fr\u00e9d\u00e9ric Chopin", "Fr\u00e9d\u00e9ric Chopin"),
        ({"year": 1949}, "July 1, 1949", "July 1, 1949"),
        ({"town": "Alexandria"}, "Alexandria and Pelusium", "Alexandria, Pelusium"),
        ({"a": 195210, "b": 39}, '{"result": 195249}', "195,249"),
        ({"what": "bait store", "where": "Seattle Port"}, "Seattle Bait Store", "Seattle Bait Store"),
    ],
)
def test_what_the_tool_adds_is_news(arguments: dict[str, Any], output: str, gold: str) -> None:
    assert not is_echo(output, gold, arguments)


@given(gold=GOLDS, before=st.text(max_size=10), after=st.text(max_size=10))
def test_a_gold_that_was_put_in_whole_is_never_news(gold: str, before: str, after: str) -> None:
    output = f"{before} {gold} {after}"
    assert is_echo(output, gold, {"given": gold})
    assert is_echo(output, gold, {"given": [{"deep": f"x {gold} y"}]})
