"""Running verl for one iteration, inside the Ray session that is connected.

The trainer runs in an actor of its own. The driver watches: it hears each step's metrics, and stops a trainer of which
an engine died, or that has not finished a step for too long: what it waits for may never come.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from omegaconf import DictConfig, OmegaConf
from ray.util.placement_group import PlacementGroup, placement_group_table, remove_placement_group

from ftrl.errors import FtrlError
from ftrl.training.engine_health import EngineHealth
from ftrl.training.step_metrics import StepMetrics
from ftrl.training.steps import Steps
from ftrl.training.stream import PromptStream

POLL_SECONDS = 1.0

GIVE_BACK_SECONDS = 60.0

OnStep = Callable[[int, int, Mapping[str, float]], None]
"""Called with (step, total steps, the step's metrics) as soon as the driver hears of a step."""


class TrainerStopped(FtrlError):
    """The trainer died, or hung; its last checkpoint is kept.

    Attributes:
        why: one sentence, the last of what it said.
        steps: how many steps it had finished.
    """

    def __init__(self, why: str, steps: int) -> None:
        super().__init__(f"{why}\nRun the same command again to go on from the last checkpoint")
        self.why = why.strip().splitlines()[-1].partition(". ")[0]
        self.steps = steps
        self._told = why, steps

    def __reduce__(self) -> tuple[type[TrainerStopped], tuple[str, int]]:
        # By itself, an exception is made again of its message alone.
        return TrainerStopped, self._told


Beside = Callable[[], bool]
"""Called again and again once the trainer has begun; whether something has come that it may have waited for."""


class StepLog:
    """Ray actor that keeps what the trainer has told so far: rows of (step, total, metrics)."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, dict[str, float]]] = []
        self._begun = False

    def begin(self) -> None:
        """Note that the trainer has all its processes, each with its GPU."""
        self._begun = True

    def add(self, step: int, total: int, metrics: dict[str, float]) -> None:
        """Note a finished step."""
        self._rows.append((step, total, metrics))

    def after(self, count: int) -> tuple[list[tuple[int, int, dict[str, float]]], bool]:
        """The rows after the first ``count``, and whether the trainer has begun."""
        return self._rows[count:], self._begun


class TrainerActor:
    """Ray actor that holds verl's trainer for one iteration."""

    def run(
        self, config: DictConfig, stream: PromptStream, order: StepMetrics, steps: Steps, log: Any, place: str
    ) -> None:
        """Train to the end, or from the last checkpoint on.

        Args:
            config: verl's configuration.
            stream: where the prompts come from.
            order: where each step's prompts are noted.
            steps: how many there are to train.
            log: Ray actor that is told each step.
            place: what the names of the placement groups begin with.
        """
        from ftrl.training.trainer import StreamTrainer

        fit(config, lambda: StreamTrainer(config, stream, order, steps, log, place))


def fit(config: DictConfig, make_trainer: Callable[[], Any]) -> None:
    """Have one of verl's trainers train in this process, with verl's agent loops and queue around it.

    Args:
        config: verl's configuration; its references are resolved in place.
        make_trainer: makes the trainer, once the queue is there.
    """
    import transfer_queue as tq
    from verl.trainer.ppo.v1 import AgentLoopManagerTQ
    from verl.utils.logging_utils import configure_verl_logging

    configure_verl_logging()
    OmegaConf.resolve(config)
    tq.init(config.transfer_queue)
    try:
        trainer = make_trainer()
        trainer.init()
        loops = AgentLoopManagerTQ.create(
            config=config,
            llm_client=trainer.get_llm_client(),
            teacher_client=None,
            reward_loop_worker_handles=trainer.get_reward_handles(),
        )
        trainer.fit(loops)
    finally:
        tq.close()


def watched(
    trainer_class: type,
    arguments: Sequence[Any],
    *,
    env_vars: Mapping[str, str],
    resources: Mapping[str, float],
    step_timeout: float,
    on_step: OnStep,
    beside: Beside | None = None,
) -> None:
    """Have a trainer run in an actor of its own, and watch it until its last checkpoint is written.

    Args:
        trainer_class: its ``run`` takes the arguments, a ``StepLog`` to tell each step, and what the names of its
            placement groups begin with.
        arguments: of ``run``.
        env_vars: environment of the trainer and of every process that it starts.
        resources: custom Ray resources that the trainer claims.
        step_timeout: minutes that may pass without a finished step, and without anything that it may have waited for.
        on_step: told each step.
        beside: sees to what goes on at the same time; what it raises ends the training.

    Raises:
        TrainerStopped: the trainer died or hung.
    """
    log_class: Any = ray.remote(num_cpus=0)(StepLog)
    options = {"num_cpus": 1, "resources": dict(resources), "runtime_env": {"env_vars": dict(env_vars)}}
    log, trainer = log_class.remote(), ray.remote(**options)(trainer_class).remote()
    place = f"ftrl-{uuid.uuid4().hex}-"
    done = trainer.run.remote(*arguments, log, place)
    heard, last = 0, time.monotonic()
    engines = EngineHealth()
    try:
        finished = False
        while not finished:
            finished = bool(ray.wait([done], timeout=POLL_SECONDS)[0])
            rows, begun = ray.get(log.after.remote(heard))
            for step, total, metrics in rows:
                heard, last = heard + 1, time.monotonic()
                on_step(step, total, metrics)
            if beside is not None and begun and beside():
                last = time.monotonic()
            if begun and not finished and (engine := engines.dead()) is not None:
                raise TrainerStopped(f"the trainer's engine {engine} died", heard)
            if time.monotonic() - last > step_timeout * 60:
                raise TrainerStopped(
                    f"training has not finished a step for {step_timeout:g} minutes (step_timeout) and was stopped",
                    heard,
                )
        ray.get(done)
    except ray.exceptions.RayError as error:
        raise TrainerStopped(f"the trainer failed: {error}{_advice(str(error))}", heard) from error
    finally:
        ray.kill(trainer)
        ray.kill(log)
        _give_back(place)


def _advice(account: str) -> str:
    """What to do, where an account of a failure (Ray's, PyTorch's) tells that memory ran out."""
    if not any(words in account for words in ("OutOfMemory", "out of memory", "CANNOT allocate", "can't allocate")):
        return ""
    return (
        "\nThe memory ran out. What a pass over tokens takes grows with optim.tokens_per_gpu: make that smaller, down "
        "to the longest prompt and response together; on a GPU, lower hardware.gpu_memory, too"
    )


def _give_back(place: str) -> None:
    """Remove a trainer's placement groups, and with them its workers: they outlive the actor that made them."""
    deadline = time.monotonic() + GIVE_BACK_SECONDS
    while held := [id_ for id_, group in placement_group_table().items() if _is_held(group, place)]:
        if time.monotonic() > deadline:
            raise FtrlError("Ray did not give back what the trainer had; run the same command again")
        for id_ in held:
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(bytes.fromhex(id_))))
        time.sleep(0.2)


def _is_held(group: Mapping[str, Any], place: str) -> bool:
    return str(group["name"]).startswith(place) and group["state"] != "REMOVED"
