"""What the stream of prompts gives a trainer, and how much memory it takes, whatever the number of snapshots.

    python benchmarks/training_stream.py [--snapshots 10000 200000] [--run RUN]

Generated tasks are played by their golden turns, and the episodes copied, each as a sample of its own, until a real
trajectory store holds so many snapshots. Each size is measured in processes of its own: making the prompts (Ray Data:
read, join, snapshot, render, tokenise; then select, sort, write), and reading them as verl does, batches of 512 as
``TensorDict``s. The baseline is a list in memory of the same rows, made into the same batches. With RUN, the folder of
a real run on this machine, both are set against what its trainer ate: prompts a step over the median seconds a step.

Memory is the proportional set size of the process and all below it, Ray's object store among them, read once a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from figures import figure

from ftrl.environments import EnvironmentStore
from ftrl.environments.golden import golden_turns
from ftrl.models import init_tiny
from ftrl.ray_session import LogicalResources, ray_session
from ftrl.rollouts import (
    Collection,
    EpisodeKey,
    EpisodeSettings,
    PolicyIdentity,
    ScriptedPolicy,
    Trajectory,
    TrajectoryStore,
    run_episode,
)
from ftrl.rollouts.columns import TRAJECTORY_COLUMNS, trajectory_to_row
from ftrl.rollouts.engine_processes import descendants
from ftrl.rollouts.manifest import Manifest, PartEntry
from ftrl.rollouts.parts import write_tables
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.snapshot_rows import StreamSettings
from ftrl.training.stream import Batch, PromptStream, prepare

TASKS, BATCH, PART_ROWS = 100, 512, 1000
IN_MEMORY = 10_000
"""Rows of the baseline's list, at most."""


def play(tasks: EnvironmentStore) -> list[Trajectory]:
    """Each task, by its golden turns."""
    with Sandbox(workers=1) as sandbox:
        return [
            asyncio.run(
                run_episode(
                    environment,
                    tasks.sources(environment),
                    ScriptedPolicy(golden_turns(environment)),
                    sandbox,
                    EpisodeSettings(),
                    EpisodeKey("run", iteration=1),
                )
            )
            for environment in tasks
        ]


