"""Collecting beside the trainer: two more processes, one that has episodes played and one that makes prompts of them.

Each takes from the one before it what lies on disk: episodes in the store, then chunks of prompts, of which the trainer
holds a row group at a time. Who is faster waits, or is ahead on the disk; nothing piles up in memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayError

from ftrl.errors import FtrlError, InputError
from ftrl.ray_session import our_errors
from ftrl.rollouts import CollectConfig, collect
from ftrl.training.chunks import TaskChunks, make_chunks
from ftrl.training.config import TrainConfig
from ftrl.training.prompt_chunks import WAIT_SECONDS, PromptChunks
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.snapshot_rows import StreamSettings


def check_room(config: TrainConfig) -> None:
    """See that there are GPUs for the trainer and for the engines beside it; on a CPU, they share it.

    Raises:
        InputError: there are not.
    """
    hardware, engines = config.hardware, config.collect.engines
    if hardware.device == "cpu":
        return
    there, collecting = ray.cluster_resources().get("GPU", 0), engines * hardware.tensor_parallel
    if there < hardware.gpus + collecting:
        raise InputError(
            f"while the trainer has {hardware.gpus} GPUs, collecting needs {collecting} more (collect.engines x "
            f"hardware.tensor_parallel); this Ray has {there:.0f}. Lower hardware.gpus_per_node, or leave "
            "collect.overlap out",
            field="collect.overlap",
        )


def tasks_of_a_chunk(config: TrainConfig) -> int:
    """As many as give a batch, if nothing is left out: each episode has one prompt at least."""
    return math.ceil(config.optim.batch_size / config.collect.samples)


class Production:
    """What goes on beside the trainer, for the length of a ``with`` block; if the block fails, it ends at once.

    Args:
        collection: what is collected.
        settings: how it becomes prompts.
        tasks: the iteration's, in chunks.
        chunks: where the prompts of each chunk go.
        note: told of each chunk that has been made.
    """

    def __init__(
        self,
        collection: CollectConfig,
        settings: StreamSettings,
        tasks: TaskChunks,
        chunks: Sequence[PromptFiles],
        note: Callable[[str], None],
    ) -> None:
        self.prompts = PromptChunks(chunks)
        self._note = note
        self._told = len(self.prompts.made())
        self._started = False
        self._running: list[Any] = []
        self._collected = collection, tasks.rows
        self._made = settings, tasks.size, collection.samples, chunks

    def tend(self) -> bool:
        """Start what has not been started, and see how it is; whether another chunk has been made.

        Raises:
            FtrlError: collecting failed, or making prompts did; what was finished is kept.
        """
        if not self._started:
            self._start()
        if self._running:
            ended, self._running = ray.wait(self._running, num_returns=len(self._running), timeout=0)
            _raise_errors(ended)
        made = self.prompts.made()
        for number in range(self._told, len(made)):
            self._note(f"chunk {number + 1} of {len(self.prompts)}: {made[number]}")
        news, self._told = len(made) > self._told, len(made)
        return news

    def finish(self) -> None:
        """Wait until all has been collected, and the engines are gone.

        Raises:
            FtrlError: as ``tend``.
        """
        self.tend()
        while self._running:
            time.sleep(WAIT_SECONDS)
            self.tend()

    def __enter__(self) -> Production:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for work in self._running:
            # With the process, its engines go: their guards see to it.
            ray.cancel(work, force=True)

    def _start(self) -> None:
        # A process that is killed is replaced by Ray, and goes on with what is there.
        on_one_cpu: Any = ray.remote(num_cpus=1)
        collection, rows = self._collected
        self._running = [
            on_one_cpu(collect).remote(collection, rows=rows, display=False),
            on_one_cpu(make_chunks).remote(*self._made),
        ]
        self._started = True


def _raise_errors(ended: Sequence[Any]) -> None:
    """The error of work that ended with one."""
    try:
        with our_errors():
            ray.get(list(ended))
    except RayError as error:
        raise FtrlError(
            f"what collects beside the trainer failed: {error}\nRun the same command again to go on with what is there"
        ) from error
