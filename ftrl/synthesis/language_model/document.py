"""Stage 2 by a model."""

from __future__ import annotations

from ftrl.synthesis.decompose import Decomposition
from ftrl.synthesis.document import Toolset, toolset_broken
from ftrl.synthesis.language_model.forms import ToolsForm
from ftrl.synthesis.language_model.stage import Asker, Work, make, steps_text
from ftrl.synthesis.verify import Rejection


class Document:
    """The stage."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def __call__(self, work: Work[Decomposition]) -> Work[Toolset] | Rejection:
        """The tools for sub-questions, and a call for each."""
        made = work.product
        texts = {"question": made.question, "steps": steps_text(made)}
        return await make(self._asker, work, ToolsForm, texts, lambda form: form.product(made), toolset_broken)