def fill(path: str, played: list[Trajectory], snapshots: int) -> None:
    """A store with about so many snapshots: the episodes again and again, sample after sample."""
    store = TrajectoryStore.create(path, run="run")
    store.begin(Collection(iteration=1, policy=PolicyIdentity(name="script"), settings=EpisodeSettings()))
    each = sum(1 + len({call.turn for call in one.calls}) for one in played)
    block = pa.Table.from_pylist([trajectory_to_row(one) for one in played], schema=TRAJECTORY_COLUMNS)
    samples = max(1, snapshots // each)
    entries = []
    for first in range(0, samples, max(1, PART_ROWS // len(played))):
        copies = []
        for sample in range(first, min(samples, first + max(1, PART_ROWS // len(played)))):
            ids = pa.array([f"{sample:08x}{id_[8:]}" for id_ in block["id"].to_pylist()])
            numbered = block.set_column(block.schema.get_field_index("id"), TRAJECTORY_COLUMNS.field("id"), ids)
            place = block.schema.get_field_index("sample")
            number = pa.array(np.full(len(played), sample, np.int32))
            copies.append(numbered.set_column(place, TRAJECTORY_COLUMNS.field("sample"), number))
        name = write_tables(path, len(entries), copies)
        entries.append(PartEntry(name=name, iteration=1, rows=len(copies) * len(played)))

    def add(manifest: Manifest) -> Manifest:
        return manifest.model_copy(update={"parts": tuple(entries)})

    store._file.change(add)


def memory() -> int:
    """Bytes that this process and all below it hold, shared ones shared out."""
    total = 0
    for pid in [os.getpid(), *descendants(os.getpid())]:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # it has just ended
        total += int(text.partition("\nPss:")[2].split()[0]) << 10
    return total


class Peak:
    """The most memory that is held while the block runs."""

    def __enter__(self) -> Peak:
        self.bytes = memory()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._ended.wait(1):
            self.bytes = max(self.bytes, memory())

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.bytes = max(self.bytes, memory())


def make(settings: StreamSettings, folder: Path) -> dict[str, float]:
    """Make the prompts."""
    with ray_session(LogicalResources(cpus=4)), Peak() as peak:
        started = time.monotonic()
        selected = prepare(settings, PromptFiles(folder))
        seconds = time.monotonic() - started
    return {"prompts": selected.prompts, "seconds": seconds, "peak MiB": peak.bytes / 2**20}


def consume(batches: Iterator[Batch]) -> tuple[int, float]:
    """Take batches as verl's trainer does; rows, seconds."""
    from verl.utils import tensordict_utils

    started, rows = time.monotonic(), 0
    for batch in batches:
        rows += len(tensordict_utils.get_tensordict(batch))
    return rows, time.monotonic() - started


def read(folder: Path) -> dict[str, float]:
    """Read the prompts, once from disk and once from a list."""
    batch = min(BATCH, PromptFiles(folder).selected().prompts)
    warm_up = consume(_first(PromptStream(PromptFiles(folder), batch)))  # imports
    assert warm_up[0] == batch
    with Peak() as peak:
        rows, seconds = consume(iter(PromptStream(PromptFiles(folder), batch)))
    held: list[Batch] = []
    for one in PromptStream(PromptFiles(folder), batch):
        held.append(one)
        if len(held) * batch >= IN_MEMORY:
            break
    flat = [{name: column[row] for name, column in one.items()} for one in held for row in range(batch)]
    baseline = consume(_collated(flat, batch))
    return {
        "rows/s": rows / seconds,
        "list: rows/s": baseline[0] / baseline[1],
        "peak MiB": peak.bytes / 2**20,
    }


def _first(stream: PromptStream) -> Iterator[Batch]:
    for batch in stream:
        yield batch
        return


def _collated(rows: list[dict[str, Any]], size: int) -> Iterator[Batch]:
    """What a data loader makes of a list of rows."""
    for start in range(0, len(rows) - size + 1, size):
        batch: Batch = {}
        for name in rows[0]:
            batch[name] = np.empty(size, dtype=object)
            batch[name][:] = [row[name] for row in rows[start : start + size]]
        yield batch


def appetite(run: Path) -> float:
    """Prompts a second that the trainer of a run ate."""
    iteration = run / "iteration-1"
    steps = [json.loads(line) for line in (iteration / "metrics.jsonl").read_text().splitlines()]
    prompts = [len(json.loads(line)["prompts"]) for line in (iteration / "order.jsonl").read_text().splitlines()]
    return statistics.median(prompts) / statistics.median(step["timing_s/step"] for step in steps)


def alone(work: Callable[..., dict[str, float]], *arguments: Any) -> dict[str, float]:
    """In a process that has done nothing else."""
    # No pool of multiprocessing: its processes may have none below them.
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    process = context.Process(target=_put, args=(results, work, *arguments))
    process.start()
    result: dict[str, float] = results.get()
    process.join()
    return result


def _put(results: Any, work: Callable[..., dict[str, float]], *arguments: Any) -> None:
    results.put(work(*arguments))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshots", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--run", type=Path, help="folder of a run")
    options = parser.parse_args()
    eaten = appetite(options.run) if options.run else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = str(folder / "tasks")
        synthesize(SynthesisConfig.model_validate({"out": tasks, "count": TASKS}))
        init_tiny(folder / "model", context=2048)
        played = play(EnvironmentStore.open(tasks))
        for snapshots in options.snapshots:
            store = str(folder / f"store-{snapshots}")
            fill(store, played, snapshots)
            settings = StreamSettings(
                trajectories=store,
                iteration=1,
                environments=tasks,
                model=str(folder / "model"),
                max_prompt_tokens=2000,
                thinking=False,
                seed=1,
            )
            prompts = folder / f"prompts-{snapshots}"
            made = alone(make, settings, prompts)
            fed = alone(read, prompts)
            both = 1 / (made["seconds"] / made["prompts"] + 1 / fed["rows/s"])
            print(f"{made['prompts']:,.0f} prompts")
            print(f"  made        {made['prompts'] / made['seconds']:>10,.0f} rows/s, peak {made['peak MiB']:,.0f} MiB")
            print(f"  read        {fed['rows/s']:>10,.0f} rows/s, peak {fed['peak MiB']:,.0f} MiB")
            print(f"  from a list {fed['list: rows/s']:>10,.0f} rows/s")
            figure(f"{snapshots:,} snapshots: rows a second, of a list in memory", fed["rows/s"] / fed["list: rows/s"])
            figure(f"{snapshots:,} snapshots: peak memory of making prompts", made["peak MiB"], " MiB")
            figure(f"{snapshots:,} snapshots: peak memory of reading them", fed["peak MiB"], " MiB")
            if eaten is not None:
                figure(f"{snapshots:,} snapshots: made and read, of what the trainer ate", both / eaten, target="20")
                print(f"  the trainer ate {eaten:.2f} a second: made and read, {both / eaten:,.0f} times as fast")


if __name__ == "__main__":
    main()
