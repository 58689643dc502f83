"""Where a run keeps its state: one folder, everything in it restartable.

::

    RUN/config.yaml                     the run's settings; a run goes on only with the same ones
    RUN/environments/                   the tasks, if they came as a published-format file
    RUN/trajectories/                   one trajectory store; an iteration's episodes carry its number
    RUN/iteration-N/checkpoints/        verl's checkpoints
    RUN/iteration-N/metrics.jsonl       one line a training step
    RUN/iteration-N/policy/             the merged model; it is there once the iteration is done
"""

from __future__ import annotations

from pathlib import Path

import yaml

from ftrl import storage
from ftrl.errors import InputError
from ftrl.training.config import TrainConfig
from ftrl.training.step_metrics import StepMetrics


class RunFolder:
    """Paths of a run.

    Args:
        path: the run's folder, on this machine (or on a file system that all nodes share).

    Raises:
        InputError: the path is not on a file system; verl writes checkpoints to folders only.
    """

    def __init__(self, path: str) -> None:
        if not storage.is_local(path):
            raise InputError(
                "a run's folder must be on a file system that all nodes share, since verl writes its checkpoints there",
                file=path,
                field="out",
            )
        self.path = Path(path).absolute()

    @property
    def environments(self) -> str:
        """The store of imported tasks."""
        return str(self.path / "environments")

    @property
    def trajectories(self) -> str:
        """The trajectory store."""
        return str(self.path / "trajectories")

    def iteration(self, number: int) -> Path:
        """The folder of an iteration, counted from 1."""
        return self.path / f"iteration-{number}"

    def checkpoints(self, number: int) -> Path:
        """verl's checkpoints of an iteration."""
        return self.iteration(number) / "checkpoints"

    def trained(self, number: int) -> int:
        """The step of an iteration's last checkpoint; 0 if there is none."""
        file = self.checkpoints(number) / "latest_checkpointed_iteration.txt"
        return int(file.read_text(encoding="utf-8")) if file.exists() else 0

    def metrics(self, number: int) -> StepMetrics:
        """The step metrics of an iteration."""
        return StepMetrics(self.iteration(number) / "metrics.jsonl")

    def policy(self, number: int) -> Path:
        """The merged policy of an iteration."""
        return self.iteration(number) / "policy"

    def claim(self, config: TrainConfig) -> None:
        """Make the folder this run's, or check that it is.

        Raises:
            InputError: the folder belongs to a run with other settings.
        """
        wanted = config.model_dump(mode="json")
        file = self.path / "config.yaml"
        if file.exists():
            known = yaml.safe_load(file.read_text(encoding="utf-8"))
            differing = sorted(key for key in wanted.keys() | known.keys() if wanted.get(key) != known.get(key))
            if differing:
                raise InputError(
                    f"this folder belongs to a run with other settings ({', '.join(differing)}); resume with the same "
                    "settings, or choose another folder for `out`",
                    file=str(file),
                )
            return
        storage.write_bytes(file, yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True).encode())
