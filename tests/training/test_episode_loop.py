"""Whole episodes as verl's agent loop plays them: the loop, the limits and the scores of all our episodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftrl.environments import Environment, EnvironmentStore
from ftrl.environments.golden import golden_turns
from ftrl.rewards import Unscorable
from ftrl.rollouts import EpisodeSettings
from ftrl.rollouts.prompts import tokenise
from ftrl.sandbox import Sandbox

pytest.importorskip("verl")

CONTEXT = 1024


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny)


class Server:
    """Speaks as verl's servers do, and says what it is told to."""

    def __init__(self, tokenizer: Any, turns: list[str], stop_reason: str = "completed") -> None:
        self.tokenizer, self.turns, self.stop_reason = tokenizer, iter(turns), stop_reason
        self.asked: list[dict[str, Any]] = []

    async def generate(self, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Any:
        self.asked.append({"request": request_id, "prompt": list(prompt_ids), **sampling_params})
        ids = [*tokenise(self.tokenizer, next(self.turns)), self.tokenizer.eos_token_id]
        ids = ids[: sampling_params["max_tokens"]]
        number = len(self.asked)
        return SimpleNamespace(
            token_ids=ids,
            log_probs=[-0.25] * len(ids),
            stop_reason=self.stop_reason,
            extra_fields={"min_global_steps": number, "max_global_steps": number},
        )


Play = Callable[..., Any]


@pytest.fixture
def play(tasks: EnvironmentStore, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Play a task: the outputs that verl gets."""
    from ftrl.training import episode_loop

    with Sandbox(1) as sandbox:
        monkeypatch.setattr(episode_loop, "_sandbox", lambda workers: sandbox)

        def run(
            environment: Environment,
            server: Server,
            metric: str = "solve_f1",
            credit: str = "episode",
            **settings: Any,
        ) -> Any:
            loop = object.__new__(episode_loop.EpisodeAgentLoop)
            loop.tokenizer, loop.server_manager = tokenizer, server
            loop.rollout_config = SimpleNamespace(max_model_len=CONTEXT)
            episode = EpisodeSettings(max_response_tokens=128, profile="strict", **settings).model_dump(mode="json")
            from omegaconf import OmegaConf

            told = {"environments": tasks.path, "sandbox_workers": 1, "metric": metric, "credit": credit}
            loop.config = OmegaConf.create({"ftrl": {"episode": episode, **told}})
            sampling = {"temperature": 1.0, "logprobs": True}
            return asyncio.run(loop.run(sampling, environment_id=environment.id))

        yield run


def test_an_episode_is_one_sequence_in_which_the_models_own_tokens_are_learnt(
    play: Play, tasks: EnvironmentStore, tokenizer: Any
) -> None:
    environment = tasks[2]
    turns = golden_turns(environment)
    server = Server(tokenizer, turns)
    (output,) = play(environment, server)
    learnt = [token for token, mask in zip(output.response_ids, output.response_mask, strict=True) if mask]
    assert tokenizer.decode(learnt).split(tokenizer.eos_token)[:-1] == turns
    assert output.prompt_ids == server.asked[0]["prompt"]
    for number, asked in enumerate(server.asked[1:], start=1):
        whole = output.prompt_ids + output.response_ids
        assert whole[: len(asked["prompt"])] == asked["prompt"], f"turn {number}"
    told = [value for value, mask in zip(output.response_logprobs, output.response_mask, strict=True) if not mask]
    assert set(told) == {0.0}
    assert 0 < len(told) < len(output.response_ids)


def test_it_earns_what_the_episode_earns_and_says_so_under_every_profile(
    play: Play, tasks: EnvironmentStore, tokenizer: Any
) -> None:
    environment = tasks[0]
    (perfect,) = play(environment, Server(tokenizer, golden_turns(environment)))
    figures = perfect.extra_fields["reward_extra_info"]
    assert perfect.reward_score == figures["score"] == figures["score_strict"] == figures["score_reference"] == 1.0
    assert figures["ticked"] == len(environment.golds)
    (silent,) = play(environment, Server(tokenizer, ["I do not know."]))
    assert silent.reward_score == 0.0
    twice = [golden_turns(environment)[0]] * 2 + [golden_turns(environment)[-1]]
    (wasteful,) = play(environment, Server(tokenizer, twice), metric="solve_precision")
    assert 0 < wasteful.reward_score < 1


def test_where_turns_have_the_credit_their_rewards_lie_on_their_last_tokens_and_sum_to_the_episodes(
    play: Play, tasks: EnvironmentStore, tokenizer: Any
) -> None:
    environment = next(environment for environment in tasks if len(golden_turns(environment)) > 2)
    first, *rest = golden_turns(environment)
    turns = [first, first, *rest]
    (whole,) = play(environment, Server(tokenizer, turns))
    (output,) = play(environment, Server(tokenizer, turns), credit="turn")
    row, as_before = output.as_dict(), whole.as_dict()
    assert set(row) - set(as_before) == {"turns"}
    ends = [at for at, token in enumerate(output.response_ids) if token == tokenizer.eos_token_id]
    ends = [at for at in ends if output.response_mask[at]]
    assert row["rm_scores"].nonzero().squeeze(-1).tolist() == ends[:-1]  # words earn nothing
    rewards = output.extra_fields["turn_scores"]
    assert row["rm_scores"][ends].tolist() == pytest.approx(rewards)
    assert (rewards[0] > 0, rewards[1] < 0, rewards[-1] == 0) == (True, True, True)
    assert row["rm_scores"].sum().item() == pytest.approx(whole.reward_score)
    assert output.reward_score == whole.reward_score
    assert row["turns"][ends].tolist() == list(range(len(turns)))
    assert ((row["turns"] >= 0) == (row["response_mask"] == 1)).all()


def test_all_turns_of_an_episode_go_to_one_server_and_the_range_of_its_weights_is_kept(
    play: Play, tasks: EnvironmentStore, tokenizer: Any
) -> None:
    environment = next(environment for environment in tasks if len(golden_turns(environment)) > 2)
    server = Server(tokenizer, golden_turns(environment))
    (output,) = play(environment, server)
    assert len({asked["request"] for asked in server.asked}) == 1
    assert (output.extra_fields["min_global_steps"], output.extra_fields["max_global_steps"]) == (1, len(server.asked))


def test_limits_are_those_of_collection(play: Play, tasks: EnvironmentStore, tokenizer: Any) -> None:
    environment = tasks[0]
    call = golden_turns(environment)[0]
    server = Server(tokenizer, [call] * 20)
    play(environment, server, max_turns=3)
    assert len(server.asked) == 3
    assert all(asked["max_tokens"] == 128 for asked in server.asked)


@pytest.mark.parametrize("credit", ["episode", "turn"])
def test_a_turn_that_the_engine_gave_up_is_no_episode(
    credit: str, play: Play, tasks: EnvironmentStore, tokenizer: Any
) -> None:
    with pytest.raises(Unscorable, match="gave this turn up"):
        play(tasks[0], Server(tokenizer, ["Hm."], stop_reason="aborted"), credit=credit)
