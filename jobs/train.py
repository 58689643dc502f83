"""Ray job: a training run, all its iterations. The files are those of `ftrl train`.

ray job submit --working-dir . -- python jobs/train.py --config jobs/configs/train.yaml
ray job submit --working-dir . -- python jobs/train.py --config jobs/configs/paper/qwen3-8b-grpo.yaml \\
    --config jobs/configs/hardware/nodes.yaml --config mine.yaml
"""

from __future__ import annotations

from job import run

from ftrl.commands.train import ConsoleWatcher
from ftrl.training import TrainConfig, iterations
from ftrl.training.iterations import TrainReport
from ftrl.training.verl_defaults import check_overrides


def train(config: TrainConfig) -> TrainReport:
    """Run, or finish, every iteration."""
    check_overrides(config.verl)  # here and not only when verl is started, which is after the first collection
    return iterations.train(config, ConsoleWatcher())


if __name__ == "__main__":
    run(TrainConfig, train)
