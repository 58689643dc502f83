"""One model, as one stage uses it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from ftrl.llm.budget import Budget
from ftrl.llm.exchanges import Exchange, Exchanges, Message, Question
from ftrl.llm.provider import Provider, usage_of
from ftrl.llm.settings import ModelSettings

if TYPE_CHECKING:
    from inspect_ai.model import GenerateConfig, ModelOutput


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
        self._provider = Provider(settings)
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
        usage = usage_of(output)
        exchange = Exchange(
            key=question.key,
            stage=self._stage,
            item=item,
            prompt=prompt,
            question=question,
            text=output.completion,
            stop=str(output.stop_reason),
            usage=usage,
            usd=self._provider.usd(output),
            seconds=round(time.monotonic() - started, 3),
        )
        await self._exchanges.keep(exchange)
        await self._budget.spend(None if usage is None else usage.tokens, exchange.usd)
        return exchange

    async def _generate(self, question: Question) -> ModelOutput:
        from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

        kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
        messages = [kinds[message.role](content=message.content) for message in question.messages]
        return await self._provider.generate(messages, self._config(question.answer))

    def _config(self, answer: dict[str, Any] | None) -> GenerateConfig:
        if answer is None or not self.settings.structured:
            return self._provider.config()
        from inspect_ai.model import ResponseSchema
        from inspect_ai.util import JSONSchema

        name = str(answer.get("title", "answer"))
        schema = ResponseSchema(name=name, json_schema=JSONSchema.model_validate(answer), strict=True)
        return self._provider.config(response_schema=schema)
