"""Conversations with a server that speaks OpenAI's chat-completions protocol, for thousands of them at a time.

Inspect's model layer takes 10 to 15 ms of a core for each request (``benchmarks/rollout_client.py`` measures it):
next to a provider's rate limits that is nothing, but it would leave a server of one's own idle. So ``openai-api/…``
models are asked directly. What was said is kept as the JSON that goes over the wire: a turn costs what is new in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftrl.llm.dialogue import AskedCall, AssistantTurn, ContextExceeded, Dialogue, Dialogues, InspectDialogues
from ftrl.llm.exchanges import Usage
from ftrl.llm.failures import ModelFailure, ModelRefused
from ftrl.llm.provider import CAUSE_CHARACTERS, REFUSING, Provider
from ftrl.llm.reach import Reach
from ftrl.llm.settings import ModelSettings

if TYPE_CHECKING:
    import aiohttp

PREFIX = "openai-api/"

MOST_WAIT_SECONDS = 60.0
"""The longest pause before a request is made again, unless the server names a longer one."""

MOST_RETRY_AFTER_SECONDS = 600.0

_BAD_REQUESTS = (400, 413, 422)
_OVERFLOW = re.compile(r"context.?(length|window)|maximum.{0,20}(length|tokens)|too (long|many tokens)", re.I)
_ROOM = re.compile(r"maximum context length is (\d+) tokens.*?(?:\((\d+) in the messages|has (\d+) input tokens)", re.S)
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def open_dialogues(settings: ModelSettings) -> Dialogues:
    """Conversations with tools, with any model; belongs to one event loop."""
    if settings.model.startswith(PREFIX):
        return ChatCompletions(settings)
    return InspectDialogues(Provider(settings))


class ChatCompletions:
    """A client of one server. Belongs to one event loop.

    Args:
        settings: which model; ``connections`` conversations may wait for an answer at the same time. The address is
            ``base_url``, else the environment's ``SERVICE_BASE_URL``; the key is the environment's
            ``SERVICE_API_KEY``, if there is one.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        service, _, self._name = settings.model.removeprefix(PREFIX).partition("/")
        variable = service.upper().replace("-", "_")
        base = settings.base_url or os.environ.get(f"{variable}_BASE_URL")
        self._missing = None
        if not base or not self._name:
            self._missing = (
                f"{settings.model}: say openai-api/SERVICE/NAME, and where the server is, with --base-url or "
                f"{variable}_BASE_URL"
            )
        self._url = f"{(base or '').rstrip('/')}/chat/completions"
        self._headers = {"Content-Type": "application/json"}
        if key := os.environ.get(f"{variable}_API_KEY"):
            self._headers["Authorization"] = f"Bearer {key}"
        self._session: aiohttp.ClientSession | None = None
        self._reach = Reach(settings.model, base)
        self._random = random.Random()

    def check(self) -> None:
        """See that it was said where the server is.

        Raises:
            ModelRefused: it was not.
        """
        if self._missing is not None:
            raise ModelRefused(self._missing)

    def open(self, tools: Sequence[Mapping[str, Any]], seed: int | None) -> Dialogue:
        """A new conversation."""
        settings = self.settings
        options: dict[str, Any] = {"model": self._name}
        if tools:
            options["tools"] = list(tools)
        for name, value in (
            ("temperature", settings.temperature),
            ("seed", settings.seed if seed is None else seed),
            ("reasoning_effort", settings.reasoning_effort),
        ):
            if value is not None:
                options[name] = value
        return _ChatDialogue(self, _to_json(options)[:-1].encode())

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def complete(self, body: bytes) -> dict[str, Any]:
        """The server's answer to a request; asked again, a bounded number of times, where it was no answer.

        Raises:
            ContextExceeded: the server says that the conversation is too long.
            ModelFailure: no answer came, or the server refuses this request.
            ModelRefused: it would refuse every other, too.
        """
        await self._reach.see()
        problem = ""
        for attempt in range(self.settings.retries + 1):
            wait, problem, answer = await self._post(body)
            if answer is not None:
                return answer
            if attempt < self.settings.retries:
                backoff = min(MOST_WAIT_SECONDS, 2.0**attempt) * self._random.uniform(0.5, 1.0)
                await asyncio.sleep(max(backoff, min(wait, MOST_RETRY_AFTER_SECONDS)))
        raise ModelFailure(f"{self.settings.model} can't be asked: {problem}")

    async def _post(self, body: bytes) -> tuple[float, str, dict[str, Any] | None]:
        """One request: how long the server wants us to wait, what was wrong, and the answer."""
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.settings.connections),
                timeout=aiohttp.ClientTimeout(total=self.settings.timeout),
                headers=self._headers,
            )
        try:
            async with self._session.post(self._url, data=body) as response:
                data = await response.read()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            return 0.0, f"{type(error).__name__}: {error}"[:CAUSE_CHARACTERS], None
        if response.status == 200:
            answer = _completion(data)
            return 0.0, "what it answers is no chat completion", answer
        problem = f"{response.status}: {data.decode(errors='replace')[:CAUSE_CHARACTERS]}"
        if response.status in REFUSING:
            raise ModelRefused(f"{self.settings.model} can't be asked: {problem}")
        if response.status in _BAD_REQUESTS:
            if _OVERFLOW.search(problem):
                raise ContextExceeded(problem)
            raise ModelFailure(f"{self.settings.model} refuses a request: {problem}")
        return _retry_after(response.headers.get("Retry-After")), problem, None


