"""Stage 4 by a model: first the tools that are needed grow, then others are put beside them."""

from __future__ import annotations

from ftrl.llm import LanguageModel
from ftrl.synthesis.document import Toolset
from ftrl.synthesis.finding import Finding
from ftrl.synthesis.language_model.forms import DistractorsForm, ToolsForm, form_of
from ftrl.synthesis.language_model.prompts import prompt
from ftrl.synthesis.language_model.stage import Work, make, steps_text
from ftrl.synthesis.scale import Scaling, extension_broken, scaling_broken
from ftrl.synthesis.verify import Rejection


class Scale:
    """The stage.

    Args:
        model: makes the tools grow.
        distracting: adds others.
        scaling: which operators, and how strong.
        words: the prompts of both.
    """

    def __init__(
        self, model: LanguageModel, distracting: LanguageModel, scaling: Scaling, words: tuple[str, str]
    ) -> None:
        self._words, self._words_of_distractors = words
        self._model = model
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
        asked = prompt(
            self._words,
            ToolsForm,
            operators=operators_text(scaling),
            question=made.question,
            steps=steps_text(made),
            tools=form_of(before),
        )
        return await make(
            self._model,
            work,
            asked,
            ToolsForm,
            lambda form: form.product(made),
            lambda after: scaling_broken(before, after, scaling),
        )

    async def _extend(self, work: Work[Toolset]) -> Work[Toolset] | Rejection:
        before, scaling = work.product, self._scaling
        made = before.decomposition
        asked = prompt(
            self._words_of_distractors,
            DistractorsForm,
            count=str(scaling.distractors),
            near=str(min(scaling.near_misses, scaling.distractors)),
            question=made.question,
            tools=form_of(before.model_copy(update={"calls": ()})),
        )
        near_misses: dict[str, str] = {}

        def extended(form: DistractorsForm) -> Toolset:
            near_misses.clear()
            near_misses.update({tool.name: tool.near_miss_of for tool in form.tools if tool.near_miss_of})
            tools = (*before.tools, *(tool.document() for tool in form.tools))
            return before.model_copy(update={"tools": tools, "distractors": tuple(tool.name for tool in form.tools)})

        def broken(after: Toolset) -> Finding | None:
            return extension_broken(before, after, scaling, near_misses)

        return await make(self._distracting, work, asked, DistractorsForm, extended, broken)


def operators_text(scaling: Scaling) -> str:
    """What is to be done to each tool, for a model to read."""
    lines = []
    if scaling.generalise:
        many = {1: "one more thing", 2: "two more things", 3: "three more things"}[scaling.generalise]
        lines.append(
            f"- Functional generalisation: it serves {many} than it is asked here (a look-up of birth dates becomes "
            "one of life dates, with a parameter that chooses). Where a parameter chooses, it is required, and the "
            "call chooses what the sub-question asks for."
        )
    if scaling.expand:
        lines.append(
            f"- Parameter expansion: add {scaling.expand} relevant parameters, such as a filter, a unit, a format, a "
            "language of names, a limit, or a level of detail. Most are optional, with a default under which nothing "
            "changes."
        )
    if scaling.retype:
        lines.append(
            f"- Type generalisation: {scaling.retype} more of its parameters than now are no free text: they have "
            "choices, or are a number, integer, boolean, array or object. Added parameters count. The thing that is "
            "asked about may become an array, or an object with a field for it."
        )
    return "\n".join(lines)
