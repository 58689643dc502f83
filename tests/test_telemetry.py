"""What Prometheus is told: by a process without Ray nothing, by real work on a real Ray what was done."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from ftrl import telemetry
from ftrl.environments import Environment, open_tasks
from ftrl.rewards import Unscorable
from ftrl.rewards.profiles import REFERENCE, STRICT
from ftrl.rollouts import (
    CollectConfig,
    EngineSettings,
    EpisodeKey,
    EpisodeSettings,
    ProviderSettings,
    ScriptedPolicy,
    Trajectory,
    TrajectoryStore,
    collect,
    run_episode,
)
from ftrl.rollouts.leases import FleetEvents, Lease
from ftrl.rollouts.worker import RolloutWorker
from ftrl.sandbox import Call, CallResult, CallStatus, Limits
from ftrl.synthesis import SynthesisConfig, synthesize
from ftrl.synthesis.pipeline.flow import Flow, Refused
from ftrl.synthesis.pipeline.stage import Item, StageSpec
from ftrl.synthesis.pipeline.workers import HereWorker
from ftrl.telemetry import METRICS, Counter, Gauge, Histogram, Metric
from ftrl.tiny_policy import tiny_policy
from tests.evaluation.chat_server import LEAN, ChatServer, calling, saying
from tests.prometheus import Told, told_until, watched_ray

ROOT = Path(__file__).resolve().parents[1]
DASHBOARD = json.loads((ROOT / "cluster" / "grafana" / "ftrl.json").read_text())
RAYS_OWN_LABELS = {"NodeAddress", "le"}


# What is declared


def test_names_are_ours_and_no_two_are_the_same() -> None:
    assert all(re.fullmatch(r"ftrl_[a-z0-9]+(_[a-z0-9]+)*", metric.name) for metric in METRICS)
    assert len({metric.exported for metric in METRICS}) == len(METRICS)
    # Prometheus' client adds these itself.
    assert not any(metric.name.endswith(("_total", "_bucket", "_sum", "_count")) for metric in METRICS)


def test_no_tag_names_a_task_or_a_trajectory() -> None:
    tags = {tag for metric in METRICS for tag in metric.tags}
    assert tags == {"run", "iteration", "status", "profile", "outcome", "stage"}


def test_every_metric_is_recorded_somewhere_in_the_way_of_its_kind() -> None:
    code = "".join(file.read_text() for file in (ROOT / "ftrl").rglob("*.py"))
    ways: dict[type[Metric], str] = {Counter: "add", Gauge: "set", Histogram: "observe"}
    for name, metric in vars(telemetry).items():
        if isinstance(metric, Metric):
            assert f"telemetry.{name}.{ways[type(metric)]}(" in code, name


# Without Ray


def test_where_ray_was_never_imported_nothing_is_and_nothing_is_counted() -> None:
    program = """
import sys
from ftrl import telemetry
telemetry.TOOL_CALLS.add(3, status="ok")
telemetry.COMMIT_SECONDS.observe(0.1, run="r")
telemetry.TOOL_CALLS_IN_FLIGHT.set(1)
assert "ray" not in sys.modules
import ray
telemetry.TOOL_CALLS.add(3, status="ok")
assert not ray.is_initialized() and "ray.util.metrics" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_tags_that_were_not_declared_are_refused_with_ray_or_without() -> None:
    with pytest.raises(ValueError, match="ftrl_tool_calls has the tags status, not state"):
        telemetry.TOOL_CALLS.add(1, state="ok")
    with pytest.raises(ValueError, match="has the tags run"):
        telemetry.COMMIT_SECONDS.observe(1.0)


# With Ray


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    with watched_ray() as connected:
        yield connected


@pytest.mark.e2e
def test_a_nodes_sandbox_tells_its_calls_by_how_they_ended(ray: Any) -> None:
    from ftrl.sandbox.service import NodeSandbox

    double = "def double(x):\n    return 2 * x"
    asked = [Call("double", '{"x": 2}', double), Call("double", '{"x": 3}', double), Call("half", "{}", double)]
    sandbox = NodeSandbox(1, Limits(seconds=30))
    for _ in range(2):
        asyncio.run(sandbox.run_async(asked))
    expected = {("ok",): 4, ("tool_error",): 2}
    found = told_until(ray, lambda found: found["ray_ftrl_tool_calls_total"] == expected)
    assert found["ray_ftrl_tool_calls_total"] == expected

    def in_flight(found: Told) -> bool:
        return found["ray_ftrl_tool_calls_in_flight"] == {(): 0}

    assert in_flight(told_until(ray, in_flight, again=lambda: asyncio.run(sandbox.run_async(asked))))


