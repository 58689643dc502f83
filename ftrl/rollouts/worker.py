"""The actor that plays episodes: one engine, the sandbox of its node, many episodes at a time in one process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ftrl.environments import Environment
from ftrl.errors import FtrlError
from ftrl.rollouts.engine_processes import Guard, last_error
from ftrl.rollouts.episode import EpisodeKey, run_episode
from ftrl.rollouts.pulse import Pulse
from ftrl.rollouts.settings import EngineSettings, EpisodeSettings
from ftrl.rollouts.trajectory import PolicyIdentity, Trajectory
from ftrl.rollouts.vllm_policy import VllmPolicy, prepare_process
from ftrl.sandbox.service import NodeSandbox


class RolloutWorker:
    """Plays episodes with an engine of its own; becomes a Ray actor in ``ftrl.rollouts.fleet``.

    Args:
        model: folder of the model on this machine.
        identity: which model it is.
        episode: how episodes are played.
        engine: how the engine runs.
        in_flight: episodes at once; more wait here.
        cpu: whether this is vLLM's CPU build.
    """

    def __init__(
        self,
        model: str,
        identity: PolicyIdentity,
        episode: EpisodeSettings,
        engine: EngineSettings,
        *,
        in_flight: int,
        cpu: bool,
    ) -> None:
        self._model = model
        self._identity = identity
        self._episode = episode
        self._engine = engine
        self._cpu = cpu
        self._slots = asyncio.Semaphore(in_flight)
        self._policy: VllmPolicy | None = None
        self._sandbox = NodeSandbox(engine.sandbox_workers)
        self._guard: Guard | None = None

    async def start(self) -> int:
        """Start the engine; returns this process's id.

        Raises:
            FtrlError: the engine did not start; the message holds its own last words.
        """
        self._guard = Guard()
        prepare_process(self._engine, cpu=self._cpu)
        try:
            with self._guard.watching():
                self._policy = VllmPolicy.start(self._model, self._engine, self._identity, cpu=self._cpu)
        except (RuntimeError, ValueError, OSError, TimeoutError) as error:
            raise FtrlError(f"the engine for {self._model} did not start: {_cause(error)}") from error
        return os.getpid()

    async def play(self, environment: Environment, sources: Mapping[str, str], key: EpisodeKey) -> Trajectory:
        """Play one episode.

        Raises:
            EngineLost: the engine died; this actor is of no more use.
        """
        assert self._policy is not None
        async with self._slots:
            return await run_episode(environment, sources, self._policy, self._sandbox, self._episode, key)

    async def pulse(self) -> Pulse:
        """How the engine is doing; see ``VllmPolicy.pulse``.

        Raises:
            EngineLost: it died.
        """
        assert self._policy is not None
        return await self._policy.pulse()

    async def stop(self) -> None:
        """Shut everything down; when this returns, the engine's processes are gone."""
        if self._policy is not None:
            await asyncio.to_thread(self._policy.stop)
        if self._guard is not None:
            await asyncio.to_thread(self._guard.release)


def _cause(error: Exception) -> str:
    """Why an engine did not start: a setting that vLLM refuses, or what its processes said in our common log."""
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["msg"])
    return last_error(Path("/proc/self/fd/2").readlink()) or str(error)
