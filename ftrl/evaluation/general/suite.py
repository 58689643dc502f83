"""Asking the questions, and reading the answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ftrl.evaluation.general.arithmetic import problems
from ftrl.evaluation.prompts import prompt
from ftrl.evaluation.suite import DataSource, Sample, Score, Transcript, message, seed_of, spoken
from ftrl.rollouts import ContextFull, EpisodeSettings, Policy
from ftrl.rollouts.episode import ToolRunner

BUILT_IN = "built-in"
"""What stands for the place of the data, which comes with ``ftrl``."""

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")
_WORD = re.compile(r"[\w']+")


@dataclass(frozen=True)
class GeneralTask:
    """One question; any of ``answers`` is right, and numbers are compared as numbers."""

    question: str
    answers: tuple[str, ...]
    is_number: bool


class General:
    """The suite. ``ending`` of its transcripts: ``answered``, or ``context_full`` for a prompt that did not fit."""

    name = "general"
    version = "1"
    metrics = ("strict", "lenient")
    variant: Mapping[str, str] = {}
    settings = EpisodeSettings(max_turns=1, temperature=0.0)
    source = DataSource(
        title="General: arithmetic and reading",
        origin="part of ftrl",
        licence="Apache-2.0",
        files="none",
        how="it comes with ftrl",
    )

    def load(self, path: str = BUILT_IN) -> list[Sample[GeneralTask]]:
        """The questions, wherever ``path`` points."""
        found = [
            Sample(
                f"arithmetic/{number}",
                GeneralTask(problem.question, (str(problem.answer),), is_number=True),
                {"part": "arithmetic"},
            )
            for number, problem in enumerate(problems())
        ]
        for number, text in enumerate(_reading()):
            for place, (question, answers) in enumerate(text["questions"]):
                task = GeneralTask(f"{text['text']}\n\n{question}", tuple(answers), is_number=False)
                found.append(Sample(f"reading/{number}/{place}", task, {"part": "reading"}))
        return found

    def texts(self) -> list[str]:
        """The texts that the questions are about: how well does a model foresee them?"""
        return [text["text"] for text in _reading()]

    async def play(
        self,
        sample: Sample[GeneralTask],
        policy: Policy,
        sandbox: ToolRunner,
        settings: EpisodeSettings,
        trial: int = 0,
    ) -> Transcript:
        """The question and one answer."""
        asked = message("user", prompt("general").replace("{question}", sample.task.question))
        try:
            said = await policy.converse((), settings, seed_of(sample, settings, trial)).generate([asked])
        except ContextFull:
            return Transcript(messages=(asked,), ending="context_full")
        return Transcript(messages=(asked, message("assistant", said.text)), ending="answered")

    async def score(self, sample: Sample[GeneralTask], transcript: Transcript, sandbox: ToolRunner) -> Score:
        """Whether the answer is right, as asked for and at all; what the model thought does not count."""
        if transcript.ending != "answered":
            return Score(metrics=dict.fromkeys(self.metrics, 0.0), explanation="the prompt did not fit the model")
        return score_answer(sample.task, transcript.said()[-1])


def _reading() -> list[dict[str, Any]]:
    texts: list[dict[str, Any]] = json.loads(
        resources.files(__package__).joinpath("reading.json").read_text(encoding="utf-8")
    )
    return texts


def score_answer(task: GeneralTask, text: str) -> Score:
    """Whether a text answers the question."""
    visible = spoken(text)
    given = [one.strip() for one in _ANSWER.findall(visible)][-1:]
    strict = any(_equal(task, one) for one in given)
    return Score(
        metrics={"strict": float(strict), "lenient": float(strict or _said(task, visible))},
        explanation=f"answered {given[0] if given else visible[-80:]!r}, right is {task.answers[0]!r}",
    )


def _equal(task: GeneralTask, answer: str) -> bool:
    if task.is_number:
        return _numbers(answer) == [float(task.answers[0])]
    return _words(answer) in [_words(one) for one in task.answers]


def _said(task: GeneralTask, text: str) -> bool:
    """The last number is the right one, or a right answer stands in the text, word for word."""
    if task.is_number:
        return _numbers(text)[-1:] == [float(task.answers[0])]
    padded = f" {' '.join(_words(text))} "
    return any(f" {' '.join(_words(one))} " in padded for one in task.answers)


def _numbers(text: str) -> list[float]:
    return [float(one.replace(",", "")) for one in _NUMBER.findall(text)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
