"""The same conversations through the protocols of closed models' providers: they earn the same through each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrl.evaluation import Episode, SuiteConfig, SuiteResults, evaluate_suite
from ftrl.evaluation.running import read_episodes
from ftrl.rollouts import EngineSettings, ProviderSettings
from tests.evaluation.protocols import Anthropic, Google, LeanOpenAI, OpenAI, ProviderServer, Said, Trouble

PROVIDERS = (LeanOpenAI, OpenAI, Anthropic, Google)

THOUGHT = "<answer>14</answer>, or is it?"


@pytest.fixture(params=PROVIDERS, ids=lambda provider: provider.__name__)
def provider(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    if request.param is Google:
        pytest.importorskip("google.genai", reason="google-genai is not installed: pip install 'ftrl[google]'")
    monkeypatch.setenv(request.param.key, "a-key")
    opened: ProviderServer = request.param()
    yield opened
    opened.close()


@pytest.fixture
def question(tmp_path: Path) -> str:
    """One question of ToolHop with one tool."""
    parameters = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}
    row = {
        "id": 1,
        "question": "What is the sum of the digits of 67?",
        "answer": "13",
        "sub_task": {"Sum?": "13"},
        "tools": {"Sum?": {"name": "digit_sum", "description": "Adds digits.", "parameters": parameters}},
        "functions": ["def digit_sum(n):\n    return sum(map(int, n))\n"],
    }
    file = tmp_path / "ToolHop.json"
    file.write_text(json.dumps([row]))
    return str(file)


def play(provider: ProviderServer, out: Path, **more: Any) -> tuple[SuiteResults, list[Episode]]:
    config = SuiteConfig.model_validate(
        {
            "model": provider.model,
            "out": str(out),
            "provider": ProviderSettings(base_url=provider.url, retries=3, price_input=1.0, price_output=10.0),
            "engine": EngineSettings(episodes_in_flight=1, sandbox_workers=1),
            **more,
        }
    )
    return evaluate_suite(config, display=False), list(read_episodes(config.out))


TURNS = (
    Said(calls=(("digit_sum", {"n": "67"}), ("digit_sum", {"n": "x"})), thinking=THOUGHT),
    Said("Once more.", calls=(("digit_sum", {"n": "67"}),)),
    Said("<answer>13</answer>"),
)


def solved(results: SuiteResults, episodes: list[Episode]) -> None:
    """It is the episode that ``TURNS`` make, whoever asked for them."""
    assert {name: figure.mean for name, figure in results.metrics.items()} == {"ftrl": 1, "official": 1, "strict": 1}
    usage = results.usage["model"]
    assert (usage.input, usage.output) == (300, 30)
    assert usage.usd == pytest.approx((300 * 1.0 + 30 * 10.0) / 1e6)
    (episode,) = episodes
    transcript = episode.transcript
    assert [message["role"] for message in transcript.messages] == [
        *("user", "assistant", "tool", "tool", "assistant", "tool", "assistant")
    ]
    assert transcript.said() == ["", "Once more.", "<answer>13</answer>"]
    assert [json.loads(call.arguments) for call in transcript.calls] == [{"n": "67"}, {"n": "x"}, {"n": "67"}]
    assert [call.output for call in transcript.calls][::2] == ["13", "13"]
    assert "invalid literal" in transcript.calls[1].output
    assert transcript.ending == "answered"
    assert "or is it" not in transcript.model_dump_json()


def test_a_conversation_with_calls_and_thinking_is_the_same_episode(
    provider: ProviderServer, question: str, tmp_path: Path
) -> None:
    provider.answer = TURNS.__getitem__
    solved(*play(provider, tmp_path / "out", suite="toolhop", tasks=question))
    assert len(provider.requests) == 3
    heard = json.dumps(provider.requests[1])
    assert heard.index("13") < heard.index("invalid literal")
    assert provider.signature in heard


def test_a_busy_a_broken_and_a_cut_answer_delay_it_and_change_nothing(
    provider: ProviderServer, question: str, tmp_path: Path
) -> None:
    trouble = (Trouble(429, {"Retry-After": "1"}), Trouble(500), Said("<answer>14</answer>", cut=True))
    asked: Counter[int] = Counter()

    def answer(turn: int) -> Said | Trouble:
        asked[turn] += 1
        return trouble[turn] if asked[turn] == 1 else TURNS[turn]

    provider.answer = answer
    solved(*play(provider, tmp_path / "out", suite="toolhop", tasks=question))
    assert min(asked.values()) == 2


def test_a_model_that_refuses_to_answer_has_answered_wrong(
    provider: ProviderServer, question: str, tmp_path: Path
) -> None:
    provider.answer = lambda turn: Said(refused=True)
    results, (episode,) = play(provider, tmp_path / "out", suite="toolhop", tasks=question)
    assert {figure.mean for figure in results.metrics.values()} == {0.0}
    assert (results.complete, episode.transcript.ending) == (True, "answered")
    assert episode.transcript.calls == ()


def test_a_conversation_may_begin_in_the_middle(provider: ProviderServer, tmp_path: Path) -> None:
    right = 'Thought:\nAction: pour\nAction Input: {"kind": "green"}'
    system = "Tools:\n" + json.dumps([{"name": name} for name in ("pour", "ask_to_user", "finish")])
    said = [("system", system), ("user", "Tea!"), ("assistant", "Action: pour"), ("function", "which?")]
    rows = [{"conversations": [{"from": w, "value": v} for w, v in (*said, ("assistant", [right]))], "scenario": "PL"}]
    file = tmp_path / "Third_Turn" / "clean.json"
    file.parent.mkdir()
    file.write_text(json.dumps(rows))
    provider.answer = lambda turn: Said(right) if turn == 1 else Said("This is not the middle.")
    results, _ = play(provider, tmp_path / "out", suite="rotbench", tasks=str(file))
    assert results.metrics["official_cf"].mean == 1.0
    (request,) = provider.requests
    told = json.dumps(request)
    assert told.index("Tea!") < told.index("Action: pour") < told.index("which?")


def test_a_request_that_the_provider_refuses_is_listed_and_in_no_figure(
    provider: ProviderServer, tmp_path: Path
) -> None:
    asked: list[int] = []

    def answer(turn: int) -> Said | Trouble:
        asked.append(turn)
        return Said("<answer>1</answer>") if len(asked) == 1 else Trouble(400)

    provider.answer = answer
    results, episodes = play(provider, tmp_path / "out", suite="general", limit=2)
    ((refused, why), (played,)) = (*results.not_run.items(), episodes)
    assert (refused != f"{played.sample}/0", "400" in why) == (True, True)
    assert not results.complete
    assert results.metrics["strict"].tasks == 1
