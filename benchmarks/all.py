"""Every benchmark, one after the other, and a page of what they found.

    python benchmarks/all.py [--repeats 3] [--only NAME …] [--data FOLDER] [--page docs/benchmarks.md]

Each runs as a program of its own, ``--repeats`` times; the page shows the median of each figure, its smallest and
largest value, and the target where there is one. Nearly all figures are ratios to a baseline of the same run: on a
machine that others use, only these mean anything. With ``--data``, the folder that holds ``ftrl_test_dev100.jsonl`` and
``calls_dev.jsonl``, the sandbox and the reward are measured on published tasks, else on generated ones.

A benchmark that fails stands on the page with its last words; the others go on. What was measured before is kept in
``--figures``, beside where, so that a page can be made in several goes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from figures import FILE

from ftrl.tiny_policy import tiny_policy

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Benchmark:
    """A program, what it is about, and what it is told.

    Attributes:
        title: heading of its part of the page.
        with_model: whether its first argument is the folder of a model.
        on_data: arguments where there is published data: ``{tasks}`` and ``{calls}`` are its files.
        repeated: whether it is worth more than one run; those that repeat by themselves are not.
    """

    title: str
    with_model: bool = False
    on_data: Sequence[str] = ()
    repeated: bool = True


BENCHMARKS = {
    "sandbox_speed": Benchmark(
        "Tool calls, against calls in the caller's own process", on_data=("--tasks", "{tasks}", "--calls", "{calls}")
    ),
    "reward_stage": Benchmark(
        "The reward of a training step's responses, against scoring them in the trainer's process",
        on_data=("--tasks", "{tasks}", "--calls", "{calls}"),
    ),
    "sandbox_soak": Benchmark("A million calls: does anything grow?", repeated=False),
    "construction": Benchmark("Making and verifying environments", repeated=False),
    "trajectory_store": Benchmark(
        "Storing trajectories, against the published layouts", on_data=("--tasks", "{tasks}")
    ),
    "rollout_client": Benchmark("What an episode with a provider's model costs this machine"),
    "collection_speed": Benchmark(
        "Collecting, against one conversation at a time and against a bare engine",
        with_model=True,
        on_data=("--tasks", "{tasks}"),
    ),
    "node_scaling": Benchmark("Collecting over more nodes, against as many times one", repeated=False),
    "construction_nodes": Benchmark("Making environments over more nodes, against as many times one", repeated=False),
    "training_stream": Benchmark("The stream of prompts to the trainer", repeated=False),
    "step_overhead": Benchmark("What our stream and reward add to a training step, next to bare verl", repeated=False),
    "model_diff": Benchmark("Comparing two models, against loading both", repeated=False),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--data", type=Path, help="folder of the published data")
    parser.add_argument("--model", type=Path, help="folder of the model that plays; the tiny policy if left out")
    parser.add_argument("--page", type=Path, default=HERE.parent / "docs" / "benchmarks.md")
    parser.add_argument("--figures", type=Path, default=HERE / "measured.json")
    options = parser.parse_args()
    kept: dict[str, Any] = json.loads(options.figures.read_text()) if options.figures.exists() else {}
    for name in options.only:
        kept[name] = measured(name, BENCHMARKS[name], options)
        options.figures.write_text(json.dumps(kept, indent=1))
        options.page.write_text("\n".join(page(kept)) + "\n", encoding="utf-8")
    failed = [name for name in options.only if kept[name]["failure"]]
    print(f"{options.page}: {len(options.only) - len(failed)} of {len(options.only)} benchmarks", file=sys.stderr)
    return 1 if failed else 0


def measured(name: str, benchmark: Benchmark, options: argparse.Namespace) -> dict[str, Any]:
    """Run one; its figures of all runs, on what, and its last words if it failed."""
    command = [sys.executable, str(HERE / f"{name}.py")]
    if benchmark.with_model:
        command.append(str(options.model or policy(HERE.parent / "runs")))
    if options.data is not None:
        places = {"tasks": options.data / "ftrl_test_dev100.jsonl", "calls": options.data / "calls_dev.jsonl"}
        command += [argument.format(**places) for argument in benchmark.on_data]
    runs: list[list[dict[str, Any]]] = []
    began, failure = time.time(), ""
    for number in range(options.repeats if benchmark.repeated else 1):
        print(f"{name}, run {number + 1}", file=sys.stderr, flush=True)
        with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as file:
            environment = {**os.environ, FILE: file.name}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            runs.append([json.loads(line) for line in file])
        print(done.stdout, file=sys.stderr, flush=True)
        if done.returncode:
            failure = (done.stderr.strip().splitlines() or ["no word"])[-1]
            break
    return {
        "runs": runs,
        "failure": failure,
        "seconds": time.time() - began,
        "command": public(["python", f"benchmarks/{name}.py", *command[2:]]),
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "load": os.getloadavg()[0],
        "machine": machine(),
    }


def policy(folder: Path) -> Path:
    """The tiny policy, laid into a folder."""
    place = folder / "tiny-policy"
    if not place.exists():
        tiny_policy(str(place))
    return place


def page(kept: dict[str, Any]) -> Iterator[str]:
    """The page, line by line."""
    yield "# Benchmarks\n"
    yield "`make bench` makes this page: every benchmark in `benchmarks/`, run here, one after the other. Nearly all"
    yield "figures are ratios to a baseline of the same run, since machines differ and are shared. Shown are the median"
    yield "of the runs and, in brackets, the smallest and the largest.\n"
    machines = {found["machine"] for found in kept.values()}
    if len(machines) == 1:
        yield f"Measured on {machines.pop()}.\n"
    for name, benchmark in BENCHMARKS.items():
        yield f"## {benchmark.title}\n"
        found = kept.get(name)
        if found is None:
            yield f"`benchmarks/{name}.py` was not run.\n"
            continue
        told = f"{len(found['runs'])} run(s), {found['when']}, {found['seconds'] / 60:.0f} min"
        where = f", on {found['machine']}" if machines else ""
        yield f"`{found['command']}`, {told}{where}.\n"
        if found["failure"]:
            yield f"**It failed:** {found['failure']}\n"
        rows = list(table(found["runs"]))
        if rows:
            yield "| what | figure | target |"
            yield "|---|---|---|"
            yield from rows
            yield ""
    if shutil.which("nvidia-smi") is None:
        yield "## On a GPU\n"
        yield "This machine has none."


def table(runs: Sequence[Sequence[dict[str, Any]]]) -> Iterator[str]:
    """A row for each figure, in the order in which they were first told."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        for one in run:
            by_name.setdefault(one["what"], []).append(one)
    for what, each in by_name.items():
        values = [one["value"] for one in each]
        unit = each[0]["unit"]
        spread = f" ({shown(min(values))} … {shown(max(values))})" if len(values) > 1 else ""
        yield f"| {what} | {shown(statistics.median(values))}{unit}{spread} | {each[0]['target']} |"


def shown(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def public(words: Sequence[str]) -> str:
    """A command without this machine's folders."""
    return " ".join(Path(word).name if word.startswith("/") else word for word in words)


def machine() -> str:
    """The machine in words: cores, memory, processor, system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    return (
        f"{cores} cores ({processor}), {memory:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}"
    )


if __name__ == "__main__":
    sys.exit(main())
