"""Every recipe on every kind of machine: the overlays of ``jobs/configs/hardware``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ftrl.doctor.needs import read_needs
from ftrl.training import TrainConfig, load_config
from ftrl.training.dry_run import resolved_yaml
from tests.training.published import (
    ACTOR,
    LEFT_TO_ITS_VERL,
    OF_THE_METHOD,
    ON_HARDWARE,
    OVERLAYS,
    RECIPES,
    ROLLOUT,
    ROOT,
    iteration,
    of,
    overlay,
    recipe,
    resolved,
)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("on", ["one-node", "nodes", "one-gpu"])
def test_on_other_gpus_a_recipe_stays_the_same_method(name: str, on: str) -> None:
    told = resolved(recipe(name), overlay(on))
    method = {**OF_THE_METHOD, **LEFT_TO_ITS_VERL}
    assert of(told, method) == method
    expected = {
        "one-node": {},
        "nodes": {"trainer.nnodes": 4},
        "one-gpu": {
            "trainer.n_gpus_per_node": 1,
            f"{ROLLOUT}.tensor_model_parallel_size": 1,
            f"{ACTOR}.strategy": "fsdp2",
            f"{ACTOR}.fsdp_config.offload_policy": True,
        },
    }[on]
    assert of(told, ON_HARDWARE) == {**ON_HARDWARE, **expected}


@pytest.mark.parametrize("name", RECIPES)
def test_on_a_cpu_a_recipe_is_small_and_needs_no_gpu(name: str) -> None:
    told = resolved(recipe(name), overlay("cpu"))
    assert told["trainer.device"] == "cpu"
    assert told[f"{ACTOR}.strategy"] == "fsdp2"
    assert told["data.train_batch_size"] * told[f"{ROLLOUT}.n"] == 32
    assert told["data.max_response_length"] == 128
    same = ("algorithm.adv_estimator", f"{ACTOR}.optim.lr", "ftrl.metric", f"{ACTOR}.loss_agg_mode")
    assert of(told, dict.fromkeys(same)) == of(resolved(recipe(name)), dict.fromkeys(same))


@pytest.mark.parametrize("on", OVERLAYS)
def test_collection_takes_all_the_gpus_that_training_takes(on: str) -> None:
    config = load_config([recipe("qwen3-8b-grpo"), overlay(on)])
    engine = iteration(config, 1).collection.engine
    assert engine.engines * engine.tensor_parallel == config.hardware.gpus


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("on", [None, *OVERLAYS])
def test_a_job_takes_a_recipe_and_an_overlay(name: str, on: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "jobs"))
    import job

    files = [recipe(name), *([overlay(on)] if on else [])]
    in_a_job = {job.JOB_SETTINGS: '{"runtime_env": {"working_dir": "gcs://_ray_pkg_1.zip"}}'}
    assert job.read(files, TrainConfig, in_a_job) == load_config(files)


@pytest.mark.parametrize(
    ("on", "gpus", "nodes"), [("one-node", 8, 1), ("nodes", 32, 4), ("one-gpu", 1, 1), ("cpu", 0, 1)]
)
def test_the_doctor_knows_what_a_recipe_needs_with_an_overlay(on: str, gpus: int, nodes: int) -> None:
    needs = read_needs([recipe("qwen3-14b-thinking-reinforce-pp"), overlay(on)])
    assert (needs.kind, needs.gpus, needs.nodes) == ("training run", gpus, nodes)


def test_a_job_that_is_given_a_wrong_overlay_ends_with_code_two_and_names_it(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("# two nodes\nhardware: {node: 2}\n")
    command = [sys.executable, "jobs/train.py", "--config", recipe("qwen3-8b-grpo"), "--config", str(wrong)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"ftrl: {wrong}:2: field 'hardware.node'" in done.stderr


# verl's own opinion


@pytest.mark.parametrize(
    "files",
    [(recipe(name),) for name in RECIPES] + [(recipe("qwen3-8b-thinking-grpo"), overlay(on)) for on in OVERLAYS],
    ids=lambda files: "+".join(Path(file).stem for file in files),
)
def test_verl_finds_no_fault_with_a_recipe(files: tuple[str, ...]) -> None:
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils import omega_conf_to_dataclass
    from verl.utils.config import validate_config

    told = OmegaConf.create(resolved_yaml(load_config(files)))
    on_cpu = told.trainer.device == "cpu"
    assert not need_critic(told)
    assert need_reference_policy(told) is not on_cpu, "the CPU has no reference model: its KL loss is off"
    validate_config(told, need_reference_policy(told), need_critic(told))
    actor = omega_conf_to_dataclass(told.actor_rollout_ref.actor)
    assert (actor.optim.lr, actor.loss_agg_mode, actor.entropy_coeff) == (1e-6, "seq-mean-token-mean", 0.001)
    assert actor.engine.strategy == told.actor_rollout_ref.actor.strategy
    rollout = omega_conf_to_dataclass(told.actor_rollout_ref.rollout)
    assert (rollout.n, rollout.temperature) == (4 if on_cpu else 16, 0.7)
