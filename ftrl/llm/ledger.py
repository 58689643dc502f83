"""What a run has cost: the sums of its record."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from ftrl.llm.exchanges import Exchange


class Totals(BaseModel):
    """Sums over exchanges.

    Attributes:
        calls: exchanges.
        input: tokens read, the provider's cache included.
        output: tokens written.
        uncounted: exchanges whose tokens the provider did not tell.
        usd: dollars; null as soon as the price of one exchange is not known.
        seconds: time spent waiting for answers, questions asked side by side each counted.
    """

    model_config = ConfigDict(extra="forbid")

    calls: int = 0
    input: int = 0
    output: int = 0
    uncounted: int = 0
    usd: float | None = 0.0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.input + self.output

    def add(self, exchange: Exchange) -> None:
        """Count one more."""
        self.calls += 1
        self.seconds += exchange.seconds
        if exchange.usage is None:
            self.uncounted += 1
        else:
            self.output += exchange.usage.output
            self.input += exchange.usage.tokens - exchange.usage.output
        self.usd = None if self.usd is None or exchange.usd is None else self.usd + exchange.usd

    def include(self, other: Totals) -> None:
        """Count all of another sum."""
        self.calls += other.calls
        self.input += other.input
        self.output += other.output
        self.uncounted += other.uncounted
        self.seconds += other.seconds
        self.usd = None if self.usd is None or other.usd is None else self.usd + other.usd


def ledger(exchanges: Iterable[Exchange]) -> dict[str, Totals]:
    """The totals of each stage, and under ``all`` those of all of them."""
    sums: dict[str, Totals] = {}
    everything = Totals()
    for exchange in exchanges:
        sums.setdefault(exchange.stage, Totals()).add(exchange)
        everything.add(exchange)
    return {**dict(sorted(sums.items())), "all": everything}
