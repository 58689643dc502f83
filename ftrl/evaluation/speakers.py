"""Who speaks in a suite's episodes: engines for a model folder, conversations with a provider for all else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ftrl import storage
from ftrl.errors import InputError
from ftrl.evaluation.engines import EnginePolicy, places_of_engine
from ftrl.evaluation.suite import spoken
from ftrl.evaluation.tau_bench import User
from ftrl.evaluation.text_dialogues import dialogues_with
from ftrl.llm import ModelRefused
from ftrl.models import check_model_folder, weights_hash
from ftrl.rewards import profile_named
from ftrl.rollouts import (
    CollectConfig,
    ContextFull,
    EngineFault,
    EpisodeSettings,
    Policy,
    PolicyIdentity,
    ProviderPolicy,
)
from ftrl.rollouts.fleet import vllm_runs_on_cpu
from ftrl.rollouts.providers import IN_FLIGHT, WITHOUT_SEEDS, is_provider, model_settings


def identify(config: CollectConfig) -> PolicyIdentity:
    """Which model it is. Starts nothing.

    Raises:
        InputError: there is no such model, or it cannot be used as the settings want it.
    """
    profile_named(config.episode.profile)
    seeded = config.episode.seed is not None
    if is_provider(config.model) and not storage.exists(config.model):
        provider = config.model.partition("/")[0]
        if config.episode.thinking:
            raise InputError("--thinking is for chat templates; for a provider's model, give --reasoning-effort")
        if seeded and provider in WITHOUT_SEEDS:
            raise InputError(f"the provider {provider} takes no seeds; leave the seed out")
        try:
            dialogues_with(model_settings(config)).check()
        except ModelRefused as error:
            raise InputError(str(error)) from error
        return PolicyIdentity(name=config.model)
    check_model_folder(config.model)
    if config.episode.reasoning_effort is not None:
        raise InputError("--reasoning-effort is for providers' models; for a model of your own, give --thinking")
    if seeded and vllm_runs_on_cpu():
        raise InputError("vLLM's CPU build dies of seeds; leave the seed out")
    return PolicyIdentity(name=config.model, weights=weights_hash(config.model))


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
    dialogues = dialogues_with(model_settings(config))
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
