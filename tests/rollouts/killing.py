"""``ftrl rollout`` in a process of its own, to be watched and killed; and a Ray of several nodes for it to run on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ftrl.ray_session import ENVIRONMENT
from ftrl.rollouts.engine_processes import descendants, shared_memory_of

WAIT_SECONDS = 900


class Run:
    """``ftrl rollout`` with a Ray of its own below ``ray_folder``, or with the one at ``address``."""

    def __init__(self, arguments: list[str], log: Path, ray_folder: str, address: str | None = None) -> None:
        environment = {**os.environ, "RAY_TMPDIR": ray_folder, "PYTHONUNBUFFERED": "1"}
        environment.pop("RAY_ADDRESS", None)
        if address is not None:
            environment["RAY_ADDRESS"] = address
        self._log = log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ftrl.cli", "rollout", *arguments],
            stdout=subprocess.PIPE,
            stderr=log.open("a"),
            text=True,
            env=environment,
        )
        self._segments: dict[int, set[str]] = {}
        # All the time: with little left to do, an engine may be gone before anybody asks for its segments.
        self._looking = ThreadPoolExecutor(1).submit(self._look)

    def end(self, seconds: float = WAIT_SECONDS) -> str:
        """What it has printed when it ends."""
        printed, _ = self.process.communicate(timeout=seconds)
        self._looking.result()
        return printed

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def seen(self) -> dict[int, set[str]]:
        """The segments of the engines so far."""
        return dict(self._segments)

    def _look(self) -> None:
        while self.process.poll() is None:
            for pid in self.engines():
                self._segments.setdefault(pid, set()).update(shared_memory_of(pid))
            time.sleep(0.1)

    def wait_for(self, what: Callable[[], object], pause: float = 0.2) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not what():
            assert self.process.poll() is None, f"the run ended too early: {self._log.read_text()}"
            assert time.monotonic() < deadline, f"waited too long: {self._log.read_text()}"
            time.sleep(pause)

    def engines(self) -> list[int]:
        """The engines of a Ray of its own."""
        return processes(self.process.pid, "VLLM::EngineCore")


def processes(pid: int, name: str) -> list[int]:
    """Processes below ``pid`` whose command line begins with ``name``."""
    return [below for below in descendants(pid) if command_of(below).startswith(name)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def committed(store: Path) -> int:
    """How many episodes there are."""
    with contextlib.suppress(OSError):
        return sum(part["rows"] for part in json.loads((store / "manifest.json").read_text())["parts"])
    return 0


def uncommitted(store: Path) -> set[str]:
    """Parts that are written and that the manifest does not name."""
    with contextlib.suppress(OSError):
        written = {file.name for file in os.scandir(store / "parts") if not file.name.startswith(".")}
        manifest = json.loads((store / "manifest.json").read_text())
        return written - {Path(part["name"]).name for part in manifest["parts"]}
    return set()


@dataclass(frozen=True)
class Nodes:
    """A Ray of several nodes: where it is, and the raylets of the nodes that do work, by process."""

    address: str
    raylets: tuple[int, ...]
    _process: subprocess.Popen[str]

    def with_another(self) -> Nodes:
        """The same, and a further node."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("another\n")
        self._process.stdin.flush()
        return Nodes(self.address, (*self.raylets, int(self._process.stdout.readline())), self._process)

    def engines(self) -> dict[int, list[int]]:
        """The engines of each raylet that has any."""
        found = {raylet: processes(raylet, "VLLM::EngineCore") for raylet in self.raylets}
        return {raylet: engines for raylet, engines in found.items() if engines}

    def sandboxes(self) -> list[int]:
        """The sandbox services, one a node that plays."""
        return [pid for raylet in self.raylets for pid in processes(raylet, "ray::SandboxActor")]


CLUSTER = """
import json, sys
from ray.cluster_utils import Cluster
def tried(make):  # Ray gives a node 30 seconds to start, which a busy machine may not keep
    for left in range(9, -1, -1):
        try:
            return make()
        except Exception as error:
            print(error, file=sys.stderr, flush=True)
            if not left:
                raise
common = {"object_store_memory": 200_000_000}
head = {"num_cpus": 0, "include_dashboard": False, **common}
cluster = tried(lambda: Cluster(initialize_head=True, head_node_args=head))
nodes = [tried(lambda: cluster.add_node(num_cpus=1, **common)) for _ in range(int(sys.argv[1]))]
raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
for _ in sys.stdin:
    node = tried(lambda: cluster.add_node(num_cpus=1, **common))
    print(json.dumps(node.all_processes["raylet"][0].process.pid), flush=True)
cluster.shutdown()
"""


@contextmanager
def nodes(count: int, ray_folder: str) -> Iterator[Nodes]:
    """A head that does no work, and ``count`` nodes with a CPU each; gone when the block ends."""
    environment = {**os.environ, **ENVIRONMENT, "RAY_TMPDIR": ray_folder}
    environment.pop("RAY_ADDRESS", None)
    log = Path(ray_folder) / "cluster.log"
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log.open("w"),
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        found = next((json.loads(line) for line in process.stdout if line.startswith("{")), None)
        assert found is not None, log.read_text()
        yield Nodes(found["address"], tuple(found["raylets"]), process)
    finally:
        below = descendants(process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=60)
        for pid in [*below, process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
