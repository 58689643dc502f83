"""Ray job: let a model play tasks and store the trajectories. The file holds the settings of `ftrl rollout`.

ray job submit --working-dir . -- python jobs/rollout.py --config jobs/configs/rollout.yaml
"""

from __future__ import annotations

from job import run

from ftrl import rollouts
from ftrl.rollouts import CollectConfig, CollectReport


def rollout(config: CollectConfig) -> CollectReport:
    """Play what the store does not have yet."""
    return rollouts.collect(config.model_copy(update={"resume": True}))


if __name__ == "__main__":
    run(CollectConfig, rollout)
