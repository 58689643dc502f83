"""A policy whose turns are made by vLLM engines in Ray actors, while the episodes themselves are played here.

``ftrl.rollouts`` hands whole episodes of ours to its workers. A suite's episodes are played otherwise, some with a
second model in them, so here a worker is only asked for turns; the same worker for all turns of a conversation, since
it remembers the tokens.
"""

from __future__ import annotations

import asyncio
import uuid
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ftrl.errors import FtrlError, InputError
from ftrl.ray_session import our_errors
from ftrl.rollouts import (
    CollectConfig,
    Conversation,
    EngineFault,
    EngineLost,
    EpisodeSettings,
    Generation,
    PolicyIdentity,
)
from ftrl.rollouts.fleet import (
    IN_FLIGHT_CPU,
    IN_FLIGHT_GPU,
    MOST_DEATHS_IN_A_ROW,
    STOP_SECONDS,
    first_line,
    vllm_runs_on_cpu,
)
from ftrl.rollouts.prompts import tokenise
from ftrl.rollouts.pulse import PULSE_SECONDS, no_answer
from ftrl.rollouts.worker import RolloutWorker

Opening = tuple[tuple[Mapping[str, Any], ...], EpisodeSettings, "int | None"]
"""What ``Policy.converse`` is given."""


def places_of_engine(config: CollectConfig) -> int:
    """Turns that one engine makes at the same time."""
    return config.engine.episodes_in_flight or (IN_FLIGHT_CPU if vllm_runs_on_cpu() else IN_FLIGHT_GPU)


class TurnWorker(RolloutWorker):
    """An actor with an engine, asked for single turns."""

    _conversations: dict[str, Conversation]

    async def begin(self) -> None:
        """Start the engine.

        Raises:
            FtrlError: it did not start.
        """
        self._conversations = {}
        await self.start()

    async def turn(
        self, name: str, opening: Opening, messages: Sequence[Mapping[str, Any]], most_tokens: int | None
    ) -> Generation:
        """The next turn of the conversation with this name, which is opened if there is none.

        Raises:
            ContextFull, EngineFault, EngineLost: as of any policy.
        """
        assert self._policy is not None
        if name not in self._conversations:
            self._conversations[name] = self._policy.converse(*opening)
        async with self._slots:
            generation = await self._conversations[name].generate(messages, most_tokens)
        return replace(generation, tokens=None)  # nobody reads them there, and they are many

    async def likelihood(self, texts: Sequence[str]) -> tuple[float, int]:
        """The log-probability of texts (natural logarithm, the first token of each left out), and of how many tokens.

        What of a text does not fit the model's context is left out.

        Raises:
            EngineFault, EngineLost: as of any policy.
        """
        from vllm import SamplingParams

        policy = self._policy
        assert policy is not None
        total, tokens = 0.0, 0
        for text in texts:
            ids = tokenise(policy.tokenizer, text)[: policy.max_model_len - 1]
            output = await policy.answer(ids, SamplingParams(max_tokens=1, prompt_logprobs=0))
            found = output.prompt_logprobs[1:]
            total += sum(step[token].logprob for step, token in zip(found, ids[1:], strict=True))
            tokens += len(found)
        return total, tokens

    async def forget(self, name: str) -> None:
        """A conversation is over."""
        self._conversations.pop(name, None)


class _Seat:
    """A place for a worker, which may be taken by one after the other."""

    def __init__(self) -> None:
        self.actor: Any = None
        self.starting = asyncio.Lock()
        self.conversations = 0
        self.deaths = 0


