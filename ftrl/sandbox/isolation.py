"""Which layers of isolation this machine grants, as a worker finds them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerReport:
    """One layer: what it is called, whether it holds here, and why not."""

    name: str
    active: bool
    why_not: str | None
