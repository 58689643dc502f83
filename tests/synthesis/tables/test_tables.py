from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from ftrl.environments import Scenario
from ftrl.environments.trace import waves
from ftrl.synthesis import SynthesisConfig
from ftrl.synthesis.tables.generator import build
from ftrl.synthesis.tables.world import World

CONFIG = SynthesisConfig(out="unused", seed=5)
WORLD = World(5, "train")


def ids(config: SynthesisConfig, items: range) -> list[str]:
    return [build(config, World(config.seed, config.split), index, 0).environment.id for index in items]


def test_the_same_seed_makes_the_same_environments_and_another_seed_others():
    assert ids(CONFIG, range(8)) == ids(CONFIG, range(8))
    assert not set(ids(CONFIG, range(8))) & set(ids(CONFIG.model_copy(update={"seed": 6}), range(8)))


def test_an_item_does_not_depend_on_how_many_are_made_or_on_the_one_before():
    many = CONFIG.model_copy(update={"count": 10_000})
    assert build(many, World(5, "train"), 7, 0).environment.id == ids(CONFIG, range(8))[7]


def test_the_order_in_which_python_hashes_strings_changes_nothing():
    program = (
        "from ftrl.synthesis import SynthesisConfig; from ftrl.synthesis.tables.generator import build;"
        "from ftrl.synthesis.tables.world import World; world = World(0, 'train');"
        "print(*(build(SynthesisConfig(out='x', style='rich'), world, index, 0).environment.id for index in range(8)))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]


def test_the_compact_environments_of_a_seed_stay_what_they_were():
    """The quick start's policies are trained on these: a change of one byte is a decision, not an accident."""
    digest = hashlib.sha256(" ".join(ids(SynthesisConfig(out="unused", seed=0), range(100))).encode()).hexdigest()
    assert digest == "19ec179c358cb26a8e169f211fd4dc416b8040f92bc27b409cbabe6168d6b578"


@pytest.mark.parametrize("style", ["compact", "rich"])
@pytest.mark.parametrize("most", [4, 6])
def test_as_many_hops_and_branches_as_asked_for(candidate, style, most):
    options = {"style": style, "hops": (most, most), "branches": (most, most), "distractors": (0, 0)}
    for index in range(4):
        rounds = waves(candidate(Scenario.MULTI_HOP, index, **options).environment.trace)
        assert [len(wave) for wave in rounds] == [1] * most
        trace = candidate(Scenario.PARALLEL_SINGLE_HOP, index, queries=0, **options).environment.trace
        assert len(trace) in (2, most)  # two where two figures are compared
        rounds = waves(candidate(Scenario.PARALLEL_MULTI_HOP, index, **options).environment.trace)
        assert len(rounds) >= most
        assert len(rounds[0]) in (2, most)


def test_another_attempt_at_an_item_is_another_task():
    assert build(CONFIG, WORLD, 3, 0).environment.id != build(CONFIG, WORLD, 3, 1).environment.id


def test_scenarios_take_turns():
    made = Counter(build(CONFIG, WORLD, index, 0).environment.scenario for index in range(12))
    assert made == dict.fromkeys(Scenario, 3)


@pytest.mark.parametrize("style", ["compact", "rich"])
@pytest.mark.parametrize("scenario", list(Scenario))
def test_the_trace_has_the_shape_of_its_scenario(candidate, scenario, style):
    for index in range(25):
        environment = candidate(scenario, index, style=style).environment
        rounds = waves(environment.trace)
        assert (len(rounds) > 1) == scenario.value.endswith("multi_hop")
        assert (len(rounds[0]) > 1) == scenario.value.startswith("parallel")


def test_the_number_of_distractors_is_the_one_asked_for(candidate):
    for index in range(20):
        environment = candidate(Scenario.PARALLEL_MULTI_HOP, index, distractors=(5, 6)).environment
        extra = len(environment.tools) - len({step.tool for step in environment.trace})
        assert extra in (5, 6)
    assert len(candidate(Scenario.SINGLE_HOP, distractors=(0, 0)).environment.tools) == 1


def test_some_distractor_takes_what_the_golden_tool_takes(candidate):
    near = 0
    for index in range(20):
        made = candidate(Scenario.SINGLE_HOP, index)
        step = made.environment.trace[0]
        subject = next(iter(step.arguments.values()))
        near += any(name != step.tool and subject in deployment.source for name, deployment in made.deployments.items())
    assert near == 20


def test_the_words_of_one_relation_change_from_task_to_task(candidate):
    names, questions = set(), set()
    for index in range(600):
        environment = candidate(Scenario.SINGLE_HOP, index).environment
        if environment.provenance["relations"] == ["book.author"]:
            names.add(environment.trace[0].tool)
            questions.add(environment.question.replace(next(iter(environment.trace[0].arguments.values())), "X"))
    assert len(names) >= 4
    assert len(questions) >= 4


def test_rich_documents_have_optional_parameters_of_several_types(candidate):
    types = Counter()
    for index in range(10):
        for tool in candidate(Scenario.MULTI_HOP, index, style="rich").environment.tools:
            parameters = tool["function"]["parameters"]
            assert len(parameters["required"]) == 1
            types.update(
                "enum" if "enum" in schema else schema["type"]
                for name, schema in parameters["properties"].items()
                if name not in parameters["required"]
            )
    assert {"enum", "boolean", "integer"} <= set(types)


def test_a_comparison_asks_for_a_figure_that_the_question_does_not_hold(candidate):
    extremes = differences = 0
    for index in range(60):
        environment = candidate(Scenario.PARALLEL_SINGLE_HOP, index).environment
        values = [step.answer for step in environment.trace]
        if environment.answer == ", ".join(values):
            continue
        assert environment.answer not in environment.question
        assert len({step.tool for step in environment.trace}) == 1
        if environment.answer in values:
            extremes += 1
            wins = max if re.search("larger|greater|later|higher", environment.question) else min
            assert environment.answer == wins(values, key=lambda value: int(value.replace("-", "")))
        else:
            differences += 1
            first, second = map(int, values)
            assert environment.answer == str(abs(first - second))
    assert extremes >= 5
    assert differences >= 2


def test_no_answer_is_short_or_a_number_or_year_that_anybody_would_try(candidate):
    for index in range(200):
        for step in candidate(list(Scenario)[index % 4], index).environment.trace:
            assert len(step.answer) > 2
            assert not re.fullmatch("1[89][0-9]{2}|20[0-3][0-9]|[0-9]{1,2}|100", step.answer)