class EnginePolicy:
    """Conversations with the engines of one model. Use it in an ``async with`` block; belongs to its event loop.

    Args:
        ray: the connected module.
        config: which model, how many engines, and of what kind.
        identity: which model it is.
    """

    def __init__(self, ray: Any, config: CollectConfig, identity: PolicyIdentity) -> None:
        self.identity = identity
        self._ray = ray
        self._config = config
        self._cpu = vllm_runs_on_cpu()
        self._in_flight = places_of_engine(config)
        self._seats: list[_Seat] = []
        self._looking: list[asyncio.Task[None]] = []
        self._broken: FtrlError | None = None

    async def __aenter__(self) -> EnginePolicy:
        self._check_room()
        self._seats = [_Seat() for _ in range(self._config.engine.engines)]
        try:
            await asyncio.gather(*map(self._start, self._seats))
        except BaseException:
            await self._stop()
            raise
        self._looking = [asyncio.create_task(self._look_after(seat)) for seat in self._seats]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def converse(
        self, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None = None
    ) -> Conversation:
        """A new conversation, on the engine that has the fewest.

        Raises:
            FtrlError: an engine died again and again while nobody waited for it.
        """
        if self._broken is not None:
            raise self._broken
        seat = min(self._seats, key=lambda one: one.conversations)
        seat.conversations += 1
        return _RemoteConversation(self, seat, (tuple(tools), settings, seed))

    async def likelihood(self, texts: Sequence[str]) -> tuple[float, int]:
        """The log-probability of texts, and of how many tokens; see ``TurnWorker``. An engine that dies is replaced.

        Raises:
            FtrlError: engines die again and again.
        """
        from ray.exceptions import RayActorError

        seat = self._seats[0]
        while True:
            actor = seat.actor
            try:
                found: tuple[float, int] = await _result(actor.likelihood.remote(list(texts)))
            except (EngineLost, RayActorError) as error:
                await self.lost(seat, actor, first_line(str(error)))
            else:
                seat.deaths = 0
                return found

    async def lost(self, seat: _Seat, actor: Any, why: str) -> None:
        """Put a new worker in the place of one that died, unless somebody has already.

        Raises:
            FtrlError: workers die there again and again.
        """
        async with seat.starting:
            if seat.actor is not actor:
                return
            self._ray.kill(actor)
            seat.actor = None
            seat.deaths += 1
            if seat.deaths >= MOST_DEATHS_IN_A_ROW:
                raise FtrlError(
                    f"an engine died {seat.deaths} times without finishing a turn ({why}); what was finished is kept: "
                    "free memory or lower --in-flight, then run the command again to go on"
                )
            await self._start(seat)

    async def _look_after(self, seat: _Seat) -> None:
        """Ask an engine now and then how it is; one that does not answer for too long is replaced."""
        from ray.exceptions import RayActorError

        patience = self._config.engine.hang_seconds
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            async with seat.starting:
                actor = seat.actor
            if actor is None:
                return
            try:
                await asyncio.wait_for(_result(actor.pulse.remote()), patience)
            except (EngineLost, RayActorError, asyncio.TimeoutError) as error:
                hung = isinstance(error, asyncio.TimeoutError)
                try:
                    await self.lost(seat, actor, no_answer(patience) if hung else first_line(str(error)))
                except FtrlError as broken:
                    self._broken = broken
                    return

    async def _start(self, seat: _Seat) -> None:
        worker = self._ray.remote(
            num_cpus=1,
            num_gpus=0 if self._cpu else self._config.engine.tensor_parallel,
            max_concurrency=2 * self._in_flight + 4,
            max_restarts=0,
        )(TurnWorker)
        config = self._config
        actor = worker.remote(
            config.model, self.identity, config.episode, config.engine, in_flight=self._in_flight, cpu=self._cpu
        )
        seat.actor = actor
        await _result(actor.begin.remote())

    async def _stop(self) -> None:
        from ray.exceptions import RayError

        for task in self._looking:
            task.cancel()
        actors = [seat.actor for seat in self._seats if seat.actor is not None]
        with suppress(asyncio.TimeoutError, RayError):  # they are killed next
            await asyncio.wait_for(asyncio.gather(*(actor.stop.remote() for actor in actors)), STOP_SECONDS)
        for actor in actors:
            self._ray.kill(actor)
        self._seats = []

    def _check_room(self) -> None:
        """Ray would wait for ever for what the cluster does not have."""
        engine, has = self._config.engine, self._ray.available_resources()
        if engine.least_engines is not None:
            raise InputError("the engines of a suite start together; leave it out", field="engine.least_engines")
        for kind, needed in (
            ("CPU", engine.engines),
            ("GPU", 0 if self._cpu else engine.engines * engine.tensor_parallel),
        ):
            if has.get(kind, 0) < needed:
                raise InputError(
                    f"{engine.engines} engines for {self._config.model} need {needed} {kind}s; this Ray has "
                    f"{has.get(kind, 0):.0f} left. Ask for fewer"
                )


class _RemoteConversation:
    def __init__(self, policy: EnginePolicy, seat: _Seat, opening: Opening) -> None:
        self._policy = policy
        self._seat = seat
        self._actor = seat.actor
        self._opening = opening
        self._name = uuid.uuid4().hex
        over = weakref.finalize(self, _forget, seat, self._actor, self._name)
        over.atexit = False

    async def generate(self, messages: Sequence[Mapping[str, Any]], most_tokens: int | None = None) -> Generation:
        from ray.exceptions import RayActorError

        try:
            turn: Generation = await _result(
                self._actor.turn.remote(self._name, self._opening, list(messages), most_tokens)
            )
        except (EngineLost, RayActorError) as error:
            why = first_line(str(error))
            await self._policy.lost(self._seat, self._actor, why)
            # What the worker remembered of this conversation is gone with it.
            raise EngineFault(f"the engine died in the middle of the episode: {why}") from error
        self._seat.deaths = 0
        return turn


def _forget(seat: _Seat, actor: Any, name: str) -> None:
    seat.conversations -= 1
    if seat.actor is actor:
        actor.forget.remote(name)


async def _result(reference: Any) -> Any:
    """What an actor answers; its own errors without Ray's account of them."""
    with our_errors():
        return await reference
