"""A job's end as a scheduler sees it: real processes, real signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftrl.environments import EnvironmentStore

ROOT = Path(__file__).resolve().parents[2]
SYNTHESIZE = [sys.executable, str(ROOT / "jobs" / "synthesize.py"), "--config"]

LIKE_RAY = """
import os, signal, sys, threading, time
from pydantic import BaseModel
import job

class Nothing(BaseModel):
    out: str

def work(config):
    # What Ray does in a process that is connected to it: a handler of its own, and an alarm that aborts.
    signal.signal(signal.SIGTERM, lambda number, _: (signal.alarm(3), sys.exit(number)))
    try:
        print("at work", flush=True)
        time.sleep(60)
    finally:
        time.sleep(4)
        print("committed", flush=True)

job.run(Nothing, work)
"""


def synthesis(folder: Path, **settings: object) -> str:
    file = folder / "config.yaml"
    file.write_text(json.dumps({"out": str(folder / "tasks"), "workers": 1, **settings}))
    return str(file)


def run(config: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SYNTHESIZE, config], capture_output=True, text=True, check=False, timeout=200)


def test_a_job_that_is_done_ends_with_0_and_its_report_as_json(tmp_path: Path) -> None:
    done = run(synthesis(tmp_path, count=5))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == len(EnvironmentStore.open(str(tmp_path / "tasks"))) == 5
    again = run(synthesis(tmp_path, count=7))
    assert json.loads(again.stdout)["accepted"] == 2, "the second time, only what is missing is made"


def test_a_job_with_a_wrong_configuration_ends_with_2_before_it_does_anything(tmp_path: Path) -> None:
    done = run(synthesis(tmp_path, count=0))
    assert done.returncode == 2
    assert "config.yaml:1: field 'count'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "tasks").exists()


@pytest.mark.timeout(300)
def test_a_job_that_is_asked_to_end_ends_with_1_and_the_same_job_does_the_rest(tmp_path: Path) -> None:
    config = synthesis(tmp_path, count=200)
    process = subprocess.Popen([*SYNTHESIZE, config], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "of 200 items" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "ftrl: stopped by SIGTERM; what was finished is kept: submit the same job again to go on" in told
    assert "Traceback" not in told
    kept = len(EnvironmentStore.open(str(tmp_path / "tasks")))
    assert 0 < kept < 200, "what was settled when the signal came is committed"
    finished = run(config)
    assert finished.returncode == 0, finished.stderr
    ids = EnvironmentStore.open(str(tmp_path / "tasks")).ids()
    assert json.loads(finished.stdout)["kept"] == kept
    assert len(ids) == len(set(ids)) == json.loads(finished.stdout)["kept"] + json.loads(finished.stdout)["accepted"]


def test_what_takes_longer_to_commit_than_ray_waits_is_committed(tmp_path: Path) -> None:
    config = synthesis(tmp_path)
    (tmp_path / "config.yaml").write_text("out: /x")
    script = tmp_path / "like_ray.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT / 'jobs')!r})\n{LIKE_RAY}")
    process = subprocess.Popen(
        [sys.executable, str(script), "--config", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - started > 4
    assert (process.returncode, out) == (1, "committed\n"), err


IN_A_LOOP = """
import asyncio, signal, sys, time
from pydantic import BaseModel
import job

class Nothing(BaseModel):
    out: str

async def main():
    loop = asyncio.get_running_loop()
    waited_for = loop.create_future()

    def wake():
        # As where the signal comes while the loop is about to wake somebody.
        signal.raise_signal(signal.SIGTERM)
        print("woken", flush=True)
        waited_for.set_result(None)

    loop.call_soon(wake)
    try:
        await waited_for
        await asyncio.sleep(60)
    finally:
        print("put away", flush=True)

job.run(Nothing, lambda config: asyncio.run(main()))
"""


def test_an_event_loop_is_left_between_two_of_its_steps(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("out: /x")
    script = tmp_path / "in_a_loop.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT / 'jobs')!r})\n{IN_A_LOOP}")
    command = [sys.executable, str(script), "--config", str(tmp_path / "config.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "woken\nput away\n"), done.stderr
    assert "stopped by SIGTERM" in done.stderr
    assert "Traceback" not in done.stderr
