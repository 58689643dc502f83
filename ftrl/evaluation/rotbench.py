"""RoTBench: does a model still find the tool, its parameters and their values when names are noisy? (Ye et al. 2024)

One turn is played: the first of a conversation, or the third after two published ones. The model writes
``Thought / Action / Action Input`` as text; its tools stand in the system message.

Two published rules differ, so each answer is scored under both:

* ``official``: RoTBench's own script. Any value passes where the gold says "None"; for asking the user and finishing,
  told by their names or as the last two tools of the list, every value passes; an empty ``{}`` counts as no call.
* ``ftrl``: the script behind the paper's Table 2. The multiset of values is compared, not which parameter has which.

An answer on which a published script would stop with an exception scores 0; ``docs/evaluation.md`` lists them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrl import storage
from ftrl.errors import InputError
from ftrl.evaluation.suite import DataSource, Sample, Score, Transcript, message, seed_of
from ftrl.rollouts import ContextFull, EpisodeSettings, Policy
from ftrl.rollouts.episode import ToolRunner

TURNS = {"First_Turn": "first", "Third_Turn": "third"}
"""Folder → which turn is played."""

SETTINGS = ("clean", "slight", "medium", "heavy", "union")
"""Levels of noise, one file each."""

SCENARIOS = {
    "TG": "text generation",
    "RS": "real-time search",
    "DU": "data understanding",
    "PL": "personal life",
    "AM": "application manipulation",
    "IR": "information retrieval",
    "FT": "financial transactions",
}

LEVELS = ("ts", "pi", "cf")
"""Tool selection, parameter identification, content filling; each needs the ones before."""

_ACTION, _INPUT = "Action:", "Action Input:"
_ROLES = {"system": "system", "user": "user", "assistant": "assistant", "function": "user"}
"""Published role → chat role. Chat templates drop a role ``function`` without a word, so its text comes as a user's."""


@dataclass(frozen=True)
class Action:
    """One call, as text in the published form spells it."""

    tool: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class RoTBenchTask:
    """One turn.

    Attributes:
        messages: the conversation up to it, in chat format.
        tools: names of the tools on offer, in the order of the list.
        answers: the published right answers; one is enough.
    """

    messages: tuple[dict[str, Any], ...]
    tools: tuple[str, ...]
    answers: tuple[Action, ...]


@dataclass(frozen=True)
class Levels:
    """How far an answer got."""

    ts: bool = False
    pi: bool = False
    cf: bool = False


class RoTBench:
    """The suite. ``ending`` of its transcripts: ``answered``, or ``context_full`` for a prompt that did not fit."""

    name = "rotbench"
    version = "1"
    metrics = tuple(f"{rule}_{level}" for rule in ("official", "ftrl") for level in LEVELS)
    variant: Mapping[str, str] = {}
    settings = EpisodeSettings(max_turns=1, temperature=0.0)
    source = DataSource(
        title="RoTBench: robustness of tool learning under noise",
        origin="Junjie-Ye/RoTBench on GitHub, folder Data",
        licence="Apache-2.0",
        files="the repository's folder Data: First_Turn and Third_Turn, each with "
        "clean.json, slight.json, medium.json, heavy.json and union.json",
        how="`ftrl eval fetch rotbench` gets it; a file or some of them may be named, too",
    )

    def load(self, path: str) -> list[Sample[RoTBenchTask]]:
        """The turns in the folder (whichever of the ten files are there), or in one of its files.

        Raises:
            InputError: there are none, or a row is not as published.
        """
        if path.endswith(".json"):
            parts = path.replace("\\", "/").split("/")
            folder = parts[-2] if len(parts) > 1 else ""
            return _read(path, TURNS.get(folder, "first"), parts[-1].removesuffix(".json"))
        found = [
            sample
            for folder, turn in TURNS.items()
            for setting in SETTINGS
            if storage.exists(file := storage.join(path, folder, f"{setting}.json"))
            for sample in _read(file, turn, setting)
        ]
        if not found:
            raise InputError(f"there is no RoTBench data here; {self.source.how}", file=path)
        return found

    async def play(
        self,
        sample: Sample[RoTBenchTask],
        policy: Policy,
        sandbox: ToolRunner,
        settings: EpisodeSettings,
        trial: int = 0,
    ) -> Transcript:
        """The one turn. No tools are given to the chat template: as published, they stand in the system message."""
        messages = sample.task.messages
        try:
            generation = await policy.converse((), settings, seed_of(sample, settings, trial)).generate(messages)
        except ContextFull:
            return Transcript(messages=messages, ending="context_full")
        return Transcript(messages=(*messages, message("assistant", generation.text)), ending="answered")

    async def score(self, sample: Sample[RoTBenchTask], transcript: Transcript, sandbox: ToolRunner) -> Score:
        """All levels under both rules."""
        if transcript.ending != "answered":
            return Score(metrics=dict.fromkeys(self.metrics, 0.0), explanation="the prompt did not fit the model")
        return score_answer(sample.task, transcript.said()[-1])