@pytest.mark.e2e
def test_calls_that_are_made_again_since_the_sandbox_died_are_told(ray: Any) -> None:
    from ftrl.sandbox.service import NodeSandbox, node_actor

    limits = Limits(seconds=600)  # a sandbox of its own
    endless = Call("nap", "{}", "def nap():\n    import time\n    time.sleep(600)")

    def retried(found: Told) -> bool:
        return found["ray_ftrl_tool_calls_retried_total"].get((), 0) >= 2

    async def story() -> bool:
        asked = asyncio.ensure_future(NodeSandbox(1, limits).run_async([endless, endless]))
        await asyncio.sleep(0)  # it is on its way before the next question
        process, *_ = await node_actor(1, limits).process_ids.remote()
        os.kill(process, signal.SIGKILL)
        found = await asyncio.to_thread(told_until, ray, retried)
        asked.cancel()
        return retried(found)

    assert asyncio.run(story())


@dataclass(frozen=True)
class Collected:
    """The folder of tasks and store, and what was told while the first episode was being played."""

    folder: Path
    meanwhile: Told

    @property
    def store(self) -> TrajectoryStore:
        return TrajectoryStore.open(str(self.folder / "store"))


@pytest.fixture(scope="module")
def collection(ray: Any, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """Two tasks made, and two episodes of each played, one after the other, with a provider that fails once."""
    folder = tmp_path_factory.mktemp("telemetry")
    synthesize(SynthesisConfig.model_validate({"out": str(folder / "tasks"), "count": 2}))
    goldens = {
        environment.messages()[-1]["content"]: [(step.tool, dict(step.arguments)) for step in environment.trace]
        for environment in open_tasks(str(folder / "tasks"))
    }
    server = ChatServer()
    meanwhile: list[Told] = []

    def begun(found: Told) -> bool:
        return found["ray_ftrl_rollout_in_flight"] == {("watched", "3"): 1}

    def answer(request: dict[str, Any]) -> dict[str, Any] | int:
        if len(server.requests) == 1:
            return 500
        if len(server.requests) == 2:
            meanwhile.append(told_until(ray, begun))
        question, *said = request["messages"]
        return saying("There.") if said else calling(*goldens[question["content"]])

    server.answer = answer
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OPENAI_API_KEY", "a-key")
        collect(
            CollectConfig(
                tasks=str(folder / "tasks"),
                model=LEAN,
                out=str(folder / "store"),
                run="watched",
                samples=2,
                iteration=3,
                provider=ProviderSettings(base_url=server.url, retries=0),
                engine=EngineSettings(episodes_in_flight=1, sandbox_workers=1),
                episode=EpisodeSettings(),
            ),
            display=False,
        )
    server.close()
    return Collected(folder, *meanwhile)


@pytest.mark.e2e
def test_a_collection_tells_its_queues_while_it_goes_on(collection: Collected) -> None:
    of_this = ("watched", "3")
    expected = {
        "ray_ftrl_rollout_left": {of_this: 4},
        "ray_ftrl_rollout_in_flight": {of_this: 1},
        "ray_ftrl_rollout_engines": {of_this: 1},
        "ray_ftrl_store_uncommitted": {("watched",): 0},
    }
    assert {name: collection.meanwhile[name] for name in expected} == expected


@pytest.mark.e2e
def test_a_collection_tells_its_episodes_tokens_f1_faults_and_commits(ray: Any, collection: Collected) -> None:
    episodes = list(collection.store)
    f1 = {
        ("watched", "3", metrics.profile): sum(one.metrics[at].f1 for one in episodes)
        for at, metrics in enumerate(episodes[0].metrics)
    }
    of_this = ("watched", "3")
    expected = {
        "ray_ftrl_rollout_episodes_total": {(*of_this, "answered"): 4},
        "ray_ftrl_rollout_tokens_total": {of_this: sum(one.usage.output for one in episodes if one.usage)},
        "ray_ftrl_rollout_f1_total": f1,
        "ray_ftrl_rollout_faults_total": {(*of_this, "retried"): 1},
    }
    found = told_until(ray, lambda found: all(found[name] == expected[name] for name in expected))
    assert {name: found[name] for name in expected} == expected
    assert all(f1.values()), "episodes that earn nothing would be told by no series"
    assert found["ray_ftrl_store_commit_seconds_bucket"]["watched", "+Inf"] >= 1


@pytest.mark.e2e
def test_a_synthesis_tells_what_came_of_its_items_stage_by_stage(ray: Any, collection: Collected) -> None:
    def stored(found: Told) -> bool:
        return ("store", "made") in found["ray_ftrl_synthesis_items_total"]

    items = told_until(ray, stored)["ray_ftrl_synthesis_items_total"]
    assert items["store", "made"] == 2
    assert items["verify", "made"] >= 2


@pytest.mark.e2e
def test_a_synthesis_tells_what_waits_for_a_stage_and_what_is_in_it(ray: Any) -> None:
    """Three items, of which the stage takes one at a time, and holds it until this was told."""
    expected = {("slow",): 1}

    def seen(found: Told) -> bool:
        return found["ray_ftrl_synthesis_in_flight"] == found["ray_ftrl_synthesis_waiting"] == expected

    async def hold(item: Item) -> Item:
        if item.index == 0:
            assert seen(await asyncio.to_thread(told_until, ray, seen, flow.tell))
        return item

    class Settled:
        def accept(self, item: Item, product: Any) -> None:
            settled.append(item.index)

        def give_up(self, item: Item) -> None:
            raise AssertionError(item)

        def reject(self, item: Item, refused: Refused) -> None:
            raise AssertionError(refused)

    settled: list[int] = []
    spec = StageSpec("slow", lambda: hold)
    flow = Flow([spec], [[HereWorker(spec)]], Settled(), attempts=1, window=3)
    asyncio.run(flow.run(Item(index) for index in range(3)))
    assert settled == [0, 1, 2]


@pytest.mark.e2e
def test_an_engine_that_died_is_told_and_logged_with_the_episodes_that_are_handed_out_again(
    ray: Any, collection: Collected, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fleet of one engine, which says two words, and dies over the first episode that it is given."""

    class Worker(RolloutWorker):
        async def start(self) -> int:
            return os.getpid()

        async def play(self, environment: Environment, sources: Mapping[str, str], key: EpisodeKey) -> Trajectory:
            if not (tmp_path / "died").exists():
                (tmp_path / "died").touch()
                os._exit(1)
            policy = ScriptedPolicy(["Who knows."], self._identity)
            return await run_episode(environment, sources, policy, self._sandbox, self._episode, key)

    monkeypatch.setattr("ftrl.rollouts.fleet.RolloutWorker", Worker)
    tiny_policy(tmp_path / "model")
    config = CollectConfig(
        tasks=str(collection.folder / "tasks"),
        model=str(tmp_path / "model"),
        out=str(tmp_path / "store"),
        run="lossy",
        samples=2,
        engine=EngineSettings(engines=1, episodes_in_flight=3, sandbox_workers=1),
    )
    with caplog.at_level(logging.WARNING):
        report = collect(config, display=False)
    assert (report.collected, report.errors["engine_lost"]) == (4, 1)
    of_this = ("lossy", "0")

    def expired(found: Told) -> bool:
        return found["ray_ftrl_rollout_leases_expired_total"] == {of_this: 4}

    found = told_until(ray, expired)
    assert expired(found), "three that it played, and one that waited at it"
    assert found["ray_ftrl_rollout_engines_lost_total"] == {of_this: 1}
    (line,) = [line for line in caplog.messages if "played again" in line]
    assert line.startswith(
        "run lossy, iteration 0: 4 episodes are played again (row of the task/sample: 0/0 0/1 1/0 1/1)"
    )


def test_an_episode_that_failed_through_a_fault_of_ours_is_logged_with_all_that_names_it(
    collection: Collected, caplog: pytest.LogCaptureFixture
) -> None:
    (failed, *_) = collection.store
    with caplog.at_level(logging.WARNING):
        FleetEvents("watched", 3).fault(Lease(None, None, task=0, key=EpisodeKey("watched", 3)), failed)
    (line,) = caplog.messages
    for what in ("run watched", "iteration 3", f"task {failed.environment_id}", "sample 0", f"trajectory {failed.id}"):
        assert what in line


def test_an_engine_that_died_before_it_had_an_episode_takes_none_along(caplog: pytest.LogCaptureFixture) -> None:
    events = FleetEvents("watched", 3)
    with caplog.at_level(logging.WARNING):
        events.engine_lost([], "it was killed")
    assert caplog.messages == ["run watched, iteration 3: an engine died that had no episode: it was killed"]
    assert events.engines_lost == 1


@pytest.mark.e2e
def test_a_trainer_tells_the_step_its_tokens_and_its_reward_under_each_profile(ray: Any) -> None:
    from ftrl.training.trainer import StreamTrainer

    trainer = object.__new__(StreamTrainer)  # without the processes that would sample and update
    trainer.config = OmegaConf.create({"trainer": {"experiment_name": "r"}, "ftrl": {"profile": "strict"}})
    tags = [{"response_len": 3}, {"response_len": 4}, {"response_len": 1, "is_padding": True}]
    batch = SimpleNamespace(keys=["a_0_0", "b_0_0", "pad_0_0"], tags=tags)
    trainer._tell(batch, {"ftrl/score_strict": 0.25, "ftrl/score_reference": 0.5}, 7)
    found = told_until(ray, lambda found: ("r",) in found["ray_ftrl_training_tokens_total"])
    assert found["ray_ftrl_training_tokens_total"] == {("r",): 7}
    assert found["ray_ftrl_training_step"] == {("r",): 7}
    assert found["ray_ftrl_training_reward"] == {("r", STRICT.version): 0.25, ("r", REFERENCE.version): 0.5}


@pytest.mark.e2e
def test_a_response_that_a_fault_of_ours_kept_from_being_scored_is_logged_with_all_that_names_it(
    ray: Any, collection: Collected, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ftrl.training.reward_manager import StepRewardManager

    class Failing:
        async def run_async(self, calls: list[Call]) -> list[CallResult]:
            return [CallResult("the machine is gone", CallStatus.INFRASTRUCTURE, 0.0) for _ in calls]

    (trajectory, *_) = collection.store
    call = trajectory.calls[0]
    text = f'<tool_call>\n{{"name": "{call.name}", "arguments": {call.arguments}}}\n</tool_call>'
    settings = {"metric": "solve_f1", "profile": "reference", "sandbox_workers": 1}
    settings["environments"] = str(collection.folder / "tasks")
    config = OmegaConf.create({"trainer": {"experiment_name": "r-iteration-1"}, "ftrl": settings})
    manager = StepRewardManager(config, SimpleNamespace(decode=lambda tokens, **_: text), None)
    monkeypatch.setattr(manager, "_sandbox", Failing())
    row = {
        **{"environment_id": trajectory.environment_id, "trajectory_id": trajectory.id, "step": 0, "session_id": 5},
        **{"response_len": 1, "history": "[]", "unsolved": '{"a": ["b"]}', "solve_rate": 0.0},
    }
    item = SimpleNamespace(non_tensor_batch=row, batch={"responses": [7]})
    with caplog.at_level(logging.WARNING), pytest.raises(Unscorable):
        asyncio.run(manager.run_single([item]))
    (line,) = [line for line in caplog.messages if "not scored" in line]
    names = (
        "run r-iteration-1",
        f"task {trajectory.environment_id}",
        f"trajectory {trajectory.id}",
        "step 0",
        "sample 5",
    )
    assert [name for name in names if name not in line] == []

    def none_waits(found: Told) -> bool:
        return found["ray_ftrl_training_being_scored"] == {("r-iteration-1",): 0}

    assert none_waits(told_until(ray, none_waits, again=lambda: manager._note(0)))
    # In this process, Ray would end under the thread that waits for it, and take the process along.
    for preparing in [thread for thread in threading.enumerate() if thread.name == "ftrl-prepare"]:
        preparing.join()


# The dashboard


def queries() -> list[tuple[str, str, str]]:
    """(panel, query, legend)."""
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    return [(panel["title"], target["expr"], target["legendFormat"]) for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize(("panel", "query", "legend"), queries())
def test_a_query_names_only_metrics_and_tags_that_there_are(panel: str, query: str, legend: str) -> None:
    by_name = {metric.exported: metric for metric in METRICS}
    named = re.findall(r"\bray_\w+", query)
    assert named
    assert set(named) <= set(by_name), panel
    tags = {tag for name in named for tag in by_name[name].tags} | RAYS_OWN_LABELS
    grouped = {tag.strip() for group in re.findall(r"by \(([^)]*)\)", query) for tag in group.split(",")}
    assert grouped <= tags, panel
    assert set(re.findall(r"{{(\w+)}}", legend)) <= grouped, panel
    # A run that is chosen is the only one that is shown; tools and synthesis know no run.
    assert query.count('{run=~"$run"}') == sum("run" in by_name[name].tags for name in named), panel


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(query for _, query, _ in queries())
    assert [metric.exported for metric in METRICS if not re.search(rf"\b{metric.exported}\b", shown)] == []


def test_panels_have_numbers_of_their_own_do_not_overlap_and_take_their_source_from_the_reader() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "run"}


# The page


def test_the_page_lists_every_metric_with_its_tags_and_what_it_says() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    rows = [f"| `{metric.exported}` | {', '.join(metric.tags) or '-'} | {metric.says} |" for metric in METRICS]
    assert "\n".join(rows) in page
