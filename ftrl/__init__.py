"""Builds verifiable tool-use environments and trains language models in them.

The names a user needs are here; each is imported when it is first used, so that ``import ftrl`` is fast. Everything
else is reached by its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftrl.environments import Environment, EnvironmentStore
    from ftrl.evaluation.ftrl_test import evaluate
    from ftrl.rewards import score_response, score_trajectory
    from ftrl.rollouts import Trajectory, TrajectoryStore
    from ftrl.rollouts.collection import collect
    from ftrl.sandbox import Sandbox
    from ftrl.synthesis import synthesize
    from ftrl.training.iterations import train

__version__ = "0.1.0"

__all__ = [
    "Environment",
    "EnvironmentStore",
    "Sandbox",
    "Trajectory",
    "TrajectoryStore",
    "collect",
    "evaluate",
    "score_response",
    "score_trajectory",
    "synthesize",
    "train",
]

_HOMES = {
    "Environment": "ftrl.environments",
    "EnvironmentStore": "ftrl.environments",
    "Sandbox": "ftrl.sandbox",
    "Trajectory": "ftrl.rollouts",
    "TrajectoryStore": "ftrl.rollouts",
    "collect": "ftrl.rollouts",
    "evaluate": "ftrl.evaluation",
    "score_response": "ftrl.rewards",
    "score_trajectory": "ftrl.rewards",
    "synthesize": "ftrl.synthesis",
    "train": "ftrl.training.iterations",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ftrl' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
