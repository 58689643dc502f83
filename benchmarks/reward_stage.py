"""Scoring a training step's responses, against scoring them in the trainer's own process as the published code does.

    python benchmarks/reward_stage.py [--tasks TASKS.jsonl --calls CALLS.jsonl] [--limit 10]

512 prompts with 16 responses each: calls of the prompt's task, drawn from CALLS (lines with ``task``, ``name`` and
``arguments``; without it, of generated tasks, each tool with the arguments of each golden call) so that a few
favourites repeat within a group, as samples of one policy do; some answers without calls.
Then the same with one call in a hundred that hangs. The baseline waits out each of these, one after the other, so it
gets a sample of the responses and both figures are responses a second. Ours are scored by two processes, as by two
reward workers of a training run, each with one sandbox worker. As in a training run, the tools' sources were looked
into beforehand, while the engines were starting (``Sandbox.prepare``); the row "unprepared" is a step without that.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import multiprocessing
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from figures import figure
from published_way import call_here

from ftrl.environments import EnvironmentStore, Tasks, open_tasks
from ftrl.rewards import PROFILES, Context, ResponseScoring, ScoredTask, score_stream
from ftrl.sandbox import Limits, Sandbox
from ftrl.sandbox.sandbox import CACHE_BYTES
from ftrl.synthesis import SynthesisConfig, synthesize

PROMPTS, SAMPLES = 512, 16
PROCESSES = 2
HANGING = "def hang():\n    import time\n    while True:\n        time.sleep(3600)\n"
BLOCK = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)


Calls = dict[int, list[tuple[str, str]]]
"""Row of a task → name and arguments of calls."""


@dataclass(frozen=True)
class Item:
    """A response, and its task."""

    text: str
    task: ScoredTask


def recorded(calls: Path) -> Calls:
    """The calls in a file."""
    by_task: Calls = {}
    for line in map(json.loads, calls.open(encoding="utf-8")):
        by_task.setdefault(line["task"], []).append((line["name"], line["arguments"]))
    return by_task


def generated(tasks: str) -> Calls:
    """Make tasks; every tool of them called with the arguments of every golden call."""
    synthesize(SynthesisConfig.model_validate({"out": tasks, "count": 100}))
    return {
        row: [(tool, json.dumps(step.arguments)) for step in environment.trace for tool in environment.implementations]
        for row, environment in enumerate(EnvironmentStore.open(tasks))
    }


def responses(opened: Tasks, by_task: Calls, hanging: float) -> list[Item]:
    """``PROMPTS`` groups of ``SAMPLES`` responses; a share of the calls hang."""
    dice = random.Random(0)
    scored = {row: ScoredTask.of(opened[row], {**opened.sources(opened[row]), "hang": HANGING}) for row in by_task}
    items = []
    for prompt in range(PROMPTS):
        row = sorted(by_task)[prompt % len(by_task)]
        favourites = dice.sample(by_task[row], min(6, len(by_task[row])))
        for _ in range(SAMPLES):
            parts = []
            for _ in range(dice.choice((0, 1, 1, 2, 2, 2, 3))):
                name, arguments = dice.choice(favourites if dice.random() < 0.8 else by_task[row])
                if dice.random() < hanging:
                    name, arguments = "hang", "{}"
                parts.append(f'<tool_call>\n{{"name": "{name}", "arguments": {json.dumps(arguments)}}}\n</tool_call>')
            items.append(Item("\n".join(parts) or "The answer is 42.", scored[row]))
    return items


def in_process(item: Item, limit: float) -> float:
    """The published way: parse, run each call here in a thread that is waited for, tick golds, score."""
    open_golds = {tool: list(values) for tool, values in item.task.environment.unsolved().items()}
    made = ticked = 0
    for block in BLOCK.findall(item.text):
        try:
            call = json.loads(block)
        except ValueError:
            continue
        made += 1
        output = call_here(call["name"], call["arguments"], item.task.sources.get(call["name"], ""), limit)
        for gold in open_golds.get(call["name"], []):
            if all(
                part.lower().replace(",", "").strip() in output.lower().replace(",", "") for part in gold.split(", ")
            ):
                open_golds[call["name"]].remove(gold)
                ticked += 1
                break
    return 2 * ticked / (made + 1)


def score_all(items: Sequence[Item], profiles: Sequence[str], sandbox: Sandbox) -> None:
    """Score every response; one process's share of a step."""

    def scorings() -> Iterator[tuple[None, ResponseScoring]]:
        for item in items:
            scoring = ResponseScoring(
                item.text,
                item.task.environment.unsolved(),
                item.task.sources,
                answer=item.task.environment.answer,
                profiles=[PROFILES[name] for name in profiles],
                context=Context(item.task.facts),
            )
            yield None, scoring

    scored = sum(not isinstance(scores, str) for _, scores in score_stream(scorings(), sandbox))
    if scored != len(items):
        raise RuntimeError(f"{len(items) - scored} responses were not scored")


