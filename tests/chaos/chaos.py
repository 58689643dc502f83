"""Tasks are made and played on a cluster that is not left in peace, until the time is over; then all is compared.

    python tests/chaos/chaos.py --seed 1 --minutes 30 [--tasks 400] [--played 40] [--samples 4]

Three Ray nodes, each in a network and on a disk of its own; the stores on an S3 of which every fifth request fails; a
job of two stages, `jobs/pipeline.py`, submitted over and over. One runs undisturbed, to compare with. Then, at random
by the seed: a raylet is killed, a worker, the driver, the head (a new one goes on with what Redis keeps), S3 goes away,
a disk is full, a network is slow, a cable is cut. What fails is submitted again, as it is. Each disturbance, and what
the program says to it, is a line. When the time is over the last job is left to end, and every store is compared with
the undisturbed one's. Exit code 0: all as undisturbed.

It needs Linux, root or a kernel that lets users make namespaces, iproute2, and redis-server.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from namespaces import HUB, Network, enter


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="decides what happens, to whom and when")
    parser.add_argument("--minutes", type=float, default=30, help="how long it is disturbed")
    parser.add_argument("--tasks", type=int, default=400, help="tasks that each job makes")
    parser.add_argument("--played", type=int, default=40, help="tasks that it plays")
    parser.add_argument("--samples", type=int, default=4, help="episodes of each")
    asked = parser.parse_args()
    missing = [name for name in ("unshare", "nsenter", "ip", "tc", "redis-server") if shutil.which(name) is None]
    if missing:
        parser.error(f"{', '.join(missing)} is not installed here (util-linux, iproute2, redis-server)")
    enter()
    with tempfile.TemporaryDirectory(prefix="ftrl-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        return disturbed(asked, Path(folder))


def disturbed(asked: argparse.Namespace, folder: Path) -> int:
    """All of it; the exit code."""
    from comparison import compare
    from disturbances import Disturbances
    from faulty_s3 import SHARE, FaultyS3
    from nodes import NAMES, RayNodes
    from supervision import Job

    from ftrl.sandbox import Sandbox
    from ftrl.tiny_policy import tiny_policy

    began = time.monotonic()
    logging.disable(logging.WARNING)  # S3 would tell of every request, and Ray of every file that it leaves out

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f}  {line}", flush=True)

    model = str(folder / "model")
    tiny_policy(model)
    network = Network()  # before S3, which listens at its hub
    with FaultyS3("0.0.0.0") as s3:
        s3.make_bucket("chaos")
        os.environ.update(s3.environment)
        nodes = RayNodes(folder, network, {**s3.environment, "AWS_ENDPOINT_URL": f"http://{HUB}:{s3.port}"})
        for name in NAMES:
            nodes.start(name)
            say(f"the node '{name}' runs at {nodes.addresses[name]}")

        def job(name: str) -> Job:
            return Job(nodes, name, configuration(asked, f"s3://chaos/{name}", model), say)

        s3.share = 0
        job("undisturbed").run()
        s3.share = SHARE
        disturbances = Disturbances(asked.seed, nodes, s3, say)
        over, jobs = threading.Event(), []

        def submit() -> None:
            while not over.is_set():
                jobs.append(f"disturbed-{len(jobs) + 1}")
                job(jobs[-1]).run()

        user = threading.Thread(target=submit, name="user", daemon=True)
        end = time.monotonic() + asked.minutes * 60
        user.start()
        while time.monotonic() < end:
            disturbances.pause()
            disturbances.next()
        over.set()
        say("nothing is disturbed any more; the last job is left to end")
        while user.is_alive():
            disturbances.look_after()
            user.join(5)
        say(f"disturbances: {', '.join(f'{kind} {count}' for kind, count in disturbances.done.items())}")
        say(f"requests to S3 that failed: {', '.join(f'{kind} {count}' for kind, count in s3.failed.items())}")
        s3.share = 0
        with Sandbox() as sandbox:
            held = True
            for name in jobs:
                compared = compare(f"s3://chaos/{name}", "s3://chaos/undisturbed", model, sandbox)
                say(f"{name}: {compared}")
                held = held and compared.holds
        for name in reversed(NAMES):
            nodes.kill(name)
        say("all as undisturbed" if held else "NOT ALL AS UNDISTURBED")
        return 0 if held else 1


def configuration(asked: argparse.Namespace, out: str, model: str) -> dict[str, Any]:
    """The file of ``jobs/pipeline.py``: the same for each job, but for where it writes."""
    return {
        "out": out,
        "model": model,
        "synthesize": {"count": asked.tasks, "workers": 2},
        "rollout": {
            "limit": asked.played,
            "samples": asked.samples,
            "episode": {"max_turns": 6, "max_response_tokens": 100},
            "engine": {"engines": 2, "episodes_in_flight": 2},
        },
    }


if __name__ == "__main__":
    sys.exit(main())
