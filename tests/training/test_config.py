"""A run's file is read strictly, and its defaults are the published recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ftrl.errors import InputError
from ftrl.training import TrainConfig, load_config
from ftrl.training.dry_run import resolved_yaml

MINIMAL = {"model": "models/m", "tasks": "stores/t", "out": "runs/r"}


def written(folder: Path, text: str) -> str:
    file = folder / "run.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def minimal(folder: Path, *extra: str) -> TrainConfig:
    return load_config(written(folder, yaml.safe_dump(MINIMAL)), extra)


def test_an_unknown_setting_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.yaml:\d+: field 'optim\.learning_rte'"):
        load_config(written(tmp_path, yaml.safe_dump({**MINIMAL, "optim": {"learning_rte": 1}})))


def test_a_missing_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="field 'model'"):
        load_config(written(tmp_path, "tasks: a\nout: b\n"))


def test_broken_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.yaml:2: this is not YAML"):
        load_config(written(tmp_path, "model: m\ntasks: a: b\n"))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        load_config(str(tmp_path / "none.yaml"))


def test_set_reaches_into_parts_and_into_verls_own_dotted_names(tmp_path: Path) -> None:
    config = minimal(tmp_path, "optim.max_steps=3", "verl.trainer.logger=[console, tensorboard]")
    assert config.optim.max_steps == 3
    assert config.verl == {"trainer.logger": ["console", "tensorboard"]}


def test_set_without_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="key=value"):
        minimal(tmp_path, "optim.max_steps")


def test_a_reward_that_does_not_exist_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"field 'reward\.metric'"):
        minimal(tmp_path, "reward.metric=solve_all")
    assert minimal(tmp_path, "reward.profile=strict").reward.profile == "strict"


def test_a_batch_that_is_no_multiple_of_its_mini_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="multiple of mini_batch_size"):
        minimal(tmp_path, "optim.batch_size=500")


PUBLISHED: dict[str, Any] = {
    "algorithm.adv_estimator": "grpo",
    "algorithm.use_kl_in_reward": False,
    "data.train_batch_size": 512,
    "data.max_prompt_length": 16384,
    "data.max_response_length": 1024,
    "data.filter_overlong_prompts": True,
    "data.truncation": "error",
    "actor_rollout_ref.actor.optim.lr": 1e-6,
    "actor_rollout_ref.model.use_remove_padding": True,
    "actor_rollout_ref.actor.ppo_mini_batch_size": 32,
    "actor_rollout_ref.actor.use_dynamic_bsz": True,
    "actor_rollout_ref.actor.ppo_max_token_len_per_gpu": 32768,
    "actor_rollout_ref.actor.use_kl_loss": True,
    "actor_rollout_ref.actor.kl_loss_coef": 0.001,
    "actor_rollout_ref.actor.kl_loss_type": "low_var_kl",
    "actor_rollout_ref.actor.entropy_coeff": 0.001,
    "actor_rollout_ref.model.enable_gradient_checkpointing": True,
    "actor_rollout_ref.actor.fsdp_config.param_offload": False,
    "actor_rollout_ref.actor.fsdp_config.optimizer_offload": False,
    "actor_rollout_ref.rollout.tensor_model_parallel_size": 2,
    "actor_rollout_ref.rollout.name": "vllm",
    "actor_rollout_ref.rollout.gpu_memory_utilization": 0.7,
    "actor_rollout_ref.rollout.n": 16,
    "actor_rollout_ref.rollout.max_num_batched_tokens": 32768,
    "actor_rollout_ref.ref.fsdp_config.param_offload": True,
    "ftrl.metric": "solve_f1",
    "trainer.critic_warmup": 0,
    "trainer.val_before_train": False,
    "trainer.n_gpus_per_node": 8,
    "trainer.nnodes": 1,
    "trainer.save_freq": 120,
    "trainer.test_freq": -1,
    "trainer.total_epochs": 1,
}
"""The settings of the published scripts, under verl's names."""


@pytest.fixture(scope="module")
def resolved() -> dict[str, Any]:
    return dict(yaml.safe_load(resolved_yaml(TrainConfig.model_validate(MINIMAL))))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_defaults_give_verl_the_published_settings(resolved: dict[str, Any], name: str) -> None:
    value: Any = resolved
    for key in name.split("."):
        value = value[key]
    assert value == PUBLISHED[name]


def test_the_published_run_has_three_iterations_of_at_most_twenty_turns() -> None:
    config = TrainConfig.model_validate(MINIMAL)
    assert (config.iterations, config.collect.max_turns, config.collect.temperature) == (3, 20, 1.0)


def test_verls_own_settings_have_the_last_word() -> None:
    config = TrainConfig.model_validate({**MINIMAL, "verl": {"actor_rollout_ref.rollout.n": 5}})
    assert yaml.safe_load(resolved_yaml(config))["actor_rollout_ref"]["rollout"]["n"] == 5


def test_on_a_cpu_nothing_asks_for_a_gpu_build() -> None:
    config = TrainConfig.model_validate({**MINIMAL, "hardware": {"device": "cpu"}})
    settings = yaml.safe_load(resolved_yaml(config))
    assert settings["trainer"]["device"] == "cpu"
    assert settings["actor_rollout_ref"]["actor"]["strategy"] == "fsdp2"
    assert settings["actor_rollout_ref"]["rollout"]["dtype"] == "float32"
