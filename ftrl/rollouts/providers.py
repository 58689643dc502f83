"""Models that are somebody else's to run: which they are, and how they are asked."""

from __future__ import annotations

from ftrl.llm import ModelSettings, Price
from ftrl.rollouts.settings import CollectConfig

IN_FLIGHT = 32
"""Episodes at once, if nobody says otherwise: most accounts with providers bear that."""

PROVIDERS = (
    "anthropic",
    "azureai",
    "bedrock",
    "cerebras",
    "cloudflare",
    "deepseek",
    "fireworks",
    "google",
    "grok",
    "groq",
    "mistral",
    "nebius",
    "ollama",
    "openai",
    "openai-api",
    "openrouter",
    "perplexity",
    "sambanova",
    "sglang",
    "together",
    "vllm",
)
"""First words of models that are somebody else's to run, as Inspect spells them."""

WITHOUT_SEEDS = ("anthropic", "bedrock", "cloudflare", "perplexity")


def is_provider(model: str) -> bool:
    """Whether this names a provider's model."""
    provider, slash, name = model.partition("/")
    return bool(slash and name) and provider in PROVIDERS


def model_settings(config: CollectConfig) -> ModelSettings:
    """The provider's model as this collection asks it."""
    provider, price = config.provider, None
    if provider.price_input is not None or provider.price_output is not None:
        price = Price(input=provider.price_input or 0.0, output=provider.price_output or 0.0)
    return ModelSettings(
        model=config.model,
        temperature=config.episode.temperature,
        max_tokens=config.episode.max_response_tokens,
        reasoning_effort=config.episode.reasoning_effort,
        base_url=provider.base_url,
        price=price,
        connections=config.engine.episodes_in_flight or IN_FLIGHT,
        timeout=provider.timeout,
        retries=provider.retries,
    )