class _ChatDialogue:
    def __init__(self, client: ChatCompletions, options: bytes) -> None:
        self._client = client
        self._options = options
        self._said: list[bytes] = []
        self._ids: tuple[str, ...] = ()

    async def turn(self, heard: Sequence[Mapping[str, Any]], most_tokens: int) -> AssistantTurn:
        said = [*self._said, *self._as_json(heard)]
        answer, cut = await self._complete(said, most_tokens)
        choice = answer["choices"][0]
        message = choice["message"]
        calls = message.get("tool_calls") or []
        # Without its thinking: fields of a server's own stay out of the history, as most servers want it.
        kept: dict[str, Any] = {"role": "assistant", "content": message.get("content")}
        if calls:
            kept["tool_calls"] = [_readable(call) for call in calls]
        self._said = [*said, _to_json(kept).encode("utf-8", "replace")]
        self._ids = tuple(str(call.get("id")) for call in calls)
        return AssistantTurn(
            text=message.get("content") or message.get("refusal") or "",
            calls=tuple(_asked(call) for call in calls),
            usage=_usage(answer.get("usage")),
            usd=self._usd(answer.get("usage")),
            context_ended=cut and choice.get("finish_reason") == "length",
        )

    async def _complete(self, said: Sequence[bytes], most_tokens: int) -> tuple[dict[str, Any], bool]:
        """The answer; and whether it had less room than ``most_tokens``, because the context was nearly full."""
        try:
            return await self._client.complete(self._body(said, most_tokens)), False
        except ContextExceeded as error:
            # Servers refuse what might not fit. Some say how much would.
            if (room := _room(str(error))) is None or not 0 < room < most_tokens:
                raise
        return await self._client.complete(self._body(said, room)), True

    def _body(self, said: Sequence[bytes], most_tokens: int) -> bytes:
        return b'%s,"max_tokens":%d,"messages":[%s]}' % (self._options, most_tokens, b",".join(said))

    def _as_json(self, heard: Sequence[Mapping[str, Any]]) -> list[bytes]:
        ids = iter(self._ids)
        return [
            _to_json({**message, "tool_call_id": next(ids)} if message["role"] == "tool" else message).encode()
            for message in heard
        ]

    def _usd(self, usage: Mapping[str, Any] | None) -> float | None:
        price = self._client.settings.price
        if price is None or not usage:
            return None
        return (
            float(usage.get("prompt_tokens", 0) * price.input + usage.get("completion_tokens", 0) * price.output) / 1e6
        )


def _asked(call: Mapping[str, Any]) -> AskedCall:
    function = call["function"]
    arguments = function.get("arguments") or "{}"
    return AskedCall(str(function["name"]), arguments if isinstance(arguments, str) else _to_json(arguments))


def _readable(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """A call as it may stand in a history: servers refuse conversations with arguments that are no JSON object."""
    try:
        if isinstance(json.loads(call["function"]["arguments"]), dict):
            return call
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return {**call, "function": {**call["function"], "arguments": "{}"}}


def _completion(data: bytes) -> dict[str, Any] | None:
    """The chat completion in an answer; None where there is none."""
    try:
        value = json.loads(data)
        message = value["choices"][0]["message"]
        for call in message.get("tool_calls") or ():
            _asked(call)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    completion: dict[str, Any] = value
    return completion


def _usage(usage: Mapping[str, Any] | None) -> Usage | None:
    if not usage:
        return None
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Usage(
        input=usage.get("prompt_tokens", 0) - cached, output=usage.get("completion_tokens", 0), cache_read=cached
    )


def _room(problem: str) -> int | None:
    found = _ROOM.search(problem)
    return None if found is None else int(found[1]) - int(found[2] or found[3])


def _retry_after(header: str | None) -> float:
    """Seconds; servers that give a date get our own pauses."""
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0
