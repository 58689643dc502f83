"""Who speaks in a suite's episodes: engines for a model folder, conversations with a provider for all else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ftrl.evaluation.engines import EnginePolicy, places_of_engine
from ftrl.evaluation.suite import spoken
from ftrl.evaluation.tau_bench import User
from ftrl.llm import open_dialogues
from ftrl.rollouts import (
    CollectConfig,
    ContextFull,
    EngineFault,
    EpisodeSettings,
    Policy,
    PolicyIdentity,
    ProviderPolicy,
)
from ftrl.rollouts.providers import IN_FLIGHT, model_settings


def places(config: CollectConfig, identity: PolicyIdentity) -> int:
    """Episodes that are played at the same time."""
    if identity.weights is None:
        return config.engine.episodes_in_flight or IN_FLIGHT
    return places_of_engine(config) * config.engine.engines


@asynccontextmanager
async def speaker(ray: Any, config: CollectConfig, identity: PolicyIdentity) -> AsyncIterator[Policy]:
    """The model, ready to speak for the length of the block; belongs to the event loop.

    Args:
        ray: the connected module; not needed for a provider's model.
        config: which model, and how it is run.
        identity: of the model.

    Raises:
        FtrlError: an engine does not start.
    """
    if identity.weights is not None:
        async with EnginePolicy(ray, config, identity) as engines:
            yield engines
        return
    dialogues = open_dialogues(model_settings(config))
    try:
        yield ProviderPolicy(dialogues, identity)
    finally:
        await dialogues.close()


def customer(policy: Policy, settings: EpisodeSettings) -> User:
    """A user of tau-bench whose lines a model writes. It is told the whole conversation each time, as published."""

    async def say(messages: Sequence[dict[str, Any]]) -> str:
        try:
            said = (await policy.converse((), settings).generate(messages)).text
        except ContextFull as error:  # no fault of the model that is evaluated
            raise EngineFault(f"the conversation does not fit the customers' model: {error}") from error
        return spoken(said).strip()

    return say
