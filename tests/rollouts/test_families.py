"""What each model family is shown, token by token: what its template keeps of a turn, and where it writes another."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import Environment
from ftrl.errors import InputError
from ftrl.rollouts import EpisodeSettings, PolicyIdentity, Trajectory, TrajectoryStatus, render_prompt
from ftrl.rollouts.prompts import TemplateRefused, tokenise
from ftrl.rollouts.vllm_policy import VllmPolicy
from tests.rollouts import chat_templates as templates
from tests.rollouts.recorded_engine import RecordedEngine

pytest.importorskip("vllm")

CAPITAL, POPULATION = '"capital_of", {}: {"country": "Atlantis"}', '"population_of", {}: {"city": "Poseidonis"}'


def qwen(call: str) -> str:
    return '<tool_call>\n{"name": ' + call.replace("{}", '"arguments"') + "}\n</tool_call>"


def llama(call: str) -> str:
    return '{"name": ' + call.replace("{}", '"parameters"') + "}"


def mistral(call: str) -> str:
    return '[TOOL_CALLS][{"name": ' + call.replace("{}", '"arguments"') + "}]</s>"


def thinking(thought: str, said: str) -> str:
    return f"<think>\n{thought}\n</think>\n\n{said}"


Family = Callable[[str, Sequence[str]], Any]
Converse = Callable[..., tuple[Trajectory, list[int]]]


@pytest.fixture(scope="module")
def family(tiny: Path) -> Family:
    """A function that makes the tokenizer of a family: its template, and the special tokens that it has besides."""
    from transformers import AutoTokenizer

    plain = AutoTokenizer.from_pretrained(tiny)

    def make(template: str, tokens: Sequence[str] = ()) -> Any:
        tokenizer = copy.deepcopy(plain)
        tokenizer.add_special_tokens({"additional_special_tokens": list(tokens)})
        tokenizer.chat_template = template
        return tokenizer

    return make


@pytest.fixture
def converse(play: Callable[..., Trajectory], environment: Environment) -> Converse:
    """A function that plays an episode and tells how many tokens each prompt has kept; sees to it that this is true."""

    def conversing(tokenizer: Any, texts: Sequence[str], **settings: Any) -> tuple[Trajectory, list[int]]:
        engine = RecordedEngine(tokenizer, texts)
        trajectory = play(policy=VllmPolicy(engine, tokenizer, PolicyIdentity(name="recorded")), **settings)
        messages = iter(
            [at for at, message in enumerate(trajectory.messages) if message["role"] == "assistant"]
        )  # each prompt is made of what stands before a turn
        so_far: list[int] = []
        for turn, prompt in zip(trajectory.turns, engine.prompts, strict=True):
            text = render_prompt(
                tokenizer,
                trajectory.messages[: next(messages)],
                environment.tools,
                thinking=settings.get("thinking", False),
            )
            assert tokenizer.decode(prompt) == text
            assert turn.kept_tokens in (0, len(so_far))
            assert prompt[: turn.kept_tokens] == so_far[: turn.kept_tokens]
            if not turn.kept_tokens:
                assert not text.startswith(tokenizer.decode(so_far)) or not so_far
                assert prompt == tokenise(tokenizer, text)
            so_far = [*prompt, *turn.token_ids]
        return trajectory, [turn.kept_tokens > 0 for turn in trajectory.turns]

    return conversing


def shown(tokenizer: Any, environment: Environment, trajectory: Trajectory, **more: Any) -> str:
    """The conversation up to its last turn, as the template writes it."""
    return render_prompt(tokenizer, trajectory.messages[:-1], environment.tools, **more)


END = "<|im_end|>"


# Qwen2.5


@pytest.mark.parametrize("parser", [None, "qwen", "hermes"])
def test_qwen25_keeps_every_token_of_calls_in_its_own_spelling(
    family: Family, converse: Converse, parser: str | None
) -> None:
    first, second = qwen(CAPITAL), "Then the city.\n" + qwen(POPULATION) + "\n" + qwen(CAPITAL)
    trajectory, kept = converse(family(templates.QWEN25), [first + END, second + END, "1200." + END], parser=parser)
    assert kept == [False, True, True]
    assert trajectory.metrics[0].recall == 1.0
    assert [call.turn for call in trajectory.calls] == [0, 1, 1]
    assert trajectory.parser == parser


def test_qwen25_writes_arguments_anew_that_were_spelled_otherwise(family: Family, converse: Converse) -> None:
    cramped = qwen(CAPITAL).replace(": ", ":")
    _, kept = converse(family(templates.QWEN25), [cramped + END, qwen(POPULATION) + END, "1200." + END])
    assert kept == [False, False, True]


# Qwen3


@pytest.mark.parametrize("parser", [None, "hermes"])
def test_qwen3_keeps_thinking_and_every_token_while_it_works_on_one_question(
    family: Family, converse: Converse, environment: Environment, parser: str | None
) -> None:
    turns = [thinking("The capital.", qwen(CAPITAL)), thinking("Its people.", "So:\n" + qwen(POPULATION)), "1200."]
    trajectory, kept = converse(
        tokenizer := family(templates.QWEN3), [turn + END for turn in turns], parser=parser, thinking=True
    )
    assert kept == [False, True, True]
    history = shown(tokenizer, environment, trajectory, thinking=True)
    assert history.count("<think>") == 2
    assert all(turn + END in history for turn in turns[:2])


def test_qwen3_drops_older_thinking_once_another_question_is_asked(family: Family) -> None:
    tokenizer = family(templates.QWEN3)
    engine = RecordedEngine(tokenizer, [thinking("Easy.", "1200.") + END, thinking("Sure.", "Yes.") + END])
    policy = VllmPolicy(engine, tokenizer, PolicyIdentity(name="recorded"))
    conversation = policy.converse((), EpisodeSettings(thinking=True))
    messages: list[dict[str, Any]] = [{"role": "user", "content": "How many?"}]
    first = asyncio.run(conversation.generate(messages))
    messages += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "Sure?"}]
    second = asyncio.run(conversation.generate(messages))
    assert second.tokens is not None
    assert second.tokens.kept_tokens == 0
    assert tokenizer.decode(engine.prompts[1]).endswith(
        f"1200.{END}\n<|im_start|>user\nSure?{END}\n<|im_start|>assistant\n"
    )
    assert "Easy" not in tokenizer.decode(engine.prompts[1])


def test_qwen3_without_thinking_loses_the_empty_thought_of_each_prompt(family: Family, converse: Converse) -> None:
    turns = [qwen(CAPITAL) + END, qwen(POPULATION) + END, "1200." + END]
    _, kept = converse(family(templates.QWEN3), turns, thinking=False)
    assert kept == [False, False, False]


@pytest.mark.parametrize("template", [templates.OPENED, templates.APART])
@pytest.mark.parametrize("parser", [None, "hermes"])
def test_thinking_that_the_prompt_opens_or_that_has_a_place_of_its_own_is_kept(
    family: Family, converse: Converse, environment: Environment, template: str, parser: str | None
) -> None:
    turns = [thinking("The capital.", qwen(CAPITAL)), thinking("Its people.", qwen(POPULATION)), "1200."]
    if template is templates.OPENED:
        turns = [turn.removeprefix("<think>\n") for turn in turns]
    trajectory, kept = converse(
        tokenizer := family(template), [turn + END for turn in turns], parser=parser, thinking=True
    )
    assert kept == [False, True, True]
    history = shown(tokenizer, environment, trajectory, thinking=True)
    assert thinking("The capital.", qwen(CAPITAL)) + END in history
    assert trajectory.metrics[0].f1 == 1.0


# Thinking


def test_calls_in_thinking_are_none_to_the_strict_profile_and_calls_to_the_published_parser(
    family: Family, converse: Converse
) -> None:
    turns = [thinking("I might " + qwen(CAPITAL), qwen(POPULATION)) + END, "1200." + END]
    reference, _ = converse(family(templates.QWEN3), turns, thinking=True)
    assert [call.name for call in reference.calls] == ["capital_of"]  # what follows is text between blocks to it
    strict, _ = converse(family(templates.QWEN3), turns, thinking=True, profile="strict")
    assert [call.name for call in strict.calls] == ["population_of"]


@pytest.mark.parametrize("template", [templates.QWEN3, templates.OPENED])
def test_vllms_parsers_read_no_calls_in_thinking_even_where_it_is_cut_off(
    family: Family, converse: Converse, template: str
) -> None:
    opened = "" if template is templates.OPENED else "<think>\n"
    closed = f"{opened}I might {qwen(CAPITAL)}\n</think>\n\n{qwen(POPULATION)}{END}"
    trajectory, _ = converse(family(template), [closed, "1200." + END], thinking=True, parser="hermes")
    assert [call.name for call in trajectory.calls] == ["population_of"]
    cut, _ = converse(family(template), [f"{opened}I might {qwen(CAPITAL)} or"], thinking=True, parser="hermes")
    assert cut.calls == ()
    assert cut.status is TrajectoryStatus.ANSWERED


def test_thinking_counts_as_generated(family: Family, converse: Converse) -> None:
    tokenizer = family(templates.QWEN3)
    long = thinking("so " * 500, "1200.") + END
    trajectory, _ = converse(tokenizer, [long], thinking=True)
    assert trajectory.usage is not None
    assert trajectory.usage.output == len(tokenise(tokenizer, long)) > 500
    spent, _ = converse(tokenizer, [long], thinking=True, max_tokens=300)
    assert spent.status is TrajectoryStatus.OUT_OF_TOKENS
    assert len(spent.turns[0].token_ids) == 300


# Llama 3.x

EOT = "<|eot_id|>"


@pytest.mark.parametrize("parser", ["llama31", "llama3_json"])
def test_llama_keeps_every_token_of_a_single_call(family: Family, converse: Converse, parser: str) -> None:
    tokenizer = family(templates.LLAMA3, templates.LLAMA3_TOKENS)
    turns = [llama(CAPITAL) + EOT, llama(POPULATION) + EOT, "1200." + EOT]
    trajectory, kept = converse(tokenizer, turns, parser=parser)
    assert kept == [False, True, True]
    assert trajectory.metrics[0].f1 == 1.0
    assert trajectory.messages[-1]["content"] == "1200."


@pytest.mark.parametrize(
    "said",
    ["<|python_tag|>" + llama(CAPITAL) + EOT, "Let me see. " + llama(CAPITAL) + EOT, llama(CAPITAL) + "<|eom_id|>"],
    ids=["a tag", "text beside the call", "another end of turn"],
)
def test_llama_writes_a_call_anew_that_was_not_said_as_its_template_says_it(
    family: Family, converse: Converse, said: str
) -> None:
    tokenizer = family(templates.LLAMA3, templates.LLAMA3_TOKENS)
    trajectory, kept = converse(tokenizer, [said, llama(POPULATION) + EOT, "1200." + EOT], parser="llama3_json")
    assert kept == [False, False, True]
    assert trajectory.metrics[0].f1 == 1.0


def test_several_calls_in_a_turn_are_messages_of_their_own_where_a_template_takes_but_one(
    family: Family, converse: Converse, environment: Environment
) -> None:
    tokenizer = family(templates.LLAMA3, templates.LLAMA3_TOKENS)
    turns = [llama(CAPITAL) + "; " + llama(POPULATION) + EOT, "1200." + EOT]
    trajectory, kept = converse(tokenizer, turns, parser="llama3_json")
    assert kept == [False, False]
    assert trajectory.metrics[0].f1 == 1.0
    assert [len(message.get("tool_calls") or ()) for message in trajectory.messages] == [0, 2, 0, 0, 0]
    history = shown(tokenizer, environment, trajectory)
    before, _, after = history.partition('<|end_header_id|>\n\n"Poseidonis"')
    assert llama(CAPITAL) + EOT in before
    assert llama(POPULATION) + EOT in after


# Others


def test_mistral_writes_ids_that_the_model_did_not_sample(
    family: Family, converse: Converse, environment: Environment
) -> None:
    tokenizer = family(templates.MISTRAL, templates.MISTRAL_TOKENS)
    trajectory, kept = converse(tokenizer, [mistral(CAPITAL), mistral(POPULATION), "1200.</s>"], parser="mistral")
    assert trajectory.metrics[0].f1 == 1.0
    assert kept == [False, False, False]
    history = shown(tokenizer, environment, trajectory)
    assert '"id": "000000000"' in history
    assert '"call_id": "000000001"' in history


def test_arguments_that_are_no_json_stand_in_the_history_as_an_empty_object(
    family: Family, environment: Environment
) -> None:
    call = {"id": "call_0_0", "type": "function", "function": {"name": "capital_of", "arguments": '{"country": '}}
    messages = [*environment.messages(), {"role": "assistant", "content": None, "tool_calls": [call]}]
    assert '"arguments": {}}' in render_prompt(family(templates.QWEN25), messages, environment.tools)


def test_a_turn_that_a_template_cannot_write_is_a_fault_of_ours(
    family: Family, play: Callable[..., Trajectory], environment: Environment
) -> None:
    tokenizer = family("{{ tools | tojson }}{% if messages | length > 1 %}{{ raise_exception('no') }}{% endif %}")
    engine = RecordedEngine(tokenizer, [qwen(CAPITAL) + END])
    trajectory = play(policy=VllmPolicy(engine, tokenizer, PolicyIdentity(name="recorded")))
    assert trajectory.status is TrajectoryStatus.INFRASTRUCTURE
    assert trajectory.error == "the model's chat template cannot write this conversation: no"
    with pytest.raises(TemplateRefused):
        render_prompt(tokenizer, trajectory.messages, environment.tools)


def test_a_template_that_hides_the_tools_is_refused(
    family: Family, play: Callable[..., Trajectory], environment: Environment
) -> None:
    tokenizer = family("{{ messages[0].content }}")
    with pytest.raises(InputError, match="does not show the model its tools"):
        play(policy=VllmPolicy(RecordedEngine(tokenizer, ["1200."]), tokenizer, PolicyIdentity(name="recorded")))


def test_a_parser_that_reads_tokens_is_refused_for_a_policy_that_has_only_text(
    play: Callable[..., Trajectory],
) -> None:
    with pytest.raises(Exception, match="this policy has only text"):
        play(["1200."], parser="hermes")
