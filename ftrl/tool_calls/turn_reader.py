"""Reading turns with a parser that is chosen by name: one of ours, or one of vLLM's own.

vLLM's parsers read what its server would give them: what was said aloud, thinking left out. They do not tell of calls
that they could not read, so ``ParsedResponse.unparsed`` is always 0.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ftrl.errors import FtrlError, InputError
from ftrl.tool_calls.llama31 import parse_llama31
from ftrl.tool_calls.parsed import ParsedCall, ParsedResponse, Parser
from ftrl.tool_calls.qwen import parse_qwen
from ftrl.tool_calls.thinking import aloud, first_thought

PARSERS: dict[str, Parser] = {"qwen": parse_qwen, "llama31": parse_llama31}
"""Our parsers by family name; ``check_parser`` also knows vLLM's."""


class ParserFailed(FtrlError):
    """The parser fell over a turn, which is no fault of the model's."""


def check_parser(name: str) -> None:
    """See that there is a parser of that name.

    Raises:
        InputError: there is none; lists those that there are.
    """
    if name not in PARSERS and name not in (theirs := _vllm_names()):
        raise InputError(
            f"there is no parser '{name}'; choose {', '.join(PARSERS)} or one of vLLM's: {', '.join(theirs)}",
            field="parser",
        )


class TurnReader:
    """Reads the turns of one conversation.

    Args:
        name: of the parser.
        tokenizer: of the model that speaks.
        tools: OpenAI function schemas on offer; some parsers go by them.

    Raises:
        InputError: there is no such parser, or it needs tokens that this model does not have.
    """

    def __init__(self, name: str, tokenizer: Any, tools: Sequence[Mapping[str, Any]]) -> None:
        check_parser(name)
        self._name = name
        self._tokenizer = tokenizer
        self._theirs = None if name in PARSERS else _VllmParser(name, tokenizer, tools)
        self._special = _special_tokens(tokenizer)

    def read(self, token_ids: Sequence[int], *, ended: bool = False, thinking: bool = False) -> ParsedResponse:
        """Take a turn apart. Thinking stays in the content: where a history wants it is up to the chat template.

        Args:
            token_ids: what was sampled.
            ended: whether the last one may be the token that ended the turn, which is no part of what was said.
            thinking: whether the prompt has opened the thinking.

        Raises:
            ParserFailed: vLLM's parser raised.
        """
        ids = list(token_ids)
        if ended and ids and ids[-1] in self._special:
            ids.pop()
        skip = self._theirs is not None and self._theirs.skips_special_tokens
        text = str(self._tokenizer.decode(ids, skip_special_tokens=skip))
        if self._theirs is None:
            parsed = PARSERS[self._name](text)
        else:
            parsed = self._theirs.read(aloud(text, opened=thinking).strip())
            content = f"{first_thought(text)}{parsed.content or ''}" if parsed.calls else text
            parsed = ParsedResponse(content.strip(), parsed.calls)
        return ParsedResponse(self._without_special_tokens(parsed.content), parsed.calls, parsed.unparsed)

    def _without_special_tokens(self, content: str | None) -> str | None:
        """Text only: in a history, a special token that was written out would be one."""
        if content is None:
            return None
        return re.sub("|".join(map(re.escape, self._special.values())) or r"\Z", "", content).strip()


class _VllmParser:
    """One of vLLM's parsers, asked as its server asks it."""

    def __init__(self, name: str, tokenizer: Any, tools: Sequence[Mapping[str, Any]]) -> None:
        from vllm.tool_parsers import ToolParserManager
        from vllm.tool_parsers.abstract_tool_parser import ChatCompletionRequest

        # They log each call that cannot be read with a traceback; here, that is only what a model has said.
        for logger in ("vllm.tool_parsers", "vllm.parser"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        self._name = name
        request = ChatCompletionRequest(messages=[], tools=[dict(tool) for tool in tools] or None)
        try:
            self._parser = ToolParserManager.get_tool_parser(name)(_with_one_vocabulary(tokenizer), request.tools)
            self._request = self._parser.adjust_request(request)
        except (RuntimeError, ValueError, KeyError, ImportError) as error:
            raise InputError(f"the parser '{name}' does not fit this model: {error}", field="parser") from error
        self.skips_special_tokens = bool(self._request.skip_special_tokens)

    def read(self, text: str) -> ParsedResponse:
        try:
            found = self._parser.extract_tool_calls(text, self._request)
        except NotImplementedError as error:
            raise InputError(f"vLLM's parser '{self._name}' reads only its server's streams", field="parser") from error
        except Exception as error:
            raise ParserFailed(f"vLLM's parser '{self._name}' failed: {type(error).__name__}: {error}") from error
        calls = tuple(ParsedCall(call.function.name, call.function.arguments) for call in found.tool_calls)
        return ParsedResponse(found.content if calls else text, calls)


def _vllm_names() -> list[str]:
    try:
        from vllm.tool_parsers import ToolParserManager
    except ImportError:
        return []
    return list(ToolParserManager.list_registered())


@lru_cache(maxsize=4)
def _special_tokens(tokenizer: Any) -> Mapping[int, str]:
    return {id_: str(token) for id_, token in tokenizer.added_tokens_decoder.items() if token.special}


@lru_cache(maxsize=4)
def _with_one_vocabulary(tokenizer: Any) -> Any:
    """The tokenizer, which makes its vocabulary once and not for each conversation: that takes tens of milliseconds."""
    from vllm.tokenizers.hf import get_cached_tokenizer

    return get_cached_tokenizer(tokenizer)
