"""Playing and scoring one task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ftrl.evaluation.bfcl.data import CATEGORIES, BfclTask, chosen, load_tasks
from ftrl.evaluation.bfcl.official import Official
from ftrl.evaluation.suite import DataSource, Sample, Score, Transcript, seed_of
from ftrl.rewards import profile_named
from ftrl.rollouts import ContextFull, EpisodeSettings, Policy, TrajectoryCall
from ftrl.rollouts.episode import ToolRunner
from ftrl.sandbox import CallStatus

STEPS = 21
"""Answers of a model within one turn of a conversation after which the leaderboard gives the task up."""

UNREADABLE = "Not made: arguments must be a JSON object."

_FAILED = "Error during execution:"


class BFCL:
    """The suite. ``ending`` of its transcripts: ``answered``, ``max_turns`` or ``context_full``.

    ``max_turns`` of its settings counts the steps within a turn of a conversation.

    Args:
        categories: which of ``CATEGORIES``, or groups of them.
    """

    name = "bfcl"
    version = "4.1"
    metrics = ("accuracy",)
    settings = EpisodeSettings(max_turns=STEPS, temperature=0.0)
    source = DataSource(
        title="Berkeley Function-Calling Leaderboard, version 4",
        origin="ShishirPatil/gorilla on GitHub, berkeley-function-call-leaderboard; bfcl-eval on PyPI",
        licence="Apache-2.0",
        files="the package bfcl_eval, or of its data, checkers and classes those that are needed",
        how="`ftrl eval fetch bfcl` gets what is needed; or pip download --no-deps bfcl-eval, and unpack the wheel",
    )

    def __init__(self, categories: Sequence[str] = CATEGORIES) -> None:
        self.categories = chosen(categories)
        self.variant: Mapping[str, str] = {"categories": " ".join(self.categories)}
        self._official = lru_cache(Official)

    def load(self, path: str) -> list[Sample[BfclTask]]:
        """The tasks of the categories.

        Raises:
            InputError: a file is missing, or a row not as published.
        """
        return load_tasks(path, self.categories)

    async def play(
        self, sample: Sample[BfclTask], policy: Policy, sandbox: ToolRunner, settings: EpisodeSettings, trial: int = 0
    ) -> Transcript:
        """A question and one answer; or a conversation, in each turn of which the model calls until it has enough."""
        task = sample.task
        parser = profile_named(settings.profile).parser
        conversation = policy.converse(task.tools, settings, seed_of(sample, settings, trial))
        messages: list[dict[str, Any]] = []
        calls: list[TrajectoryCall] = []
        steps: list[list[str]] = []

        def ended(ending: str) -> Transcript:
            return Transcript(messages=tuple(messages), calls=tuple(calls), ending=ending)

        for said in task.turns:
            messages += said
            for _ in range(settings.max_turns):
                try:
                    generation = await conversation.generate(messages)
                except ContextFull:
                    return ended("context_full")
                response = generation.response or parser(generation.text)
                number = sum(message["role"] == "assistant" for message in messages)
                messages.append(response.message([f"call_{number}_{i}" for i in range(len(response.calls))]))
                if not response.calls and generation.context_ended:
                    return ended("context_full")
                if not response.calls or not task.is_multi_turn:
                    calls += [_call(number, call.name, call.arguments, "", ok=True) for call in response.calls]
                    break
                readable = _read((call.name, call.arguments) for call in response.calls)
                if readable is not None:
                    steps.append(list(map(_spelled, readable)))
                    outputs = await self._official(task.folder).execute(task, steps, sandbox)
                else:
                    outputs = [UNREADABLE] * len(response.calls)
                for i, (call, output) in enumerate(zip(response.calls, outputs, strict=True)):
                    shown = output[: settings.max_output_chars]
                    messages.append({"role": "tool", "content": shown, "tool_call_id": f"call_{number}_{i}"})
                    failed = readable is None or output.startswith(_FAILED)
                    calls.append(_call(number, call.name, call.arguments, shown, ok=not failed))
                if readable is None:
                    break  # as published: a step that can't be read ends the turn
            else:
                return ended("max_turns")
        return ended("answered")

    async def score(self, sample: Sample[BfclTask], transcript: Transcript, sandbox: ToolRunner) -> Score:
        """1 if the official checker accepts the calls, else 0."""
        task = sample.task
        if task.is_multi_turn:
            right, why = await self._score_turns(task, transcript, sandbox)
        else:
            readable = _read((call.name, call.arguments) for call in transcript.calls)
            if task.category == "irrelevance":
                right, why = not readable, "a call where none helps"
            elif readable is None:
                right, why = False, "arguments that are no JSON object"
            else:
                right, why = await self._official(task.folder).calls_are_right(task, readable, sandbox)
        explanation = "the official checker accepts it" if right else f"not accepted: {why}"
        return Score(metrics={"accuracy": float(right)}, explanation=explanation)

    async def _score_turns(self, task: BfclTask, transcript: Transcript, sandbox: ToolRunner) -> tuple[bool, str]:
        if transcript.ending != "answered":
            return False, f"the conversation ended with {transcript.ending}"
        return await self._official(task.folder).turns_are_right(task, _turns(transcript), sandbox)


def _turns(transcript: Transcript) -> list[list[list[str]]]:
    """The calls by turn and step; what could not be read is left out, as published."""
    turns: list[list[list[str]]] = []
    before = "assistant"
    for message in transcript.messages:
        if message["role"] in ("user", "system") and before not in ("user", "system"):
            turns.append([])
        before = message["role"]
        asked = [call["function"] for call in message.get("tool_calls") or ()]
        if readable := _read((call["name"], call["arguments"]) for call in asked):
            turns[-1].append(list(map(_spelled, readable)))
    return turns


def _read(calls: Iterable[tuple[str, str]]) -> list[dict[str, Any]] | None:
    """Calls (tool, arguments as text) as {tool: arguments}; None if one can't be read, since then no answer can be."""
    found = []
    for name, text in calls:
        try:
            arguments = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(arguments, dict):
            return None
        found.append({name: arguments})
    return found


def _spelled(call: Mapping[str, Mapping[str, Any]]) -> str:
    """A call as the Python that the official classes evaluate. Names that are none can't call anything there."""
    ((name, arguments),) = call.items()
    if not all(word.isidentifier() for word in (name, *arguments)):
        return "no_such_tool()"
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def _call(number: int, name: str, arguments: str, output: str, *, ok: bool) -> TrajectoryCall:
    status = CallStatus.OK if ok else CallStatus.TOOL_ERROR
    return TrajectoryCall(turn=number, name=name, arguments=arguments, output=output, call_status=status, seconds=0.0)
