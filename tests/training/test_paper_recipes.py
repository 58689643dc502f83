"""The twelve published recipes: every value, held against what verl is told by ``ftrl train --dry-run``.

``published.py`` says which keys have other names than in the published scripts.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from omegaconf import OmegaConf

from ftrl.training import TrainConfig, load_config
from ftrl.training.config import SelectConfig
from ftrl.training.dry_run import resolved_yaml
from ftrl.training.verl_defaults import verl_defaults
from tests.training.published import (
    ALGORITHMS,
    HARDWARE,
    MODELS,
    OF_THE_METHOD,
    ON_HARDWARE,
    OVERLAYS,
    PAPER,
    PUBLISHED,
    RECIPES,
    ROLLOUT,
    flat,
    iteration,
    of,
    recipe,
    resolved,
)

# The files


def test_there_are_the_twelve_published_recipes_and_the_four_overlays() -> None:
    assert sorted(file.stem for file in PAPER.iterdir()) == sorted(RECIPES)
    assert sorted(file.stem for file in HARDWARE.iterdir()) == sorted(OVERLAYS)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_only_what_differs_from_the_defaults(name: str) -> None:
    written = yaml.safe_load(Path(recipe(name)).read_text())
    paths = {key: written.pop(key) for key in ("model", "tasks", "out")}
    defaults = TrainConfig.model_validate(paths).model_dump()
    for key, value in written.items():
        inside = value.items() if key == "optim" else [(key, value)]
        assert all((defaults["optim"] if key == "optim" else defaults)[inner] != said for inner, said in inside), key


# Every published value


@pytest.mark.parametrize("name", RECIPES)
def test_verl_is_told_every_published_value(name: str) -> None:
    assert of(resolved(recipe(name)), PUBLISHED) == PUBLISHED


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_for_the_policy_and_the_algorithm_of_its_name(name: str) -> None:
    policy, algorithm = next(
        (name.removesuffix(f"-{end}"), said) for end, said in ALGORITHMS.items() if name.endswith(end)
    )
    thinking = policy.endswith("thinking")
    expected = {
        "algorithm.adv_estimator": algorithm,
        "actor_rollout_ref.model.path": f"/shared/models/{MODELS[policy]}",
        "data.apply_chat_template_kwargs.enable_thinking": thinking,
        "data.max_response_length": 8192 if thinking else 1024,
        f"{ROLLOUT}.response_length": 8192 if thinking else 1024,
        f"{ROLLOUT}.prompt_length": 16384,
    }
    assert of(resolved(recipe(name)), expected) == expected


@pytest.mark.parametrize("name", RECIPES)
def test_the_run_has_three_iterations_whose_trajectories_are_collected_as_published(name: str) -> None:
    config = load_config(recipe(name))
    collection = iteration(config, 2).collection
    assert config.iterations == 3
    assert (collection.samples, collection.episode.max_turns, collection.episode.temperature) == (1, 20, 1.0)
    assert collection.episode.max_response_tokens == config.optim.max_response_tokens
    assert collection.episode.profile == "reference"


def test_the_defaults_are_the_published_scripts() -> None:
    plain = TrainConfig.model_validate({"model": "m", "tasks": "t", "out": "o"})
    told = flat(yaml.safe_load(resolved_yaml(plain)))
    wanted = {**ON_HARDWARE, **OF_THE_METHOD, "algorithm.adv_estimator": "grpo", "data.max_response_length": 1024}
    assert of(told, wanted) == wanted


def test_every_published_key_is_one_that_verl_has() -> None:
    known = flat(OmegaConf.to_container(verl_defaults()))  # type: ignore[arg-type]
    ours = {key for key in PUBLISHED if key.startswith("ftrl.")}
    assert set(PUBLISHED) - set(known) == ours


# Thinking


@pytest.mark.parametrize("name", ["qwen3-8b-thinking-grpo", "qwen3-8b-grpo"])
def test_thinking_reaches_the_collection_and_the_prompts_that_are_trained_on(name: str) -> None:
    config = load_config(recipe(name))
    first, thinking = iteration(config, 1), "thinking" in name
    assert first.collection.episode.thinking is thinking
    assert first.stream.thinking is thinking


def test_the_recipes_train_on_every_state_that_is_not_over_long() -> None:
    """As published: no task, state or scenario is left out for what it is."""
    for name in RECIPES:
        stream = iteration(load_config(recipe(name)), 1).stream
        assert stream.select == SelectConfig()
        assert not any(SelectConfig().model_dump().values())
        assert stream.max_prompt_tokens == 16384


# Reinforce++


@pytest.mark.parametrize("policy", MODELS)
def test_the_two_algorithms_of_a_policy_differ_in_how_advantages_are_estimated_and_in_nothing_else(policy: str) -> None:
    grpo, plus = (resolved(recipe(f"{policy}-{algorithm}")) for algorithm in ALGORITHMS)
    differing = {key for key in grpo.keys() | plus.keys() if grpo.get(key) != plus.get(key)}
    named = {key for key in differing if f"{policy}-grpo" in str(grpo[key])}  # by the run's folder
    assert differing - named == {"algorithm.adv_estimator"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_verl_estimates_advantages_as_the_algorithm_of_the_recipe_does(algorithm: str) -> None:
    """By verl's own code: GRPO compares within a group, Reinforce++ with the whole batch, without a baseline."""
    import torch
    from verl import DataProto
    from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories
    from verl.utils import omega_conf_to_dataclass

    told = yaml.safe_load(resolved_yaml(load_config(recipe(f"qwen2.5-7b-{algorithm}"))))
    settings = omega_conf_to_dataclass(OmegaConf.create(told["algorithm"]))
    scores = torch.tensor([0.0, 1.0, 4.0, 5.0])
    rewards = torch.zeros(4, 3)
    rewards[:, 2] = scores
    data = DataProto.from_dict(
        tensors={"token_level_rewards": rewards, "response_mask": torch.ones(4, 3)},
        non_tensors={"uid": np.array(["a", "a", "b", "b"], dtype=object)},
    )
    found = compute_advantage_for_multi_trajectories(
        data,
        batch_keys=["a_0_0", "a_1_0", "b_0_0", "b_1_0"],
        adv_estimator=settings.adv_estimator,
        gamma=settings.gamma,
        num_repeat=told["actor_rollout_ref"]["rollout"]["n"],
        norm_adv_by_std_in_grpo=settings.norm_adv_by_std_in_grpo,
        config=settings,
    ).batch["advantages"]
    assert torch.equal(found[:, 0], found[:, 2]), "gamma 1: each token is credited with the whole"
    if algorithm == "grpo":
        assert torch.allclose(found[:, 0], torch.tensor([-1.0, 1.0, -1.0, 1.0]) / 2**0.5, atol=1e-4)
    else:
        centred = scores - scores.mean()
        expected = centred / (centred.repeat_interleave(3)).std()
        assert torch.allclose(found[:, 0], expected, atol=1e-4)


# The dry run


def test_a_dry_run_needs_no_model_no_tasks_and_no_engine_and_prints_yaml_alone() -> None:
    script = (
        "import sys; from ftrl.cli import main; sys.argv = ['ftrl', 'train', '--dry-run', '--config', sys.argv[1]]\n"
        "try: main()\n"
        "finally: print([name for name in ('ray', 'torch', 'verl', 'vllm', 'transformers') if name in sys.modules],"
        " file=sys.stderr)"
    )
    config = load_config(recipe("qwen3-8b-grpo"))
    assert not Path(config.model).exists()
    done = subprocess.run(
        [sys.executable, "-c", script, recipe("qwen3-8b-grpo")], capture_output=True, text=True, check=True
    )
    assert flat(yaml.safe_load(done.stdout)) == resolved(recipe("qwen3-8b-grpo"))
    assert done.stderr.splitlines()[-1] == "[]"
    assert not Path(config.out).exists()
