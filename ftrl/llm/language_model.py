"""One model, as one stage uses it."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

from ftrl.errors import FtrlError
from ftrl.llm.budget import Budget
from ftrl.llm.exchanges import Exchange, Exchanges, Message, Question, Usage
from ftrl.llm.settings import ModelSettings

if TYPE_CHECKING:
    from inspect_ai.model import GenerateConfig, Model, ModelOutput

_CAUSE_CHARACTERS = 300


class ModelFailure(FtrlError):
    """A model could not be asked, however often it was tried: nobody's wrong answer."""


class LanguageModel:
    """Asks a model, unless the record has the answer already.

    Belongs to one event loop. Questions that are asked twice at the same time are asked once.

    Args:
        settings: which model, and how it is asked.
        exchanges: the record.
        budget: what may be spent.
        stage: who asks, for the record.
    """

    def __init__(self, settings: ModelSettings, exchanges: Exchanges, budget: Budget, stage: str) -> None:
        self.settings = settings
        self._exchanges = exchanges
        self._budget = budget
        self._stage = stage
        self._model: Model | None = None
        self._under_way: dict[str, asyncio.Task[Exchange]] = {}

    def question(self, messages: tuple[Message, ...], answer: dict[str, Any] | None, sample: int) -> Question:
        """A question to this model."""
        settings = self.settings.deciding()
        return Question(model=settings.pop("model"), settings=settings, messages=messages, answer=answer, sample=sample)

    async def exchange(
        self,
        messages: tuple[Message, ...],
        *,
        answer: dict[str, Any] | None = None,
        sample: int = 0,
        item: int,
        prompt: str,
    ) -> Exchange:
        """The answer to a question, from the record or from the model.

        Args:
            messages: the conversation; the last message is the user's.
            answer: JSON Schema of the answer, for providers that can enforce one.
            sample: 0, or which further answer to the same question.
            item: for which item, for the record.
            prompt: name and version of the prompt, for the record.

        Raises:
            ModelFailure: the provider could not be reached, or refuses this model, key or request.
            BudgetSpent: nothing is left to ask with.
        """
        question = self.question(messages, answer, sample)
        if (known := await self._exchanges.find(question)) is not None:
            return known
        task = self._under_way.get(question.key)
        if task is None:
            task = asyncio.create_task(self._ask(question, item, prompt))
            self._under_way[question.key] = task
            task.add_done_callback(lambda _: self._under_way.pop(question.key, None))
        # Paid for is paid for: whoever stops waiting does not keep the answer from the record.
        return await asyncio.shield(task)

    async def _ask(self, question: Question, item: int, prompt: str) -> Exchange:
        await self._budget.admit()
        started = time.monotonic()
        output = await self._generate(question)
        usage = _usage(output)
        exchange = Exchange(
            key=question.key,
            stage=self._stage,
            item=item,
            prompt=prompt,
            question=question,
            text=output.completion,
            stop=str(output.stop_reason),
            usage=usage,
            usd=self._usd(output),
            seconds=round(time.monotonic() - started, 3),
        )
        await self._exchanges.keep(exchange)
        await self._budget.spend(None if usage is None else usage.tokens, exchange.usd)
        return exchange

    async def _generate(self, question: Question) -> ModelOutput:
        from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

        kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
        messages = [kinds[message.role](content=message.content) for message in question.messages]
        try:
            if self._model is None:
                self._model = self._open()
            output = await self._model.generate(messages, config=self._config(question.answer))
        # Each provider's package has errors of its own; whatever they are called, the model could not be asked.
        except Exception as error:
            raise ModelFailure(f"{self.settings.model} can't be asked: {_cause(error)}") from error
        if output.error:
            raise ModelFailure(f"{self.settings.model} can't be asked: {output.error[:_CAUSE_CHARACTERS]}")
        return output

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

    def _config(self, answer: dict[str, Any] | None) -> GenerateConfig:
        from inspect_ai.model import GenerateConfig, ResponseSchema
        from inspect_ai.util import JSONSchema

        settings = self.settings
        schema = None
        if answer is not None and settings.structured:
            name = str(answer.get("title", "answer"))
            schema = ResponseSchema(name=name, json_schema=JSONSchema.model_validate(answer), strict=True)
        return GenerateConfig(
            max_retries=settings.retries,
            attempt_timeout=settings.timeout,
            max_connections=settings.connections,
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            reasoning_effort=settings.reasoning_effort,
            response_schema=schema,
        )

    def _usd(self, output: ModelOutput) -> float | None:
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


def _usage(output: ModelOutput) -> Usage | None:
    usage = output.usage
    if usage is None:
        return None
    return Usage(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cache_read=usage.input_tokens_cache_read or 0,
        cache_write=usage.input_tokens_cache_write or 0,
    )


def _cause(error: BaseException) -> str:
    """The reason at the bottom: retries and Inspect's report of a request wrap it."""
    from tenacity import RetryError

    while True:
        if isinstance(error, RetryError) and (inner := error.last_attempt.exception()) is not None:
            error = inner
        elif type(error).__name__ == "ModelGenerateError" and error.__cause__ is not None:
            error = error.__cause__
        else:
            break
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:_CAUSE_CHARACTERS]}"
