"""Stage 3 by a model."""

from __future__ import annotations

from ftrl.llm import LanguageModel
from ftrl.synthesis.document import Toolset
from ftrl.synthesis.integrate import integration_broken
from ftrl.synthesis.language_model.forms import ToolsForm, form_of
from ftrl.synthesis.language_model.prompts import prompt
from ftrl.synthesis.language_model.stage import Work, make, steps_text
from ftrl.synthesis.verify import Rejection


class Integrate:
    """The stage; a single tool has nothing to be merged with, and passes through."""

    def __init__(self, model: LanguageModel, words: str) -> None:
        self._model = model
        self._words = words

    async def __call__(self, work: Work[Toolset]) -> Work[Toolset] | Rejection:
        """The tools with overlaps merged."""
        before = work.product
        if len(before.tools) == 1:
            return work
        made = before.decomposition
        asked = prompt(self._words, ToolsForm, question=made.question, steps=steps_text(made), tools=form_of(before))
        return await make(
            self._model,
            work,
            asked,
            ToolsForm,
            lambda form: form.product(made),
            lambda after: integration_broken(before, after),
        )
