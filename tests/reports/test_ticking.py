"""Why a call ticked or did not, in words; and that the marks are the scoreboards'."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ftrl.environments import Environment, Gold, Scenario, source_id
from ftrl.reports.ticking import Judging
from ftrl.rewards import Context, Earlier, profile_named, score_response
from ftrl.rollouts import EpisodeKey, EpisodeSettings, ScriptedPolicy, Trajectory, run_episode, snapshots
from ftrl.sandbox import Sandbox

CAPITALS = {"Atlantis": "Poseidonis", "Lemuria": "Ram", "Pacifis": "Ram"}
SOURCES = {
    "capital_of": f"def capital_of(country):\n    return {CAPITALS}[country]\n",
    "motto": "def motto(of=None):\n    return 'fluctuat'\n",
    "echo": "def echo(text):\n    return text\n",
    "weather": "def weather(city):\n    return 'rain'\n",
}


def document(name: str, parameter: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {parameter: {"type": "string"}}, "required": [parameter]}
    return {"type": "function", "function": {"name": name, "description": "Tells.", "parameters": parameters}}


PARAMETERS = {"capital_of": "country", "motto": "of", "echo": "text", "weather": "city"}
ENVIRONMENT = Environment(
    scenario=Scenario.PARALLEL_SINGLE_HOP,
    question="What are the capitals of Atlantis and Lemuria, the motto of Paris, and what does the echo say?",
    answer="Poseidonis, Ram",
    tools=tuple(document(name, parameter) for name, parameter in PARAMETERS.items()),
    implementations={name: source_id(source) for name, source in SOURCES.items()},
    golds=(
        Gold(tool="capital_of", value="Poseidonis"),
        Gold(tool="capital_of", value="Ram"),
        Gold(tool="motto", value="fluctuat"),
        Gold(tool="echo", value="Narcissus"),
    ),
)


def say(*calls: tuple[str, dict[str, Any]]) -> str:
    blocks = [json.dumps({"name": name, "arguments": arguments}) for name, arguments in calls]
    return "\n".join(f"<tool_call>\n{block}\n</tool_call>" for block in blocks)


def played(sandbox: Sandbox, *turns: str, profile: str = "strict") -> Trajectory:
    settings = EpisodeSettings(profile=profile)
    policy = ScriptedPolicy([*turns, "Done."])
    return asyncio.run(run_episode(ENVIRONMENT, SOURCES, policy, sandbox, settings, EpisodeKey("run")))


def judged(trajectory: Trajectory, sandbox: Sandbox | None, profile: str = "strict") -> list[dict[str, str]]:
    """Of each call: profile → why. On the way it is seen that the marks come to the stored scores."""
    judging = Judging(ENVIRONMENT, SOURCES, EpisodeSettings(profile=profile), "solve_f1", sandbox)
    found = []
    spoken = [message for message in trajectory.messages if message["role"] == "assistant"]
    for number, message in enumerate(spoken):
        calls = [call for call in trajectory.calls if call.turn == number]
        for call, verdicts in zip(calls, judging.turn(message["content"] or "", calls).verdicts, strict=True):
            assert verdicts[0].gold == call.gold or sandbox is None
            found.append({verdict.profile: verdict.why for verdict in verdicts})
    if sandbox is not None:
        for stored in trajectory.metrics:
            assert judging.metrics()[stored.profile].f1 == pytest.approx(stored.f1)
    return found


ATLANTIS = ("capital_of", {"country": "Atlantis"})
GUESS = ("capital_of", {"country": "Pacifis"})
"""From nowhere, and right: only a second look tells that the tool needed it."""


@pytest.mark.parametrize(
    ("turns", "strict", "reference"),
    [
        ([say(ATLANTIS)], "ticked gold 1 of 4: Poseidonis", "ticked gold 1 of 4: Poseidonis"),
        ([say(("nothing", {}))], "there is no such tool", "there is no such tool"),
        ([say(("weather", {"city": "Paris"}))], "a distractor", "a distractor"),
        ([say(("capital_of", {"country": "Mu"}))], "the call ended as tool error", "the output does not hold"),
        (
            [say(("echo", {"text": "Echo"}))],
            "the output does not hold what was asked of this tool: Narcissus",
            "the out",
        ),
        ([say(("echo", {"text": "Narcissus"}))], "the output only repeats what the arguments said", "ticked gold 4"),
        ([say(ATLANTIS), say(ATLANTIS)], "the output does not hold", "the output does not hold"),
        ([say(ATLANTIS, ATLANTIS)], "the same call stands in this turn already", "another call of this turn ticked"),
        ([say(("motto", {"of": "Zzyzx"}))], "nonsense in place of its arguments", "ticked gold 3 of 4: fluctuat"),
    ],
)
def test_each_profile_says_why(sandbox: Sandbox, turns: list[str], strict: str, reference: str) -> None:
    whys = judged(played(sandbox, *turns), sandbox)[-1]
    assert whys["strict"].startswith(strict)
    assert whys["reference"].startswith(reference)


def test_once_the_golds_of_a_tool_are_ticked_this_is_said(sandbox: Sandbox) -> None:
    whys = judged(played(sandbox, say(("motto", {"of": "Paris"})), say(("motto", {"of": "Paris"}))), sandbox)
    assert whys[0]["strict"] == "ticked gold 3 of 4: fluctuat"
    assert whys[1]["strict"] == "the golds of this tool had been ticked before"


def test_a_tick_by_undocumented_arguments_is_worth_half_and_says_so(sandbox: Sandbox) -> None:
    whys = judged(played(sandbox, say(("motto", {"of": "Paris", "tone": "grave"}))), sandbox)
    assert "tool_error" not in whys[0]["strict"]
    trajectory = played(sandbox, say(("motto", {"of": ["Paris"]})))
    assert "worth 0.5" in judged(trajectory, sandbox)[0]["strict"]


def test_without_tools_what_needs_a_second_look_is_left_open_and_said_so(sandbox: Sandbox) -> None:
    trajectory = played(sandbox, say(("motto", {"of": "Zzyzx"})))
    assert judged(trajectory, None)[0]["strict"].startswith("not settled")


@pytest.mark.parametrize(
    "turns",
    [
        [say(("motto", {"of": "Zzyzx"}))],
        [say(GUESS), say(ATLANTIS, ("motto", {"of": "Zzyzx"}))],
        [say(ATLANTIS, ("weather", {"city": "Paris"})), say(("motto", {"of": "Paris"})), "Poseidonis, Ram"],
    ],
)
@pytest.mark.parametrize("metric", ["solve_f1", "solve_pr"])
def test_what_a_turn_would_earn_is_what_training_pays_for_it(sandbox: Sandbox, turns: list[str], metric: str) -> None:
    trajectory = played(sandbox, *turns)
    judging = Judging(ENVIRONMENT, SOURCES, EpisodeSettings(profile="strict"), metric, sandbox)
    history: list[Earlier] = []
    for snapshot, text in zip(snapshots(ENVIRONMENT, trajectory), [*turns, "Done."], strict=False):
        made = [call for call in trajectory.calls if call.turn == snapshot.step]
        told = judging.turn("" if made else text, made).rewards[0]
        paid = score_response(
            text,
            snapshot.unsolved,
            SOURCES,
            sandbox,
            answer=ENVIRONMENT.answer,
            solve_rate=snapshot.solve_rate,
            metric=metric,
            profile=profile_named("strict"),
            context=Context.of(ENVIRONMENT, history),
        )
        assert (told.value, told.why) == (pytest.approx(paid.value), paid.why)
        history += [Earlier(call.name, call.arguments, call.output) for call in made]


def test_without_tools_a_turn_says_that_its_reward_is_not_settled(sandbox: Sandbox) -> None:
    trajectory = played(sandbox, say(GUESS))
    judging = Judging(ENVIRONMENT, SOURCES, EpisodeSettings(profile="strict"), "solve_f1", None)
    strict, reference = judging.turn("", trajectory.calls).rewards
    assert strict.value == 0
    assert "not settled" in strict.why
    assert "not settled" not in reference.why


def test_the_profile_of_the_episode_comes_first(sandbox: Sandbox) -> None:
    trajectory = played(sandbox, say(ATLANTIS), profile="reference")
    assert list(judged(trajectory, sandbox, "reference")[0]) == ["reference", "strict"]
