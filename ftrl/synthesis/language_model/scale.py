"""Stage 4 by a model: first the tools that are needed grow, then others are put beside them."""

from __future__ import annotations

from ftrl.synthesis.document import Toolset
from ftrl.synthesis.finding import Finding
from ftrl.synthesis.language_model.forms import DistractorsForm, ToolsForm, form_of
from ftrl.synthesis.language_model.stage import Asker, Work, make, steps_text
from ftrl.synthesis.scale import Scaling, extension_broken, scaling_broken
from ftrl.synthesis.verify import Rejection

_MORE = ("", "one more thing", "two more things", "three more things")
"""What a generalised tool serves beside what is asked, by strength."""


class Scale:
    """The stage.

    Args:
        growing: makes the tools grow.
        distracting: adds others.
        scaling: which operators, and how strong.
    """

    def __init__(self, growing: Asker, distracting: Asker, scaling: Scaling) -> None:
        self._growing = growing
        self._distracting = distracting
        self._scaling = scaling

    async def __call__(self, work: Work[Toolset]) -> Work[Toolset] | Rejection:
        """The tools, grown, with distractors among them."""
        grown = await self._grow(work) if self._scaling.changes_tools else work
        if isinstance(grown, Rejection) or not self._scaling.distractors:
            return grown
        return await self._extend(grown)

    async def _grow(self, work: Work[Toolset]) -> Work[Toolset] | Rejection:
        before, scaling = work.product, self._scaling
        made = before.decomposition
        texts = {
            "generalise": _MORE[scaling.generalise],
            "expand": str(scaling.expand or ""),
            "retype": str(scaling.retype or ""),
            "question": made.question,
            "steps": steps_text(made),
            "tools": form_of(before),
        }
        return await make(
            self._growing,
            work,
            ToolsForm,
            texts,
            lambda form: form.product(made),
            lambda after: scaling_broken(before, after, scaling),
        )

    async def _extend(self, work: Work[Toolset]) -> Work[Toolset] | Rejection:
        before, scaling = work.product, self._scaling
        made = before.decomposition
        texts = {
            "count": str(scaling.distractors),
            "near": str(min(scaling.near_misses, scaling.distractors)),
            "question": made.question,
            "tools": form_of(before.model_copy(update={"calls": ()})),
        }
        near_misses: dict[str, str] = {}

        def extended(form: DistractorsForm) -> Toolset:
            near_misses.clear()
            near_misses.update({tool.name: tool.near_miss_of for tool in form.tools if tool.near_miss_of})
            tools = (*before.tools, *(tool.document() for tool in form.tools))
            return before.model_copy(update={"tools": tools, "distractors": tuple(tool.name for tool in form.tools)})

        def broken(after: Toolset) -> Finding | None:
            return extension_broken(before, after, scaling, near_misses)

        return await make(self._distracting, work, DistractorsForm, texts, extended, broken)
