"""The end of the pipeline: items come in their order, what is not a near-duplicate goes into the store.

The store is committed block by block, together with the record of rejections; an interrupted run keeps the blocks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from ftrl.environments import EnvironmentStore
from ftrl.errors import FtrlError
from ftrl.models import Embedder
from ftrl.synthesis.pipeline.contamination import told
from ftrl.synthesis.pipeline.flow import Refused
from ftrl.synthesis.pipeline.journal import Journal, Record
from ftrl.synthesis.pipeline.likeness import Bar, LikenessIndex
from ftrl.synthesis.pipeline.stage import Item
from ftrl.synthesis.pipeline.verification import Finished
from ftrl.synthesis.tally import Tally
from ftrl.synthesis.verify import Rejection

BLOCK = 2048
"""Items after which the store is committed,"""

COMMIT_SECONDS = 60.0
"""or seconds, whichever comes first."""

NEAR_DUPLICATE = Bar(question=0.7, tools=0.8)


class StoreWriting:
    """Takes settled items, in a ``with`` block. A failure of the work (``FtrlError``) or its cancellation, after
    Ctrl-C or SIGTERM, keeps what is there; anything else that ends the block loses what is not committed.

    Args:
        out: the store.
        kept: the store as a run before has left it; null for a new one.
        first: the first item that is not done.
        tally: counts.
        told_of: called when an item is settled.
        embeddings: the folder of the model that has read what the items mean, if one has.
    """

    def __init__(
        self,
        out: str,
        kept: EnvironmentStore | None,
        first: int,
        tally: Tally,
        told_of: Callable[[], None],
        embeddings: str | None = None,
    ) -> None:
        self.next = first
        self._out = out
        self._tally = tally
        self._told_of = told_of
        self._journal = Journal(out)
        self._index = LikenessIndex(NEAR_DUPLICATE)
        self._append = kept is not None
        self._open = ExitStack()
        self._begin()
        if kept is None:
            self._journal.clear()
        else:
            embedder = None if embeddings is None else Embedder(embeddings)
            self._index.fill(((environment.id, environment) for environment in kept), embedder)
        self._refused: dict[int, list[Refused]] = {}

    def __enter__(self) -> StoreWriting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or isinstance(error, (FtrlError, asyncio.CancelledError)):
                self._commit()
            else:
                self._open.__exit__(kind, error, trace)
        finally:
            self._index.close()

    def reject(self, item: Item, refused: Refused) -> None:
        """See ``Settler``."""
        self._refused.setdefault(item.index, []).append(refused)
        self._tally.reject(item.index, refused.rejection)

    def give_up(self, item: Item) -> None:
        """See ``Settler``."""
        self._tally.give_up(1)
        self._settled(item, accepted=False)

    def accept(self, item: Item, product: Finished) -> Rejection | None:
        """See ``Settler``."""
        if (found := self._index.find(product.sketch)) is not None:
            return Rejection("near_duplicate", f"'{product.environment.question[-80:]}' is too much like {told(found)}")
        self._writer.add(product.environment, product.sources)
        self._index.add(product.environment.id, product.sketch)
        self._tally.accept(product)
        self._accepted += 1
        self._settled(item, accepted=True)
        return None

    def _begin(self) -> None:
        self._writer = EnvironmentStore.create(self._out, append=self._append)
        self._open.enter_context(self._writer)
        self._since = time.monotonic()
        self._first = self.next
        self._items = self._accepted = 0
        self._records: list[Record] = []

    def _settled(self, item: Item, *, accepted: bool) -> None:
        refused = self._refused.pop(item.index, [])
        for at, one in enumerate(refused, start=1):
            why, last = one.rejection, at == len(refused) and not accepted
            self._records.append(Record(item.index, one.attempt, one.stage, why.rule, why.detail, last, why.sent_back))
        self.next = item.index + 1
        self._items += 1
        if self._items >= BLOCK or time.monotonic() - self._since > COMMIT_SECONDS:
            self._commit()
        self._told_of()

    def _commit(self) -> None:
        self._journal.write(self._first, self._records)
        if not self._accepted:  # an empty store would be no store to resume
            self._items, self._since = 0, time.monotonic()
            return
        self._open.close()
        self._append = True
        self._begin()
