"""How much may be spent."""

from __future__ import annotations

from typing import Protocol

from ftrl.errors import FtrlError


class BudgetSpent(FtrlError):
    """There is no money, or there are no tokens, left for another question."""


class Budget(Protocol):
    """Told of all that is spent, by whoever asks models, wherever that runs."""

    async def admit(self) -> None:
        """Let another question through.

        Raises:
            BudgetSpent: nothing is left.
        """

    async def spend(self, tokens: int | None, usd: float | None) -> None:
        """Count what a question cost; null where that is not known."""


class Spending:
    """What may be spent, and what is.

    Args:
        tokens: the most tokens; any number if None.
        usd: the most dollars; any number if None.
        spent_tokens: what was spent before.
        spent_usd: the same in dollars.
    """

    def __init__(
        self, tokens: int | None = None, usd: float | None = None, spent_tokens: int = 0, spent_usd: float = 0.0
    ) -> None:
        self.tokens = tokens
        self.usd = usd
        self.spent_tokens = spent_tokens
        self.spent_usd = spent_usd

    @property
    def over(self) -> str | None:
        """What of it is all spent, as a sentence; null as long as something is left."""
        if self.tokens is not None and self.spent_tokens >= self.tokens:
            return f"{self.spent_tokens:,} of {self.tokens:,} tokens are spent"
        if self.usd is not None and self.spent_usd >= self.usd:
            return f"${self.spent_usd:.2f} of ${self.usd:.2f} are spent"
        return None

    def add(self, tokens: int | None, usd: float | None) -> None:
        """Count what something took; null where that is not known.

        Raises:
            FtrlError: there is a limit in something that is not known.
        """
        if self.tokens is not None and tokens is None:
            raise FtrlError("the provider does not say how many tokens an answer took, so no budget in tokens holds")
        if self.usd is not None and usd is None:
            raise FtrlError(
                "what this model's tokens cost is not known, so no budget in dollars holds; say it with --price"
            )
        self.spent_tokens += tokens or 0
        self.spent_usd += usd or 0.0


class LocalBudget(Spending):
    """A budget within one process.

    A question is let through as long as something is left, so the last ones may overdraw it a little: by what the
    questions cost that are under way at the same time.
    """

    async def admit(self) -> None:
        """Let another question through, or raise ``BudgetSpent``."""
        if over := self.over:
            raise BudgetSpent(f"{over}; what is there is kept; go on with --resume and a larger budget")

    async def spend(self, tokens: int | None, usd: float | None) -> None:
        """Count what a question cost.

        Raises:
            FtrlError: there is a budget in something that the provider does not tell.
        """
        self.add(tokens, usd)
