"""A cluster of three nodes on this machine: jobs that are submitted with Ray's own command line, as the page tells."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from ftrl.environments import EnvironmentStore
from ftrl.models import weights_hash
from ftrl.ray_session import answers
from ftrl.rollouts import TrajectoryStore
from ftrl.tiny_policy import tiny_policy

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = str(ROOT / "cluster" / "local.sh")
ON_DRIVERS = ["--working-dir", str(ROOT), "--entrypoint-resources", '{"driver": 1}']


def run(*command: str, environment: dict[str, str], seconds: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=seconds)


def processes_of(folder: str) -> list[int]:
    """Processes that were started with something below a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"{folder}/".encode() in command:
                found.append(int(entry.name))
    return found


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """What an environment has to say for an S3 server, a process of its own with the bucket `ftrl`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).parent / "moto_server")
    with subprocess.Popen([program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 120
        while not answers(f"127.0.0.1:{port}"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        endpoint = f"http://127.0.0.1:{port}"
        boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="ftrl")
        environment = {name.upper(): value for name, value in keys.items() if name.startswith("aws")}
        yield {**environment, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": endpoint}
        server.terminate()


@pytest.fixture(scope="module")
def cluster(s3: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a shell after ``eval "$(cluster/local.sh env)"``."""
    # Not below pytest's folder: Ray puts sockets in it, whose paths must be short.
    folder = tempfile.mkdtemp(prefix="ftrl-", dir="/tmp")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    own = {"FTRL_CLUSTER_DIR": folder, "FTRL_CLUSTER_PORT": str(21000 + os.getpid() % 9000), "FTRL_CLUSTER_CPUS": "1"}
    environment |= own | s3  # the nodes know of S3 what the shell knew that started them
    try:
        started = run(SCRIPT, "start", environment=environment, seconds=400)
        assert started.returncode == 0, started.stderr
        settings = run(SCRIPT, "env", environment=environment).stdout
        exported = dict(line.removeprefix("export ").split("=", 1) for line in settings.splitlines())
        yield {**environment, **exported}
    finally:
        stopped = run(SCRIPT, "stop", environment=environment)
        deadline = time.monotonic() + 30
        while (left := processes_of(folder)) and time.monotonic() < deadline:
            time.sleep(0.5)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    assert stopped.returncode == 0
    assert not left, "the script ends all that it started"


def configuration(folder: Path, **settings: object) -> str:
    file = folder / "config.yaml"
    file.write_text(json.dumps(settings))
    return str(file)


