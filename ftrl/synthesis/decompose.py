"""Stage 1, scenario decomposition: a question becomes sub-questions, and when that is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ftrl.environments.schema import Record, Scenario
from ftrl.environments.trace import waves
from ftrl.synthesis.conclusion import Conclusion, Step, conclusion_broken
from ftrl.synthesis.finding import Finding, tells

DEEP = (Scenario.MULTI_HOP, Scenario.PARALLEL_MULTI_HOP)
WIDE = (Scenario.PARALLEL_SINGLE_HOP, Scenario.PARALLEL_MULTI_HOP)

LONGEST_ANSWER = 120
"""Characters of a sub-answer: longer ones are sentences, or lists of many things."""

_MOST_WORDS = 12
_MOST_STEPS = 12
_EMPTY = frozenset(("yes", "no", "true", "false", "none", "null", "unknown", "n/a", "not available", "not applicable"))
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_ID = re.compile(r"[a-z]\w{0,15}", re.ASCII)


class Decomposition(Record):
    """The product of the stage.

    Attributes:
        question: the whole question, as the policy will see it.
        answer: its answer.
        scenario: the shape of the steps.
        steps: each after those that it depends on.
        conclusion: how the answer follows from theirs.
        source: the text that all of it is about, where there is one.
    """

    question: str
    answer: str
    scenario: Scenario
    steps: tuple[Step, ...]
    conclusion: Conclusion
    source: str | None = None

    def step(self, name: str) -> Step:
        """The step of that id."""
        return next(step for step in self.steps if step.id == name)


def decomposition_broken(made: Decomposition) -> Finding | None:
    """The first rule that a decomposition breaks, if it breaks one."""
    return next(_findings(made), None)


def _findings(made: Decomposition) -> Iterator[Finding]:
    yield from _order(made.steps)
    yield from shape_broken(made.scenario, [len(wave) for wave in waves(made.steps)])
    answers = {step.id: step.answer for step in made.steps}
    for step in made.steps:
        yield from _value(step)
        yield from _dependencies(step, answers)
        if tells(made.question, step.answer):
            yield "gold_in_question", f"the question contains the answer of {step.id}, {step.answer}"
    yield from same_answers(answers)
    used = {name for step in made.steps for name in step.depends_on} | set(made.conclusion.steps)
    for step in made.steps:
        if step.id not in used:
            yield "step_not_needed", f"neither another step nor the conclusion uses the answer of {step.id}"
    yield from conclusion_broken(made.answer, made.conclusion, made.steps)


def _order(steps: Sequence[Step]) -> Iterator[Finding]:
    if not 1 <= len(steps) <= _MOST_STEPS:
        yield "number_of_steps", f"there are {len(steps)} sub-questions; there may be 1 to {_MOST_STEPS}"
    seen: set[str] = set()
    for step in steps:
        if not _ID.fullmatch(step.id):
            yield "bad_step_id", f"'{step.id}' is no id; write q1, q2, …"
        if step.id in seen:
            yield "bad_step_id", f"two sub-questions are called {step.id}"
        for name in step.depends_on:
            if name not in seen:
                yield (
                    "dependencies_not_acyclic",
                    f"{step.id} depends on {name}, which is not the id of a sub-question before it",
                )
        seen.add(step.id)


def shape_broken(scenario: Scenario, widths: Sequence[int]) -> Iterator[Finding]:
    """Whether the label fits: deep scenarios have hops that wait for others, wide ones several that wait for none.

    Args:
        scenario: the label.
        widths: sub-questions of each round.
    """
    deep, wide = len(widths) > 1, widths[0] > 1
    if deep != (scenario in DEEP) or wide != (scenario in WIDE):
        shape = " then ".join(map(str, widths))
        yield "scenario_does_not_fit", f"{scenario.value}, but its rounds are of {shape} sub-questions"


def same_answers(answers: dict[str, str]) -> Iterator[Finding]:
    """Two sub-questions with one answer could stand for each other."""
    if len({answer.casefold() for answer in answers.values()}) < len(answers):
        told = "; ".join(f"{name}: {answer}" for name, answer in answers.items())
        yield "same_answer_twice", f"no two sub-questions may have the same answer ({told})"


def _value(step: Step) -> Iterator[Finding]:
    answer = step.answer
    words = answer.split()
    bare = answer.strip().rstrip(".").casefold()
    if not words or bare in _EMPTY:
        yield "answer_says_nothing", f"the answer of {step.id} must be a name, number, date or the like, not '{answer}'"
    sentence = len(words) > 4 and answer.rstrip().endswith((".", "!", "?"))
    if len(answer) > LONGEST_ANSWER or len(words) > _MOST_WORDS or "\n" in answer or sentence:
        yield "answer_not_a_value", f"the answer of {step.id} must be a bare value, not a sentence: '{answer[:200]}'"
    if answer != answer.strip():
        yield "answer_not_a_value", f"the answer of {step.id} has space at its ends"


def _dependencies(step: Step, answers: dict[str, str]) -> Iterator[Finding]:
    mentioned = set(_PLACEHOLDER.findall(step.text))
    if mentioned != set(step.depends_on):
        wanted = ", ".join(f"{{{name}}}" for name in step.depends_on) or "no placeholder"
        yield (
            "dependency_not_real",
            f"the text of {step.id} must say where each answer that it depends on goes in, and no other: it depends "
            f"on {', '.join(step.depends_on) or 'nothing'}, so it must contain {wanted}: '{step.text}'",
        )
    for name in step.depends_on:
        if tells(step.text, answers[name]):
            yield "sub_question_tells_answer", f"the text of {step.id} contains the answer of {name}, {answers[name]}"
    if tells(step.text, step.answer):
        yield "sub_question_tells_answer", f"the text of {step.id} contains its own answer, {step.answer}"
