"""An optional check that no program can make: whether tools and sub-questions make sense to a reader."""

from __future__ import annotations

from pydantic import Field

from ftrl.synthesis.document import Toolset
from ftrl.synthesis.language_model.forms import Form, form_of
from ftrl.synthesis.language_model.stage import Asker, Work, make, steps_text
from ftrl.synthesis.verify import Rejection


class Verdict(Form):
    """What the judge finds. A verdict that can't be read is none: the item is rejected."""

    reason: str = Field(description="one or two sentences")
    sound: bool


class Judge:
    """The stage."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def __call__(self, work: Work[Toolset]) -> Work[Toolset] | Rejection:
        """The same tools, if the judge finds them sound."""
        made = work.product
        texts = {
            "question": made.decomposition.question,
            "answer": made.decomposition.answer,
            "steps": steps_text(made.decomposition),
            "tools": form_of(made),
        }
        judged = await make(self._asker, work, Verdict, texts, lambda verdict: verdict, lambda _: None)
        if isinstance(judged, Rejection):
            return judged
        if not judged.product.sound:
            return Rejection("judged_unsound", judged.product.reason)
        return work.on(made, judged.trail)
