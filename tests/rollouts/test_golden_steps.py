"""Honest work on generated tasks, whose dependencies are known: every step of it earns all that there is."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ftrl.environments import EnvironmentStore
from ftrl.environments.golden import golden_turns
from ftrl.rewards import Context, profile_named, score_response
from ftrl.rollouts import EpisodeKey, EpisodeSettings, ScriptedPolicy, run_episode, snapshots
from ftrl.rollouts.snapshots import earlier_calls
from ftrl.sandbox import Sandbox
from ftrl.synthesis import SynthesisConfig, synthesize


def test_every_golden_turn_of_every_scenario_earns_exactly_one(tmp_path: Path, sandbox: Sandbox) -> None:
    synthesize(SynthesisConfig.model_validate({"out": str(tmp_path / "tasks"), "count": 8}))
    tasks = EnvironmentStore.open(str(tmp_path / "tasks"))
    scenarios = set()
    for environment in tasks:
        scenarios.add(environment.scenario)
        turns, sources = golden_turns(environment), tasks.sources(environment)
        trajectory = asyncio.run(
            run_episode(environment, sources, ScriptedPolicy(turns), sandbox, EpisodeSettings(), EpisodeKey("golden"))
        )
        strict = trajectory.metrics_of("strict-1")
        assert (strict.precision, strict.recall, strict.f1) == (1.0, 1.0, 1.0)
        for snapshot, turn in zip(snapshots(environment, trajectory), turns, strict=True):
            score = score_response(
                turn,
                snapshot.unsolved,
                sources,
                sandbox,
                answer=environment.answer,
                solve_rate=snapshot.solve_rate,
                profile=profile_named("strict"),
                context=Context.of(environment, earlier_calls(snapshot.messages)),
            )
            assert score.value == 1.0, (environment.scenario, snapshot.step, score.why)
    assert len(scenarios) == 4
