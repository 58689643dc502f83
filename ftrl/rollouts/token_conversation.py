"""A conversation with an engine that takes tokens and gives tokens, wherever that engine runs.

A conversation remembers its tokens. If the template writes the next prompt as the text so far plus something new -
it does unless it rewrites the model's own turn - the tokens so far are used as they are and only the new part is
tokenised; ``AssistantTokens.kept_tokens`` says how many. Otherwise the whole prompt is tokenised anew: where thinking
is dropped, where a call is not spelled as the template spells it, where text beside a call is lost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrl.rollouts.policy import ContextFull, Conversation, EngineFault, Generation
from ftrl.rollouts.prompts import TemplateRefused, check_tools_are_shown, render_prompt, tokenise
from ftrl.rollouts.settings import EpisodeSettings
from ftrl.rollouts.trajectory import AssistantTokens, Usage
from ftrl.tool_calls import ParsedResponse, ParserFailed, TurnReader


@dataclass(frozen=True)
class Sampled:
    """One turn as it was sampled.

    Attributes:
        token_ids: end-of-turn token included.
        logprobs: natural logarithms, one a token.
        finish_reason: ``stop`` or ``length``.
    """

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: str


class TokenPolicy(ABC):
    """An engine, and the tokenizer of its model: a policy by what its engine samples.

    Attributes:
        tokenizer: the model's, with a chat template.
        max_model_len: the context in tokens: prompt and turn together.
    """

    tokenizer: Any
    max_model_len: int

    @abstractmethod
    async def sample(self, prompt: list[int], limit: int, settings: EpisodeSettings, seed: int | None) -> Sampled:
        """One turn of at most ``limit`` tokens after ``prompt``.

        Raises:
            EngineFault: the turn failed through a fault of ours.
            EngineLost: the engine died.
        """

    def converse(
        self, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None = None
    ) -> Conversation:
        """A new conversation; see ``Policy``."""
        return TokenConversation(self, tools, settings, seed)


class TokenConversation:
    """One episode, from the policy's side.

    Args:
        policy: who speaks.
        tools: OpenAI function schemas on offer.
        settings: of the episode.
        seed: of its sampling, if it is to have one.

    Raises:
        InputError: the parser of the settings does not fit the model.
    """

    def __init__(
        self, policy: TokenPolicy, tools: Sequence[Mapping[str, Any]], settings: EpisodeSettings, seed: int | None
    ) -> None:
        self._policy = policy
        self._tools = tools
        self._settings = settings
        self._seed = seed
        self._reader = TurnReader(settings.parser, policy.tokenizer, tools) if settings.parser else None
        self._text = ""
        self._ids: list[int] = []

    async def generate(self, messages: Sequence[Mapping[str, Any]], most_tokens: int | None = None) -> Generation:
        """The next assistant turn; see ``Conversation``."""
        text = self._render(messages)
        prompt, kept = self._tokenise(text)
        room = self._policy.max_model_len - len(prompt)
        if room < 1:
            raise ContextFull(
                f"the prompt has {len(prompt)} tokens, and the model's context {self._policy.max_model_len}"
            )
        most = most_tokens or self._settings.max_response_tokens
        sampled = await self._policy.sample(prompt, min(most, room), self._settings, self._seed)
        decode = self._policy.tokenizer.decode
        self._text = text + decode(list(sampled.token_ids), skip_special_tokens=False)
        self._ids = [*prompt, *sampled.token_ids]
        tokens = AssistantTokens(
            prompt_tokens=len(prompt),
            kept_tokens=kept,
            token_ids=sampled.token_ids,
            logprobs=sampled.logprobs,
            finish_reason=sampled.finish_reason,
        )
        cut = sampled.finish_reason == "length" and room < most
        usage = Usage(input=len(prompt), output=len(sampled.token_ids))
        said = decode(list(sampled.token_ids), skip_special_tokens=True)
        response = self._read(sampled, thinking=text.rstrip().endswith("<think>"))
        return Generation(said, tokens, response, usage, context_ended=cut)

    def _render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        try:
            text = render_prompt(self._policy.tokenizer, messages, self._tools, thinking=self._settings.thinking)
        except TemplateRefused as error:
            raise EngineFault(str(error)) from error
        if not self._ids:
            check_tools_are_shown(text, self._tools)
        return text

    def _read(self, sampled: Sampled, *, thinking: bool) -> ParsedResponse | None:
        """The turn taken apart by the parser of the settings, if they name one."""
        if self._reader is None:
            return None
        try:
            return self._reader.read(sampled.token_ids, ended=sampled.finish_reason == "stop", thinking=thinking)
        except ParserFailed as error:
            raise EngineFault(str(error)) from error

    def _tokenise(self, text: str) -> tuple[list[int], int]:
        tokenizer = self._policy.tokenizer
        if self._ids and text.startswith(self._text):
            return self._ids + tokenise(tokenizer, text[len(self._text) :]), len(self._ids)
        return tokenise(tokenizer, text), 0
