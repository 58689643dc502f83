"""An episode of a suite whose tasks are environments: the loop of collection and training, with a suite's errors."""

from __future__ import annotations

from collections.abc import Mapping

from ftrl.environments import Environment
from ftrl.rollouts import (
    EngineFault,
    EpisodeKey,
    EpisodeSettings,
    Policy,
    Trajectory,
    TrajectoryStatus,
    run_episode,
)
from ftrl.rollouts.episode import ToolRunner


async def play_environment(
    environment: Environment,
    sources: Mapping[str, str],
    policy: Policy,
    sandbox: ToolRunner,
    settings: EpisodeSettings,
    key: EpisodeKey,
) -> Trajectory:
    """Play the episode to its end; arguments as of ``run_episode``.

    Raises:
        EngineFault: it ended through a fault of ours.
        EngineLost: the policy's engine died.
    """
    played = await run_episode(environment, sources, policy, sandbox, settings, key)
    if played.status is TrajectoryStatus.INFRASTRUCTURE:
        raise EngineFault(played.error or "the episode failed")
    return played
