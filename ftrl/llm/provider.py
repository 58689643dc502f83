"""A provider's model, asked through Inspect's model layer: what it answers, what that cost, and why it did not."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ftrl.llm.exchanges import Usage
from ftrl.llm.failures import ModelFailure, ModelRefused
from ftrl.llm.reach import Reach
from ftrl.llm.settings import ModelSettings

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput
    from inspect_ai.tool import ToolInfo

CAUSE_CHARACTERS = 300
REFUSING = (401, 402, 403, 404)
"""Answers of a server that stay the same however often it is asked."""


_MARKS = re.compile(r"\[/?[a-z]+\]")


class Provider:
    """One model. Belongs to one event loop.

    Args:
        settings: which model, and how it is asked.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        self._model: Model | None = None
        self._reach = Reach(settings.model, settings.base_url)

    def check(self) -> None:
        """See that there is what is needed to ask the model: its provider's package and a key.

        Raises:
            ModelRefused: something is missing here.
        """
        try:
            self._open()
        except Exception as error:  # as in generate
            raise self._failure(error) from error

    async def generate(
        self, messages: Sequence[ChatMessage], config: GenerateConfig, tools: Sequence[ToolInfo] = ()
    ) -> ModelOutput:
        """The model's answer to a conversation.

        Raises:
            ModelFailure: the provider could not be reached, or refuses this request.
            ModelRefused: it would refuse every other, too.
        """
        await self._reach.see()
        try:
            if self._model is None:
                self._model = self._open()
            output = await self._model.generate(list(messages), tools=list(tools), config=config)
        # Each provider's package has errors of its own; whatever they are called, the model could not be asked.
        except Exception as error:
            raise self._failure(error) from error
        if output.error:
            raise ModelFailure(f"{self.settings.model} can't be asked: {output.error[:CAUSE_CHARACTERS]}")
        return output

    def config(self, **more: Any) -> GenerateConfig:
        """The settings as Inspect takes them; ``more`` are fields of its ``GenerateConfig`` that go before them."""
        from inspect_ai.model import GenerateConfig

        settings = self.settings
        values: dict[str, Any] = {
            "max_retries": settings.retries,
            "attempt_timeout": settings.timeout,
            "max_connections": settings.connections,
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "seed": settings.seed,
            "reasoning_effort": settings.reasoning_effort,
        }
        return GenerateConfig(**{**values, **more})

    def usd(self, output: ModelOutput) -> float | None:
        """What an answer cost; null where no price is known."""
        from inspect_ai.model import ModelCost, compute_model_cost, get_model_info

        usage = output.usage
        if usage is None:
            return None
        if (price := self.settings.price) is not None:
            cost = ModelCost(
                input=price.input, output=price.output, input_cache_read=price.input, input_cache_write=price.input
            )
            return compute_model_cost(cost, usage)
        if usage.total_cost is not None:
            return usage.total_cost
        info = get_model_info(self.settings.model)
        return None if info is None or info.cost is None else compute_model_cost(info.cost, usage)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._model is not None:
            await self._model.api.aclose()

    def _open(self) -> Model:
        from inspect_ai.model import get_model

        settings = self.settings
        arguments: dict[str, Any] = {}
        if settings.model.startswith("openai-api/"):
            arguments["client_timeout"] = float(settings.timeout)
            service = settings.model.split("/")[1].upper().replace("-", "_")
            if settings.base_url is not None and not os.environ.get(f"{service}_API_KEY"):
                # A server of one's own mostly wants no key, and the client refuses to go without one.
                arguments["api_key"] = "none"
        return get_model(settings.model, base_url=settings.base_url, memoize=False, **arguments)

    def _failure(self, error: Exception) -> ModelFailure:
        cause = _bottom(error)
        # Inspect writes some of its messages with marks for a terminal.
        text = " ".join(_MARKS.sub("", str(cause)).split())[:CAUSE_CHARACTERS]
        asked = f"{self.settings.model} can't be asked"
        if type(cause).__name__ == "PrerequisiteError":  # a key or a package that is missing here
            return ModelRefused(f"{asked}: {text.removeprefix('ERROR: ')}")
        kind = ModelRefused if getattr(cause, "status_code", None) in REFUSING else ModelFailure
        return kind(f"{asked}: {type(cause).__name__}: {text}")


def usage_of(output: ModelOutput) -> Usage | None:
    """The tokens of an answer; null where the provider does not tell."""
    usage = output.usage
    if usage is None:
        return None
    return Usage(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cache_read=usage.input_tokens_cache_read or 0,
        cache_write=usage.input_tokens_cache_write or 0,
    )


def _bottom(error: BaseException) -> BaseException:
    """The reason at the bottom: retries and Inspect's report of a request wrap it."""
    from tenacity import RetryError

    while True:
        if isinstance(error, RetryError) and (inner := error.last_attempt.exception()) is not None:
            error = inner
        elif type(error).__name__ == "ModelGenerateError" and error.__cause__ is not None:
            error = error.__cause__
        else:
            return error