def score_answer(task: RoTBenchTask, text: str) -> Score:
    """The levels that an answer reaches under each rule."""
    by_rule = {"official": official_levels(task, text), "ftrl": ftrl_levels(task, text)}
    metrics = {f"{rule}_{level}": float(getattr(found, level)) for rule, found in by_rule.items() for level in LEVELS}
    reached = "; ".join(
        f"{rule}: {', '.join(level for level in LEVELS if getattr(found, level)) or 'none'}"
        for rule, found in by_rule.items()
    )
    return Score(metrics=metrics, explanation=f"levels reached - {reached}")


def official_levels(task: RoTBenchTask, text: str) -> Levels:
    """By the rule of RoTBench's own script."""
    action = _read_official(text)
    if action is None or not action.parameters:
        return Levels()
    finish = task.tools[-1]
    # By place or by name: where noise has moved the two or lent their names to other tools, those are free, too.
    free = {"finish", "ask_to_user", *task.tools[-2:]}
    # "finish" may be called by that name whatever the list calls it.
    tool = finish if action.tool == "finish" and any(a.tool == finish for a in task.answers) else action.tool
    named = [answer for answer in task.answers if answer.tool == tool]
    filled = [answer for answer in named if answer.parameters.keys() == action.parameters.keys()]

    def right(answer: Action) -> bool:
        fixed = {name: value for name, value in answer.parameters.items() if value != "None"}
        return answer.tool in free or all(action.parameters[name] == value for name, value in fixed.items())

    return Levels(ts=bool(named), pi=bool(filled), cf=any(map(right, filled)))


def ftrl_levels(task: RoTBenchTask, text: str) -> Levels:
    """By the rule of the script behind the paper's Table 2."""
    action = _read_ftrl(text)
    if action is None:
        return Levels()
    named = [answer for answer in task.answers if answer.tool == action.tool]
    filled = [answer for answer in named if answer.parameters.keys() == action.parameters.keys()]
    try:
        values = Counter(action.parameters.values())
    except TypeError:  # a list or an object among them: the published comparison gives up here, and so do its points
        return Levels(ts=bool(named), pi=bool(filled))
    return Levels(
        ts=bool(named), pi=bool(filled), cf=any(Counter(answer.parameters.values()) == values for answer in filled)
    )


def _read_official(text: str) -> Action | None:
    """Tool and parameters as the official script cuts them out: one character behind each mark is skipped."""
    start, middle = text.find(_ACTION), text.find(_INPUT)
    # As published, a missing mark is found at -1 and the text cut all the same.
    tool = text[start + len(_ACTION) + 1 : middle].removesuffix("\n")
    parameters = _json_object(text[middle + len(_INPUT) + 1 :])
    return Action(tool, parameters) if tool and parameters is not None else None


def _read_ftrl(text: str) -> Action | None:
    """Tool and parameters as the paper's script cuts them out: between the first mark and the next of each."""
    action, input_ = text.split(f"{_ACTION} "), text.split(f"{_INPUT} ")
    if len(action) < 2 or len(input_) < 2:
        return None
    parameters = _json_object(input_[1].strip())
    return None if parameters is None else Action(action[1].split(f"{_INPUT} ")[0].strip(), parameters)


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read(file: str, turn: str, setting: str) -> list[Sample[RoTBenchTask]]:
    try:
        rows = json.loads(storage.read_bytes(file))
    except ValueError as error:
        raise InputError(f"not JSON: {error}", file=file) from error
    if not isinstance(rows, list):
        raise InputError("a RoTBench file is a list of turns", file=file)
    return [
        Sample(
            id=f"{turn}/{setting}/{number}",
            task=_task(row, file, number),
            labels={"turn": turn, "setting": setting, "scenario": SCENARIOS.get(row.get("scenario"), "other")},
        )
        for number, row in enumerate(rows)
    ]


def _task(row: Any, file: str, number: int) -> RoTBenchTask:
    def refuse(message: str, field: str) -> InputError:
        return InputError(message, file=file, line=number + 1, field=field)

    try:
        *before, last = [(_ROLES[part["from"]], part["value"]) for part in row["conversations"]]
        system, answers = before[0][1], last[1]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise refuse("a list of {'from', 'value'}, the system's first and the answers last", "conversations") from error
    if last[0] != "assistant" or not isinstance(answers, list) or not answers:
        raise refuse("the last entry must be the assistant's, its value the list of right answers", "conversations")
    try:
        tools = json.JSONDecoder().raw_decode(system, system.index("["))[0]
        names = tuple(tool["name"] for tool in tools)
    except (ValueError, KeyError, TypeError) as error:
        raise refuse("the system message must hold the list of tools as JSON", "conversations") from error
    if len(names) < 2:
        raise refuse("at least two tools are on offer in every turn", "conversations")
    return RoTBenchTask(
        messages=tuple(message(role, text) for role, text in before),
        tools=names,
        answers=tuple(_answers(answers, refuse)),
    )


def _answers(texts: Sequence[str], refuse: Any) -> Iterable[Action]:
    for text in texts:
        action = _read_ftrl(text)
        if action is None:
            raise refuse(f"a right answer reads 'Action: TOOL', then 'Action Input: {{…}}', not {text!r}", "value")
        yield action
