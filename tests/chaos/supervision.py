"""Submits the job, tells what it says, and submits it again when it fails, as a RayJob with a back-off does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nodes import RayNodes

ROOT = Path(__file__).resolve().parents[2]
BACK_OFF = 5.0
LOOK_SECONDS = 2.0
STUCK_SECONDS = 900.0
"""A job of which nothing has been heard for so long will not do any more."""

PROGRESS = ("rollout: episodes", "synthesize: ", "{", "}", " ")
"""What lines begin with that tell nothing of disturbances."""


class Job:
    """One job, submitted as often as it takes.

    Args:
        nodes: the cluster.
        name: what it is called in lines and ids.
        config: what its file holds.
        say: told every line that is worth one.
    """

    def __init__(self, nodes: RayNodes, name: str, config: dict[str, Any], say: Callable[[str], None]) -> None:
        self._nodes = nodes
        self._name = name
        self._config = config
        self._say = say
        self._stop = threading.Event()
        self._read = 0
        self._rest = ""
        self._heard = time.monotonic()
        self.submitted = 0
        self.seconds = 0.0

    def run(self) -> None:
        """Until it has succeeded."""
        began = time.monotonic()
        while not self._once():
            time.sleep(BACK_OFF)
        self.seconds = time.monotonic() - began
        self._say(f"{self._name}: done after {self.seconds:.0f} s; it was submitted {self.submitted} times")

    def _once(self) -> bool:
        from ray.job_submission import JobStatus, JobSubmissionClient

        self.submitted += 1
        id_ = f"{self._name}-{self.submitted}"
        file = self._nodes.shared / f"{self._name}.yaml"
        file.write_text(json.dumps(self._config))
        try:
            client = JobSubmissionClient(self._nodes.dashboard)
            client.submit_job(
                entrypoint=f"python jobs/pipeline.py --config {file}",
                submission_id=id_,
                entrypoint_resources={"driver": 1},
                runtime_env={"working_dir": str(ROOT)},
            )
        except Exception as error:  # noqa: BLE001  # whatever the dashboard or the network make of it
            self._say(f"{id_}: could not be submitted ({_first(error)})")
            return False
        self._say(f"{id_}: submitted")
        self._read, self._rest, self._heard = 0, "", time.monotonic()
        unreachable = False
        while True:
            time.sleep(LOOK_SECONDS)
            self._tell(id_)
            try:
                status, unreachable = client.get_job_status(id_), False
            except Exception as error:  # noqa: BLE001
                if not unreachable:
                    self._say(f"{id_}: the head cannot tell how it is ({_first(error)})")
                unreachable = True
                continue
            if status in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED):
                self._tell(id_)
                if status is not JobStatus.SUCCEEDED:
                    message = (client.get_job_info(id_).message or "").strip()
                    self._say(f"{id_}: {status.value.lower()}; Ray says: {message.splitlines()[0][:200]}")
                return status is JobStatus.SUCCEEDED
            if time.monotonic() - self._heard > STUCK_SECONDS:
                self._say(f"{id_}: NOTHING HEARD for {STUCK_SECONDS:.0f} s; it is stopped")
                client.stop_job(id_)
                self._heard = time.monotonic()

    def _tell(self, id_: str) -> None:
        """Say what is new in the job's log."""
        file = next(iter(self._nodes.disks["drivers"].folder.glob(f"session_*/logs/job-driver-{id_}.log")), None)
        if file is None:
            return
        with file.open("rb") as log:
            log.seek(self._read)
            news = log.read()
        self._read += len(news)
        if news:
            self._heard = time.monotonic()
        *lines, self._rest = (self._rest + news.decode(errors="replace")).split("\n")
        for line in lines:
            if line.strip() and not line.startswith(PROGRESS):
                self._say(f"    {id_} says: {line[:400]}")


def _first(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:160]
