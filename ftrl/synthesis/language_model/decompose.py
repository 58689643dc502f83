"""Stage 1 by a model."""

from __future__ import annotations

from ftrl.llm import LanguageModel
from ftrl.synthesis.decompose import Decomposition, decomposition_broken
from ftrl.synthesis.finding import Finding
from ftrl.synthesis.language_model.forms import DecompositionForm
from ftrl.synthesis.language_model.given import Posed
from ftrl.synthesis.language_model.prompts import prompt
from ftrl.synthesis.language_model.stage import Work, make
from ftrl.synthesis.verify import Rejection


class Decompose:
    """The stage."""

    def __init__(self, model: LanguageModel, words: str) -> None:
        self._model = model
        self._words = words

    async def __call__(self, work: Work[Posed]) -> Work[Decomposition] | Rejection:
        """The sub-questions of a question."""
        posed = work.product
        asked = prompt(
            self._words,
            DecompositionForm,
            question=posed.question,
            answer=posed.answer,
            wanted=f"Scenario: {posed.scenario.value}\n" if posed.scenario else "",
            source=f"\nThe text that the question is about; facts come from it:\n{posed.source}\n"
            if posed.source
            else "",
        )

        def broken(made: Decomposition) -> Finding | None:
            if posed.scenario not in (None, made.scenario):
                wanted = posed.scenario.value if posed.scenario else ""
                return "scenario_not_wanted", f"the scenario must be {wanted}, not {made.scenario.value}"
            return decomposition_broken(made)

        return await make(self._model, work, asked, DecompositionForm, lambda form: form.product(posed), broken)
