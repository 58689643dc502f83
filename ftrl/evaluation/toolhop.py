"""ToolHop: questions that need several tools in turn, tools that are Python source (Ye et al. 2025).

Each row has its own tools, one a sub-question. Three scenarios were published: ``direct`` (no tools), ``mandatory``
(tools, and the instruction to use them) and ``free`` (tools, no such instruction).

An answer is judged by three rules:

* ``ftrl``: the script behind the paper's Table 2. Every part of the answer (split at ", ") is a substring of the last
  turn, or of the tool output right before it: a model that never says the answer may still be right.
* ``official``: ToolHop's own script: the whole answer is a substring; zeros at the end are cut off, so ``10`` is ``1``.
* ``strict``: the ``<answer>`` that was asked for holds the answer as a value, not inside a longer token, and few other
  words. What a tool returned, or the model thought, does not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftrl import storage
from ftrl.environments import Environment, Gold, Scenario, source_id
from ftrl.errors import InputError
from ftrl.evaluation.environment_episode import play_environment
from ftrl.evaluation.prompts import prompt
from ftrl.evaluation.suite import DataSource, Sample, Score, Transcript, spoken
from ftrl.rewards import profile_named
from ftrl.rewards.matching import matches_reference, matches_strict
from ftrl.rollouts import EpisodeKey, EpisodeSettings, Policy
from ftrl.rollouts.episode import ToolRunner

SCENARIOS = ("direct", "mandatory", "free")

_MORE_WORDS = 3
"""Words that a strict answer may have beside the answer's own: "in the year 1912" is one, a list of guesses is not."""

_DEFINITION = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)", re.MULTILINE)
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class ToolHopTask:
    """One question.

    Attributes:
        environment: question, tools and the answers of the sub-questions, as any other task of ours.
        sources: tool → source.
        answer: of the whole question.
    """

    environment: Environment
    sources: Mapping[str, str]
    answer: str


class ToolHop:
    """The suite. ``ending`` of its transcripts is a trajectory's status.

    Args:
        scenario: ``direct``, ``mandatory`` or ``free``.
    """

    name = "toolhop"
    version = "2"
    metrics = ("ftrl", "official", "strict")
    source = DataSource(
        title="ToolHop: multi-hop tool use",
        origin="bytedance/FTRL on GitHub, Data/jsonl/raw/ToolHop.jsonl; first bytedance-research/ToolHop on the "
        "Hugging Face hub, data/ToolHop.json",
        licence="Apache-2.0",
        files="ToolHop.json, or the same rows as JSONL",
        how="`ftrl eval fetch toolhop` gets it",
    )

    def __init__(self, scenario: str = "mandatory") -> None:
        if scenario not in SCENARIOS:
            raise InputError(f"ToolHop has no scenario '{scenario}'; there are {', '.join(SCENARIOS)}")
        self.scenario = scenario
        self.variant: Mapping[str, str] = {"scenario": scenario}
        self.settings = EpisodeSettings(max_turns=1 if scenario == "direct" else 9, temperature=0.0)

    def load(self, path: str) -> list[Sample[ToolHopTask]]:
        """The questions in the file.

        Raises:
            InputError: it is missing, or a row is not as published.
        """
        if not storage.exists(path):
            raise InputError(f"there is no such file; {self.source.how}", file=path)
        return [
            Sample(str(row.get("id", number)), self._task(row, path, number), {"scenario": self.scenario})
            for number, row in enumerate(_rows(path))
        ]

    async def play(
        self,
        sample: Sample[ToolHopTask],
        policy: Policy,
        sandbox: ToolRunner,
        settings: EpisodeSettings,
        trial: int = 0,
    ) -> Transcript:
        """One episode of the loop that all our tasks are played in."""
        task = sample.task
        key = EpisodeKey(run="toolhop", sample=trial)
        played = await play_environment(task.environment, task.sources, policy, sandbox, settings, key)
        return Transcript(messages=played.messages, calls=played.calls, ending=played.status.value)

    async def score(self, sample: Sample[ToolHopTask], transcript: Transcript, sandbox: ToolRunner) -> Score:
        """Whether the answer is right, by each rule; none pays an episode whose last word is a tool's."""
        return score_answer(transcript, sample.task.answer)

    def _task(self, row: Mapping[str, Any], file: str, number: int) -> ToolHopTask:
        def refuse(message: str, field: str) -> InputError:
            return InputError(message, file=file, line=number + 1, field=field)

        for field in ("question", "answer"):
            if not isinstance(row.get(field), (str, int, float)):
                raise refuse("must be a text", field)
        schemas, sub_tasks = row.get("tools"), row.get("sub_task") or {}
        if not isinstance(schemas, dict) or not all(isinstance(s, dict) and "name" in s for s in schemas.values()):
            raise refuse("must be an object: sub-question → function schema with a name", "tools")
        if not isinstance(sub_tasks, dict):
            raise refuse("must be an object: sub-question → its answer", "sub_task")
        sources = _sources(row.get("functions"), refuse)
        if missing := [schema["name"] for schema in schemas.values() if schema["name"] not in sources]:
            raise refuse(f"no source defines the tool {missing[0]!r}", "functions")
        answer = str(row["answer"])
        tools = {} if self.scenario == "direct" else {schema["name"]: schema for schema in schemas.values()}
        golds = [
            Gold(tool=schemas[asked]["name"], value=str(sub_tasks[asked])) for asked in sub_tasks if asked in schemas
        ]
        environment = Environment(
            scenario=Scenario.MULTI_HOP,
            question=prompt(f"toolhop_{self.scenario}").replace("{question}", str(row["question"])),
            answer=answer,
            tools=tuple({"type": "function", "function": schema} for schema in tools.values()),
            implementations={name: source_id(sources[name]) for name in tools},
            golds=tuple(golds) or (Gold(tool="", value=answer),),
            data_source="ToolHop",
        )
        return ToolHopTask(environment, {name: sources[name] for name in tools}, answer)


