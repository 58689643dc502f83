"""A command that is asked to end by SIGTERM, in the middle of work on Ray, which takes the signal for itself."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ftrl.environments import EnvironmentStore


@pytest.mark.timeout(300)
def test_a_command_says_that_it_was_stopped_and_keeps_what_was_finished(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    command = [sys.executable, "-m", "ftrl.cli", "synth", "--out", store, "--count", "5000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while not (line := process.stderr.readline()).startswith("synth: ") or line.startswith("synth: 0 of"):
        assert line, "it ended by itself"
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=200)
    assert process.returncode == 128 + signal.SIGTERM, told
    assert told.splitlines()[-1] == "ftrl: stopped by SIGTERM; what was finished is kept"
    assert "Traceback" not in told
    assert 0 < len(EnvironmentStore.open(store)) < 5000


WAITS_FOR_RAY = """
import signal, sys, time
from ftrl import cli
from ftrl.ray_session import ray_session

def app():
    with ray_session() as ray:
        try:
            print("waiting", flush=True)
            ray.get(ray.remote(lambda: time.sleep(1000)).remote())
        finally:
            time.sleep(4)  # longer than Ray lets a process live
            print("put away", flush=True)

cli.app = app
cli.main()
"""


@pytest.mark.timeout(300)
def test_a_command_that_waits_for_ray_is_left_in_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS_FOR_RAY)
    command = [sys.executable, str(tmp_path / "waits.py")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGTERM)
    out, told = process.communicate(timeout=200)
    assert (process.returncode, out) == (128 + signal.SIGTERM, "put away\n"), told
    assert told == "ftrl: stopped by SIGTERM; what was finished is kept\n"
