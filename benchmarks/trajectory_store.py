"""How large a store of trajectories is, next to the published layouts, and what reading one column of it takes.

    python benchmarks/trajectory_store.py [--tasks TASKS.jsonl] [--trajectories 1000000]

1,000 tasks are made from those in TASKS (published format; generated ones if left out): as copies in which the
question, the descriptions and the code carry marks of their own, so that nothing but the likeness of real tasks is
left to compression. Each is played with three turns of calls to its own tools, which gives four steps. The published
layout repeats task, tools and code in every step; its rows are shuffled, as published, so that equal ones are rarely
neighbours. Ours counts whole: the environment store and the trajectory store.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import random
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from figures import figure

from ftrl.environments import Environment, EnvironmentStore, open_tasks, source_id
from ftrl.rollouts import (
    AssistantTokens,
    Collection,
    EpisodeKey,
    EpisodeSettings,
    PolicyIdentity,
    ScriptedPolicy,
    Trajectory,
    TrajectoryStore,
    run_episode,
)
from ftrl.rollouts.columns import TRAJECTORY_COLUMNS
from ftrl.rollouts.export import STEP_COLUMNS, step_rows
from ftrl.rollouts.manifest import Manifest, PartEntry
from ftrl.rollouts.parts import write_tables
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig, synthesize

TASKS, TURNS_WITH_CALLS = 1000, 3
WORD = re.compile(r"[a-z]{5,}")


def marked(text: str, rng: random.Random, every: int = 12) -> str:
    """The text with a mark of its own on some of its words; code stays code, since marks are comments."""
    words = text.split(" ")
    for at in range(rng.randrange(every), len(words), every):
        words[at] += f" {rng.randrange(16**6):06x}"
    return " ".join(words)


def marked_source(source: str, rng: random.Random, every: int = 8) -> str:
    """The code with a comment on some of its lines."""
    lines = source.split("\n")
    for at in range(rng.randrange(every), len(lines), every):
        if lines[at] and not lines[at].endswith(("\\", '"""', "'''", ",", "(", "[", "{")):
            lines[at] += f"  # {rng.randrange(16**8):08x}"
    changed = "\n".join(lines)
    try:
        compile(changed, "tool", "exec")
    except SyntaxError:
        return f"{source}\n# {rng.randrange(16**16):016x}"
    return changed


def copies(path: str) -> Iterator[tuple[Environment, dict[str, str]]]:
    """1,000 tasks made from those at ``path``."""
    tasks = open_tasks(path)
    rng = random.Random(1)
    for number in range(TASKS):
        environment = tasks[number % len(tasks)]
        sources = {name: marked_source(source, rng) for name, source in tasks.sources(environment).items()}
        tools = []
        for tool in environment.tools:
            function = tool["function"]
            tools.append(
                {**tool, "function": {**function, "description": marked(function.get("description", ""), rng)}}
            )
        values = environment.model_dump(exclude={"id", "trace"})
        values["question"] = f"{marked(environment.question, rng)} ({number})"
        values["tools"] = tuple(tools)
        values["implementations"] = {name: source_id(source) for name, source in sources.items()}
        yield Environment.model_validate(values), sources


def script(environment: Environment, rng: random.Random) -> list[str]:
    """Three turns with two calls each, of the golds' tools with plausible arguments, and an answer."""
    by_name = {tool["function"]["name"]: tool["function"] for tool in environment.tools}
    turns = []
    for _ in range(TURNS_WITH_CALLS):
        calls = []
        for gold in rng.choices(environment.golds, k=2):
            properties = by_name[gold.tool].get("parameters", {}).get("properties", {})
            arguments = {name: rng.choice(environment.question.split()) for name in properties}
            calls.append(f"<tool_call>\n{json.dumps({'name': gold.tool, 'arguments': arguments})}\n</tool_call>")
        turns.append("\n".join(calls))
    return [*turns, f"The answer is {environment.answer}."]


def with_tokens(trajectory: Trajectory, rng: random.Random) -> Trajectory:
    """The trajectory with tokens and log-probabilities as an engine would have recorded them."""
    turns, prompt = [], 3000
    for message in trajectory.messages:
        if message["role"] == "assistant":
            count = max(8, len(json.dumps(message)) // 4)
            turns.append(
                AssistantTokens(
                    prompt_tokens=prompt,
                    token_ids=tuple(rng.randrange(150_000) for _ in range(count)),
                    logprobs=tuple(-rng.expovariate(2.0) for _ in range(count)),
                    finish_reason="stop",
                )
            )
            prompt += count
    return trajectory.model_copy(update={"turns": tuple(turns)})


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def sizes(path: str, folder: Path) -> dict[str, int]:
    """Bytes of every layout."""
    rng = random.Random(2)
    identity = PolicyIdentity(name="script")
    played: list[tuple[Environment, dict[str, str], Trajectory]] = []

    async def play(sandbox: Sandbox, environment: Environment, sources: dict[str, str]) -> Trajectory:
        policy = ScriptedPolicy(script(environment, rng), identity)
        return await run_episode(environment, sources, policy, sandbox, EpisodeSettings(), EpisodeKey("run"))

    async def play_all(sandbox: Sandbox) -> None:
        for environment, sources in copies(path):
            played.append((environment, sources, await play(sandbox, environment, sources)))

    with Sandbox() as sandbox:
        asyncio.run(play_all(sandbox))
    with EnvironmentStore.create(str(folder / "environments")) as environments:
        for environment, sources, _ in played:
            environments.add(environment, sources)
    result = {"environments": size(folder / "environments")}
    for name, tokens in (("trajectories", False), ("trajectories with tokens", True)):
        store = TrajectoryStore.create(str(folder / name), run="run")
        store.begin(Collection(iteration=0, policy=identity, settings=EpisodeSettings()))
        trajectories = [with_tokens(one, rng) if tokens else one for _, _, one in played]
        rng.shuffle(trajectories)
        for start in range(0, TASKS, 256):  # as a collection commits
            store.append(trajectories[start : start + 256])
        result[name] = size(folder / name)
        store.compact()
        store.sweep(seconds=0)
        result[f"{name}, compacted"] = size(folder / name)
    rows = [row for environment, sources, one in played for row in step_rows(environment, sources, one)]
    rng.shuffle(rows)
    result["steps"] = len(rows)
    with (folder / "steps.jsonl").open("w") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    pq.write_table(pa.Table.from_pylist(rows, schema=STEP_COLUMNS), folder / "steps.parquet", compression="snappy")
    result["published Parquet"] = (folder / "steps.parquet").stat().st_size
    result["published JSONL"] = (folder / "steps.jsonl").stat().st_size
    return result


def peak() -> int:
    """The most memory that this process has held so far, in KiB (rusage would count what it was forked from)."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


def read_column(path: str, wanted: int) -> dict[str, Any]:
    """Read one column, in a process that has done nothing else."""
    store = TrajectoryStore.open(path)
    next(store.rows(["status"]))
    before = peak()
    started = time.monotonic()
    column = (one["status"] for one in store.rows(["status"]))
    assert Counter(itertools.islice(column, wanted)) == {"answered": wanted}
    grown = peak() - before
    return {"seconds": round(time.monotonic() - started, 2), "peak memory grew by KiB": grown}


def wide(folder: Path, count: int) -> dict[str, Any]:
    """What reading one column of ``count`` trajectories takes, and of a tenth of them."""
    path = str(folder / "wide")
    store = TrajectoryStore.create(path, run="run")
    store.begin(Collection(iteration=0, policy=PolicyIdentity(name="script"), settings=EpisodeSettings()))
    rng = random.Random(3)
    block = 10_000
    row = {
        "run": "run",
        "policy": "script",
        "iteration": 0,
        "status": "answered",
        "calls": "[]",
        "turns": [],
        "metrics": [],
    }
    rows = [
        {
            **row,
            "id": f"{rng.randrange(16**32):032x}",
            "environment_id": f"{number // 8}",
            "sample": number % 8,
            "messages": json.dumps([{"role": "user", "content": f"{rng.randrange(16**800):0800x}"}]),
        }
        for number in range(block)
    ]
    first = write_tables(path, 0, [pa.Table.from_pylist(rows, schema=TRAJECTORY_COLUMNS)])
    entries = [PartEntry(name=first, iteration=0, rows=block)]
    for part in range(1, max(1, count // block)):
        name = f"parts/{part:06d}-copy.parquet"
        shutil.copyfile(f"{path}/{first}", f"{path}/{name}")
        entries.append(PartEntry(name=name, iteration=0, rows=block))

    def add(manifest: Manifest) -> Manifest:
        return manifest.model_copy(update={"parts": tuple(entries)})

    store._file.change(add)
    measured: dict[str, Any] = {"bytes": size(folder / "wide")}
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh:
        for wanted in (count // 10, count):
            measured[f"{wanted:,} rows"] = fresh.apply(read_column, (path, wanted))
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", help="tasks in the published format")
    parser.add_argument("--trajectories", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = options.tasks
        if tasks is None:
            tasks = str(folder / "tasks")
            synthesize(SynthesisConfig.model_validate({"out": tasks, "count": 100}))
        found = sizes(tasks, folder)
        for layout, value in found.items():
            print(f"{layout:40} {value:>14,}")
        ours = found["environments"] + found["trajectories, compacted"]
        for layout, target in (("published Parquet", "5"), ("published JSONL", "15")):
            figure(f"{layout}, of our size", found[layout] / ours, target=target)
            print(f"{layout} / ours (both stores, no tokens, as the published has none): {found[layout] / ours:.1f}")
        print(json.dumps(wide(folder, options.trajectories)))


if __name__ == "__main__":
    main()
