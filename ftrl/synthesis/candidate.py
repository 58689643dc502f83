"""A finished environment that nobody has verified yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftrl.environments import Environment


@dataclass(frozen=True)
class Deployment:
    """A tool that runs.

    Attributes:
        source: one function, named as the document says.
        known: calls that the tool must answer, each with its arguments; ``verify`` tries them.
        near: calls that come close to a golden one and mean something else: they may fail, but must bring no gold.
    """

    source: str
    known: tuple[dict[str, Any], ...]
    near: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Candidate:
    """What the five stages made of one item.

    Attributes:
        environment: its provenance says nothing of verification yet.
        deployments: tool name to code, in the order of the tools.
        chosen: whether the generator was free to choose what is asked, and so to avoid values that the published
            matching finds by chance ("1" in "2010"). What a user asks is held to matching by value instead.
    """

    environment: Environment
    deployments: dict[str, Deployment]
    chosen: bool = True

    @property
    def sources(self) -> dict[str, str]:
        """Tool name to source, as the store takes them."""
        return {name: deployment.source for name, deployment in self.deployments.items()}
