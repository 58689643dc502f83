"""Stage 3 by a model."""

from __future__ import annotations

from ftrl.synthesis.document import Toolset
from ftrl.synthesis.integrate import integration_broken
from ftrl.synthesis.language_model.forms import ToolsForm, form_of
from ftrl.synthesis.language_model.stage import Asker, Work, make, steps_text
from ftrl.synthesis.verify import Rejection


class Integrate:
    """The stage; a single tool has nothing to be merged with, and passes through."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def __call__(self, work: Work[Toolset]) -> Work[Toolset] | Rejection:
        """The tools with overlaps merged."""
        before = work.product
        if len(before.tools) == 1:
            return work
        made = before.decomposition
        texts = {"question": made.question, "steps": steps_text(made), "tools": form_of(before)}
        return await make(
            self._asker,
            work,
            ToolsForm,
            texts,
            lambda form: form.product(made),
            lambda after: integration_broken(before, after),
        )
