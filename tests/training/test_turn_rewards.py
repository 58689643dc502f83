"""What each turn of an episode earned."""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
from collections.abc import Callable, Iterator, Sequence

import pytest

from ftrl.environments import Environment, EnvironmentStore
from ftrl.environments.golden import golden_turns
from ftrl.rewards import ScoredTask
from ftrl.rollouts import EpisodeKey, EpisodeSettings, Metrics, ScriptedPolicy, TrajectoryStatus, run_episode
from ftrl.sandbox import Call, CallResult, CallStatus, Sandbox
from ftrl.training.turn_rewards import TurnLedger

pytest.importorskip("verl")

PROFILES = ("strict", "reference")


def metrics() -> dict[str, Callable[..., float]]:
    from ftrl.training.episode_loop import EPISODE_METRICS

    return dict(EPISODE_METRICS)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(1) as opened:
        yield opened


def scored(tasks: EnvironmentStore, environment: Environment) -> ScoredTask:
    return ScoredTask.of(environment, tasks.sources(environment))


def play(task: ScoredTask, sandbox: Sandbox, said: Sequence[str], profile: str) -> tuple[Metrics, TurnLedger]:
    settings = EpisodeSettings(profile=profile, max_turns=len(said))
    ledger = TurnLedger(sandbox, task, settings)
    policy, key = ScriptedPolicy(said), EpisodeKey(run="r")
    played = asyncio.run(run_episode(task.environment, task.sources, policy, ledger, settings, key))
    assert len([message for message in played.messages if message["role"] == "assistant"]) == len(said)
    return played.metrics[0], ledger


def long_way_round(environment: Environment) -> list[str]:
    """A tool's error, the first calls, the same again beside an unreadable one, the rest, and the answer."""
    first, *rest = golden_turns(environment)
    call = json.loads(first.splitlines()[1])
    wrong = json.dumps({**call, "arguments": {"no_such": 1}})
    return [f"<tool_call>\n{wrong}\n</tool_call>", first, f"<tool_call>\nbroken\n</tool_call>\n{first}", *rest]


def half_paid(environment: Environment) -> Environment:
    """The same task, but the document of the first tool forbids the golden arguments: ticks are worth half."""
    tools = copy.deepcopy(list(environment.tools))
    named = next(tool["function"] for tool in tools if tool["function"]["name"] == environment.golds[0].tool)
    for schema in named["parameters"]["properties"].values():
        schema["type"] = "array"
    return environment.model_copy(update={"tools": tuple(tools)})


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("metric", ["solve_f1", "solve_pr", "solve_rate", "solve_precision"])
def test_a_turn_earns_what_the_episode_up_to_it_earns_more_than_the_one_before_it(
    metric: str, profile: str, tasks: EnvironmentStore, sandbox: Sandbox
) -> None:
    earned = metrics()[metric]
    deep = next(environment for environment in tasks if len(golden_turns(environment)) > 2)
    task = scored(tasks, half_paid(deep))
    said = long_way_round(task.environment)
    whole, ledger = play(task, sandbox, said, profile)
    up_to = [0.0, *(earned(play(task, sandbox, said[: turn + 1], profile)[0]) for turn in range(len(said)))]
    rewards = ledger.rewards(said, earned)
    assert rewards == [after - before for before, after in itertools.pairwise(up_to)]
    assert sum(rewards) == pytest.approx(earned(whole))
    assert (whole.recall < 1) == (profile == "strict")  # half paid


def test_useful_calls_gain_and_useless_ones_cost(tasks: EnvironmentStore, sandbox: Sandbox) -> None:
    task = scored(tasks, next(environment for environment in tasks if len(golden_turns(environment)) > 2))
    said = long_way_round(task.environment)
    failed, first, again, second, answer = play(task, sandbox, said, "strict")[1].rewards(said, metrics()["solve_f1"])
    assert failed == 0  # nothing was earned that it could cost; what follows earns less for it
    assert first > second > 0
    assert again < 0
    assert answer == 0


@pytest.mark.parametrize(("profile", "silent"), [("reference", 1.0), ("strict", 0.0)])
def test_an_episode_without_calls_earns_in_its_only_turn_what_the_profile_gives_for_silence(
    profile: str, silent: float, tasks: EnvironmentStore, sandbox: Sandbox
) -> None:
    said = ["I do not know."]
    _, ledger = play(scored(tasks, tasks[0]), sandbox, said, profile)
    assert ledger.rewards(said, metrics()["solve_precision"]) == [silent]
    assert ledger.rewards(said, metrics()["solve_f1"]) == [0.0]
    assert ledger.rewards([], metrics()["solve_f1"]) == []


def test_a_fault_of_ours_stays_a_fault_of_the_episode(tasks: EnvironmentStore) -> None:
    class Broken:
        async def run_async(self, calls: Sequence[Call]) -> list[CallResult]:
            return [CallResult("the node is gone", CallStatus.INFRASTRUCTURE, 0.0) for _ in calls]

    task, settings = scored(tasks, tasks[0]), EpisodeSettings()
    policy = ScriptedPolicy(golden_turns(tasks[0]))
    ledger = TurnLedger(Broken(), task, settings)
    played = asyncio.run(
        run_episode(task.environment, task.sources, policy, ledger, settings, EpisodeKey(run="training"))
    )
    assert played.status is TrajectoryStatus.INFRASTRUCTURE
