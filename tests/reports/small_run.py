"""The parts of a small run: episodes that are played in the sandbox, results, a training run, two models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ftrl.environments import EnvironmentStore
from ftrl.environments.golden import golden_turns
from ftrl.evaluation import EvalResults, summarize
from ftrl.evaluation.results import intervals
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
from ftrl.sandbox import Sandbox
from ftrl.training.config import OptimConfig, RewardConfig, TrainConfig
from ftrl.training.run_folder import RunFolder

SETTINGS = EpisodeSettings(profile="strict", max_turns=6)
BASE, TUNED = PolicyIdentity(name="runs/small/model"), PolicyIdentity(name="runs/small/training/iteration-1/policy")
HOSTILE = '</script><script>alert(1)</script><img src=x onerror="document.title=1"><!-- \u2028 {{7*7}} ${7*7}'
"""What a model or a tool might say to whoever opens the report."""

Turns = Callable[[int, list[str]], list[str]]
"""Number of a task, and what a perfect policy says → what this one says."""


def careless(number: int, perfect: list[str]) -> list[str]:
    """Asks a tool that is not there, then answers; every fourth task is solved all the same."""
    if number % 4 == 0:
        return perfect
    call = json.dumps({"name": "guess", "arguments": {"what": HOSTILE}})
    return [f"<tool_call>\n{call}\n</tool_call>", HOSTILE]


def careful(number: int, perfect: list[str]) -> list[str]:
    """Solves every task but the last."""
    return ["I do not know."] if number == 7 else perfect


def play(
    tasks: EnvironmentStore, sandbox: Sandbox, policy: PolicyIdentity, turns: Turns, run: str, iteration: int = 0
) -> list[Trajectory]:
    """One episode of each task."""
    played = []
    for number, environment in enumerate(tasks):
        script = ScriptedPolicy(turns(number, golden_turns(environment)))
        key = EpisodeKey(run, iteration, 0)
        trajectory = asyncio.run(run_episode(environment, tasks.sources(environment), script, sandbox, SETTINGS, key))
        played.append(trajectory.model_copy(update={"policy": policy}))
    return played


def store_episodes(path: Path, trajectories: list[Trajectory], run: str, iteration: int = 0) -> None:
    with TrajectoryStore.create(str(path), run=run) as store:
        store.begin(Collection(iteration=iteration, policy=trajectories[0].policy, settings=SETTINGS))
        store.append(trajectories)


def write_results(path: Path, tasks: EnvironmentStore, trajectories: list[Trajectory]) -> None:
    """``results.json``, as ``ftrl eval ftrl-test`` writes it."""
    scenarios = {environment.id: environment.scenario for environment in tasks}
    metrics = [(one.environment_id, one.metrics[0]) for one in trajectories]
    by_scenario, macro, overall = summarize(scenarios, metrics)
    results = EvalResults(
        suite="ftrl-test",
        tasks=tasks.path,
        policy=trajectories[0].policy,
        settings=SETTINGS,
        trials=1,
        profile=metrics[0][1].profile,
        versions={"ftrl": "0.1.0", "vllm": "0.28.0"},
        scenarios=by_scenario,
        macro=macro,
        overall=overall,
        intervals=intervals(scenarios, metrics),
        statuses={"answered": len(trajectories)},
        failures={},
    )
    (path / "results.json").write_text(results.model_dump_json())


def train(folder: Path, tasks: EnvironmentStore, steps: int = 25) -> None:
    """A training run as it lies when it is finished; its second step has a metric that is no number."""
    config = TrainConfig(
        model=str(folder / "model"),
        tasks=tasks.path,
        out=str(folder / "training"),
        iterations=1,
        reward=RewardConfig(profile="strict"),
        optim=OptimConfig(batch_size=8, mini_batch_size=8),
    )
    run = RunFolder(config.out)
    run.claim(config)
    run.iteration(1).mkdir()
    for step in range(1, steps + 1):
        values = {"ftrl/score": 0.1 + step / 50, "ftrl/score_strict": 0.1 + step / 50, "actor/lr": 1e-6}
        run.metrics(1).append(step, steps, {**values, "actor/entropy": float("nan") if step == 2 else 1.0})
    write_model(run.policy(1), grown="model.layers.1.mlp.down_proj.weight")


def write_model(folder: Path, grown: str = "") -> None:
    """As much of a model as a comparison reads: two layers, one tensor of which may have ``grown`` by half."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "qwen3", "tie_word_embeddings": true}')
    parts = ("self_attn.q_proj", "mlp.down_proj", "input_layernorm")
    names = [f"model.layers.{layer}.{part}.weight" for layer in (0, 1) for part in parts]
    numbers = np.random.default_rng(0)
    weights = {name: numbers.normal(size=(4, 4)).astype(np.float32) for name in (*names, "model.embed_tokens.weight")}
    if grown:
        weights[grown] = weights[grown] * np.float32(1.5)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