class Share:
    """A process that scores its share of the responses, as a reward worker does, step after step."""

    def __init__(
        self, items: Sequence[Item], profiles: Sequence[str], limit: float, cache_bytes: int, *, prepared: bool
    ) -> None:
        self._steps: multiprocessing.Queue[bool] = multiprocessing.Queue()
        self._done: multiprocessing.Queue[bool] = multiprocessing.Queue()

        def work() -> None:
            with Sandbox(1, Limits(seconds=limit), cache_bytes=cache_bytes) as sandbox:
                if prepared:
                    sandbox.prepare({source for item in items for source in item.task.sources.values()})
                self._done.put(True)
                while self._steps.get():
                    score_all(items, profiles, sandbox)
                    self._done.put(True)

        self._process = multiprocessing.Process(target=work)
        self._process.start()
        self.finish()

    def step(self) -> None:
        self._steps.put(True)

    def finish(self) -> None:
        self._done.get()

    def stop(self) -> None:
        self._steps.put(False)
        self._process.join()


def ours(
    items: list[Item], limit: float, profiles: list[str], cache_bytes: int = CACHE_BYTES, *, prepared: bool = True
) -> list[float]:
    """Seconds that two scoring processes take for the first step, and for the same responses once more."""
    shares = [
        Share(items[start::PROCESSES], profiles, limit, cache_bytes, prepared=prepared) for start in range(PROCESSES)
    ]
    taken = []
    for _ in range(2):
        started = time.perf_counter()
        for share in shares:
            share.step()
        for share in shares:
            share.finish()
        taken.append(time.perf_counter() - started)
    for share in shares:
        share.stop()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks")
    parser.add_argument("--calls", type=Path)
    parser.add_argument("--limit", type=float, default=10.0, help="Seconds that a call may take.")
    options = parser.parse_args()
    if (options.tasks is None) != (options.calls is None):
        sys.exit("give both --tasks and --calls, or neither")
    with tempfile.TemporaryDirectory() as folder:
        tasks = options.tasks or f"{folder}/tasks"
        calls = recorded(options.calls) if options.calls else generated(tasks)
        compare(open_tasks(tasks), calls, options.limit)


def compare(opened: Tasks, calls: Calls, limit: float) -> None:
    """Both ways, with and without calls that hang."""
    multiprocessing.set_start_method("fork")
    print(f"{'what':56} {'responses/s':>12} {'ratio':>8}")
    for hanging, sample in ((0.0, PROMPTS * SAMPLES), (0.01, 512)):
        items = responses(opened, calls, hanging)
        gc.collect()
        gc.freeze()
        what = "1 % of the calls hang" if hanging else "no call hangs"
        with contextlib.redirect_stdout(io.StringIO()):  # these tools print into the caller's terminal
            started = time.perf_counter()
            for item in random.Random(1).sample(items, sample):
                in_process(item, limit)
            baseline = sample / (time.perf_counter() - started)
        report(f"{what}; baseline, over {sample:,} responses", baseline, baseline)
        for name, profiles, cache in (
            ("reference", ["reference"], CACHE_BYTES),
            ("reference, result cache off", ["reference"], 0),
            ("reference and strict", ["reference", "strict"], CACHE_BYTES),
        ):
            first, next_ = ours(items, limit, profiles, cache)
            report(f"{what}; {name}, first step", len(items) / first, baseline)
            report(f"{what}; {name}, next step", len(items) / next_, baseline)
        first, _ = ours(items, limit, ["reference"], prepared=False)
        report(f"{what}; reference, first step, unprepared", len(items) / first, baseline)


TARGETS = {"no call hangs; reference, first step": "10", "1 % of the calls hang; reference, first step": "40"}
"""Times the baseline, by row."""


def report(what: str, rate: float, baseline: float) -> None:
    print(f"{what:56} {rate:12,.1f} {rate / baseline:8.1f}", flush=True)
    figure(what, rate / baseline, target=TARGETS.get(what, ""))


if __name__ == "__main__":
    main()
