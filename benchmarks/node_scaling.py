"""How collecting scales with nodes, and what the driver pays for them.

    python benchmarks/node_scaling.py [--nodes 1 2 4 8] [--in-flight 32] [--rounds 8] [--seconds 6.0]

Nodes are Ray's own, started on this machine, each with one engine's place. In place of an engine stands a script: it
plays the golden turns and takes ``--seconds`` for each, half of it more or less, as an engine elsewhere would; so this
machine's cores are not what runs out, and what is measured is all the rest of ``ftrl rollout``: leases, actors,
episodes, each node's sandbox, scores, store. Each number of nodes gets the same work for each node (``--rounds`` times
what it plays at once), so the ideal is the rate of the first times their number.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
from figures import figure

from ftrl.environments import Environment
from ftrl.environments.golden import golden_turns
from ftrl.rollouts import (
    CollectConfig,
    EngineSettings,
    EpisodeKey,
    EpisodeSettings,
    PolicyIdentity,
    Trajectory,
    collect,
    run_episode,
)
from ftrl.rollouts.policy import Generation
from ftrl.rollouts.pulse import NOTHING_TOLD, Pulse
from ftrl.rollouts.worker import RolloutWorker
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.tiny_policy import tiny_policy

TASKS = 32


@dataclass
class Golden:
    """Plays the golden turns of one task, slowly."""

    identity: PolicyIdentity
    turns: Iterator[str]
    seconds: float

    def converse(
        self, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None = None
    ) -> Golden:
        return self

    async def generate(self, messages: Sequence[Mapping[str, Any]], most_tokens: int | None = None) -> Generation:
        await asyncio.sleep(self.seconds * random.uniform(0.5, 1.5))
        return Generation(next(self.turns))


class ScriptedWorker(RolloutWorker):
    """A worker whose engine is the script."""

    async def start(self) -> int:
        return os.getpid()

    async def pulse(self) -> Pulse:
        return NOTHING_TOLD

    async def play(self, environment: Environment, sources: Mapping[str, str], key: EpisodeKey) -> Trajectory:
        async with self._slots:
            policy = Golden(self._identity, iter(golden_turns(environment)), float(os.environ["SECONDS_OF_A_TURN"]))
            return await run_episode(environment, sources, policy, self._sandbox, self._episode, key)


@contextlib.contextmanager
def cluster(nodes: int) -> Iterator[None]:
    """A Ray of a head that does no work and some nodes with a CPU each, connected."""
    import ray
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the nodes cannot import it
    small = {"object_store_memory": 200_000_000}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **small})
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=1, **small)
        ray.init(address=made.address, log_to_driver=False)
        yield
    finally:
        ray.shutdown()
        made.shutdown()


def measured(folder: str, nodes: int, in_flight: int, rounds: int) -> dict[str, float]:
    """Collect over so many nodes, in a process of its own; what that took."""
    samples = nodes * in_flight * rounds // TASKS
    config = CollectConfig(
        tasks=f"{folder}/tasks",
        model=f"{folder}/model",
        out=f"{folder}/rollouts-{nodes}",
        samples=samples,
        engine=EngineSettings(engines=nodes, episodes_in_flight=in_flight, sandbox_workers=1),
    )
    with cluster(nodes), patch("ftrl.rollouts.fleet.RolloutWorker", ScriptedWorker):
        process, peak, stop = psutil.Process(), [0], threading.Event()
        before = process.memory_info().rss

        def watch() -> None:
            while not stop.wait(0.2):
                peak[0] = max(peak[0], process.memory_info().rss - before)

        watcher = threading.Thread(target=watch)
        watcher.start()
        cpu = time.process_time()
        report = collect(config, display=False)
        cpu = time.process_time() - cpu
        stop.set()
        watcher.join()
    if report.f1 != 1.0 or report.collected != samples * TASKS:
        raise RuntimeError(f"not every episode was golden: {report}")
    manifest = Path(config.out) / "manifest.json"
    return {
        "nodes": nodes,
        "episodes": report.collected,
        "turns": report.turns or 0.0,
        "seconds": round(report.seconds, 1),
        "episodes_per_second": report.collected / report.seconds,
        "driver_ms_per_episode": 1e3 * cpu / report.collected,
        "driver_peak_mb": peak[0] / 2**20,
        "store_bytes_per_episode": sum(file.stat().st_size for file in Path(config.out).rglob("*.parquet"))
        / report.collected,
        "parts": len(json.loads(manifest.read_text())["parts"]),
    }


def tell_shares(found: Sequence[Mapping[str, float]], rate: str) -> None:
    """What each number of nodes reaches of so many times the rate of the first; ``rate`` is the name of the figure."""
    first = found[0]
    for one in found[1:]:
        share = one[rate] / first[rate] * first["nodes"] / one["nodes"]
        figure(f"rate with {one['nodes']} nodes, of {one['nodes']} times one's", 100 * share, " %", "90")
        print(f"{one['nodes']} nodes: {100 * share:.0f} % of {one['nodes']} times the rate of {first['nodes']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--in-flight", type=int, default=32, help="episodes that a node plays at once")
    parser.add_argument("--rounds", type=int, default=8, help="episodes of each place")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long a turn takes")
    options = parser.parse_args()
    os.environ["SECONDS_OF_A_TURN"] = str(options.seconds)  # the nodes inherit it
    with tempfile.TemporaryDirectory() as folder:
        synthesize(SynthesisConfig.model_validate({"out": f"{folder}/tasks", "count": TASKS}))
        tiny_policy(f"{folder}/model")
        found = []
        for nodes in options.nodes:
            # A process of its own: what one collection left in memory is not the next one's.
            with get_context("spawn").Pool(1) as pool:
                found.append(pool.apply(measured, (folder, nodes, options.in_flight, options.rounds)))
            print(json.dumps(found[-1]), flush=True)
    tell_shares(found, "episodes_per_second")
    first, last = found[0], found[-1]
    figure("the driver's CPU for an episode", last["driver_ms_per_episode"], " ms")
    figure(
        f"the driver's CPU for an episode with {last['nodes']} nodes, of {first['nodes']}",
        last["driver_ms_per_episode"] / first["driver_ms_per_episode"],
    )
    figure(f"the driver's memory with {last['nodes']} nodes, above where it began", last["driver_peak_mb"], " MB")


if __name__ == "__main__":
    main()
