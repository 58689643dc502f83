"""A run's files are read strictly, and what cannot work is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from ftrl.cli import app
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


def test_turns_have_the_credit_only_in_whole_episodes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"optim\.credit: turn is for whole episodes \(mode: trajectory\)"):
        minimal(tmp_path, "optim.credit=turn")
    with pytest.raises(InputError, match=r"field 'optim\.credit'"):
        minimal(tmp_path, "optim.credit=token", "mode=trajectory")
    assert minimal(tmp_path, "optim.credit=turn", "mode=trajectory").optim.credit == "turn"


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("mode=trajectory", r"collect\.overlap is for steps \(mode: step\)"),
        ("select.scenario_cap=3", r"select\.scenario_cap balances all prompts of an iteration"),
        ("select.solve_rate_cap=1", r"select\.solve_rate_cap balances all prompts of an iteration"),
        ("verl.actor_rollout_ref.actor.optim.lr_scheduler_type=cosine", "goes by the number of steps"),
        ("verl.actor_rollout_ref.actor.optim.lr_warmup_steps_ratio=0.1", "goes by the number of steps"),
    ],
)
def test_what_needs_all_prompts_beforehand_does_not_go_with_overlap(setting: str, told: str, tmp_path: Path) -> None:
    minimal(tmp_path, setting)
    with pytest.raises(InputError, match=told):
        minimal(tmp_path, setting, "collect.overlap=true")


def test_overlap_goes_with_what_is_left_out_task_by_task_and_with_a_constant_rate(tmp_path: Path) -> None:
    rate = "verl.actor_rollout_ref.actor.optim"
    told = [f"{rate}.lr_scheduler_type=constant", f"{rate}.lr_warmup_steps_ratio=0.0", f"{rate}.lr_warmup_steps=10"]
    select = ["select.drop_flat_tasks=true", "select.drop_repeated_states=true"]
    assert minimal(tmp_path, *select, *told, "collect.overlap=true").collect.overlap


def test_overlap_is_asked_for_on_the_command_line(tmp_path: Path) -> None:
    command = ["train", "--config", written(tmp_path, yaml.safe_dump({**MINIMAL, "mode": "trajectory"})), "--dry-run"]
    assert CliRunner().invoke(app, command).exit_code == 0
    with pytest.raises(InputError, match=r"collect\.overlap is for steps"):
        CliRunner().invoke(app, [*command, "--overlap"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("algorithm", "credit", "estimator", "flat_by"),
    [
        ("grpo", "episode", "grpo", "reward"),
        ("grpo", "turn", "ftrl_grpo_by_turn", "score"),
        ("reinforce_plus_plus", "episode", "reinforce_plus_plus", "reward"),
        ("reinforce_plus_plus", "turn", "reinforce_plus_plus", "score"),
    ],
)
def test_a_dry_run_shows_who_has_the_credit(algorithm: str, credit: str, estimator: str, flat_by: str) -> None:
    told = {**MINIMAL, "algorithm": algorithm, "mode": "trajectory", "optim": {"credit": credit}}
    settings = yaml.safe_load(resolved_yaml(TrainConfig.model_validate(told)))
    assert settings["ftrl"]["credit"] == credit
    assert settings["algorithm"]["adv_estimator"] == estimator
    assert settings["algorithm"]["filter_groups"]["metric"] == flat_by


def test_verls_own_settings_have_the_last_word() -> None:
    config = TrainConfig.model_validate({**MINIMAL, "verl": {"actor_rollout_ref.rollout.n": 5}})
    assert yaml.safe_load(resolved_yaml(config))["actor_rollout_ref"]["rollout"]["n"] == 5


def test_on_a_cpu_nothing_asks_for_a_gpu_build() -> None:
    config = TrainConfig.model_validate({**MINIMAL, "hardware": {"device": "cpu"}})
    settings = yaml.safe_load(resolved_yaml(config))
    assert settings["trainer"]["device"] == "cpu"
    assert settings["actor_rollout_ref"]["actor"]["strategy"] == "fsdp2"
    assert settings["actor_rollout_ref"]["rollout"]["dtype"] == "float32"


@pytest.mark.parametrize(("dtype", "computed"), [("float32", "fp32"), ("bfloat16", "bf16")])
def test_a_cpu_computes_and_samples_in_what_was_said_and_updates_full_weights(dtype: str, computed: str) -> None:
    config = TrainConfig.model_validate({**MINIMAL, "hardware": {"device": "cpu", "cpu_dtype": dtype}})
    settings = yaml.safe_load(resolved_yaml(config))["actor_rollout_ref"]
    trainer = settings["actor"]["fsdp_config"]
    assert settings["rollout"]["dtype"] == dtype
    assert (trainer["dtype"], trainer["mixed_precision"]["param_dtype"]) == ("float32", computed)
    assert trainer["mixed_precision"]["reduce_dtype"] == "fp32"


def test_on_a_cpu_the_embeddings_of_a_large_vocabulary_reach_the_engine_in_one_piece() -> None:
    config = TrainConfig.model_validate({**MINIMAL, "hardware": {"device": "cpu"}})
    rollout = yaml.safe_load(resolved_yaml(config))["actor_rollout_ref"]["rollout"]
    qwen_half_a_billion = 151_936 * 896 * 4
    assert rollout["checkpoint_engine"]["update_weights_bucket_megabytes"] << 20 >= qwen_half_a_billion


def test_later_files_are_laid_over_earlier_ones_and_the_wrong_one_is_named(tmp_path: Path) -> None:
    run, mine = written(tmp_path, yaml.safe_dump(MINIMAL)), tmp_path / "mine.yaml"
    mine.write_text("out: runs/mine\noptim: {max_steps: 3}\n")
    config = load_config([run, str(mine)])
    assert (config.model, config.out, config.optim.max_steps) == ("models/m", "runs/mine", 3)
    mine.write_text("out: runs/mine\noptim: {max_step: 3}\n")
    with pytest.raises(InputError, match=r"mine\.yaml:2: field 'optim\.max_step'"):
        load_config([run, str(mine)])


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("optim.tokens_per_gpu=17407", "at least 17408"),
        ("hardware.gpus_per_node=1", "make gpus_per_node a multiple of tensor_parallel"),
        ("hardware.tensor_parallel=3", "engines of 3"),
        ("hardware.nodes=3", "cannot be shared out evenly to 24 GPUs"),
    ],
)
def test_what_verl_would_stumble_over_after_minutes_is_refused_at_once(setting: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        minimal(tmp_path, setting)


def test_what_just_fits_is_taken(tmp_path: Path) -> None:
    assert minimal(tmp_path, "optim.tokens_per_gpu=17408").optim.tokens_per_gpu == 17408
    assert minimal(tmp_path, "hardware.nodes=2", "hardware.tensor_parallel=16").hardware.gpus == 16
    assert minimal(tmp_path, "hardware.device=cpu", "hardware.tensor_parallel=3", "hardware.nodes=3").hardware.gpus == 1


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("actor_rollout_ref.rolout.n", "is actor_rollout_ref.rollout.n meant"),
        ("trainer.save_freq.x", "no such setting"),
        ("entirely.made_up", "no such setting"),
    ],
)
def test_a_setting_that_verl_does_not_have_is_refused_where_it_is_written(key: str, told: str, tmp_path: Path) -> None:
    run, mine = written(tmp_path, yaml.safe_dump(MINIMAL)), tmp_path / "mine.yaml"
    mine.write_text(f"verl:\n  trainer.balance_batch: false\n  {key}: 3\n")
    with pytest.raises(InputError, match=told) as refused:
        load_config([run, str(mine)])
    assert (refused.value.file, refused.value.line, refused.value.field) == (str(mine), 3, f"verl.{key}")


def test_it_is_refused_too_where_a_run_is_made_in_python() -> None:
    config = TrainConfig.model_validate({**MINIMAL, "verl": {"trainer.save_frequency": 3}})
    with pytest.raises(InputError, match=r"field 'verl\.trainer\.save_frequency': .* is trainer\.save_freq meant"):
        resolved_yaml(config)


def test_a_setting_can_be_added_by_a_plus_and_below_a_group_that_is_empty() -> None:
    rollout = "actor_rollout_ref.rollout"
    overrides = {f"+{rollout}.enable_sleep_mode": False, f"{rollout}.engine_kwargs.vllm.swap_space": 8}
    told = yaml.safe_load(resolved_yaml(TrainConfig.model_validate({**MINIMAL, "verl": overrides})))
    rollout_settings = told["actor_rollout_ref"]["rollout"]
    assert rollout_settings["enable_sleep_mode"] is False
    assert rollout_settings["engine_kwargs"]["vllm"] == {"swap_space": 8}
