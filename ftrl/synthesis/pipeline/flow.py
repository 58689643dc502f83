"""The flow of items through stages that run side by side; at the end of it they are settled in their order.

Every stage has a bounded queue, so that a slow one holds up those before it, and no more than ``window`` items are
begun and not settled: one item that takes long lets the others run ahead only so far.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ftrl import telemetry
from ftrl.errors import FtrlError
from ftrl.synthesis.pipeline.stage import Item, StageSpec
from ftrl.synthesis.pipeline.workers import Worker, WorkerLost
from ftrl.synthesis.verify import Rejection

MOST_LOSSES = 5
"""How often the worker may die under one item before the run is stopped."""

SETTLING = "store"
"""The stage that a rejection by the settler is counted under."""

_SECONDS_AFTER_A_LOSS = 1.0


@dataclass
class StageCount:
    """What a stage has done so far; ``seconds`` sums over the calls, also those side by side."""

    name: str
    entered: int = 0
    left: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    repeated: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Refused:
    """An attempt at an item that was rejected."""

    attempt: int
    stage: str
    rejection: Rejection


class Settler(Protocol):
    """Takes the items at the end of the flow, in their order."""

    def accept(self, item: Item, product: Any) -> Rejection | None:
        """Keep the last stage's product, or say why not."""
        ...

    def give_up(self, item: Item) -> None:
        """Every attempt at the item was rejected."""
        ...

    def reject(self, item: Item, refused: Refused) -> None:
        """An attempt was rejected. Not in the order of the items."""
        ...


@dataclass
class _Moving:
    """An item on its way, with what the stages have made of it so far."""

    item: Item
    product: Any
    losses: int = 0


