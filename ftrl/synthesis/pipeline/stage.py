"""What a stage is: a thing that takes products and gives, for each, the next product or a ``Rejection``.

A stage lives in Ray actors, each of which makes its own from a factory. What a stage is given and gives is
pickled; what it holds (connections, a sandbox) stays in its actor.

Who is to blame is in how a stage ends. An item that breaks an acceptance rule: return a ``Rejection``; that item is
out, with its reason on record. Anything else that goes wrong (no network, no sandbox, no money left): raise, with
an ``FtrlError`` whose sentence says what to do. Then no new item is begun, what is in flight goes on to its end,
what is finished is kept, and the item that was raised over counts as not done: a resumed run does it again. So does
the pipeline itself when an actor dies, so a stage must bear being asked the same thing twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ftrl.synthesis.verify import Rejection

Stage = Callable[[Any], Awaitable[Any]]
"""``async def stage(product)`` gives the next product or a ``Rejection``. With ``batch`` above 1 it takes a list of
products, and gives a list of as many."""


@dataclass(frozen=True)
class Item:
    """What the first stage of a generator is given.

    Attributes:
        index: its place in the order of the store.
        attempt: 0, or how often the item was rejected before and is now drawn anew.
        given: what there is to start from: a question, a document, a topic; nothing for the tables generator.
    """

    index: int
    attempt: int = 0
    given: Any = None


@dataclass(frozen=True)
class StageSpec:
    """One stage of a pipeline.

    Attributes:
        name: as progress and report call it.
        factory: makes the stage, inside its actor; it has to be picklable.
        actors: how many of it there are.
        in_flight: calls that one actor has under way at the same time.
        batch: most products that one call takes; 1 means that the stage takes a product and not a list.
    """

    name: str
    factory: Callable[[], Stage]
    actors: int = 1
    in_flight: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        if min(self.actors, self.in_flight, self.batch) < 1:
            raise ValueError(f"{self.name}: actors, in_flight and batch must be at least 1")


__all__ = ["Item", "Rejection", "Stage", "StageSpec"]
