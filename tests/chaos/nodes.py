"""A Ray of three nodes that come back when they are killed: a head that does no work, one with the driver, one more.

Each is `ray start` in a network and on a disk of its own, and sees no other's processes. What the head knows lies in
Redis: a new head takes it over.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from killing import command_of, processes
from namespaces import APART, HUB, Disk, Network

from ftrl.ray_session import ENVIRONMENT
from ftrl.rollouts.engine_processes import descendants

NAMES = ("head", "drivers", "more")
GCS_PORT, DASHBOARD_PORT, REDIS_PORT = 6379, 8265, 6399
TOKEN = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")
LIKE_KUBERAY = {
    "RAY_JOB_STOP_WAIT_TIME_S": "60",
    "BAD_RUNTIME_ENV_CACHE_TTL_SECONDS": "10",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
}
"""What our manifests tell the nodes, and, the last of them, KubeRay: so long they wait for a new head."""

START_ATTEMPTS = 5
WORKERS = ("VLLM::EngineCore", "ray::RolloutWorker", "ray::SandboxActor", "ray::StageHost")
"""Processes that do the work of a node, by the beginning of their command lines."""


class RayNodes:
    """Starts, kills and starts again.

    Args:
        folder: for disks and logs; a short path, since Ray puts sockets there.
        network: the nodes are plugged in.
        environment: what all processes are to know, such as where S3 is.

    Attributes:
        shared: the folder, which all nodes can read.
    """

    def __init__(self, folder: Path, network: Network, environment: dict[str, str]) -> None:
        self.shared = folder
        self.network = network
        self.disks = {name: Disk(folder / name) for name in NAMES}
        self.addresses = {name: self.network.plug_in(name) for name in NAMES}
        own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_") or name in TOKEN}
        self.environment = {**own, **ENVIRONMENT, **environment, **LIKE_KUBERAY}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._redis = subprocess.Popen(
            ["redis-server", "--bind", HUB, "--port", str(REDIS_PORT), "--protected-mode", "no", "--save", ""],
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        time.sleep(1)
        assert self._redis.poll() is None, "redis-server did not start"

    @property
    def dashboard(self) -> str:
        return f"http://{self.addresses['head']}:{DASHBOARD_PORT}"

    def start(self, name: str) -> None:
        """Start a node and wait until it belongs to the cluster."""
        common = ["ray", "start", "--block", f"--node-name={name}", f"--node-ip-address={self.addresses[name]}"]
        common += [f"--temp-dir={self.disks[name].folder}", "--object-store-memory=200000000"]
        environment = {**self.environment, "TMPDIR": str(self.disks[name].folder)}
        if name == "head":
            options = ["--head", f"--port={GCS_PORT}", "--num-cpus=0", "--dashboard-host=0.0.0.0"]
            options += [f"--dashboard-port={DASHBOARD_PORT}"]
            environment["RAY_REDIS_ADDRESS"] = f"{HUB}:{REDIS_PORT}"
        else:
            options = [f"--address={self.addresses['head']}:{GCS_PORT}", "--num-cpus=2"]
            options += ["--resources=" + json.dumps({"driver": 1})] if name == "drivers" else []
        for _ in range(START_ATTEMPTS):  # Ray gives a node 30 seconds to start, which a busy machine may not keep
            with (self.shared / f"{name}.log").open("wb") as log:
                command = [*self.network.inside(name), *APART, *common, *options]
                self._processes[name] = subprocess.Popen(
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, cwd=self.shared
                )
            while self._processes[name].poll() is None:
                if "Ray runtime started" in self._said(name):
                    return
                time.sleep(0.5)
        raise AssertionError(f"the node {name} did not start: {self._said(name)[-2000:]}")

    def raylet(self, name: str) -> int | None:
        """The process of a node's raylet, if it lives."""
        below = descendants(self._processes[name].pid) if name in self._processes else []
        return next((pid for pid in below if "/raylet/raylet " in command_of(pid)), None)

    def workers(self) -> list[int]:
        """Engines, sandboxes, and the actors of rollouts and synthesis, on all nodes that do work."""
        raylets = [raylet for name in NAMES if name != "head" and (raylet := self.raylet(name)) is not None]
        return [pid for raylet in raylets for name in WORKERS for pid in processes(raylet, name)]

    def driver(self) -> int | None:
        """The process of the job itself."""
        raylet = self.raylet("drivers")
        found = processes(raylet, "python jobs/pipeline.py") if raylet is not None else []
        return found[0] if found else None

    def kill(self, name: str) -> None:
        """Kill all of a node at once."""
        process = self._processes.pop(name)
        for pid in [process.pid, *descendants(process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def lives(self, name: str) -> bool:
        return name in self._processes and self._processes[name].poll() is None

    def _said(self, name: str) -> str:
        return (self.shared / f"{name}.log").read_text(errors="replace")
