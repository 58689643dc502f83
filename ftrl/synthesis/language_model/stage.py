"""What the stages of the generator share: what is handed on between them, and how one asks its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from ftrl.llm import LanguageModel, Prompt, Totals, Unusable, ask
from ftrl.synthesis.decompose import Decomposition
from ftrl.synthesis.finding import Finding
from ftrl.synthesis.verify import Rejection

Product = TypeVar("Product")
FormT = TypeVar("FormT", bound=BaseModel)


@dataclass(frozen=True)
class Work(Generic[Product]):
    """An item on its way.

    Attributes:
        index: which item.
        attempt: which attempt at it.
        product: what the stages before have made of it.
        spent: what that cost.
    """

    index: int
    attempt: int
    product: Product
    spent: Totals

    def on(self, product: Any, spent: Totals) -> Work[Any]:
        """The item with its next product."""
        return Work(self.index, self.attempt, product, spent)


async def make(
    model: LanguageModel,
    work: Work[Any],
    prompt: Prompt,
    form: type[FormT],
    product: Callable[[FormT], Product],
    broken: Callable[[Product], Finding | None],
) -> Work[Product] | Rejection:
    """Ask for a form until the product that it makes breaks no rule.

    Args:
        model: whom to ask.
        work: the item.
        prompt: what.
        form: the answer's type.
        product: of a form.
        broken: the first rule that a product breaks.
    """
    spent = work.spent.model_copy()

    async def check(filled: FormT) -> Unusable | None:
        found = broken(product(filled))
        return None if found is None else Unusable(*found)

    answer = await ask(model, prompt, form, check, item=work.index, sample=work.attempt, spent=spent)
    if isinstance(answer, Unusable):
        return Rejection(answer.rule, answer.detail)
    return work.on(product(answer), spent)


def steps_text(made: Decomposition) -> str:
    """The sub-questions for a model to read."""
    lines = []
    for step in made.steps:
        depends = f" (depends on {', '.join(step.depends_on)})" if step.depends_on else ""
        lines.append(f"{step.id}: {step.text}{depends} → {step.answer}")
    return "\n".join(lines)
