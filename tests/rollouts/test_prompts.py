"""What the model is shown, token by token, over the turns of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import Environment
from ftrl.rollouts import (
    PolicyIdentity,
    Trajectory,
    TrajectoryStatus,
    render_prompt,
)
from ftrl.rollouts.policy import EngineLost
from ftrl.rollouts.prompts import tokenise
from ftrl.rollouts.pulse import Pulse
from ftrl.rollouts.vllm_policy import VllmPolicy
from tests.rollouts.recorded_engine import RecordedEngine

pytest.importorskip("vllm")


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)


Converse = Callable[..., Trajectory]
END = "<|im_end|>"


@pytest.fixture
def converse(play: Callable[..., Trajectory]) -> Converse:
    """A function that plays an episode through the policy that speaks to engines."""

    def conversing(engine: RecordedEngine, **settings: Any) -> Trajectory:
        return play(policy=VllmPolicy(engine, engine.tokenizer, PolicyIdentity(name="recorded")), **settings)

    return conversing


def test_a_turns_prompt_begins_with_the_very_tokens_of_the_turn_before(
    tokenizer: Any, converse: Converse, scripts: Any
) -> None:
    engine = RecordedEngine(tokenizer, [scripts.capital + END, scripts.population + END, "1200." + END])
    trajectory = converse(engine)
    assert trajectory.metrics[0].f1 == 1.0
    for turn in (0, 1):
        so_far = engine.prompts[turn] + list(trajectory.turns[turn].token_ids)
        assert engine.prompts[turn + 1][: len(so_far)] == so_far
        assert trajectory.turns[turn + 1].kept_tokens == len(so_far)
    assert [turn.prompt_tokens for turn in trajectory.turns] == [len(prompt) for prompt in engine.prompts]


def test_tokens_that_the_tokenizer_would_not_choose_are_kept(tokenizer: Any, converse: Converse, scripts: Any) -> None:
    # The same text, spelled letter by letter: retokenising it would give the model another history than it had.
    letters = [tokenise(tokenizer, letter)[0] for letter in "Atlantis"]
    usual = tokenise(tokenizer, scripts.capital + END)
    engine = RecordedEngine(tokenizer, ["", "Done." + END])
    word = tokenise(tokenizer, "Atlantis")
    start = next(i for i in range(len(usual)) if tokenizer.decode(usual[i : i + len(word)]) == "Atlantis")
    spelled = usual[:start] + letters + usual[start + len(word) :]
    assert tokenizer.decode(spelled) == scripts.capital + END
    engine.sampled = {0: spelled}
    trajectory = converse(engine)
    assert trajectory.turns[0].token_ids == tuple(spelled)
    assert engine.prompts[1][: len(engine.prompts[0]) + len(spelled)] == engine.prompts[0] + spelled


def test_a_turn_that_the_template_writes_differently_is_tokenised_anew(
    tokenizer: Any, converse: Converse, environment: Environment, scripts: Any
) -> None:
    cramped = scripts.capital.replace(": ", ":") + END
    engine = RecordedEngine(tokenizer, [cramped, "Done." + END])
    trajectory = converse(engine)
    assert trajectory.turns[1].kept_tokens == 0
    assert engine.prompts[1] == tokenise(
        tokenizer, render_prompt(tokenizer, trajectory.messages[:3], environment.tools)
    )


def test_the_prompt_is_what_the_template_writes(
    tokenizer: Any, converse: Converse, environment: Environment, scripts: Any
) -> None:
    engine = RecordedEngine(tokenizer, [scripts.capital + END, "Done." + END])
    trajectory = converse(engine)
    for end, prompt in zip((1, 3), engine.prompts, strict=True):
        text = render_prompt(tokenizer, trajectory.messages[:end], environment.tools)
        assert tokenizer.decode(prompt) == text
    assert '"arguments": {"country": "Atlantis"}' in tokenizer.decode(engine.prompts[1])


def test_end_of_turn_marks_are_no_text(tokenizer: Any, converse: Converse) -> None:
    trajectory = converse(RecordedEngine(tokenizer, ["1200." + END]))
    assert trajectory.messages[-1]["content"] == "1200."
    assert tokenizer.decode(trajectory.turns[0].token_ids) == "1200." + END
    assert trajectory.turns[0].logprobs == (-1.5,) * len(trajectory.turns[0].token_ids)


def test_a_task_over_the_context_limit_is_an_honest_failure(tokenizer: Any, converse: Converse) -> None:
    engine = RecordedEngine(tokenizer, ["never said"], max_model_len=50)
    trajectory = converse(engine)
    assert trajectory.status is TrajectoryStatus.CONTEXT_FULL
    assert engine.prompts == []
    assert [message["role"] for message in trajectory.messages] == ["user"]
    assert (trajectory.metrics[0].recall, trajectory.metrics[0].f1) == (0.0, 0.0)


def test_a_conversation_that_grows_over_the_limit_keeps_what_was_done(
    tokenizer: Any, converse: Converse, scripts: Any
) -> None:
    engine = RecordedEngine(tokenizer, [scripts.capital + END] * 20)
    first = converse(engine, max_turns=1).turns[0]
    room = first.prompt_tokens + len(first.token_ids) + 5
    trajectory = converse(RecordedEngine(tokenizer, engine.texts, max_model_len=room))
    assert trajectory.status is TrajectoryStatus.CONTEXT_FULL
    assert trajectory.metrics[0].recall == 0.5
    assert trajectory.messages[-1]["role"] == "tool"


def test_an_answer_cut_off_by_the_context_is_not_called_an_answer(tokenizer: Any, converse: Converse) -> None:
    engine = RecordedEngine(tokenizer, ["so " * 2000])
    trajectory = converse(engine, max_response_tokens=4000)
    assert trajectory.status is TrajectoryStatus.CONTEXT_FULL
    assert trajectory.turns[0].prompt_tokens + len(trajectory.turns[0].token_ids) == 2048
    assert trajectory.turns[0].finish_reason == "length"


def test_an_answer_cut_off_by_its_own_limit_is_an_answer(tokenizer: Any, converse: Converse) -> None:
    trajectory = converse(RecordedEngine(tokenizer, ["so " * 2000]), max_response_tokens=10)
    assert trajectory.status is TrajectoryStatus.ANSWERED
    assert len(trajectory.turns[0].token_ids) == 10


def test_an_episode_has_only_so_many_tokens(tokenizer: Any, converse: Converse, scripts: Any) -> None:
    engine = RecordedEngine(tokenizer, [scripts.capital + END, "so " * 2000])
    first = len(tokenise(tokenizer, engine.texts[0]))
    trajectory = converse(engine, max_tokens=first + 7)
    assert trajectory.status is TrajectoryStatus.OUT_OF_TOKENS
    assert [len(turn.token_ids) for turn in trajectory.turns] == [first, 7]
    assert trajectory.usage is not None
    assert trajectory.usage.output == first + 7
    assert trajectory.usage.input == sum(turn.prompt_tokens for turn in trajectory.turns)
    assert trajectory.metrics[0].recall == 0.5
    spent = converse(RecordedEngine(tokenizer, engine.texts), max_tokens=first)
    assert spent.status is TrajectoryStatus.OUT_OF_TOKENS
    assert len(spent.turns) == 1


def test_a_seed_goes_to_the_engine(tokenizer: Any, converse: Converse) -> None:
    with pytest.raises(AssertionError, match="kills the CPU engine"):
        converse(RecordedEngine(tokenizer, ["Done." + END]), seed=3)


def test_a_dead_engine_makes_the_episode_be_played_again(tokenizer: Any, converse: Converse) -> None:
    from vllm.v1.engine.exceptions import EngineDeadError

    with pytest.raises(EngineLost):
        converse(RecordedEngine(tokenizer, [], failure=EngineDeadError(), errored=True))


def test_an_engine_tells_what_it_has_read_and_what_of_it_before(
    tokenizer: Any, play: Callable[..., Trajectory], scripts: Any
) -> None:
    engine = RecordedEngine(tokenizer, [scripts.capital + END, scripts.population + END, "1200." + END])
    policy = VllmPolicy(engine, tokenizer, PolicyIdentity(name="recorded"))
    assert asyncio.run(policy.pulse()) == Pulse()
    play(policy=policy)
    read = sum(map(len, engine.prompts))
    assert asyncio.run(policy.pulse()) == Pulse(generating=0, prompt_tokens=read, cached_tokens=16 + 32)


def test_a_dead_engine_has_no_pulse(tokenizer: Any) -> None:
    from vllm.v1.engine.exceptions import EngineDeadError

    engine = RecordedEngine(tokenizer, [], failure=EngineDeadError(), errored=True)
    with pytest.raises(EngineLost):
        asyncio.run(VllmPolicy(engine, tokenizer, PolicyIdentity(name="recorded")).pulse())


def test_a_request_that_the_engine_fails_at_is_a_fault_of_ours(tokenizer: Any, converse: Converse) -> None:
    from vllm.v1.engine.exceptions import EngineGenerateError

    trajectory = converse(RecordedEngine(tokenizer, [], failure=EngineGenerateError("odd")))
    assert trajectory.status is TrajectoryStatus.INFRASTRUCTURE
    assert trajectory.metrics == ()
