"""How fast environments are made and verified, what that does to memory, and what more workers and cores add.

    python benchmarks/construction.py                          # 1,000 and 10,000, about ten minutes on two cores
    python benchmarks/construction.py --counts 200 --shapes 2x2 --audit 50
    python benchmarks/construction.py --counts 1200 --repeats 5 --audit 0      # how it scales, and nothing else

A shape is workers and cores: ``1x1`` is ``ftrl synth --workers 1`` with all its actors held to one core. One worker
alone is a pipeline of four processes (driver, builder, verifier, sandbox) and keeps more than one core busy, so what
scaling means is shown by ``1x1`` beside ``2x2``; ``1x2`` shows what the second core adds by itself.

Everything runs in the same minutes on the same machine, so that the ratios hold where the figures don't:

* *one by one*: the same candidates built and verified by a loop, one after the other, in one process;
* the shapes, for the first count, one after the other and again as often as ``--repeats`` says: the medians count.

A rate is told twice: over all seconds, starting included, and from the first progress to the last. Memory is that of
the driver (peak RSS), and of the actors and their sandboxes (largest sum seen). CPU time is theirs, too: it tells what
an environment costs, and whether a second worker makes it dearer, on machines where others work. Ray's workers get
the priority of this program, not the low one that Ray would give them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from figures import figure

from ftrl.audit import Auditor, TaskAudit
from ftrl.environments import EnvironmentStore
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig
from ftrl.synthesis.tables.generator import build, opened_facts
from ftrl.synthesis.verify import Verified, verify

MB = 1024 * 1024
_PROGRESS = re.compile(r"synth: (\d+) of \d+ items, \d+ rejections, (\d+) s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000])
    options.add_argument(
        "--shapes", nargs="+", default=["1x1", "1x2", "2x2"], help="for the first count; the rest: the last"
    )
    options.add_argument("--repeats", type=int, default=3, help="of the first count's shapes, which take turns")
    options.add_argument("--baseline", type=int, default=100, help="environments made one by one")
    options.add_argument("--audit", type=int, default=300, help="environments of the largest store that are audited")
    options.add_argument("--style", default="compact")
    options.add_argument("--out", help="keep the stores here")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="ftrl-construction-") as folder:
        results = measure(chosen, Path(chosen.out or folder))
    print(json.dumps(results, indent=2))
    tell(results, chosen.counts)


def tell(results: dict[str, Any], counts: list[int]) -> None:
    """The figures that count."""
    base = results["one_by_one_per_second"]
    for shape, found in results["scaling"].items():
        figure(f"environments a second, workers x cores {shape}, of one by one", found["median_per_second"] / base)
        figure(f"environments a second, workers x cores {shape}, of the first shape", found["times_the_first"])
    least = min(run["acceptance"] for run in results["runs"])
    figure("candidates that were accepted, least of all runs", 100 * least, " %", "95")
    largest = {run["count"]: run for run in results["runs"]}
    for who in ("driver", "actors"):
        first, last = (largest[count][f"{who}_peak_mb"] for count in (counts[0], counts[-1]))
        figure(f"peak memory of {who}, {counts[-1]:,} environments, of {counts[0]:,}", last / first)


def measure(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = {"cores": os.cpu_count(), "style": chosen.style}
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        results["one_by_one_per_second"] = process.submit(one_by_one, chosen.baseline, chosen.style).result()
    turns = [(chosen.counts[0], shape, turn) for turn in range(chosen.repeats) for shape in chosen.shapes]
    turns += [(count, chosen.shapes[-1], 0) for count in chosen.counts[1:]]
    results["runs"] = []
    for count, shape, turn in turns:
        out = folder / f"{count}-{shape}-{turn}"
        result = through_the_pipeline(out, count, shape, chosen.style)
        results["runs"].append(result)
        print(json.dumps(result), file=sys.stderr, flush=True)
    results["scaling"] = scaling(results["runs"], chosen.counts[0], chosen.shapes)
    if chosen.audit:
        results["audit"] = audited(out, chosen.audit)
    return results


def one_by_one(count: int, style: str) -> float:
    """Environments a second of a plain loop in one process."""
    config = SynthesisConfig.model_validate({"out": "unused", "style": style})
    with opened_facts(config) as facts, Sandbox(workers=1) as sandbox:
        verify([build(config, facts, 10_000_000, 0)], sandbox)
        started = time.monotonic()
        for index in range(count):
            assert isinstance(verify([build(config, facts, index, 0)], sandbox)[0], Verified), index
        return round(count / (time.monotonic() - started), 1)


def scaling(runs: list[dict[str, Any]], count: int, shapes: list[str]) -> dict[str, dict[str, float]]:
    """The median rate of each shape, and how many times the first shape's that is, turn by turn."""
    rates = {
        shape: [run["steady_per_second"] for run in runs if run["count"] == count and run["shape"] == shape]
        for shape in shapes
    }
    first = rates[shapes[0]]
    return {
        shape: {
            "median_per_second": round(median(each), 1),
            "times_the_first": round(median(one / base for one, base in zip(each, first, strict=True)), 2),
        }
        for shape, each in rates.items()
    }


