"""The pipeline on real Ray actors: they die, the driver is killed, and the store comes out the same."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.errors import FtrlError, InputError
from ftrl.ray_session import ray_session
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.synthesis.pipeline import run
from ftrl.synthesis.pipeline.flow import Flow
from ftrl.synthesis.pipeline.journal import Journal
from ftrl.synthesis.pipeline.stage import Item, StageSpec
from ftrl.synthesis.pipeline.workers import workers_of
from ftrl.synthesis.verify import Rejection

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    with ray_session() as ray:
        yield ray


class Settled:
    def __init__(self) -> None:
        self.accepted: list[tuple[int, Any]] = []
        self.refused: list[int] = []

    def accept(self, item: Item, product: Any) -> None:
        self.accepted.append((item.index, product))

    def give_up(self, item: Item) -> None:
        self.accepted.append((item.index, None))

    def reject(self, item: Item, refused: Any) -> None:
        self.refused.append(item.index)


def through(ray: Any, specs: list[StageSpec], count: int) -> tuple[Settled, Flow]:
    async def go() -> Flow:
        flow = Flow(specs, workers_of(specs, ray), settled, attempts=1, window=64)
        await flow.run(Item(index) for index in range(count))
        return flow

    settled = Settled()
    return settled, asyncio.run(go())


def test_items_go_through_actors_in_batches_and_alone_and_are_settled_in_order(ray):
    def in_batches() -> Any:
        async def make(items: list[Item]) -> list[Any]:
            return [Rejection("odd", "") if item.index % 7 == 6 else [item.index] * 50_000 for item in items]

        return make

    def alone() -> Any:
        async def add(numbers: list[int]) -> tuple[int, int]:
            return sum(numbers), os.getpid()

        return add

    specs = [StageSpec("make", in_batches, batch=4), StageSpec("add", alone, actors=2, in_flight=2)]
    settled, flow = through(ray, specs, 40)
    assert [(index, made and made[0]) for index, made in settled.accepted] == [
        (index, None if index % 7 == 6 else index * 50_000) for index in range(40)
    ]
    processes = {made[1] for _, made in settled.accepted if made}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert flow.counts[0].rejected == {"odd": 5}


def test_actors_that_die_are_started_again_and_their_items_done_again_once(ray, tmp_path):
    def mortal() -> Any:
        async def make(item: Item) -> int:
            mark = tmp_path / f"{item.index}"
            if item.index in (3, 11, 12, 30) and not mark.exists():
                mark.touch()
                os._exit(1)
            await asyncio.sleep(0.01)
            return item.index

        return make

    settled, flow = through(ray, [StageSpec("make", mortal, actors=2, in_flight=2)], 40)
    assert settled.accepted == [(index, index) for index in range(40)]
    assert flow.counts[0].repeated >= 4


def test_what_a_stage_raises_in_an_actor_arrives_as_it_is(ray):
    def refuses() -> Any:
        raise InputError("this column is no number", file="shop.csv", line=7)

    with pytest.raises(InputError, match=r"shop.csv:7: this column is no number") as caught:
        through(ray, [StageSpec("make", refuses)], 3)
    assert caught.value.line == 7

    def breaks() -> Any:
        async def make(item: Item) -> int:
            if item.index == 2:
                raise FtrlError("the budget is spent")
            return item.index

        return make

    with pytest.raises(FtrlError, match=r"^the budget is spent"):
        through(ray, [StageSpec("make", breaks)], 5)


def test_a_run_on_actors_writes_what_a_run_in_one_process_writes(ray, tmp_path, monkeypatch):
    here = SynthesisConfig(out=str(tmp_path / "here"), count=40)
    synthesize(here)
    monkeypatch.setattr(run, "SMALL", 0)
    report = synthesize(here.model_copy(update={"out": str(tmp_path / "actors")}))
    assert EnvironmentStore.open(str(tmp_path / "actors")).ids() == EnvironmentStore.open(here.out).ids()
    assert [(stage.name, stage.left) for stage in report.stages] == [("build", 40), ("verify", 40), ("store", 40)]


PROGRAM = """
import sys
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.synthesis.candidate import Candidate
from ftrl.synthesis.pipeline import generator, run, writing
from ftrl.synthesis.verify import Rejection

out, on_ray = sys.argv[1:]
writing.BLOCK = 5
run.BATCH = generator.BATCH = 4
run.SMALL = 0 if on_ray == "ray" else 10_000
honest = generator.TablesStage._draw
def some_are_given_up(self, item):
    return Rejection("dull", "") if item.index % 9 == 4 and item.attempt < item.index % 4 else honest(self, item)
if on_ray == "here":  # an actor would not know of it
    generator.TablesStage._draw = some_are_given_up
print("ready", flush=True)
synthesize(SynthesisConfig(out=out, count=60, resume=True), lambda report: print(report.done, flush=True))
"""


def killed_at_random(out: Path, mode: str, longest: float, kills: int) -> int:
    """Runs the program to its end, over kills at random moments; how many there were."""
    rng = random.Random(4)
    for kill in range(kills + 1):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(out), mode], stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        if kill < kills:
            time.sleep(rng.uniform(0.0, longest))
            os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=120)
        if process.returncode == 0:
            return kill
        assert process.returncode == -signal.SIGKILL
    raise AssertionError("the last run was not killed, and failed")


@pytest.mark.parametrize(
    ("mode", "longest", "kills"),
    [
        ("here", 1.5, 3),
        pytest.param("here", 1.5, 10, marks=pytest.mark.slow),
        pytest.param("ray", 8.0, 6, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_killed_again_and_again_ends_in_the_store_of_an_undisturbed_one(tmp_path, mode, longest, kills):
    assert killed_at_random(tmp_path / "whole", mode, longest, 0) == 0
    assert killed_at_random(tmp_path / "killed", mode, longest, kills) >= 2
    whole, killed = (EnvironmentStore.open(str(tmp_path / name)) for name in ("whole", "killed"))
    assert killed.ids() == whole.ids()
    assert [e.provenance for e in killed] == [e.provenance for e in whole]
    records = [list(Journal(store.path).read()) for store in (whole, killed)]
    assert records[0] == records[1]
    assert Journal(killed.path).given_up() == ({31} if mode == "here" else set())
