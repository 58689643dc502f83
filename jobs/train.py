"""Ray job: a training run, all its iterations. The file is that of `ftrl train`.

ray job submit --working-dir . -- python jobs/train.py --config jobs/configs/train.yaml
"""

from __future__ import annotations

from job import run

from ftrl.commands.train import ConsoleWatcher
from ftrl.training import TrainConfig, iterations
from ftrl.training.iterations import TrainReport


def train(config: TrainConfig) -> TrainReport:
    """Run, or finish, every iteration."""
    return iterations.train(config, ConsoleWatcher())


if __name__ == "__main__":
    run(TrainConfig, train)
