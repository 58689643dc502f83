"""tau-bench: episodes on a database of their own, and what they earn by either published rule."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ftrl.errors import InputError
from ftrl.evaluation.suite import Sample, Score, Transcript
from ftrl.evaluation.tau_bench import (
    FTRL,
    OFFICIAL,
    STOP,
    Action,
    Mode,
    Session,
    TauBench,
    TauTask,
    scripted_user,
)
from ftrl.rollouts import EpisodeSettings, Generation, ScriptedPolicy, TrajectoryCall
from ftrl.sandbox import CallStatus, Limits, Sandbox
from ftrl.tool_calls import ParsedCall, ParsedResponse

TRANSFER = Action("transfer_to_human_agents", '{"summary": "too hard"}')
CANCEL = Action("cancel_order", '{"order_id": "1"}')

SOURCES = {
    "cancel_order": """
def cancel_order(data, order_id):
    data["orders"][order_id]["status"] = "cancelled"
    return data["orders"][order_id]
""",
    "count_orders": "def count_orders(data):\n    return len(data['orders'])\n",
    "calculate": "def calculate(data, expression):\n    return eval(expression)\n",
    "transfer_to_human_agents": "def transfer_to_human_agents(data, summary):\n    return 'Transfer successful'\n",
}


def task_row(**changes: Any) -> dict[str, Any]:
    function = {"name": CANCEL.name, "arguments": CANCEL.arguments}
    row = {
        "instruction": "You are Ada. Cancel order 1, and ask how much you get back.",
        "actions": [{"id": "0", "type": "function", "function": function}],
        "outputs": ["1200.5"],
        "data_source": "tau-bench/retail",
    }
    return {**row, **changes}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    retail = tmp_path / "tau-bench" / "retail"
    retail.mkdir(parents=True)
    orders = {"1": {"status": "pending", "total": 1200.5}, "2": {"status": "pending", "total": 3}}
    files = {"orders": orders, "products": {}, "users": {"ada": {"orders": ["1", "2"]}}}
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
        for name in SOURCES
    ]
    for name, content in {**files, "tools": tools, "codes": SOURCES}.items():
        (retail / f"{name}.json").write_text(json.dumps(content))
    (retail / "wiki.md").write_text("Serve customers.")
    rows = [task_row(), task_row(actions=[], outputs=[], instruction="You are Ada. Say hello.")]
    (tmp_path / "tau-bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.fixture
def samples(folder: Path) -> list[Sample[TauTask]]:
    return TauBench(scripted_user([])).load(str(folder))


def calling(*actions: Action, beside: str = "") -> list[str]:
    """Turns that make these calls, one each."""
    return [
        f'{beside}<tool_call>{{"name": "{action.name}", "arguments": {action.arguments}}}</tool_call>'
        for action in actions
    ]


def episode(
    sample: Sample[TauTask],
    sandbox: Sandbox,
    turns: Sequence[str],
    *,
    mode: Mode = OFFICIAL,
    lines: Sequence[str] = ("I want to cancel.", STOP),
    max_turns: int = 30,
) -> tuple[Transcript, Score]:
    async def both() -> tuple[Transcript, Score]:
        suite = TauBench(scripted_user(lines), mode)
        settings = EpisodeSettings(max_turns=max_turns)
        transcript = await suite.play(sample, ScriptedPolicy(turns), sandbox, settings)
        return transcript, await suite.score(sample, transcript, sandbox)

    return asyncio.run(both())


def test_an_agent_that_does_and_tells_what_it_should_earns_1(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox
) -> None:
    transcript, score = episode(samples[0], one_sandbox, [*calling(CANCEL), "You get $1,200.50 back."])
    assert transcript.ending == "user_stopped"
    assert [message["role"] for message in transcript.messages] == [
        *("system", "user", "assistant", "tool", "assistant", "user")
    ]
    assert transcript.calls[0].output == '{"status": "cancelled", "total": 1200.5}'
    assert score.metrics == {"reward": 1, "database": 1, "outputs": 1}


@pytest.mark.parametrize(
    ("turns", "database", "outputs"),
    [
        (["You get 1200.5 back."], 0, 1),
        ([*calling(CANCEL), "It is done."], 1, 0),
        ([*calling(CANCEL, Action("cancel_order", '{"order_id": "2"}')), "You get 1200.5 back."], 0, 1),
        ([*calling(Action("cancel_order", '{"order_id": "9"}')), "You get 1200.5 back."], 0, 1),
        (["No."], 0, 0),
    ],
)
def test_the_database_and_what_was_told_decide(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox, turns: list[str], database: int, outputs: int
) -> None:
    _, score = episode(samples[0], one_sandbox, turns)
    assert score.metrics == {"reward": 0, "database": database, "outputs": outputs}


def test_doing_nothing_earns_1_only_where_nothing_had_to_be_done(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox
) -> None:
    rewards = [episode(sample, one_sandbox, ["Hello."])[1].metrics["reward"] for sample in samples]
    assert rewards == [0, 1]


def test_each_episode_starts_from_the_published_database(samples: list[Sample[TauTask]], one_sandbox: Sandbox) -> None:
    episode(samples[0], one_sandbox, [*calling(CANCEL), "1200.5"])
    assert episode(samples[1], one_sandbox, ["Hello."])[1].metrics["database"] == 1


def test_a_transfer_ends_an_episode_in_official_mode_only(samples: list[Sample[TauTask]], one_sandbox: Sandbox) -> None:
    turns = [*calling(TRANSFER), "Still here."]
    official, score = episode(samples[1], one_sandbox, turns)
    assert (official.ending, len(official.calls), score.metrics["reward"]) == ("transferred", 1, 1)
    assert official.messages[-1]["content"] == "Transfer successful"
    assert episode(samples[1], one_sandbox, turns, mode=FTRL)[0].ending == "user_stopped"


def test_the_name_that_the_papers_script_waits_for_ends_an_episode_in_its_mode_only(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox
) -> None:
    turns = [*calling(Action("transform_to_user_agent", "{}")), "Hello."]
    transcript, _ = episode(samples[1], one_sandbox, turns, mode=FTRL)
    assert (transcript.ending, transcript.calls[0].call_status) == ("transferred", CallStatus.TOOL_ERROR)
    assert episode(samples[1], one_sandbox, turns)[0].ending == "user_stopped"


def test_outputs_count_in_replies_in_official_mode_and_beside_calls_in_the_papers(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox
) -> None:
    replied = [*calling(CANCEL), "You get 1,200.5 back."]
    beside = [*calling(CANCEL, beside="That makes 1,200.5."), "Done."]
    earned = {
        (mode.name, turns is replied): episode(samples[0], one_sandbox, turns, mode=mode)[1].metrics["reward"]
        for mode in (OFFICIAL, FTRL)
        for turns in (replied, beside)
    }
    assert earned == {("official", True): 1, ("official", False): 0, ("ftrl", True): 0, ("ftrl", False): 1}


@pytest.mark.parametrize("mode", [OFFICIAL, FTRL])
def test_an_episode_that_runs_out_of_turns_earns_0_whatever_it_has_done(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox, mode: Mode
) -> None:
    transcript, score = episode(samples[1], one_sandbox, ["Hm.", "Hm."], mode=mode, lines=["a", "b", "c"], max_turns=2)
    assert transcript.ending == "max_turns"
    assert score.metrics == {"reward": 0, "database": 1, "outputs": 1}
    assert score.explanation == "the episode ended with max_turns"


@pytest.mark.parametrize(
    ("mode", "failed", "unknown"),
    [
        (OFFICIAL, "Error: '9'", "Unknown action fly"),
        (FTRL, "an error occured when call cancel_order: '9'", "an error occured when call fly: 'fly'"),
    ],
)
def test_errors_are_worded_as_in_the_modes_script(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox, mode: Mode, failed: str, unknown: str
) -> None:
    calls = calling(Action("cancel_order", '{"order_id": "9"}'), Action("fly", "{}"))
    transcript, _ = episode(samples[1], one_sandbox, [*calls, "Sorry."], mode=mode)
    assert [call.output for call in transcript.calls] == [failed, unknown]


def test_a_turn_makes_its_first_call_only(samples: list[Sample[TauTask]], one_sandbox: Sandbox) -> None:
    transcript, _ = episode(samples[1], one_sandbox, ["".join(calling(CANCEL, CANCEL)), "Hello."])
    assert len(transcript.calls) == 1
    assert len(transcript.messages[2]["tool_calls"]) == 1


def test_the_user_sees_the_instruction_and_the_agents_replies_but_no_calls(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox
) -> None:
    seen: list[Any] = []

    async def user(messages: Sequence[dict[str, Any]]) -> str:
        seen.append(list(messages))
        return STOP if len(seen) > 1 else "Cancel it."

    turns = [*calling(CANCEL), "You get 1200.5 back."]
    asyncio.run(TauBench(user).play(samples[0], ScriptedPolicy(turns), one_sandbox, EpisodeSettings()))
    rules, *conversation = seen[-1]
    assert "Instruction: You are Ada. Cancel order 1" in rules["content"]
    assert [(m["role"], m["content"]) for m in conversation] == [
        ("user", "Hi! How can I help you today?"),
        ("assistant", "Cancel it."),
        ("user", "You get 1200.5 back."),
    ]


def test_a_call_that_hangs_is_stopped_and_leaves_the_episode_as_it_was(samples: list[Sample[TauTask]]) -> None:
    calls = calling(CANCEL, Action("calculate", '{"expression": "9**9**9**9"}'), Action("count_orders", "{}"))
    with Sandbox(workers=1, limits=Limits(seconds=1.0)) as sandbox:
        transcript, score = episode(samples[0], sandbox, [*calls, "1200.5"])
    assert [call.call_status for call in transcript.calls] == [CallStatus.OK, CallStatus.TIMEOUT, CallStatus.OK]
    assert score.metrics["reward"] == 1


def test_a_stored_transcript_is_scored_again_without_a_model(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox
) -> None:
    transcript, score = episode(samples[0], one_sandbox, [*calling(CANCEL), "1200.5"])
    stored = Transcript.model_validate_json(transcript.model_dump_json())
    suite = TauBench(scripted_user([]))
    assert asyncio.run(suite.score(samples[0], stored, one_sandbox)) == score


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"data_source": "tau-bench/bank"}, "data_source"), ({"actions": [{}]}, "actions"), ({"outputs": [1]}, "outputs")],
)
def test_a_broken_row_is_refused_with_file_line_and_field(folder: Path, changes: dict[str, Any], field: str) -> None:
    (folder / "tau-bench.jsonl").write_text(json.dumps(task_row()) + "\n" + json.dumps(task_row(**changes)) + "\n")
    with pytest.raises(InputError, match=rf"tau-bench.jsonl:2: field '{field}'"):
        TauBench(scripted_user([])).load(str(folder))


def test_a_missing_table_is_named(folder: Path) -> None:
    (folder / "tau-bench" / "retail" / "users.json").unlink()
    with pytest.raises(InputError, match=r"users\.json"):
        TauBench(scripted_user([])).load(str(folder))


def test_a_domain_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match="telecom"):
        TauBench(scripted_user([]), domains=["telecom"])


def finished(sample: Sample[TauTask], actions: Sequence[Action], reply: str) -> Transcript:
    """An episode in which these calls were made and this was said before the user went."""
    calls = tuple(
        TrajectoryCall(turn=i, name=a.name, arguments=a.arguments, output="", call_status=CallStatus.OK, seconds=0)
        for i, a in enumerate(actions)
    )
    return Transcript(messages=({"role": "assistant", "content": reply},), calls=calls, ending="user_stopped")


def published(shared: Path, mode: Mode) -> tuple[TauBench, list[Sample[TauTask]]]:
    suite = TauBench(scripted_user([]), mode)
    return suite, suite.load(str(shared / "data" / "tau_bench"))


def rewards(suite: TauBench, pairs: Sequence[tuple[Sample[TauTask], Transcript]], sandbox: Sandbox) -> list[float]:
    async def all_of_them() -> list[float]:
        return [(await suite.score(sample, transcript, sandbox)).metrics["reward"] for sample, transcript in pairs]

    return asyncio.run(all_of_them())


@pytest.fixture(scope="module")
def earned(shared: Path, one_sandbox: Sandbox) -> dict[str, dict[str, float]]:
    """Task → reward in official mode, of the published ground truth and of an agent that does nothing."""
    suite, samples = published(shared, OFFICIAL)
    agents = {
        "truth": [(s, finished(s, s.task.actions, "; ".join(s.task.outputs))) for s in samples],
        "nothing": [(s, finished(s, (), "Hello.")) for s in samples],
    }
    return {
        agent: dict(zip([s.id for s in samples], rewards(suite, pairs, one_sandbox), strict=True))
        for agent, pairs in agents.items()
    }


def test_the_published_ground_truth_earns_1_on_all_165_tasks(earned: dict[str, dict[str, float]]) -> None:
    assert len(earned["truth"]) == 165
    assert set(earned["truth"].values()) == {1.0}


def test_doing_nothing_earns_what_nothing_deserves(shared: Path, earned: dict[str, dict[str, float]]) -> None:
    """Tasks whose ground truth only reads (or tries in vain) and that have nothing to tell."""
    domains = Counter(id_.partition("/")[0] for id_, reward in earned["nothing"].items() if reward)
    assert domains == {"airline": 19, "retail": 7}
    reading = ("get_", "find_", "list_", "search_", "calculate", "think", "transfer_to_human_agents")
    for sample in published(shared, OFFICIAL)[1]:
        reads = all(action.name.startswith(reading) for action in sample.task.actions)
        if reads and not sample.task.outputs:
            assert earned["nothing"][sample.id] == 1
        elif sample.task.outputs:
            assert earned["nothing"][sample.id] == 0
        elif earned["nothing"][sample.id]:
            # These two ask for a change that the tools refuse.
            assert sample.id in ("retail/12", "retail/106")


def test_the_papers_rule_differs_from_the_official_one_exactly_on_tasks_with_outputs(
    shared: Path, one_sandbox: Sandbox, earned: dict[str, dict[str, float]]
) -> None:
    suite, samples = published(shared, FTRL)
    told = [sample for sample in samples if sample.task.outputs]
    assert len(told) == 41
    pairs = [(s, finished(s, s.task.actions, "; ".join(s.task.outputs))) for s in told[::8]]
    assert set(rewards(suite, pairs, one_sandbox)) == {0.0}  # told to the user, and so not beside a call


def test_whole_episodes_of_published_tasks_are_played(shared: Path, one_sandbox: Sandbox) -> None:
    _, samples = published(shared, OFFICIAL)
    for sample in (samples[2], samples[50]):
        said = [*calling(*sample.task.actions), "; ".join(sample.task.outputs)]
        transcript, score = episode(sample, one_sandbox, said)
        assert len(transcript.calls) == len(sample.task.actions)
        assert score.metrics["reward"] == 1


@pytest.mark.slow
def test_whole_episodes_of_all_published_tasks_earn_1(shared: Path, one_sandbox: Sandbox) -> None:
    for sample in published(shared, OFFICIAL)[1]:
        said = [*calling(*sample.task.actions), "; ".join(sample.task.outputs)]
        _, score = episode(sample, one_sandbox, said, max_turns=60)
        assert score.metrics["reward"] == 1, sample.id


def test_a_session_goes_on_from_the_calls_before(samples: list[Sample[TauTask]], one_sandbox: Sandbox) -> None:
    async def two_calls() -> tuple[str, str, str]:
        session = Session(samples[0].task.domain, one_sandbox)
        before = await session.digest()
        foreseen = await session.digest([CANCEL])
        await session.call(CANCEL)
        return before, foreseen, await session.digest()

    before, foreseen, after = asyncio.run(two_calls())
    assert before != foreseen == after


def test_calls_that_a_provider_names_itself_are_taken_as_they_are(
    samples: list[Sample[TauTask]], one_sandbox: Sandbox
) -> None:
    turns = [
        Generation("", response=ParsedResponse("", (ParsedCall(CANCEL.name, CANCEL.arguments),))),
        Generation("1200.5", response=ParsedResponse("1200.5")),
    ]

    class Provided(ScriptedPolicy):
        def converse(self, tools: object, settings: EpisodeSettings, seed: int | None = None) -> Any:
            return self

        async def generate(self, messages: Sequence[Any], most_tokens: int | None = None) -> Generation:
            return turns[sum(message["role"] == "assistant" for message in messages)]

    async def both() -> Score:
        suite = TauBench(scripted_user(["Hello.", STOP]))
        transcript = await suite.play(samples[0], Provided(()), one_sandbox, EpisodeSettings())
        return await suite.score(samples[0], transcript, one_sandbox)

    assert asyncio.run(both()).metrics["reward"] == 1
