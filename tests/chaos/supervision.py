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
STUCK_SECONDS = 400.0
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
        """Submit it, follow it to its end; whether it succeeded."""
        from ray.job_submission import JobStatus

        self.submitted += 1
        id_ = f"{self._name}-{self.submitted}"
        client = self._submit(id_)
        self._say(f"{id_}: submitted")
        self._read, self._rest, self._heard = 0, "", time.monotonic()
        reachable = True
        while True:
            time.sleep(LOOK_SECONDS)
            self._tell(id_)
            try:
                about = client.get_job_info(id_)
                if about.status in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED):
                    break
                if time.monotonic() - self._heard > STUCK_SECONDS:
                    self._say(f"{id_}: NOTHING HEARD for {STUCK_SECONDS:.0f} s; it is stopped")
                    client.stop_job(id_)
                    self._heard = time.monotonic()
            except Exception as error:  # noqa: BLE001  # whatever the dashboard or the network make of it
                if reachable:
                    self._say(f"{id_}: the head does not tell how it is ({_first(error)})")
                reachable = False
                continue
            if not reachable:
                self._say(f"{id_}: the head says that it is {about.status.value.lower()}")
            reachable = True
        self._tell(id_)
        if about.status is JobStatus.SUCCEEDED:
            return True
        self._say(f"{id_}: {about.status.value.lower()}; Ray says: {_first(about.message)}")
        return False

    def _submit(self, id_: str) -> Any:
        """A client of a dashboard that has taken the job."""
        from ray.job_submission import JobSubmissionClient

        file = self._nodes.shared / f"{self._name}.yaml"
        file.write_text(json.dumps(self._config))
        while True:
            try:
                client = JobSubmissionClient(self._nodes.dashboard)
                if any(job.submission_id == id_ for job in client.list_jobs()):
                    return client  # it had arrived, only nobody said so
                client.submit_job(
                    entrypoint=f"python jobs/pipeline.py --config {file}",
                    submission_id=id_,
                    entrypoint_resources={"driver": 1},
                    runtime_env={"working_dir": str(ROOT)},
                )
            except Exception as error:  # noqa: BLE001  # see above
                self._say(f"{id_}: not submitted yet ({_first(error)})")
                time.sleep(BACK_OFF)
            else:
                return client

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


def _first(told: object) -> str:
    return next(iter(str(told).strip().splitlines()), type(told).__name__)[:160]
