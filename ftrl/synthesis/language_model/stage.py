"""What the stages of the generator share: what is handed on between them, and how one asks its model."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from ftrl.llm import LanguageModel, Prompt, Totals, Unusable, ask
from ftrl.synthesis.decompose import Decomposition
from ftrl.synthesis.finding import Finding
from ftrl.synthesis.language_model.prompts import prompt
from ftrl.synthesis.verify import Rejection

Product = TypeVar("Product")
FormT = TypeVar("FormT", bound=BaseModel)


@dataclass
class Trail:
    """What an item has met on its way.

    Attributes:
        spent: what its answers cost.
        sent_back: answers that were asked for again, by stage and by the rule that they broke.
        prompts: the versions of the prompts that were asked, by whose they are.
    """

    spent: Totals = field(default_factory=Totals)
    sent_back: dict[str, dict[str, int]] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)

    def include(self, other: Trail) -> None:
        """Add what another part of the item has met."""
        self.spent.include(other.spent)
        for stage, rules in other.sent_back.items():
            self.sent_back[stage] = dict(Counter(self.sent_back.get(stage, {})) + Counter(rules))
        self.prompts |= other.prompts

    def rejection(self, broken: Unusable) -> Rejection:
        """The end of the item, with what had been sent back before."""
        return Rejection(broken.rule, broken.detail, self.sent_back)


@dataclass(frozen=True)
class Work(Generic[Product]):
    """An item on its way.

    Attributes:
        index: which item.
        attempt: which attempt at it.
        product: what the stages before have made of it.
        trail: what it has met there.
    """

    index: int
    attempt: int
    product: Product
    trail: Trail

    def on(self, product: Any, trail: Trail) -> Work[Any]:
        """The item with its next product."""
        return Work(self.index, self.attempt, product, trail)


class Asker:
    """Whom a stage asks, and in which words.

    Args:
        stage: its name in reports.
        part: whose prompt it is, in provenance: the stage, or who has a part of it.
        model: whom.
        versions: of the prompt, newest first. An older one is asked where only that has an answer on record.
        recorded: the keys of the questions on record, where a recording is played back; else nothing.
    """

    def __init__(
        self, stage: str, part: str, model: LanguageModel, versions: tuple[str, ...], recorded: Container[str]
    ) -> None:
        self._stage = stage
        self._part = part
        self._model = model
        self._versions = versions
        self._recorded = recorded

    async def ask(
        self,
        work: Work[Any],
        form: type[FormT],
        texts: dict[str, str],
        check: Callable[[FormT], Awaitable[Finding | None]],
        trail: Trail,
    ) -> FormT | Unusable:
        """The form that breaks no rule, or the last rule that one broke.

        Args:
            work: the item.
            form: the answer's type.
            texts: for the slots of the prompt.
            check: the first rule that a form breaks.
            trail: added to, by what this meets.
        """
        asked = self._prompt(form, texts, work.attempt)
        trail.prompts[self._part] = asked.name
        sent_back: list[Unusable] = []

        async def unusable(filled: FormT) -> Unusable | None:
            found = await check(filled)
            return None if found is None else Unusable(*found)

        answer = await ask(
            self._model,
            asked,
            form,
            unusable,
            item=work.index,
            sample=work.attempt,
            spent=trail.spent,
            sent_back=sent_back,
        )
        if sent_back:
            trail.include(Trail(sent_back={self._stage: dict(Counter(each.rule for each in sent_back))}))
        return answer

    def _prompt(self, form: type[BaseModel], texts: dict[str, str], sample: int) -> Prompt:
        possible = [prompt(version, form, texts) for version in self._versions]
        recorded = (each for each in possible if each.question(self._model, form, sample).key in self._recorded)
        return next(recorded, possible[0])


async def make(
    asker: Asker,
    work: Work[Any],
    form: type[FormT],
    texts: dict[str, str],
    product: Callable[[FormT], Product],
    broken: Callable[[Product], Finding | None],
) -> Work[Product] | Rejection:
    """Ask for a form until the product that it makes breaks no rule.

    Args:
        asker: whom to ask.
        work: the item.
        form: the answer's type.
        texts: for the slots of the prompt.
        product: of a form.
        broken: the first rule that a product breaks.
    """
    trail = copy.deepcopy(work.trail)

    async def check(filled: FormT) -> Finding | None:
        return broken(product(filled))

    answer = await asker.ask(work, form, texts, check, trail)
    if isinstance(answer, Unusable):
        return trail.rejection(answer)
    return work.on(product(answer), trail)


def steps_text(made: Decomposition) -> str:
    """The sub-questions for a model to read."""
    lines = []
    for step in made.steps:
        depends = f" (depends on {', '.join(step.depends_on)})" if step.depends_on else ""
        lines.append(f"{step.id}: {step.text}{depends} → {step.answer}")
    return "\n".join(lines)
