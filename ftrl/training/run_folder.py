"""Where a run keeps its state: one folder, everything in it restartable.

::

    RUN/config.yaml                     the run's settings; a run goes on only with the same ones
    RUN/environments/                   the tasks, if they came as a published-format file
    RUN/trajectories/                   one trajectory store; an iteration's episodes carry its number
    RUN/warm-start/                     if asked for: demonstrations.parquet, checkpoints/, metrics.jsonl, policy/
    RUN/iteration-N/prompts/            what is trained on, tokenised, in order; and what was left out
    RUN/iteration-N/prompts/K/          the same, chunk by chunk, where collection goes on beside training
    RUN/iteration-N/checkpoints/        verl's checkpoints, each with the stream's position
    RUN/iteration-N/metrics.jsonl       one line a training step
    RUN/iteration-N/order.jsonl         the same steps: [trajectory, step of it] of every prompt
    RUN/iteration-N/tensorboard/        the metrics once more, for TensorBoard
    RUN/iteration-N/policy/             the merged model; it is there once the iteration is done
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from ftrl import storage
from ftrl.errors import InputError
from ftrl.training.config import TrainConfig, load_config
from ftrl.training.step_metrics import StepMetrics

if TYPE_CHECKING:
    from ftrl.training.prompt_files import PromptFiles

LAST_CHECKPOINT = "latest_checkpointed_iteration.txt"
"""verl's file that names the step of the last checkpoint."""

CHANGEABLE = frozenset({"loggers", "restarts", "step_timeout"})
"""Settings that change nothing of what a run comes to; it may go on with others."""


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

    @property
    def warm_start(self) -> Path:
        """The folder of the warm start."""
        return self.path / "warm-start"

    @property
    def warmed(self) -> int:
        """The step of the warm start's last checkpoint; 0 if there is none."""
        return _step(self.warm_start / "checkpoints" / LAST_CHECKPOINT)

    @property
    def warm_policy(self) -> Path:
        """The policy that the first iteration begins with, if there is a warm start."""
        return self.warm_start / "policy"

    def iteration(self, number: int) -> Path:
        """The folder of an iteration, counted from 1."""
        return self.path / f"iteration-{number}"

    def checkpoints(self, number: int) -> Path:
        """verl's checkpoints of an iteration."""
        return self.iteration(number) / "checkpoints"

    def trained(self, number: int) -> int:
        """The step of an iteration's last checkpoint; 0 if there is none."""
        return _step(self._last_checkpoint(number))

    def mend(self, number: int) -> None:
        """Make what a killed trainer left of an iteration's checkpoints one that verl goes on with.

        verl names its last checkpoint by overwriting a file, which may be left empty, and forgets the checkpoints that
        it kept before: they are removed here.
        """
        folders = {int(path.name.rpartition("_")[2]): path for path in self.checkpoints(number).glob("global_step_*")}
        file = self._last_checkpoint(number)
        if file.exists() and not file.read_text(encoding="utf-8"):
            # It is written once the newest folder is whole.
            storage.write_bytes(file, str(max(folders)).encode())
        for step, folder in folders.items():
            if step != self.trained(number):
                shutil.rmtree(folder)

    def _last_checkpoint(self, number: int) -> Path:
        return self.checkpoints(number) / LAST_CHECKPOINT

    def prompts(self, number: int) -> PromptFiles:
        """The prompts of an iteration."""
        # What only looks for paths, as a dry run does, needs nothing of what makes prompts.
        from ftrl.training.prompt_files import PromptFiles

        return PromptFiles(self.iteration(number) / "prompts")

    def chunks(self, number: int, count: int) -> tuple[PromptFiles, ...]:
        """The prompts of an iteration in so many chunks."""
        from ftrl.training.prompt_files import PromptFiles

        return tuple(PromptFiles(self.iteration(number) / "prompts" / f"{chunk:05d}") for chunk in range(count))

    def metrics(self, number: int) -> StepMetrics:
        """The step metrics of an iteration."""
        return StepMetrics(self.iteration(number) / "metrics.jsonl")

    def order(self, number: int) -> StepMetrics:
        """Which prompts each training step of an iteration had: ``prompts``, a list of [trajectory id, step]."""
        return StepMetrics(self.iteration(number) / "order.jsonl")

    def tensorboard(self, number: int) -> Path:
        """TensorBoard's files of an iteration."""
        return self.iteration(number) / "tensorboard"

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
            # What a file of an earlier version does not say was as it is by default.
            known = load_config(str(file)).model_dump(mode="json")
            differing = sorted(key for key in wanted if wanted[key] != known[key])
            if not CHANGEABLE.issuperset(differing):
                raise InputError(
                    f"this folder belongs to a run with other settings ({', '.join(differing)}); resume with the same "
                    "settings, or choose another folder for `out`",
                    file=str(file),
                )
        storage.write_bytes(file, yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True).encode())


def _step(file: Path) -> int:
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return int(text) if text else 0
