"""How many steps an iteration has: known beforehand, unless its prompts are still being made while it trains."""

from __future__ import annotations

from dataclasses import dataclass

from ftrl.errors import FtrlError
from ftrl.training.config import OptimConfig
from ftrl.training.prompt_chunks import PromptChunks


@dataclass(frozen=True)
class Steps:
    """Whole batches in ``optim.epochs`` passes over the prompts, at most ``optim.max_steps``.

    Attributes:
        prompts: of the iteration.
        optim: says how many make a batch, and how often they are gone through.
        most_prompts: there will be no more than so many.
    """

    prompts: PromptChunks
    optim: OptimConfig
    most_prompts: int

    def total(self) -> int:
        """All of them, once all prompts have been made.

        Raises:
            FtrlError: there are fewer prompts than one batch needs.
        """
        prompts = self.prompts.selected().prompts
        if not (steps := self._of(prompts)):
            raise FtrlError(
                f"{prompts} prompts of at most {self.optim.max_prompt_tokens} tokens are fewer than one batch of "
                f"{self.optim.batch_size}; collect more samples, lower optim.batch_size or raise "
                "optim.max_prompt_tokens"
            )
        return steps

    def bound(self) -> int:
        """At most so many; as many, once all prompts have been made."""
        return self._of(self.prompts.selected().prompts if self.prompts.complete() else self.most_prompts)

    def known_at(self, step: int) -> int:
        """How many there are, as far as that is known where ``step`` begins: more than ``step``, or all of them.

        Waits until this is known: a step knows whether it is the last. What it says of a step is the same in every
        run, since it goes by the first chunks that tell, however many have been made meanwhile.
        """
        prompts = 0
        for size in self.prompts.sizes():
            prompts += size
            whole = prompts // self.optim.batch_size
            if whole > step or self._of(prompts) == self.optim.max_steps:
                break
        return self._of(prompts)

    def done(self, trained: int) -> bool:
        """Whether the iteration has ended with the step ``trained``.

        Raises:
            FtrlError: as ``total``.
        """
        if trained and trained == self.optim.max_steps:
            return True
        return self.prompts.complete() and trained >= self.total()

    def _of(self, prompts: int) -> int:
        steps = prompts // self.optim.batch_size * self.optim.epochs
        return min(steps, self.optim.max_steps or steps)
