"""Episodes with a provider's model: all of them in this process, on one event loop, without Ray or an engine.

The loop has a thread of its own, so that conversations go on while finished episodes are being committed. No more are
begun meanwhile: a store that is slow holds up the work, not the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import queue
import resource
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from functools import partial

from ftrl.errors import FtrlError
from ftrl.llm import Dialogues, open_dialogues
from ftrl.rollouts.episode import run_episode
from ftrl.rollouts.leases import FleetEvents, Lease
from ftrl.rollouts.provider_policy import ProviderPolicy
from ftrl.rollouts.providers import model_settings
from ftrl.rollouts.pulse import NOTHING_TOLD, Pulse
from ftrl.rollouts.settings import CollectConfig
from ftrl.rollouts.trajectory import PolicyIdentity, Trajectory, TrajectoryStatus
from ftrl.sandbox import Sandbox

MOST_FAULTS_IN_A_ROW = 20
"""When this many episodes (or all in flight, if those are more) fail one after the other, the provider is down."""

COLLECTOR = (50_000, 20, 20)
"""Python looks for cycles this seldom meanwhile. Thousands of episodes are hundreds of thousands of objects, none of
them in a cycle: looking at them again and again took a fifth of all CPU."""

FILES_BESIDE_CONNECTIONS = 256

STOP_SECONDS = 10.0

_Played = tuple[Lease, "Future[Trajectory]"]


class ProviderFleet:
    """Plays leases with a provider's model. Use it in a ``with`` block.

    Args:
        config: which model, how it is reached, and how episodes are played.
        identity: the model's name.
        events: is told what goes wrong.
    """

    def __init__(self, config: CollectConfig, identity: PolicyIdentity, events: FleetEvents) -> None:
        self._config = config
        self._identity = identity
        self._capacity = model_settings(config).connections
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ftrl-provider", daemon=True)
        self._finished: queue.SimpleQueue[_Played] = queue.SimpleQueue()
        self._queue: deque[Lease] = deque()
        self._playing: set[Future[Trajectory]] = set()
        self._faults_in_a_row = 0
        self._events = events

    def __enter__(self) -> ProviderFleet:
        _allow_connections(self._capacity)
        self._collector = gc.get_threshold()
        gc.set_threshold(*COLLECTOR)
        self._dialogues: Dialogues = open_dialogues(model_settings(self._config))
        self._policy = ProviderPolicy(self._dialogues, self._identity)
        self._sandbox = Sandbox(self._config.engine.sandbox_workers)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for playing in tuple(self._playing):
            playing.cancel()
        with contextlib.suppress(TimeoutError, CancelledError):
            asyncio.run_coroutine_threadsafe(self._wind_down(), self._loop).result(STOP_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._sandbox.close()
        gc.set_threshold(*self._collector)

    def play(self, leases: Iterable[Lease], *, tick: Callable[[], None], seconds: float = 1.0) -> Iterator[Trajectory]:
        """Finished episodes as they come; never one that failed through a fault of ours.

        Args:
            leases: what to play; taken as places become free.
            tick: called at least every ``seconds``.
            seconds: see ``tick``.

        Raises:
            FtrlError: the provider refuses the model or the key, or has been down for long.
        """
        source = iter(leases)
        while self._fill(source):
            with contextlib.suppress(queue.Empty):
                played = self._finished.get(timeout=seconds)
                while True:
                    trajectory = self._receive(*played)
                    if trajectory is not None:
                        yield trajectory
                    played = self._finished.get_nowait()
            tick()

    @property
    def running(self) -> int:
        """Always one: the provider."""
        return 1

    @property
    def places(self) -> int:
        """None that anybody knows of."""
        return 0

    @property
    def pulse(self) -> Pulse:
        """A provider tells nothing of its engines."""
        return NOTHING_TOLD

    @property
    def in_flight(self) -> int:
        """How many episodes are being played."""
        return len(self._playing)

    def _fill(self, source: Iterator[Lease]) -> bool:
        """Begin episodes while there is room; whether there is anything left to wait for."""
        while len(self._playing) < self._capacity:
            lease = self._queue.popleft() if self._queue else next(source, None)
            if lease is None:
                break
            playing = asyncio.run_coroutine_threadsafe(self._play(lease), self._loop)
            self._playing.add(playing)
            playing.add_done_callback(partial(self._tell, lease))
        return bool(self._playing)

    def _tell(self, lease: Lease, playing: Future[Trajectory]) -> None:
        self._finished.put((lease, playing))

    async def _play(self, lease: Lease) -> Trajectory:
        return await run_episode(
            lease.environment, lease.sources, self._policy, self._sandbox, self._config.episode, lease.key
        )

    def _receive(self, lease: Lease, playing: Future[Trajectory]) -> Trajectory | None:
        self._playing.discard(playing)
        trajectory = playing.result()
        if trajectory.status is not TrajectoryStatus.INFRASTRUCTURE:
            self._faults_in_a_row = 0
            return trajectory
        self._faults_in_a_row += 1
        if self._faults_in_a_row >= max(MOST_FAULTS_IN_A_ROW, self._capacity):
            raise FtrlError(
                f"{self._faults_in_a_row} episodes in a row could not be played ({trajectory.error}); what was "
                "finished is kept: go on with --resume when the provider is back"
            )
        if self._events.fault(lease, trajectory):
            self._queue.append(lease)
        return None

    async def _wind_down(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        await self._dialogues.close()


def _allow_connections(count: int) -> None:
    """Let this process open so many: each is a file, and 1,024 of them is the usual limit.

    Raises:
        FtrlError: the system does not allow as many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + FILES_BESIDE_CONNECTIONS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard not in (resource.RLIM_INFINITY,) and hard < wanted:
        raise FtrlError(
            f"{count} episodes at once need {wanted} open files, and this system allows {hard}; lower --in-flight or "
            "raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
