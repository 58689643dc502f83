"""Our benchmarks as tasks of Inspect AI, which finds this module by the entry point ``inspect_ai``.

``inspect eval ftrl/ftrl_test --model openai/NAME -T path=ftrl_test.jsonl``; and ``ftrl/rotbench``, ``ftrl/toolhop``,
``ftrl/tau_bench``, ``ftrl/bfcl``, ``ftrl/general``. Without a path they play what ``ftrl eval fetch`` got. Providers,
retries, limits, cache, logs and viewer are Inspect's; episodes and scores are those of ``ftrl eval``. A fault of ours
or the provider's is a sample's error, in no score. Other people's tasks may run the model's code in our sandbox:
``--sandbox ftrl``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as InspectSample
from inspect_ai.model import GenerateConfig, get_model
from inspect_ai.scorer import grouped, mean, stderr

from ftrl.errors import InputError
from ftrl.evaluation.fetching import fetched
from ftrl.evaluation.inspect_playing import chat_messages, episode, opened, score
from ftrl.evaluation.inspect_sandbox import FtrlSandbox
from ftrl.evaluation.suite import Sample
from ftrl.evaluation.tau_bench import MODES

__all__ = ["FtrlSandbox", "bfcl", "ftrl_test", "general", "rotbench", "tau_bench", "toolhop"]

RESPONSE_TOKENS = 1024

Shown = Callable[[Any], tuple[Any, Any]]
"""A suite's task → what it begins with (text or messages), and what is right."""


@task
def ftrl_test(path: str | None = None, profile: str = "reference", max_turns: int = 20) -> Task:
    """Precision, recall and F1 of the calls, over all tasks and by scenario.

    Args:
        path: an environment store, or a file in the published format; what was fetched if left out.
        profile: scoring profile: reference or strict.
        max_turns: assistant turns at most.
    """
    return _task(
        "ftrl-test",
        path,
        {"profile": profile, "max_turns": max_turns},
        lambda of: (of.environment.question, [f"{gold.tool}: {gold.value}" for gold in of.environment.golds]),
        by="scenario",
    )


@task
def rotbench(path: str | None = None) -> Task:
    """Tools, parameters and values under noisy names, by noise.

    Args:
        path: RoTBench's folder Data, or one of its files; what was fetched if left out.
    """
    return _task(
        "rotbench",
        path,
        {},
        lambda of: (chat_messages(of.messages), [f"{a.tool} {json.dumps(dict(a.parameters))}" for a in of.answers]),
        by="setting",
    )


@task
def toolhop(path: str | None = None, scenario: str = "mandatory", max_turns: int | None = None) -> Task:
    """Questions that need several tools in turn.

    Args:
        path: ToolHop.json, or the same rows as JSONL; what was fetched if left out.
        scenario: direct, mandatory or free.
        max_turns: assistant turns at most; as published if left out.
    """
    options = {"scenario": scenario, "max_turns": max_turns}
    return _task("toolhop", path, options, lambda of: (of.environment.question, of.answer))


@task
def tau_bench(
    path: str | None = None,
    user_model: str | None = None,
    mode: str = "official",
    domains: str | list[str] = "airline,retail",
    max_turns: int | None = None,
    user_temperature: float = 1.0,
) -> Task:
    """Serving simulated customers, by domain.

    Args:
        path: tau-bench.jsonl, or the folder that it is in; what was fetched if left out.
        user_model: who plays the customers; or say it with ``--model-role user=…``.
        mode: official or ftrl.
        domains: airline, retail or both.
        max_turns: assistant turns at most; as published if left out.
        user_temperature: of the customers' lines.
    """
    if mode not in MODES:
        raise InputError(f"tau-bench has no mode '{mode}'; there are {', '.join(MODES)}", field="mode")
    wanted = domains.split(",") if isinstance(domains, str) else list(domains)
    options = {"mode": mode, "domains": wanted, "max_turns": max_turns, "user_temperature": user_temperature}
    made = _task(
        "tau-bench",
        path,
        options,
        lambda of: (of.instruction, [f"{a.name} {a.arguments}" for a in of.actions] + list(of.outputs)),
        by="domain",
    )
    if user_model is not None:
        made.model_roles = {"user": get_model(user_model)}
    return made


@task
def bfcl(path: str | None = None, categories: str | list[str] = "non_live,multi_turn") -> Task:
    """The Berkeley leaderboard's single-turn and multi-turn categories, by category.

    Args:
        path: the package bfcl_eval, unpacked, or the folder that it lies in; what was fetched if left out.
        categories: non_live, multi_turn, or some of their categories.
    """
    wanted = categories.split(",") if isinstance(categories, str) else list(categories)
    return _task(
        "bfcl",
        path,
        {"categories": wanted},
        lambda of: (chat_messages(of.turns[0]), [json.dumps(right) for right in of.answer]),
        by="category",
    )


@task
def general() -> Task:
    """Arithmetic and reading without tools, by part."""
    return _task("general", None, {}, lambda of: (of.question, list(of.answers)), by="part")


def _task(suite: str, given: str | None, options: dict[str, Any], shown: Shown, *, by: str | None = None) -> Task:
    path = given or fetched(suite)
    chosen, samples = opened(suite, path, json.dumps(options))
    metrics: list[Any] = [mean(), stderr()]
    if by is not None:
        metrics.append(grouped(mean(), by, all="groups", all_label=f"mean_by_{by}"))
    return Task(
        dataset=MemoryDataset([_sample(sample, shown) for sample in samples.values()], name=suite, location=path),
        solver=episode(suite, path, options),
        scorer=score(suite, path, options),
        metrics={"*": metrics},
        config=GenerateConfig(temperature=0.0, max_tokens=RESPONSE_TOKENS),
        fail_on_error=False,
        version=chosen.version,
        metadata={"variant": dict(chosen.variant), "licence": chosen.source.licence, "origin": chosen.source.origin},
    )


def _sample(sample: Sample[Any], shown: Shown) -> InspectSample:
    asked, right = shown(sample.task)
    return InspectSample(id=sample.id, input=asked, target=right, metadata=dict(sample.labels))
