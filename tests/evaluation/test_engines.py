"""A suite played by a real engine on a real Ray, which is killed on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from ftrl.evaluation import SuiteResults
from ftrl.evaluation.running import read_episodes
from ftrl.models import init_tiny, weights_hash
from ftrl.rollouts.engine_processes import descendants

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

WAIT_SECONDS = 500


def engines(pid: int) -> list[int]:
    """The engine processes below a process."""
    found = []
    for below in descendants(pid):
        try:
            if Path(f"/proc/{below}/cmdline").read_bytes().startswith(b"VLLM::EngineCore"):
                found.append(below)
        except OSError:
            continue  # it ended while we looked
    return found


def playing_engine(run: subprocess.Popen[str], log: Path) -> int | None:
    """The engine of a run of which some episodes are finished and most are not; none if it ended before it was seen."""
    deadline = time.monotonic() + WAIT_SECONDS
    while "general: " not in log.read_text() or not (found := engines(run.pid)):
        if run.poll() is not None:
            assert run.returncode == 0, log.read_text()
            return None
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    (engine,) = found
    return engine


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_an_engine_that_dies_or_hangs_is_replaced_and_its_episodes_are_played_again(tmp_path: Path, blow: int) -> None:
    model = tmp_path / "model"
    init_tiny(model)
    command = [sys.executable, "-m", "ftrl.cli", "eval", "general", "--model", str(model), "--json"]
    command += ["--in-flight", "2", "--max-response-tokens", "150", "--limit", "24", "--hang-seconds", "20"]
    for attempt in range(3):  # now and then a run is through before its engine has been seen
        out, log = tmp_path / f"out-{attempt}", tmp_path / f"log-{attempt}"
        with tempfile.TemporaryDirectory(prefix="ray") as ray_folder, log.open("w") as stderr:
            environment = {**os.environ, "RAY_TMPDIR": ray_folder, "PYTHONUNBUFFERED": "1"}
            environment.pop("RAY_ADDRESS", None)
            run = subprocess.Popen(
                [*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
            )
            engine = playing_engine(run, log)
            if engine is not None:
                os.kill(engine, blow)
            printed, _ = run.communicate(timeout=WAIT_SECONDS)
        if engine is not None:
            break
    assert engine is not None, log.read_text()
    assert run.returncode == 0, log.read_text()
    results = SuiteResults.model_validate_json(printed)
    assert (results.metrics["strict"].tasks, results.not_run) == (24, {})
    assert results.run.policy.weights == weights_hash(model)
    assert results.perplexity is not None
    assert results.perplexity.tokens > 500
    # Random weights: any token is about as likely as any other.
    vocabulary = json.loads((model / "config.json").read_text())["vocab_size"]
    assert results.perplexity.value == pytest.approx(vocabulary, rel=0.2)
    assert "faults of ours" in log.read_text()
    assert len({episode.sample for episode in read_episodes(str(out))}) == 24
    assert results.usage["model"].output > 0
    assert results.usage["model"].usd == 0
