"""Which model a collection is of: a folder known by its weights, or a provider's model known by its name."""

from __future__ import annotations

from ftrl import storage
from ftrl.errors import InputError
from ftrl.llm import ModelRefused, open_dialogues
from ftrl.models import check_model_folder, weights_hash
from ftrl.rewards import profile_named
from ftrl.rollouts.fleet import vllm_runs_on_cpu
from ftrl.rollouts.providers import WITHOUT_SEEDS, is_provider, model_settings
from ftrl.rollouts.settings import CollectConfig
from ftrl.rollouts.trajectory import PolicyIdentity
from ftrl.tool_calls import check_parser


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
        if config.episode.parser is not None:
            raise InputError("a provider names its models' calls itself; --parser is for a model of your own")
        if seeded and provider in WITHOUT_SEEDS:
            raise InputError(f"the provider {provider} takes no seeds; leave --seed out")
        try:
            open_dialogues(model_settings(config)).check()
        except ModelRefused as error:
            raise InputError(str(error)) from error
        return PolicyIdentity(name=config.model)
    check_model_folder(config.model)
    if config.episode.reasoning_effort is not None:
        raise InputError("--reasoning-effort is for providers' models; for a model of your own, give --thinking")
    if seeded and vllm_runs_on_cpu():
        raise InputError("vLLM's CPU build dies of seeds; leave --seed out")
    if config.episode.parser is not None:
        check_parser(config.episode.parser)
    return PolicyIdentity(name=config.model, weights=weights_hash(config.model))
