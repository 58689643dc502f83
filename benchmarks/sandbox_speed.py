"""Calls a second in the sandbox, against calls made in the caller's own process as the published code makes them.

    python benchmarks/sandbox_speed.py [--tasks TASKS.jsonl --calls CALLS.jsonl] [--seconds 3]

TASKS is in the published format; CALLS has lines with ``task`` (row of TASKS), ``name`` and ``arguments``. Without
them, tasks of the ``tables`` generator and their golden calls are used. Every figure is a ratio to the baseline of the
same run: on a shared machine only these mean anything. The result cache is off, so every call is made.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from figures import figure
from published_way import call_here

from ftrl.environments import EnvironmentStore
from ftrl.sandbox import Call, Sandbox
from ftrl.sandbox.proof import prove
from ftrl.synthesis import SynthesisConfig, synthesize

LIMIT_SECONDS = 10.0
BATCH = 64


def made_here(batch: list[Call]) -> None:
    """The published way."""
    for call in batch:
        call_here(call.name, call.arguments, call.source or "", LIMIT_SECONDS)


def recorded(tasks: Path, calls: Path) -> list[Call]:
    """The distinct calls of a file."""
    codes = [json.loads(json.loads(line)["codes"]) for line in tasks.open(encoding="utf-8")]
    lines = [json.loads(line) for line in calls.open(encoding="utf-8")]
    rows = {(line["task"], line["name"], line["arguments"]) for line in lines if not line.get("volatile_hint")}
    return [Call(name, arguments, codes[task].get(name)) for task, name, arguments in sorted(rows)]


def generated(folder: str) -> list[Call]:
    """The golden calls of tasks that are made up for the purpose."""
    synthesize(SynthesisConfig.model_validate({"out": f"{folder}/tasks", "count": 200}))
    store = EnvironmentStore.open(f"{folder}/tasks")
    calls = []
    for environment in store:
        sources = store.sources(environment)
        calls += [Call(step.tool, json.dumps(step.arguments), sources[step.tool]) for step in environment.trace]
    return calls


def per_second(make: Callable[[list[Call]], object], calls: list[Call], size: int, seconds: float) -> float:
    """How many calls a second go through when they come in lists of ``size``."""
    batches = itertools.cycle([calls[start : start + size] for start in range(0, len(calls), size)])
    make(next(batches))
    made, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        batch = next(batches)
        make(batch)
        made += len(batch)
    return made / (time.perf_counter() - started)


def latencies(sandbox: Sandbox, calls: list[Call], seconds: float) -> list[float]:
    """Milliseconds of single calls, one after the other."""
    taken: list[float] = []
    until = time.perf_counter() + seconds
    for call in itertools.cycle(calls):
        started = time.perf_counter()
        if started > until:
            return taken
        sandbox.run([call])
        taken.append((time.perf_counter() - started) * 1000)
    return taken


TARGETS = {
    "warm path: batches of 1,024": "25",
    "warm path: batches of 64": "25",
    "warm path: one call at a time": "4",
    "fork path: batches of 1,024": "3",
    "fork path: batches of 64": "3",
}
"""Times the baseline, by row."""


def report(rows: Iterator[tuple[str, float, float]]) -> None:
    print(f"{'what':46} {'calls/s':>10} {'ratio':>8}")
    for name, rate, baseline in rows:
        print(f"{name:46} {rate:10,.0f} {rate / baseline:8.1f}", flush=True)
        figure(name, rate / baseline, target=TARGETS.get(name, ""))


def measure(calls: list[Call], seconds: float) -> Iterator[tuple[str, float, float]]:
    with contextlib.redirect_stdout(io.StringIO()):  # these tools print into the caller's terminal
        baseline = per_second(made_here, calls, BATCH, seconds)
    yield "baseline: in the caller's process, a thread each", baseline, baseline
    proven = [call for call in calls if call.source is None or call.name in prove(call.source).functions]
    print(f"{len(proven):,} of these are of proven tools: the warm path")
    with Sandbox(cache_bytes=0) as sandbox:
        sandbox.run(calls)  # each source is looked into once
        for size in (1024, BATCH):
            yield f"warm path: batches of {size:,}", per_second(sandbox.run, proven, size, seconds), baseline
        single = latencies(sandbox, proven, seconds)
        yield "warm path: one call at a time", 1000 / statistics.fmean(single), baseline
        p99 = statistics.quantiles(single, n=100)[98]
        print(f"    of these, p50 {statistics.median(single):.3f} ms, p99 {p99:.3f} ms")
        figure("one call: the slowest of a hundred", p99, " ms", "<= 2")
        yield "all calls, unrelated, streamed", per_second(streamed(sandbox), calls, len(calls), seconds), baseline
    with Sandbox(cache_bytes=0, warm=False) as sandbox:
        for size in (1024, BATCH, 1):
            yield f"fork path: batches of {size:,}", per_second(sandbox.run, calls, size, seconds), baseline
    for workers in (1, 2):
        with Sandbox(workers=workers, cache_bytes=0) as sandbox:
            sandbox.run(calls)
            rate = per_second(sandbox.run, proven, 1024, seconds)
            yield f"warm path: batches of 1,024, workers: {workers}", rate, baseline
            memory = [resident_mib(pid) for pid in sandbox.worker_pids()]
            print(f"    workers hold {', '.join(f'{mib:.0f}' for mib in memory)} MiB")


def streamed(sandbox: Sandbox) -> Callable[[list[Call]], object]:
    return lambda batch: list(sandbox.stream(batch))


def resident_mib(pid: int) -> float:
    """Memory of a process and those below it, in MiB; shared pages count in each."""
    try:
        kib = [line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line]
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return sum(map(int, kib)) / 1024 + sum(resident_mib(int(child)) for child in below)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=Path)
    parser.add_argument("--calls", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    if (options.tasks is None) != (options.calls is None):
        sys.exit("give both --tasks and --calls, or neither")
    with tempfile.TemporaryDirectory() as folder:
        calls = recorded(options.tasks, options.calls) if options.tasks else generated(folder)
    print(f"{len(calls):,} distinct calls")
    report(measure(calls, options.seconds))


if __name__ == "__main__":
    main()
