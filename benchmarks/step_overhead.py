"""What our stream and our reward add to the time of a training step, next to bare verl.

    python benchmarks/step_overhead.py [--steps 12] [--turns 1]

The tiny policy trains on this machine's CPU with a learning rate of zero, so that it samples alike from the first step
to the last: by ``ftrl``'s trainer, which reads prompts from its stream and has every response's calls made in the
sandbox and scored under both profiles; and by verl's own, with its data loader over a list in memory of the same
prompts, its naive reward manager, and a reward that is always the same. All else is equal: the engine, the agent loop
that takes token ids, the settings, and how often finished groups are looked for. They take turns.

What counts is the processors' time for a token (a token more or less is chance), the first steps left out, of those
processes that do something else in the one run than in the other: trainer, reward actors, sandbox. Engine, updates,
agent loops and queue are the same programs with the same work: two runs of bare verl differ in these by up to half on
a machine that others use, which is many times what is looked for. Nothing is taken off for what is done while the
step waits for something else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from figures import figure
from training_stream import fill, play

from ftrl.environments import EnvironmentStore
from ftrl.quickstart.run import MAX_TURNS, PROFILE, PROMPT_TOKENS, RESPONSE_TOKENS
from ftrl.ray_session import ray_session
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.tiny_policy import tiny_policy
from ftrl.training.config import CollectConfig, HardwareConfig, OptimConfig, RewardConfig, TrainConfig
from ftrl.training.platforms import logical_resources, process_environment, trainer_resources
from ftrl.training.prompt_chunks import PromptChunks
from ftrl.training.prompt_files import PromptFiles
from ftrl.training.runner import TrainerActor, fit, watched
from ftrl.training.snapshot_rows import StreamSettings
from ftrl.training.step_metrics import StepMetrics
from ftrl.training.steps import Steps
from ftrl.training.stream import PromptStream, prepare
from ftrl.training.verl_config import set_all, verl_config

TASKS, BATCH, SAMPLES = 100, 8, 8
WARMING_UP = 2
"""Steps that are left out."""

ALIKE = (
    *("VLLM::", "ray::vLLM", "ray::WorkerDict", "ray::AgentLoopWorkerTQ", "ray::GlobalRequestLoadBalancer"),
    *("ray::TransferQueueController", "ray::SimpleStorageUnit", "ray::StepLog", "ray::IDLE", "ray::DashboardAgent"),
    *("ray::RuntimeEnvAgent", "(Ray)"),
)
"""What the processes are called that do the same in both runs."""

CONSTANT = "def compute_score(**_):\n    return 1.0\n"


class BareActor:
    """Ray actor that holds verl's own trainer, as ``TrainerActor`` holds ours."""

    def run(self, config: Any, rows: list[dict[str, Any]], total_steps: int, log: Any, place: str) -> None:
        import numpy as np
        from torchdata.stateful_dataloader import StatefulDataLoader
        from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
        from verl.utils.dataset.rl_dataset import collate_fn

        from ftrl.training.trainer import POLL_SECONDS

        class BareTrainer(PPOTrainerSync):  # type: ignore[misc]
            def _build_replay_buffer(self) -> Any:
                buffer = super()._build_replay_buffer()
                buffer.poll_interval = POLL_SECONDS
                return buffer

            def _init_dataloader(self) -> None:
                self.train_dataloader = StatefulDataLoader(rows, BATCH, drop_last=True, collate_fn=collate_fn)
                self.train_dataloader_it = self.val_dataloader = None
                self.total_training_steps = self.steps_per_epoch = total_steps

            def _compute_metrics(
                self, batch: Any, metrics: Any, timing_raw: Any, global_steps: int, epoch: int
            ) -> None:
                super()._compute_metrics(batch, metrics, timing_raw, global_steps, epoch)
                numbers = {name: float(value) for name, value in metrics.items() if np.isscalar(value)}
                log.add.remote(global_steps, total_steps, numbers)

        fit(config, lambda: BareTrainer(config))


def recipe(folder: str, steps: int) -> TrainConfig:
    """The quickstart's settings, but for a learning rate of zero and groups that stay as they are."""
    return TrainConfig(
        model=f"{folder}/model",
        tasks=f"{folder}/tasks",
        out=f"{folder}/run",
        iterations=1,
        collect=CollectConfig(max_turns=MAX_TURNS),
        reward=RewardConfig(workers=1, profile=PROFILE),
        optim=OptimConfig(
            batch_size=BATCH,
            mini_batch_size=BATCH,
            samples_per_prompt=SAMPLES,
            max_prompt_tokens=PROMPT_TOKENS,
            max_response_tokens=RESPONSE_TOKENS,
            tokens_per_gpu=4096,
            learning_rate=0.0,
            kl_loss=0.0,
            max_steps=steps,
            save_every=10 * steps,
        ),
        hardware=HardwareConfig(device="cpu"),
        verl={"algorithm.rollout_correction.bypass_mode": True},
    )


def make_prompts(folder: str) -> None:
    """Snapshots of golden episodes, as a training run has them."""
    settings = StreamSettings(
        trajectories=f"{folder}/rollouts",
        iteration=1,
        environments=f"{folder}/tasks",
        model=f"{folder}/model",
        max_prompt_tokens=PROMPT_TOKENS,
        thinking=False,
        seed=1,
    )
    with ray_session():
        prepare(settings, PromptFiles(Path(folder) / "prompts"))


