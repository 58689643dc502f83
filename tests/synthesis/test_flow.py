"""The flow of items through stages, with stages that do next to nothing."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrl.errors import FtrlError
from ftrl.synthesis.pipeline import flow
from ftrl.synthesis.pipeline.flow import Flow, Refused
from ftrl.synthesis.pipeline.stage import Item, StageSpec
from ftrl.synthesis.pipeline.workers import HereWorker, Notes, Worker, WorkerLost, places
from ftrl.synthesis.verify import Rejection


class Settled:
    """Remembers what was settled, and may refuse it."""

    def __init__(self, refuse: Callable[[Item], bool] = lambda item: False) -> None:
        self.accepted: list[tuple[int, Any]] = []
        self.given_up: list[int] = []
        self.order: list[int] = []
        self.refused: list[tuple[int, Refused]] = []
        self._refuse = refuse

    def accept(self, item: Item, product: Any) -> Rejection | None:
        if self._refuse(item):
            return Rejection("not_wanted", "")
        self.accepted.append((item.index, product))
        self.order.append(item.index)
        return None

    def give_up(self, item: Item) -> None:
        self.given_up.append(item.index)
        self.order.append(item.index)

    def reject(self, item: Item, refused: Refused) -> None:
        self.refused.append((item.index, refused))


def run(
    specs: Sequence[StageSpec],
    count: int,
    settled: Settled | None = None,
    *,
    attempts: int = 1,
    window: int = 100,
    workers: list[list[Worker]] | None = None,
) -> tuple[Settled, Flow]:
    settled = settled or Settled()

    async def go() -> Flow:
        crews = workers or [[HereWorker(spec) for _ in range(spec.actors)] for spec in specs]
        made = Flow(specs, crews, settled, attempts, window)
        await made.run(Item(index) for index in range(count))
        return made

    return settled, asyncio.run(go())


def stage(work: Callable[[Any], Any]) -> Callable[[], Any]:
    async def call(product: Any) -> Any:
        return work(product)

    return lambda: call


def name_of(item: Item) -> str:
    return f"product {item.index}"


def test_items_are_settled_in_their_order_whichever_is_ready_first():
    async def later_is_faster(item: Item) -> str:
        await asyncio.sleep(0.002 * (20 - item.index))
        return name_of(item)

    settled, made = run([StageSpec("make", lambda: later_is_faster, in_flight=8)], 20)
    assert settled.accepted == [(index, f"product {index}") for index in range(20)]
    assert (made.counts[0].entered, made.counts[0].left, made.counts[0].in_flight) == (20, 20, 0)


def test_stages_work_side_by_side():
    at_work: set[str] = set()
    together = []

    def slow(name: str) -> Callable[[], Any]:
        async def call(product: Any) -> Any:
            at_work.add(name)
            together.append(len(at_work))
            await asyncio.sleep(0.002)
            at_work.discard(name)
            return product

        return lambda: call

    run([StageSpec(name, slow(name)) for name in "abc"], 20)
    assert max(together) == 3


def test_a_straggler_lets_the_others_run_ahead_only_so_far():
    begun: list[int] = []
    freed = asyncio.Event()

    async def first_waits(item: Item) -> str:
        begun.append(item.index)
        if item.index == 0:
            await asyncio.wait_for(freed.wait(), 5)
        if len(begun) == 12:
            asyncio.get_running_loop().call_later(0.05, freed.set)
        return name_of(item)

    before: list[int] = []

    class Watch(Settled):
        def accept(self, item: Item, product: Any) -> Rejection | None:
            before.append(len(begun))
            return super().accept(item, product)

    settled, _ = run([StageSpec("make", lambda: first_waits, in_flight=4)], 60, Watch(), window=12)
    assert before[0] == 12, "no more than the window may be begun while the first item is not settled"
    assert [index for index, _ in settled.accepted] == list(range(60))


def test_a_slow_stage_holds_up_the_one_before_it():
    made = Counter[str]()
    ahead = []

    async def fast(item: Item) -> str:
        made["fast"] += 1
        ahead.append(made["fast"] - made["slow"])
        return name_of(item)

    async def slow(product: str) -> str:
        await asyncio.sleep(0.001)
        made["slow"] += 1
        return product

    run([StageSpec("fast", lambda: fast), StageSpec("slow", lambda: slow)], 40, window=1000)
    # One in the slow stage, one in its queue, one that waits to get in, one just made.
    assert max(ahead) <= 4


def test_a_batch_holds_no_more_than_it_may():
    sizes = []

    async def batched(items: list[Item]) -> list[str]:
        sizes.append(len(items))
        return [name_of(item) for item in items]

    settled, _ = run([StageSpec("make", lambda: batched, batch=7)], 50)
    assert max(sizes) == 7
    assert len(settled.accepted) == 50


def test_a_rejected_item_is_drawn_anew_and_given_up_after_its_attempts():
    def picky(item: Item) -> str | Rejection:
        needed = {3: 1, 5: 9}.get(item.index, 0)
        return name_of(item) if item.attempt >= needed else Rejection("too_dull", f"attempt {item.attempt}")

    settled, made = run([StageSpec("make", stage(picky)), StageSpec("pass", stage(str))], 8, attempts=3)
    assert settled.order == list(range(8))
    assert settled.given_up == [5]
    assert sorted((index, one.attempt) for index, one in settled.refused) == [(3, 0), (5, 0), (5, 1), (5, 2)]
    assert {one.stage for _, one in settled.refused} == {"make"}
    assert made.counts[0].rejected == {"too_dull": 4}
    assert made.counts[1].entered == 7


def test_what_the_store_refuses_is_drawn_anew_in_its_place():
    settled = Settled(refuse=lambda item: item.index in (2, 4) and (item.attempt == 0 or item.index == 4))
    run([StageSpec("make", stage(name_of))], 6, settled, attempts=2)
    assert settled.order == list(range(6))
    assert settled.given_up == [4]
    assert {one.stage for _, one in settled.refused} == {"store"}


def test_a_stage_that_raises_stops_the_run_and_what_is_before_is_kept():
    begun = []

    async def breaks(item: Item) -> str:
        begun.append(item.index)
        await asyncio.sleep(0.001)
        if item.index == 10:
            raise FtrlError("the budget is spent")
        return name_of(item)

    settled = Settled()
    with pytest.raises(FtrlError, match="the budget is spent"):
        run([StageSpec("make", lambda: breaks, in_flight=2), StageSpec("pass", stage(str))], 1000, settled)
    assert settled.order == list(range(10))
    assert len(begun) < 20, "after an error nothing is begun any more"


def test_what_is_in_flight_when_a_stage_raises_goes_on_to_its_end():
    ended = []

    async def breaks(item: Item) -> str:
        if item.index == 3:
            raise FtrlError("no network")
        await asyncio.sleep(0.02)
        ended.append(item.index)
        return name_of(item)

    settled = Settled()
    with pytest.raises(FtrlError, match="no network"):
        run([StageSpec("make", lambda: breaks, in_flight=4)], 100, settled)
    assert {0, 1, 2} <= set(ended)
    assert settled.order == [0, 1, 2]


def test_a_defect_of_a_stage_keeps_its_own_type():
    def wrong(item: Item) -> str:
        return {}["x"]

    with pytest.raises(KeyError):
        run([StageSpec("make", stage(wrong))], 3)


def test_a_stage_that_loses_products_is_an_error_and_not_a_hang():
    async def forgets(items: list[Item]) -> list[str]:
        return [name_of(item) for item in items[1:]]

    with pytest.raises(ValueError, match="made 4 products of 5"):
        run([StageSpec("make", lambda: forgets, batch=5)], 5)


def test_what_the_settler_raises_ends_the_run():
    class Full(Settled):
        def accept(self, item: Item, product: Any) -> Rejection | None:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        run([StageSpec("make", stage(name_of))], 5, Full())


class Mortal(HereWorker):
    """A worker that dies under some calls."""

    def __init__(self, spec: StageSpec, dies: Callable[[], bool]) -> None:
        super().__init__(spec)
        self._dies = dies

    async def run(self, products: Sequence[Any]) -> tuple[Notes, list[Any]]:
        if self._dies():
            raise WorkerLost("killed")
        return await super().run(products)


def test_the_items_of_a_worker_that_dies_are_done_again_and_settled_once(monkeypatch):
    monkeypatch.setattr(flow, "_SECONDS_AFTER_A_LOSS", 0.0)
    calls = iter(range(10_000))
    first, second = StageSpec("make", stage(name_of), in_flight=3), StageSpec("pass", stage(str), in_flight=2)
    workers: list[list[Worker]] = [[HereWorker(first)], [Mortal(second, lambda: next(calls) % 5 == 3)]]
    settled, made = run([first, second], 30, workers=workers)
    assert settled.accepted == [(index, f"product {index}") for index in range(30)]
    assert made.counts[1].repeated > 3
    assert made.counts[1].entered == made.counts[1].left == 30


def test_an_item_under_which_the_worker_dies_each_time_stops_the_run_with_a_sentence(monkeypatch):
    monkeypatch.setattr(flow, "_SECONDS_AFTER_A_LOSS", 0.0)
    spec = StageSpec("make", stage(name_of))
    started = time.monotonic()
    with pytest.raises(FtrlError, match="the worker of stage make died 5 times under item 0"):
        run([spec], 3, workers=[[Mortal(spec, lambda: True)]])
    assert time.monotonic() - started < 5


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 30),
    window=st.integers(1, 12),
    attempts=st.integers(1, 3),
    actors=st.integers(1, 3),
    in_flight=st.integers(1, 3),
    batch=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_every_item_is_settled_once_and_in_order_however_wide_the_stages_are(
    count, window, attempts, actors, in_flight, batch, seed
):
    def fate(item: Item) -> int:
        return hash((seed, item.index, item.attempt)) % 5

    async def make(products: list[Item]) -> list[Any]:
        await asyncio.sleep(0)
        return [Rejection("unlucky", "") if fate(item) == 0 else item for item in products]

    async def one(item: Item) -> Any:
        for _ in range(fate(item)):
            await asyncio.sleep(0)
        return Rejection("late", "") if fate(item) == 1 else item

    first = StageSpec("make", lambda: make, actors, in_flight, max(2, batch))
    settled = Settled(refuse=lambda item: fate(item) == 2)
    _, made = run(
        [first, StageSpec("one", lambda: one, actors, in_flight)], count, settled, attempts=attempts, window=window
    )
    assert settled.order == list(range(count))
    lucky = [index for index in range(count) if any(fate(Item(index, a)) > 2 for a in range(attempts))]
    assert [index for index, _ in settled.accepted] == lucky
    assert all(stage.in_flight == 0 for stage in made.counts)


def node(name: str, cpus: float | None, *, alive: bool = True) -> dict[str, Any]:
    return {"NodeID": name, "Alive": alive, "Resources": {} if cpus is None else {"CPU": cpus}}


def test_actors_stand_where_the_cores_are():
    nodes = [node("head", None), node("large", 8.0), node("small", 4.0), node("gone", 16.0, alive=False)]
    assert Counter(itertools.islice(places(nodes), 12)) == {"large": 8, "small": 4}
    assert set(itertools.islice(places(nodes), 2)) <= {"large", "small"}
    assert list(itertools.islice(places([node("only", 0.0)]), 2)) == ["only", "only"]