def score_answer(transcript: Transcript, answer: str) -> Score:
    """Whether a transcript's answer is right, by each rule."""
    *before, last = transcript.messages
    said = (last.get("content") or "") if last["role"] == "assistant" else ""
    texts = [said] if said else []
    if said and before and before[-1]["role"] == "tool":
        texts.append(before[-1]["content"])
    wanted = answer.rstrip(".0").lower()
    visible = spoken(profile_named("strict").parser(said).content or "")
    given = [text.strip() for text in _ANSWER.findall(visible)][-1:]
    short = all(len(text.split()) <= len(answer.split()) + _MORE_WORDS for text in given)
    metrics = {
        "ftrl": float(any(matches_reference(text, answer) for text in texts)),
        "official": float(any(wanted in text.rstrip(".0").replace(",", "").lower() for text in texts)),
        "strict": float(short and any(matches_strict(text, answer) for text in given)),
    }
    if last["role"] != "assistant":
        return Score(metrics=metrics, explanation=f"no answer: the episode ended with {transcript.ending}")
    shown = given[-1] if given else "nothing in the form that was asked for"
    lenient = [rule for rule in ("ftrl", "official") if metrics[rule] > metrics["strict"]]
    found = f"; {' and '.join(lenient)} found it in the last texts" if lenient else ""
    return Score(metrics=metrics, explanation=f"answered {shown!r}, right is {answer!r}{found}")


def _rows(path: str) -> Iterator[Mapping[str, Any]]:
    if path.endswith(".jsonl"):
        yield from (row for _, row in storage.json_lines(path))
        return
    try:
        rows = json.loads(storage.read_bytes(path))
    except ValueError as error:
        raise InputError(f"not JSON: {error}", file=path) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError("a ToolHop file is a list of objects", file=path)
    yield from rows


def _sources(functions: Any, refuse: Any) -> dict[str, str]:
    """Tool → source, from a list of sources or an object that names them; of two with one name the last counts."""
    if isinstance(functions, dict) and all(isinstance(source, str) for source in functions.values()):
        return dict(functions)
    if not isinstance(functions, list) or not all(isinstance(source, str) for source in functions):
        raise refuse("must be a list of Python sources, or an object: tool → source", "functions")
    return {found.group(1): source for source in functions if (found := _DEFINITION.search(source))}