@dataclass(frozen=True)
class Step:
    """What one step took.

    Attributes:
        all: processor seconds of the run's processes.
        compared: those of processes that are not ``ALIKE``, by what they call themselves.
        tokens: of prompts and responses.
    """

    all: float
    compared: dict[str, float]
    tokens: float


def cpu_seconds() -> dict[str, float]:
    """Processor seconds of all processes below this one so far, by what they call themselves."""
    taken: dict[str, float] = defaultdict(float)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            taken[named(process.cmdline())] += times.user + times.system
    return taken


def named(command: list[str]) -> str:
    """What a process is called: a Ray actor without the method that it is in, trainers alike."""
    if any("/ray/" in word for word in command):
        return "(Ray)"
    name = (command or ["-"])[0].partition(".")[0].strip()
    return "trainer" if name in ("ray::TrainerActor", "ray::BareActor") else name


def trained(folder: str, steps: int, turn: int, bare: bool) -> list[dict[str, Any]]:
    """Train, in a process and a Ray of its own; what each ``Step`` took, in a form that another process can read."""
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the actors cannot import it
    config = recipe(folder, steps)
    out = Path(folder) / f"{'bare' if bare else 'ours'}-{turn}"
    out.mkdir()
    composed = verl_config(
        config, model=config.model, environments=config.tasks, checkpoints=str(out / "checkpoints"), name=out.name
    )
    set_all(composed, {"trainer.logger": ["console"]})
    prompts = PromptFiles(Path(folder) / "prompts")
    actor: type = TrainerActor
    all_steps = Steps(PromptChunks([prompts]), config.optim, most_prompts=prompts.selected().prompts)
    arguments: tuple[Any, ...] = (composed, PromptStream(prompts, BATCH), StepMetrics(out / "order.jsonl"), all_steps)
    if bare:
        constant = Path(folder) / "constant.py"
        constant.write_text(CONSTANT)
        set_all(
            composed,
            {
                "reward.reward_manager.source": "register",
                "reward.reward_manager.name": "naive",
                "reward.custom_reward_function.path": str(constant),
            },
        )
        rows = [row for table in prompts.read() for row in table.to_pylist()]
        for number, row in enumerate(rows):
            row.update(raw_prompt=row["trajectory_id"], index=number, reward_model={"ground_truth": ""})
        actor, arguments = BareActor, (composed, rows, steps)
    taken: list[dict[str, Any]] = []
    so_far: dict[str, float] = {}

    def note(step: int, total: int, values: Mapping[str, float]) -> None:
        now = cpu_seconds()
        news = {name: seconds - so_far.get(name, 0.0) for name, seconds in now.items()}
        so_far.update(now)
        compared = {name: seconds for name, seconds in news.items() if not name.startswith(ALIKE)}
        taken.append({"all": sum(news.values()), "compared": compared, "tokens": values["perf/total_num_tokens"]})

    with ray_session(logical_resources(config.hardware)):
        watched(
            actor,
            arguments,
            env_vars={**process_environment(config.hardware), "TENSORBOARD_DIR": str(out)},
            resources=trainer_resources(config.hardware),
            step_timeout=20,
            on_step=note,
        )
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--turns", type=int, default=1, help="runs of each")
    options = parser.parse_args()
    found: dict[bool, list[Step]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        synthesize(SynthesisConfig.model_validate({"out": f"{folder}/tasks", "count": TASKS}))
        tiny_policy(f"{folder}/model")
        played = play(EnvironmentStore.open(f"{folder}/tasks"))
        fill(f"{folder}/rollouts", played, 1)
        for turn in range(options.turns):
            for bare in (True, False):
                with get_context("spawn").Pool(1) as pool:
                    if not (Path(folder) / "prompts").exists():
                        pool.apply(make_prompts, (folder,))
                    taken = [Step(**one) for one in pool.apply(trained, (folder, options.steps, turn, bare))]
                found[bare] += taken[WARMING_UP:]
                print(json.dumps({"bare": bare, **a_token(taken[WARMING_UP:])}), flush=True)
    ours, bares = a_token(found[False]), a_token(found[True])
    whole = bares.pop("all")
    for name in sorted({*ours, *bares} - {"all"}):
        print(f"{name}: {bares.get(name, 0):.4f} ms a token with bare verl, {ours.get(name, 0):.4f} with ours")
    added = 100 * (sum(ours.values()) - ours["all"] - sum(bares.values())) / whole
    print(f"stream and reward add {added:.1f} % to the {whole:.3f} ms that a token takes with bare verl")
    figure("what stream and reward add to a step's processor time, of bare verl's", added, " %", "<= 3")


def a_token(steps: list[Step]) -> dict[str, float]:
    """Milliseconds of the processors for a token: ``all``, and each process that is compared."""
    taken: dict[str, float] = defaultdict(float)
    for step in steps:
        for name, seconds in {"all": step.all, **step.compared}.items():
            taken[name] += seconds
    return {name: round(1e3 * seconds / sum(step.tokens for step in steps), 4) for name, seconds in taken.items()}


if __name__ == "__main__":
    main()