def through_the_pipeline(out: Path, count: int, shape: str, style: str) -> dict[str, Any]:
    workers, cores = map(int, shape.split("x"))
    command = [sys.executable, "-m", "ftrl.cli", "synth", "--out", str(out), "--count", str(count), "--json"]
    command += ["--workers", str(workers), "--style", style]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RAY_worker_niceness": "0"},
    )
    psutil.Process(process.pid).cpu_affinity(sorted(os.sched_getaffinity(0))[:cores])  # what it starts is held, too
    watch = Watch(process.pid)
    watch.start()
    text, lines = process.communicate()
    watch.ended.set()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{lines}")
    report = json.loads(text)
    told = [(int(done), int(seconds)) for done, seconds in _PROGRESS.findall(lines) if int(done)]
    (before, since), (after, until) = told[0], told[-1]
    driver = watch.seconds.pop(process.pid, 0.0)
    each = 1000 / max(1, report["accepted"])
    return {
        "count": count,
        "shape": shape,
        "accepted": report["accepted"],
        "acceptance": round(report["accepted"] / report["candidates"], 4),
        "scenarios": report["scenarios"],
        "rejections": report["rejections"],
        "seconds": round(report["seconds"], 1),
        "per_second": round(report["accepted"] / report["seconds"], 1),
        "steady_per_second": round((after - before) / max(1, until - since), 1),
        "driver_peak_mb": watch.driver,
        "actors_peak_mb": watch.actors,
        "driver_cpu_ms_each": round(each * driver, 1),
        "actors_cpu_ms_each": round(each * sum(watch.seconds.values()), 1),
        "stages": {stage["name"]: round(stage["seconds"], 1) for stage in report["stages"]},
    }


class Watch(threading.Thread):
    """Looks at the memory and CPU time of a process and of its actors, twice a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self.ended = threading.Event()
        self.driver = self.actors = 0
        self.seconds: dict[int, float] = {}

    def run(self) -> None:
        while not self.ended.wait(0.5):
            try:
                self.driver = max(self.driver, self._process.memory_info().rss // MB)
                children = self._process.children(recursive=True)
            except psutil.NoSuchProcess:
                return
            self.actors = max(self.actors, sum(map(self._looked_at, children)) // MB)
            self._looked_at(self._process)

    def _looked_at(self, process: psutil.Process) -> int:
        """Bytes of a stage's actor or of its sandbox; 0 for Ray's own processes. Shared pages count by their share."""
        try:
            words = " ".join(process.cmdline())
            if "StageHost" not in words and "ftrl" not in words:
                return 0
            self.seconds[process.pid] = sum(process.cpu_times()[:4])
            return int(process.memory_full_info().pss)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return 0


def audited(out: Path, count: int) -> dict[str, Any]:
    """Findings of the audit by severity, of environments spread over the store."""
    store = EnvironmentStore.open(str(out))
    rows = range(0, len(store), max(1, len(store) // count))
    audits: list[TaskAudit] = []
    started = time.monotonic()
    with Auditor(workers=os.cpu_count()) as auditor:
        for few in batches(itertools.islice(rows, count), 16):
            audits += auditor.audit_together([(store[row], store.sources(store[row])) for row in few])
    severities = Counter(finding.severity.value for audit in audits for finding in audit.findings)
    return {
        "environments": len(audits),
        "findings": dict(severities),
        "grades": dict(Counter(audit.grade.value for audit in audits)),
        "seconds": round(time.monotonic() - started, 1),
    }


def batches(rows: Iterable[int], size: int) -> Iterator[list[int]]:
    source = iter(rows)
    while few := list(itertools.islice(source, size)):
        yield few


if __name__ == "__main__":
    main()
