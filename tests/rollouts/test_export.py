"""The store's steps as the published collector writes them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ftrl.cli import app
from ftrl.environments import open_tasks
from ftrl.errors import InputError
from ftrl.rollouts import (
    Collection,
    EpisodeKey,
    EpisodeSettings,
    PolicyIdentity,
    ScriptedPolicy,
    Trajectory,
    TrajectoryStore,
    run_episode,
)
from ftrl.rollouts.export import export_steps
from ftrl.sandbox import Sandbox

Play = Callable[..., Trajectory]


def filled(path: str, trajectories: list[Trajectory]) -> TrajectoryStore:
    store = TrajectoryStore.create(path, run="run")
    store.begin(Collection(iteration=0, policy=PolicyIdentity(name="script"), settings=EpisodeSettings()))
    store.append(trajectories)
    return store


@pytest.fixture
def tasks(tmp_path: Path, tasks_file: Callable[[Path, int], str]) -> str:
    return tasks_file(tmp_path, 3)


@pytest.fixture
def store(tmp_path: Path, tasks: str, play: Play) -> str:
    path = str(tmp_path / "store")
    filled(path, [play(environment=environment) for environment in open_tasks(tasks)])
    return path


def test_the_golden_trajectories_become_the_golden_steps(shared: Path, tmp_path: Path, sandbox: Sandbox) -> None:
    file = str(shared / "data/ftrl_test_dev100.jsonl")
    tasks = open_tasks(file)
    with (shared / "golden/trajectories_dev.jsonl").open(encoding="utf-8") as lines:
        golden = [json.loads(line) for line in lines]

    async def replay(number: int, line: dict[str, Any]) -> Trajectory:
        environment = tasks[line["task"]]
        policy, settings = ScriptedPolicy(line["turns"]), EpisodeSettings(max_turns=line["max_turns"])
        key = EpisodeKey("run", sample=number)
        return await run_episode(environment, tasks.sources(environment), policy, sandbox, settings, key)

    async def replay_all() -> list[Trajectory]:
        return list(await asyncio.gather(*(replay(number, line) for number, line in enumerate(golden))))

    filled(str(tmp_path / "store"), asyncio.run(replay_all()))
    out = tmp_path / "steps.jsonl"
    export_steps(str(tmp_path / "store"), file, str(out))
    published = [json.loads(line) for line in Path(file).read_text().splitlines()]
    written: dict[str, list[dict[str, Any]]] = {}
    for line in out.read_text().splitlines():
        row = json.loads(line)
        written.setdefault(row["messages"][0]["content"], []).append(row)
    wanted: dict[str, list[dict[str, Any]]] = {}
    for line in golden:
        task = published[line["task"]]
        for step in line["snapshots"]:
            wanted.setdefault(task["messages"][0]["content"], []).append({**task, **step})
    assert written.keys() == wanted.keys()
    as_text = ("tools", "codes", "unsolved_set")
    for question, steps in wanted.items():
        made = [
            {
                **row,
                "messages": None,
                "n_messages": len(row["messages"]),
                **{name: json.loads(row[name]) for name in as_text},
            }
            for row in written[question]
        ]
        expected = [{**row, "messages": None, **{name: json.loads(row[name]) for name in as_text}} for row in steps]
        assert sorted(made, key=repr) == sorted(expected, key=repr)


def test_the_messages_of_a_step_are_those_of_the_conversation(store: str, tasks: str, tmp_path: Path) -> None:
    out = tmp_path / "steps.jsonl"
    assert export_steps(store, tasks, str(out)) == 9
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    trajectories = list(TrajectoryStore.open(store))
    assert [row["messages"] for row in rows[:3]] == [
        json.loads(json.dumps(trajectories[0].messages[:end])) for end in (1, 3, 5)
    ]


def test_parquet_holds_the_same_rows(store: str, tasks: str, tmp_path: Path) -> None:
    export_steps(store, tasks, str(tmp_path / "steps.jsonl"))
    export_steps(store, tasks, str(tmp_path / "steps.parquet"))
    rows = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "steps.parquet").to_pylist()
    for row in table:
        row["messages"] = [{name: value for name, value in one.items() if value is not None} for one in row["messages"]]
    for row in rows:
        row["messages"] = [{name: value for name, value in one.items() if value is not None} for one in row["messages"]]
    assert table == rows


def test_tasks_that_were_not_played_are_refused_and_nothing_is_written(
    store: str, tmp_path: Path, tasks_file: Callable[[Path, int], str]
) -> None:
    (tmp_path / "others").mkdir()
    with pytest.raises(InputError, match="give the tasks that were played"):
        export_steps(store, tasks_file(tmp_path / "others", 1), str(tmp_path / "steps.jsonl"))
    assert not (tmp_path / "steps.jsonl").exists()


def test_the_commands_export_and_compact(store: str, tasks: str, tmp_path: Path, play: Play) -> None:
    out = str(tmp_path / "steps.parquet")
    done = CliRunner().invoke(app, ["rollouts", "export", store, "--tasks", tasks, "--out", out, "--json"])
    assert json.loads(done.stdout) == {"steps": 9, "out": out}
    assert pq.read_metadata(out).num_rows == 9
    opened = TrajectoryStore.open(store)
    opened.append([play(environment=next(iter(open_tasks(tasks))), sample=1)])
    done = CliRunner().invoke(app, ["rollouts", "compact", store, "--json"])
    assert (json.loads(done.stdout)["parts_before"], json.loads(done.stdout)["parts_after"]) == (2, 1)
    assert len(list(TrajectoryStore.open(store))) == 4
