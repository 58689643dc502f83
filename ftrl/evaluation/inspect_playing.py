"""Our episode loop as a solver of Inspect, our scores as its scores.

Both are named by what they need - suite, data, options - so that Inspect can make them again: to retry an evaluation,
or to score a log anew. Between the two lies the transcript, in the sample's store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolCall, ToolInfo

from ftrl.evaluation.bfcl import BFCL
from ftrl.evaluation.ftrl_suite import FtrlTest
from ftrl.evaluation.general import General
from ftrl.evaluation.rotbench import RoTBench
from ftrl.evaluation.suite import Sample, Suite, Transcript
from ftrl.evaluation.tau_bench import MODES, TauBench
from ftrl.evaluation.toolhop import ToolHop
from ftrl.llm import InspectDialogues, ModelSettings, Provider
from ftrl.rollouts import EngineFault, PolicyIdentity, ProviderPolicy
from ftrl.sandbox import Sandbox

TRANSCRIPT = "ftrl:transcript"
"""Where the transcript lies in a sample's store."""

USER_TOKENS = 1024


class TaskModel(Provider):
    """The model that Inspect evaluates: its settings, retries, limits, cache and log are Inspect's own."""

    def __init__(self, name: str) -> None:
        super().__init__(ModelSettings(model=name))

    async def generate(
        self, messages: Sequence[ChatMessage], config: GenerateConfig, tools: Sequence[ToolInfo] = ()
    ) -> ModelOutput:
        """The model's answer to a conversation; what Inspect raises is for Inspect.

        Raises:
            EngineFault: the provider answered with an error.
        """
        output = await get_model().generate(list(messages), tools=list(tools), config=config)
        if output.error:
            raise EngineFault(output.error)
        return output

    def config(self, **more: Any) -> GenerateConfig:
        """Only what is of the episode: the rest was said to Inspect."""
        return GenerateConfig(seed=more.get("seed"))


@solver(name="ftrl_episode")
def episode(suite: str, path: str, options: dict[str, Any]) -> Solver:
    """Plays a sample as ``ftrl eval`` does.

    Args:
        suite: name of the suite.
        path: of its data.
        options: what was chosen about it.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        chosen, samples = opened(suite, path, json.dumps(options))
        name = str(state.model)
        policy = ProviderPolicy(InspectDialogues(TaskModel(name)), PolicyIdentity(name=name))
        settings = chosen.settings
        if options.get("max_turns") is not None:
            settings = settings.model_copy(update={"max_turns": options["max_turns"]})
        played = await chosen.play(samples[str(state.sample_id)], policy, _sandbox(), settings, state.epoch - 1)
        state.store.set(TRANSCRIPT, played.model_dump(mode="json"))
        state.messages = chat_messages(played.messages)
        state.output = ModelOutput.from_content(model=name, content=(played.said() or [""])[-1])
        state.completed = True
        return state

    return solve


@scorer(metrics={"*": [mean(), stderr()]}, name="ftrl_score")
def score(suite: str, path: str, options: dict[str, Any]) -> Scorer:
    """Scores a sample as ``ftrl eval`` does; arguments as of ``episode``."""

    async def scored(state: TaskState, target: Target) -> Score:
        chosen, samples = opened(suite, path, json.dumps(options))
        stored = state.store.get(TRANSCRIPT)
        if stored is None:
            nothing: dict[str, Any] = dict.fromkeys(chosen.metrics, 0.0)
            return Score(value=nothing, explanation="one of Inspect's limits ended the episode")
        transcript = Transcript.model_validate(stored)
        found = await chosen.score(samples[str(state.sample_id)], transcript, _sandbox())
        said = (transcript.said() or [""])[-1]
        return Score(
            value=dict(found.metrics),
            answer=said,
            explanation=found.explanation,
            metadata={"ending": transcript.ending, "failed_calls": _failed(transcript)},
        )

    return scored


@lru_cache
def opened(name: str, path: str, options: str) -> tuple[Suite[Any], Mapping[str, Sample[Any]]]:
    """A suite and its samples by id, read once.

    Args:
        name: of the suite.
        path: of its data.
        options: what was chosen about it, as JSON.

    Raises:
        InputError: the data is missing, or not what it should be.
    """
    suite = _suite(name, json.loads(options))
    return suite, {sample.id: sample for sample in suite.load(path)}


def _suite(name: str, options: Mapping[str, Any]) -> Suite[Any]:
    if name == "ftrl-test":
        return FtrlTest(options["profile"])
    if name == "rotbench":
        return RoTBench()
    if name == "bfcl":
        return BFCL(options["categories"])
    if name == "general":
        return General()
    if name == "toolhop":
        return ToolHop(options["scenario"])

    async def customer(messages: Sequence[dict[str, Any]]) -> str:
        config = GenerateConfig(temperature=options["user_temperature"], max_tokens=USER_TOKENS)
        output = await get_model(role="user", required=True).generate(chat_messages(messages), config=config)
        if output.error:
            raise EngineFault(output.error)
        return output.message.text

    return TauBench(customer, MODES[options["mode"]], options["domains"])


@lru_cache
def _sandbox() -> Sandbox:
    """One for all samples; ends with this process."""
    return Sandbox()


def chat_messages(messages: Sequence[Mapping[str, Any]]) -> list[ChatMessage]:
    """Messages in OpenAI's format as Inspect has them."""
    found: list[ChatMessage] = []
    names: dict[str, str] = {}
    for message in messages:
        role, content = message["role"], message.get("content") or ""
        if role == "system":
            found.append(ChatMessageSystem(content=content))
        elif role == "user":
            found.append(ChatMessageUser(content=content))
        elif role == "tool":
            id_ = message["tool_call_id"]
            found.append(ChatMessageTool(content=content, tool_call_id=id_, function=names.get(id_)))
        else:
            calls = [_tool_call(call) for call in message.get("tool_calls") or ()]
            names.update({call.id: call.function for call in calls})
            found.append(ChatMessageAssistant(content=content, tool_calls=calls or None))
    return found


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function, arguments = call["function"], {}
    problem = None
    try:
        arguments = json.loads(function["arguments"])
    except ValueError:
        problem = function["arguments"]
    if not isinstance(arguments, dict):
        arguments, problem = {}, function["arguments"]
    return ToolCall(id=call["id"], function=function["name"], arguments=arguments, parse_error=problem)


def _failed(transcript: Transcript) -> dict[str, int]:
    failed: dict[str, int] = {}
    for call in transcript.calls:
        if call.call_status.value != "ok":
            failed[call.call_status.value] = failed.get(call.call_status.value, 0) + 1
    return failed
