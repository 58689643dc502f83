"""What a parser finds in one assistant turn."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class ParsedCall:
    """One tool call as the model wrote it.

    Attributes:
        name: the tool's name, whether or not there is such a tool.
        arguments: JSON text of the arguments, non-ASCII kept. Usually an object, but a model may write any value.
    """

    name: str
    arguments: str


@dataclass(frozen=True)
class ParsedResponse:
    """One assistant turn, taken apart.

    Attributes:
        content: the text in front of the calls; the whole text where there are none; ``None`` where the family
            has no place for text beside a call.
        calls: in the order of the text.
        unparsed: blocks that were marked as calls but could not be read.
    """

    content: str | None
    calls: tuple[ParsedCall, ...] = ()
    unparsed: int = 0

    def message(self, ids: list[str]) -> dict[str, Any]:
        """The turn as an OpenAI chat message; ``ids`` are the ids of its calls, in order."""
        calls = [
            {"id": id_, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for id_, call in zip(ids, self.calls, strict=True)
        ]
        return {"role": "assistant", "content": self.content, "tool_calls": calls or None}


Parser = Callable[[str], ParsedResponse]
"""Reads one assistant turn."""


def mended(text: str) -> str:
    """The text without lone surrogates: JSON can spell them, but no tokenizer, no file and no wire can hold them."""
    return _SURROGATE.sub("\ufffd", text)
