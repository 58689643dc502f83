"""Joining a Ray that somebody started by hand: what ``ray start --head`` leaves behind is found, and let in by."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ftrl.ray_session import running_address

pytestmark = pytest.mark.timeout(300)

START_SECONDS = 120

PLACE = """
from ftrl.ray_session import LogicalResources, logical_node, ray_session

with ray_session(LogicalResources(cpus=4, gpus=1)) as ray:
    @ray.remote(num_cpus=1, num_gpus=1, resources={logical_node(): 1})
    class Trainer:
        def node(self):
            return ray.get_runtime_context().get_node_id()

    print(len([node for node in ray.nodes() if node["Alive"]]), ray.get(Trainer.remote().node.remote()) != "")
"""

TELL = """
from ftrl.ray_session import ray_session

for _ in range(2):
    with ray_session():
        from ray._private.worker import print_to_stdstream
        print_to_stdstream({"lines": ["a node is gone"], "pid": "raylet", "is_err": False}, ignore_prefix=False)
"""

UNPACKED = """
import os
import ray
from ftrl.ray_session import LogicalResources, logical_node, ray_session

ray.init(runtime_env={"working_dir": os.environ["UNPACK"]}, log_to_driver=False)

@ray.remote(num_cpus=1)
class Job:
    def folder(self):
        return os.getcwd()

with ray_session(LogicalResources(cpus=1)):
    first = Job.remote()
    before = ray.get(first.folder.remote())
    second = Job.options(resources={logical_node(): 1}).remote()
    print(before != ray.get(second.folder.remote()), before == ray.get(first.folder.remote()))
"""


def run(code: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], check=False, env=dict(environment), capture_output=True, text=True, timeout=200
    )


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def head() -> Iterator[dict[str, str]]:
    """``ray start --head`` with one CPU and a token; yields the environment of a user beside it."""
    # Not below pytest's folder: Ray puts sockets in it, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ftrl-", ignore_cleanup_errors=True) as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment |= {"HOME": folder, "RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0"}
        ray = [sys.executable, "-m", "ray.scripts.scripts"]
        subprocess.run([*ray, "get-auth-token", "--generate"], env=environment, check=True, capture_output=True)
        log = Path(folder) / "head.log"
        options = ["--head", "--block", "--num-cpus=1", f"--port={free_port()}", "--include-dashboard=false"]
        process = subprocess.Popen(
            [*ray, "start", *options], env=environment, stdout=log.open("w"), stderr=subprocess.STDOUT
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while "Ray runtime started" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield environment
        finally:
            process.terminate()
            process.wait()


def test_a_ray_that_was_started_by_hand_is_joined_and_given_the_logical_resources(head: dict[str, str]) -> None:
    done = run(PLACE, head)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "True"]
    assert "Raylet is terminated" not in done.stdout + done.stderr


def test_the_second_node_unpacks_a_jobs_files_for_itself_and_leaves_those_that_a_process_works_in(
    head: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    done = run(UNPACKED, {**head, "UNPACK": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True True\n"), done.stdout


def test_a_ray_that_lets_nobody_in_is_a_sentence(head: dict[str, str]) -> None:
    address = running_address(head)
    assert address is not None
    code = "from ftrl.ray_session import ray_session\nwith ray_session(): pass"
    done = run(code, {**head, "RAY_ADDRESS": address, "RAY_AUTH_TOKEN": "0" * 64, "RAY_AUTH_MODE": "token"})
    assert f"FtrlError: the Ray at {address} could not be joined; if it asks for a token" in done.stderr


def test_what_ray_tells_of_lost_nodes_is_kept_off_stdout(head: dict[str, str]) -> None:
    done = run(TELL, head)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("a node is gone") >= 1
