"""The identity of an environment."""

from __future__ import annotations

import json
from typing import Any

from ftrl.environments import Environment, Gold, Scenario


def environment(**changes: Any) -> Environment:
    fields: dict[str, Any] = {
        "scenario": Scenario.SINGLE_HOP,
        "question": "?",
        "tools": (),
        "implementations": {},
        "golds": (Gold(tool="find", value="1"),),
    }
    return Environment(**{**fields, **changes})


def test_the_same_content_has_the_same_id_however_it_is_spelled() -> None:
    spelled = environment(scenario="single_hop", golds=[{"tool": "find", "value": "1"}])
    assert spelled == environment()
    assert Environment.model_validate(json.loads(environment().model_dump_json())) == environment()


def test_another_question_gold_or_number_type_is_another_environment() -> None:
    variants = [
        environment(),
        environment(question="!"),
        environment(golds=(Gold(tool="find", value="1"),) * 2),
        environment(tools=({"default": 1},)),
        environment(tools=({"default": 1.0},)),
    ]
    assert len({variant.id for variant in variants}) == len(variants)


def test_split_and_provenance_are_no_part_of_the_identity() -> None:
    assert environment(split="test", provenance={"seed": 7}).id == environment().id


def test_golds_are_grouped_by_tool_and_a_gold_listed_twice_stays_twice() -> None:
    golds = [("b", "1"), ("a", "2"), ("b", "1"), ("b", "3")]
    task = environment(golds=tuple(Gold(tool=tool, value=value) for tool, value in golds))
    assert list(task.unsolved().items()) == [("b", ["1", "1", "3"]), ("a", ["2"])]
