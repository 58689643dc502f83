"""A store on an S3 that fails one request in five, and that goes away for a while."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrl.environments import open_tasks
from ftrl.rollouts import Trajectory
from ftrl.sandbox import Sandbox
from tests.evaluation.chat_server import LEAN, ChatServer, calling, saying
from tests.rollouts.faulty_s3 import FAULTS, FaultyS3
from tests.rollouts.replay import scores_the_same

COMMITTED, COLLECTED = "s3://faulty/committed", "s3://faulty/collected"
"""All servers of this process share their buckets."""
COMMIT = """
import sys
from ftrl.rollouts import *
from ftrl.rollouts.batch import Batch
identity = PolicyIdentity(name="script")
with TrajectoryStore.create(sys.argv[1], run="run") as store:
    store.begin(Collection(iteration=0, policy=identity, settings=EpisodeSettings()))
    waiting = Batch(store)
    for sample in range(int(sys.argv[2])):
        waiting.add(Trajectory(id=f"{sample}", run="run", environment_id="e", policy=identity, iteration=0,
            sample=sample, status="answered", messages=({"role": "user", "content": "?"},)))
        waiting.finish()
print([one.sample for one in TrajectoryStore.open(sys.argv[1])])
"""
READ = """
import sys
from ftrl.rollouts import TrajectoryStore
for trajectory in TrajectoryStore.open(sys.argv[1]):
    print(trajectory.model_dump_json())
"""


@pytest.fixture
def s3() -> Iterator[FaultyS3]:
    with FaultyS3() as server:
        server.make_bucket("faulty")
        yield server


def python(s3: FaultyS3, program: str, *arguments: str) -> str:
    """Run it in a process that knows only this S3; fsspec keeps its connections."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env={**os.environ, **s3.environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_commits_to_an_s3_that_fails_one_request_in_five_are_made_once_each(s3: FaultyS3) -> None:
    assert json.loads(python(s3, COMMIT, COMMITTED, "16")) == list(range(16))
    assert all(s3.failed[fault] for fault in FAULTS), s3.failed
    assert s3.unconfirmed_commits, "one that was made, of which its writer never heard"


@pytest.mark.slow
def test_a_collection_survives_a_failing_s3_and_thirty_seconds_without_it(
    s3: FaultyS3, tmp_path: Path, tasks_file: Callable[[Path, int], str], sandbox: Sandbox, monkeypatch: Any
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    server, asked = ChatServer(), threading.Event()

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.02)
        if len(server.requests) == 600:
            asked.set()
        said = sum(message["role"] == "assistant" for message in request["messages"])
        turns = [calling(("capital_of", {"country": "Atlantis"})), calling(("population_of", {"city": "Poseidonis"}))]
        return [*turns, saying("There are 1200.")][said]

    server.answer = answer
    tasks = tasks_file(tmp_path, 300)
    command = [sys.executable, "-m", "ftrl.cli", "rollout", tasks, "--model", LEAN, "--samples", "2"]
    command += ["--base-url", server.url, "--out", COLLECTED, "--in-flight", "8", "--json"]
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **s3.environment}, text=True
        )
        assert asked.wait(300), (tmp_path / "log").read_text()
        s3.away = True
        time.sleep(30)
        s3.away = False
        out, _ = run.communicate(timeout=400)
    server.close()
    assert run.returncode == 0, (tmp_path / "log").read_text()
    report = json.loads(out)
    assert (report["episodes"], report["collected"]) == (600, 600)
    assert s3.failed["away"]
    episodes = [Trajectory.model_validate_json(line) for line in python(s3, READ, COLLECTED).splitlines()]
    counts = Counter((one.environment_id, one.sample) for one in episodes)
    assert len(counts) == 600
    assert set(counts.values()) == {1}
    played = open_tasks(tasks)
    by_id = {environment.id: environment for environment in played}
    sources = dict(played.sources(next(iter(by_id.values()))))
    assert all(scores_the_same(one, by_id[one.environment_id], sources, sandbox) for one in episodes)
