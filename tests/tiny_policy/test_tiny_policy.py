"""The policy that the package brings along, and the recipe that made it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from ftrl.errors import InputError
from ftrl.models import check_model_folder
from ftrl.sandbox import Sandbox
from ftrl.tiny_policy import recipe, teach, teaching, tiny_policy
from ftrl.tiny_policy.demonstrations import CAREFUL, CARELESS, Carelessness, demonstrate
from ftrl.tiny_policy.drills import copying, drill
from ftrl.tiny_policy.lessons import lesson
from ftrl.tool_calls import parse_qwen

WORLD = 77


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy") / "policy"
    tiny_policy(folder)
    return folder


def test_the_policy_is_a_small_model_folder(policy: Path) -> None:
    check_model_folder(str(policy), tokens=1024)
    assert sum(file.stat().st_size for file in policy.iterdir()) < 16_000_000


def test_what_is_in_a_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="already"):
        tiny_policy(tmp_path)


def test_most_answers_of_the_policy_are_calls_of_tools_on_the_list(policy: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy)
    model = AutoModelForCausalLM.from_pretrained(policy)
    listed = 0
    for candidate in itertools.islice(teaching.candidates(WORLD), 12):
        environment = candidate.environment
        text = tokenizer.apply_chat_template(
            environment.messages(), tools=list(environment.tools), tokenize=False, add_generation_prompt=True
        )
        prompt = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            ids = model.generate(prompt, max_new_tokens=64, do_sample=False)[0, prompt.shape[1] :]
        names = {call.name for call in parse_qwen(tokenizer.decode(ids)).calls}
        listed += bool(names & set(environment.implementations))
    assert listed >= 9


def test_a_demonstrator_without_faults_makes_the_golden_calls_and_gives_the_answer(sandbox: Sandbox) -> None:
    for candidate in itertools.islice(teaching.candidates(WORLD), 8):
        shown = demonstrate(candidate, Carelessness(), sandbox, Random(0))
        spoken = [turn.message["content"] for turn in shown.turns if turn.message["role"] == "assistant"]
        calls = [call for text in spoken[:-1] for call in parse_qwen(text).calls]
        golden = {(step.tool, json.dumps(step.arguments)) for step in candidate.environment.trace}
        assert {(call.name, json.dumps(json.loads(call.arguments))) for call in calls} == golden
        assert spoken[-1] == candidate.environment.answer
        assert all(turn.example for turn in shown.turns if turn.message["role"] == "assistant")


def test_mistakes_are_examples_of_the_careless_demonstrator_only(sandbox: Sandbox) -> None:
    for carelessness, shown in ((replace(CAREFUL, wrong_tool=1.0), False), (replace(CARELESS, wrong_tool=1.0), True)):
        candidate = next(teaching.candidates(WORLD))
        turns = demonstrate(candidate, carelessness, sandbox, Random(3)).turns
        first = next(turn for turn in turns if turn.message["role"] == "assistant")
        assert first.example is shown


def test_only_what_the_model_says_is_learnt_at_full_weight(policy: Path, sandbox: Sandbox) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(policy)
    candidate = next(teaching.candidates(WORLD))
    shown = demonstrate(candidate, Carelessness(), sandbox, Random(0))
    made = lesson(tokenizer, shown)
    spoken = tokenizer.decode([token for token, weight in zip(made.tokens, made.weights, strict=True) if weight == 1.0])
    said = [turn.message["content"] for turn in shown.turns if turn.message["role"] == "assistant"]
    assert spoken == "".join(f"{text}<|im_end|>\n" for text in said)
    assert candidate.environment.question not in spoken


def test_a_drill_asks_for_every_tool_of_the_list() -> None:
    candidate = next(teaching.candidates(WORLD))
    calls = [
        call
        for turn in drill(candidate, Random(0)).turns
        if turn.example
        for call in parse_qwen(turn.message["content"]).calls
    ]
    assert sorted(call.name for call in calls) == sorted(candidate.environment.implementations)


def test_what_is_copied_was_there_before() -> None:
    made = copying(1536, 9, Random(0))
    middle = made.weights.index(1.0) - 1
    assert sorted(made.tokens[:middle]) == sorted(made.tokens[middle:])


def test_the_recipe_makes_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teaching, "PHASES", (replace(recipe.PHASES[-1], updates=2, drills=2, copies=2),))
    monkeypatch.setattr(teaching, "TOKENIZER_TASKS", 300)
    told: list[tuple[int, int]] = []
    teach(tmp_path / "made", lambda phase, update, loss: told.append((phase, update)))
    assert told == [(0, 0), (0, 1)]
    check_model_folder(str(tmp_path / "made"), tokens=1024)