class Flow:
    """One run of items through stages.

    Args:
        specs: the stages.
        workers: of each stage, as ``workers_of`` makes them.
        attempts: how often an item that is rejected is drawn anew, the first time included.
        window: most items that are begun and not settled.
    """

    def __init__(
        self,
        specs: Sequence[StageSpec],
        workers: Sequence[Sequence[Worker]],
        settler: Settler,
        attempts: int,
        window: int,
    ) -> None:
        self.counts = [StageCount(name) for name in (*(spec.name for spec in specs), SETTLING)]
        self._specs = specs
        self._workers = workers
        self._settler = settler
        self._attempts = attempts
        self._window = window
        capacity = [spec.batch * spec.in_flight * len(crew) for spec, crew in zip(specs, workers, strict=True)]
        self._queues: list[asyncio.Queue[_Moving]] = [asyncio.Queue(size) for size in capacity]
        self._order: deque[int] = deque()
        self._ended: dict[int, tuple[Item, Any, bool]] = {}
        self._again: deque[_Moving] = deque()
        self._moving = 0
        self._exhausted = False
        self._error: Exception | None = None
        self._crash: BaseException | None = None
        self._changed = asyncio.Event()
        self._room = asyncio.Event()

    async def run(self, items: Iterable[Item]) -> None:
        """Take all items through, and return when they are settled.

        Raises:
            Exception: what a stage raised. Everything before the first item that is not done is settled.
        """
        tasks = [asyncio.create_task(self._feed(iter(items)))]
        for stage, crew in enumerate(self._workers):
            for worker in crew:
                tasks += [asyncio.create_task(self._work(stage, worker)) for _ in range(self._specs[stage].in_flight)]
        for task in tasks:
            task.add_done_callback(self._task_ended)
        try:
            await self._settle_all()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(worker.close() for crew in self._workers for worker in crew))
        if self._error is not None:
            raise self._error

    def tell(self) -> None:
        """Tell Prometheus what waits for each stage and what is in it; as often as it shall stay known."""
        for count, queue in zip(self.counts, self._queues, strict=False):  # nothing waits to be settled
            telemetry.ITEMS_WAITING.set(queue.qsize(), stage=count.name)
            telemetry.ITEMS_IN_FLIGHT.set(count.in_flight, stage=count.name)

    async def _feed(self, items: Iterator[Item]) -> None:
        while True:
            if self._again and self._error is None:
                await self._queues[0].put(self._again.popleft())
            elif self._error is None and not self._exhausted and len(self._order) < self._window:
                item = next(items, None)
                if item is None:
                    self._exhausted = True
                    self._changed.set()
                    continue
                self._order.append(item.index)
                self._moving += 1
                await self._queues[0].put(_Moving(item, item))
            else:
                self._room.clear()
                await self._room.wait()

    async def _work(self, stage: int, worker: Worker) -> None:
        queue, count, batch = self._queues[stage], self.counts[stage], self._specs[stage].batch
        last = stage == len(self._specs) - 1
        while True:
            few = [await queue.get()]
            while len(few) < batch and not queue.empty():
                few.append(queue.get_nowait())
            if stage == 0 and self._error is not None:
                self._moving -= len(few)
                self._changed.set()
                continue
            count.entered += len(few)
            count.in_flight += len(few)
            started = time.monotonic()
            try:
                notes, products = await worker.run([each.product for each in few])
                if last:
                    products = [
                        None if note else await worker.fetch(product)
                        for note, product in zip(notes, products, strict=True)
                    ]
            except WorkerLost as lost:
                count.repeated += len(few)
                telemetry.ITEMS.add(len(few), stage=count.name, outcome="repeated")
                count.entered -= len(few)
                self._lose(few, count.name, lost)
                await asyncio.sleep(_SECONDS_AFTER_A_LOSS)
                continue
            except Exception as error:  # noqa: BLE001  # whatever a stage raises stops the run, and is raised by it
                self._stop(error, len(few))
                continue
            finally:
                count.in_flight -= len(few)
                count.seconds += time.monotonic() - started
            made = notes.count(None)
            telemetry.ITEMS.add(made, stage=count.name, outcome="made")
            telemetry.ITEMS.add(len(few) - made, stage=count.name, outcome="rejected")
            for each, note, product in zip(few, notes, products, strict=True):
                if note is not None:
                    count.rejected[note.rule] += 1
                    self._refuse(each.item, count.name, note)
                    continue
                count.left += 1
                if last:
                    self._end(each.item, product, accepted=True)
                else:
                    await self._queues[stage + 1].put(_Moving(each.item, product, each.losses))

    def _lose(self, few: list[_Moving], stage: str, lost: WorkerLost) -> None:
        """Begin anew with items whose worker died: what earlier stages made of them may be gone, too."""
        for each in few:
            if each.losses + 1 >= MOST_LOSSES:
                what = f"the worker of stage {stage} died {MOST_LOSSES} times under item {each.item.index}"
                self._stop(FtrlError(f"{what}; see Ray's logs of it ({lost})"), 1)
            else:
                self._again.append(_Moving(each.item, each.item, each.losses + 1))
        self._room.set()
        self._drop_what_is_not_begun()

    def _refuse(self, item: Item, stage: str, rejection: Rejection) -> None:
        self._settler.reject(item, Refused(item.attempt, stage, rejection))
        if item.attempt + 1 < self._attempts:
            anew = Item(item.index, item.attempt + 1, item.given)
            self._again.append(_Moving(anew, anew))
            self._room.set()
            self._drop_what_is_not_begun()
        else:
            self._end(item, None, accepted=False)

    def _end(self, item: Item, product: Any, *, accepted: bool) -> None:
        self._ended[item.index] = (item, product, accepted)
        self._moving -= 1
        self._changed.set()

    def _stop(self, error: Exception, items: int) -> None:
        self._error = self._error or error
        self._moving -= items
        self._drop_what_is_not_begun()
        self._changed.set()

    def _drop_what_is_not_begun(self) -> None:
        """After an error nothing is begun any more."""
        if self._error is None:
            return
        self._moving -= len(self._again)
        self._again.clear()
        while not self._queues[0].empty():
            self._queues[0].get_nowait()
            self._moving -= 1
        self._changed.set()

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crash = error
            self._changed.set()

    async def _settle_all(self) -> None:
        while True:
            self._changed.clear()
            while self._order and self._order[0] in self._ended:
                if not self._settle(*self._ended.pop(self._order[0])):
                    break
                self._order.popleft()
                self._room.set()
                await asyncio.sleep(0)  # the stages wait for this loop
            if self._crash is not None:
                raise self._crash
            if not self._moving and (self._error is not None or (self._exhausted and not self._order)):
                return
            await self._changed.wait()

    def _settle(self, item: Item, product: Any, accepted: bool) -> bool:
        """Whether the item is settled; it is drawn anew or given up otherwise."""
        if not accepted:
            self._settler.give_up(item)
            return True
        count = self.counts[-1]
        started = time.monotonic()
        rejection = self._settler.accept(item, product)
        count.seconds += time.monotonic() - started
        count.entered += 1
        telemetry.ITEMS.add(stage=count.name, outcome="made" if rejection is None else "rejected")
        if rejection is None:
            count.left += 1
            return True
        count.rejected[rejection.rule] += 1
        self._moving += 1
        self._refuse(item, count.name, rejection)
        return False
