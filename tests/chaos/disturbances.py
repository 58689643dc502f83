"""What is done to the cluster: each disturbance does its harm, lasts a while, is mended, and says so."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

from faulty_s3 import FaultyS3
from killing import command_of
from nodes import NAMES, RayNodes

WORKERS = ("drivers", "more")
PATIENCE = 120.0
"""So long is waited for a victim."""


class Disturbances:
    """All kinds, in an order that the seed decides: each once, then each once again.

    Args:
        seed: decides kinds, victims and times.
        nodes: the cluster.
        s3: its store.
        say: told what is done.
    """

    def __init__(self, seed: int, nodes: RayNodes, s3: FaultyS3, say: Callable[[str], None]) -> None:
        self._rng = random.Random(seed)
        self._nodes = nodes
        self._s3 = s3
        self._say = say
        self._left: list[str] = []
        self.done: dict[str, int] = dict.fromkeys(self._kinds(), 0)

    def _kinds(self) -> dict[str, Callable[[], bool]]:
        return {
            "a raylet": self._raylet,
            "a worker": self._worker,
            "another worker": self._worker,
            "the driver": self._driver,
            "the head": self._head,
            "S3 away": self._s3_away,
            "a full disk": self._full_disk,
            "a slow network": self._slow_network,
            "a cut cable": self._cut_cable,
        }

    def next(self) -> None:
        """Do one, from beginning to end."""
        if not self._left:
            self._left = list(self._kinds())
            self._rng.shuffle(self._left)
        kind = self._left.pop()
        self.look_after()
        if self._kinds()[kind]():
            self.done[kind] += 1

    def pause(self) -> None:
        """Leave it alone for a while, but for starting what has not survived."""
        self._wait(15, 40)
        self.look_after()

    def look_after(self) -> None:
        """Start what has not survived so far, as whoever runs a cluster would."""
        for name in NAMES:
            if not self._nodes.lives(name):
                self._say(f"the node '{name}' has ended itself")
                self._restart(name)

    def _raylet(self) -> bool:
        name = self._rng.choice(WORKERS)
        pid = self._nodes.raylet(name)
        assert pid is not None, f"{name} was whole"
        os.kill(pid, signal.SIGKILL)
        self._say(f"KILLED the raylet of the node '{name}' (process {pid}); all that ran there ends with it")
        self._wait(5, 20)
        self._restart(name)
        return True

    def _worker(self) -> bool:
        if not (found := self._victim(self._nodes.workers)):
            self._say("nothing is at work that could be killed")
            return False
        pid = self._rng.choice(found)
        name = command_of(pid)[:60]
        os.kill(pid, signal.SIGKILL)
        self._say(f"KILLED a worker: {name} (process {pid})")
        return True

    def _driver(self) -> bool:
        if not (found := self._victim(lambda: [pid for pid in [self._nodes.driver()] if pid is not None])):
            self._say("no driver runs that could be killed")
            return False
        os.kill(found[0], signal.SIGKILL)
        self._say(f"KILLED the driver (process {found[0]})")
        return True

    def _head(self) -> bool:
        self._nodes.kill("head")
        self._say("KILLED the head: GCS, dashboard, raylet; Redis keeps what it knew")
        self._wait(5, 20)
        self._restart("head")
        return True

    def _s3_away(self) -> bool:
        self._s3.away = True
        self._say("S3 is GONE: nobody answers")
        self._wait(20, 60)
        self._s3.away = False
        self._say(f"S3 is back; it has failed {sum(self._s3.failed.values())} requests so far")
        return True

    def _full_disk(self) -> bool:
        name = self._rng.choice(NAMES)
        disk = self._nodes.disks[name]
        disk.fill()
        self._say(f"FILLED the disk of the node '{name}': Ray's session, logs, spilled objects, temporary files")
        self._wait(20, 40)
        disk.free()
        self._say(f"the disk of the node '{name}' has room again")
        return True

    def _slow_network(self) -> bool:
        name = self._rng.choice(NAMES)
        how = self._nodes.network.slow_down(name)
        self._say(f"SLOWED the network of the node '{name}' ({how})")
        self._wait(20, 60)
        self._nodes.network.mend(name)
        self._say(f"the network of the node '{name}' is fast again")
        return True

    def _cut_cable(self) -> bool:
        name = self._rng.choice(WORKERS)
        self._nodes.network.cut(name)
        self._say(f"CUT the cable of the node '{name}'")
        self._wait(5, 45)
        self._nodes.network.mend(name)
        self._say(f"the cable of the node '{name}' is whole again")
        return True

    def _restart(self, name: str) -> None:
        if name in WORKERS:
            self._nodes.kill(name)
        self._nodes.start(name)
        self._say(f"the node '{name}' is started again")

    def _victim(self, look: Callable[[], list[int]]) -> list[int]:
        deadline = time.monotonic() + PATIENCE
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def _wait(self, least: float, most: float) -> None:
        time.sleep(self._rng.uniform(least, most))