def submitted(
    cluster: dict[str, str], config: str, *options: str, job: str = "synthesize", seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    command = ["ray", "job", "submit", *options, *ON_DRIVERS, "--", "python", f"jobs/{job}.py", "--config", config]
    return run(*command, environment=cluster, seconds=seconds)


def test_a_job_is_submitted_runs_on_the_node_for_drivers_and_leaves_its_tasks(
    cluster: dict[str, str], tmp_path: Path
) -> None:
    done = submitted(cluster, configuration(tmp_path, out=str(tmp_path / "tasks"), count=6, workers=1))
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"accepted": 6' in done.stdout
    assert len(EnvironmentStore.open(str(tmp_path / "tasks"))) == 6


def test_a_job_whose_output_would_be_lost_fails_with_a_sentence(cluster: dict[str, str], tmp_path: Path) -> None:
    done = submitted(cluster, configuration(tmp_path, out="tasks", count=6))
    assert done.returncode != 0
    assert (
        "config.yaml:1: field 'out': 'tasks' would lie in the copy of the working folder" in done.stdout + done.stderr
    )


def test_a_job_that_is_stopped_says_so_and_how_to_go_on(cluster: dict[str, str], tmp_path: Path) -> None:
    config = configuration(tmp_path, out=str(tmp_path / "tasks"), count=5000, workers=1)
    job = f"stopped-{os.getpid()}"
    assert submitted(cluster, config, "--no-wait", "--submission-id", job).returncode == 0
    deadline = time.monotonic() + 120
    while "of 5000 items" not in (logs := run("ray", "job", "logs", job, environment=cluster).stdout):
        assert time.monotonic() < deadline, logs
        time.sleep(0.2)
    stopped = run("ray", "job", "stop", job, environment=cluster)
    logs = run("ray", "job", "logs", job, environment=cluster).stdout
    assert "stopped by SIGTERM; what was finished is kept: submit the same job again to go on" in logs, stopped.stdout
    assert len(EnvironmentStore.open(str(tmp_path / "tasks"))) > 0, "what was settled is committed"
    assert "STOPPED" in run("ray", "job", "status", job, environment=cluster).stdout.upper()


def test_who_has_no_token_cannot_submit(cluster: dict[str, str], tmp_path: Path) -> None:
    stranger = {name: value for name, value in cluster.items() if not name.startswith("RAY_AUTH")}
    stranger["HOME"] = str(tmp_path)
    done = submitted(stranger, configuration(tmp_path, out=str(tmp_path / "tasks"), count=6))
    assert done.returncode != 0
    assert "token" in done.stdout + done.stderr
    assert not (tmp_path / "tasks").exists()


def test_the_doctor_looks_at_every_node_and_tells_what_a_run_lacks(cluster: dict[str, str], tmp_path: Path) -> None:
    doctor = [sys.executable, "-m", "ftrl.cli", "doctor", "--json", "--cluster"]
    fits = run(*doctor, configuration(tmp_path, out=str(tmp_path / "tasks"), count=6), environment=cluster)
    assert fits.returncode == 0, fits.stdout + fits.stderr
    checks = json.loads(fits.stdout)
    nodes = {check["area"].rpartition("-")[2] for check in checks if check["area"].startswith("node ")}
    assert nodes == {"head", "drivers", "tools"}
    by_name = {check["name"]: check for check in checks}
    assert by_name["token"]["status"] == by_name["head"]["status"] == by_name["ray"]["status"] == "ok"
    assert [check["area"].rpartition("-")[2] for check in checks if check["name"] == str(tmp_path / "tasks")] == [
        "drivers"
    ]
    lacks = run(
        *doctor,
        configuration(tmp_path, out=str(tmp_path / "run"), model=str(tmp_path / "absent"), tasks=str(tmp_path)),
        environment=cluster,
    )
    assert lacks.returncode == 1
    missing = {check["name"] for check in json.loads(lacks.stdout) if check["status"] == "missing"}
    assert missing == {"gpus", str(tmp_path / "absent")}


@pytest.mark.timeout(5400)
def test_one_file_makes_tasks_plays_trains_and_evaluates_on_s3_and_once_more_does_nothing_again(
    cluster: dict[str, str], s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    out, disk = "s3://ftrl/run", tmp_path / "run"
    tiny_policy(tmp_path / "model")
    batches = {"batch_size": 8, "mini_batch_size": 8, "samples_per_prompt": 4, "tokens_per_gpu": 4096}
    lengths = {"max_prompt_tokens": 448, "max_response_tokens": 64}
    config = configuration(
        tmp_path,
        out=out,
        model=str(tmp_path / "model"),
        synthesize={"count": 40},
        held_out={"count": 16},
        rollout={"engine": {"engines": 2}, "episode": {"max_turns": 6, "max_response_tokens": 64}},
        train={
            "out": str(disk),
            "iterations": 1,
            "step_timeout": 20,
            "collect": {"max_turns": 6, "limit": 16},
            "reward": {"workers": 1},
            "hardware": {"device": "cpu"},
            "optim": {**batches, **lengths, "learning_rate": 1e-4, "kl_loss": 0, "max_steps": 2},
        },
        evaluate={"episode": {"max_turns": 6, "max_response_tokens": 64}},
    )
    first, again = (submitted(cluster, config, job="pipeline", seconds=2400) for _ in range(2))
    for done in (first, again):
        assert done.returncode == 0, done.stdout + done.stderr
    stages, later = report_of(first)["stages"], report_of(again)["stages"]
    assert (stages["synthesize"]["accepted"], stages["held_out"]["accepted"]) == (40, 16)
    assert len(EnvironmentStore.open(f"{out}/tasks")) == 40
    assert len(TrajectoryStore.open(f"{out}/rollouts")) == stages["rollout"]["collected"] == 40
    assert stages["train"]["iterations"][0]["steps"] == 2
    assert sum(stages["evaluate"]["statuses"].values()) == 16
    trained = weights_hash(disk / "iteration-1" / "policy")
    assert stages["evaluate"]["policy"]["weights"] == trained != weights_hash(tmp_path / "model")
    assert later["rollout"]["collected"] == later["synthesize"]["accepted"] == 0
    assert later["evaluate"] == stages["evaluate"]


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What the job printed in the end, among what Ray says of it."""
    text = done.stdout[done.stdout.rindex("\n{\n") :]
    report: dict[str, Any] = json.JSONDecoder().raw_decode(text.strip())[0]
    return report
