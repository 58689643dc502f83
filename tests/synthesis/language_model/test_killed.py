"""The command is killed again and again, and the store comes out as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ftrl.environments import EnvironmentStore
from ftrl.llm import ExchangeFolder, ledger
from tests.synthesis.language_model.scripted_model import Fault, ScriptedServer, question_line, scripted_server

KILLS = 10


def started(server: ScriptedServer, questions: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ftrl.cli", "synth", "--generator", "llm", "--questions", str(questions)]
    command += ["--model", "openai-api/local/scripted", "--model-url", server.url, "--price", "1,2"]
    command += ["--connections", "2", "--workers", "1", "--resume", "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def recorded(out: Path) -> ExchangeFolder:
    return ExchangeFolder(str(out / "construction" / "exchanges"))


@pytest.mark.slow
@pytest.mark.e2e
def test_killed_at_ten_random_moments_a_run_ends_with_the_same_store_and_pays_for_nothing_twice(tmp_path):
    questions = tmp_path / "questions.jsonl"
    questions.write_text("".join(json.dumps(question_line(index)) + "\n" for index in range(12)))
    with scripted_server() as server:
        process = started(server, questions, tmp_path / "undisturbed")
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
        paid_whole = sum(server.answered.values())
    moments = sorted(random.Random(5).sample(range(1, paid_whole), KILLS))
    cut_off = 0
    with scripted_server() as server:
        server.faults = [Fault(when=lambda asked: True, delay=0.1)]
        for moment in moments:
            process = started(server, questions, tmp_path / "killed")
            while sum(server.answered.values()) < moment + cut_off:
                assert process.poll() is None, "it ended before it was killed"
                time.sleep(0.005)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            time.sleep(0.3)  # answers that were on their way have gone nowhere
            # Answered, but killed before it could be written down: only these may be asked again.
            cut_off = sum(server.answered.values()) - sum(1 for _ in recorded(tmp_path / "killed"))
        process = started(server, questions, tmp_path / "killed")
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
        paid = sum(server.answered.values())
    assert paid - cut_off == paid_whole
    assert cut_off <= 2 * 6 * KILLS  # two connections for each of six models of a run
    one, other = (ledger(recorded(tmp_path / name))["all"] for name in ("undisturbed", "killed"))
    assert (one.calls, one.input, one.output, one.usd) == (other.calls, other.input, other.output, other.usd)
    undisturbed, killed = (list(EnvironmentStore.open(str(tmp_path / name))) for name in ("undisturbed", "killed"))
    assert len(undisturbed) == 12
    assert killed == undisturbed
