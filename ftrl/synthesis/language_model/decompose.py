"""Stage 1 by a model."""

from __future__ import annotations

from ftrl.synthesis.decompose import Decomposition, decomposition_broken
from ftrl.synthesis.finding import Finding
from ftrl.synthesis.language_model.forms import DecompositionForm
from ftrl.synthesis.language_model.given import Posed
from ftrl.synthesis.language_model.stage import Asker, Work, make
from ftrl.synthesis.verify import Rejection


class Decompose:
    """The stage."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def __call__(self, work: Work[Posed]) -> Work[Decomposition] | Rejection:
        """The sub-questions of a question."""
        posed = work.product
        wanted = posed.scenario.value if posed.scenario else ""
        texts = {"question": posed.question, "answer": posed.answer, "wanted": wanted, "source": posed.source or ""}

        def broken(made: Decomposition) -> Finding | None:
            if posed.scenario not in (None, made.scenario):
                return "scenario_not_wanted", f"the scenario must be {wanted}, not {made.scenario.value}"
            return decomposition_broken(made)

        return await make(self._asker, work, DecompositionForm, texts, lambda form: form.product(posed), broken)
