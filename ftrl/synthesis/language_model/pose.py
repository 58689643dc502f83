"""Before the first stage: a question and its answer, from a text or about a topic."""

from __future__ import annotations

from collections.abc import Iterator

from ftrl.environments.schema import Scenario
from ftrl.rewards import matches_strict
from ftrl.synthesis.decompose import LONGEST_ANSWER
from ftrl.synthesis.finding import Finding, tells
from ftrl.synthesis.language_model.forms import QuestionForm
from ftrl.synthesis.language_model.given import Occasion, Posed
from ftrl.synthesis.language_model.stage import Asker, Work, make
from ftrl.synthesis.verify import Rejection

_LONGEST_QUESTION = 600

SHAPES = {
    Scenario.SINGLE_HOP: "one look-up: a single fact about a single thing.",
    Scenario.PARALLEL_SINGLE_HOP: "two to four look-ups that do not depend on each other, and whose results are put "
    "together: compared, listed, added up, or one subtracted from the other.",
    Scenario.MULTI_HOP: "a chain of two to four look-ups, each about what the one before has found.",
    Scenario.PARALLEL_MULTI_HOP: "two or three chains of two look-ups each, side by side, whose results are put "
    "together: compared, listed, added up, or one subtracted from the other.",
}


class Pose:
    """The stage, for runs that are not given questions."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def __call__(self, work: Work[Occasion]) -> Work[Posed] | Rejection:
        """A question for an occasion."""
        given = work.product
        shape, number = SHAPES[given.scenario], str(given.number)
        texts = {"shape": shape, "number": number, "source": given.source or "", "topic": given.topic or ""}

        def product(form: QuestionForm) -> Posed:
            question, answer = form.question.strip(), form.answer.strip()
            return Posed(question=question, answer=answer, scenario=given.scenario, source=given.source)

        return await make(
            self._asker, work, QuestionForm, texts, product, lambda made: next(question_broken(made), None)
        )


def question_broken(made: Posed) -> Iterator[Finding]:
    """What is wrong with a question that was made up."""
    if not made.question or len(made.question) > _LONGEST_QUESTION:
        yield "question_length", f"it has {len(made.question)} characters; 1 to {_LONGEST_QUESTION} are allowed"
    if not made.answer or len(made.answer) > LONGEST_ANSWER:
        yield "answer_not_a_value", "the answer must be a bare value"
    if made.scenario == Scenario.SINGLE_HOP and tells(made.question, made.answer):
        yield "gold_in_question", f"the question contains its answer, {made.answer}"
    short = len(made.answer.split()) > 1 or not made.answer.isdecimal()
    looked_up = made.scenario in (Scenario.SINGLE_HOP, Scenario.MULTI_HOP)
    if made.source is not None and looked_up and short and not matches_strict(made.source, made.answer):
        yield "answer_not_in_text", f"the text does not say '{made.answer}'; spell the answer as the text does"
