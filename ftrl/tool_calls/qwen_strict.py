"""The Qwen family's calls, read for a reward that cannot be talked into anything.

As in ``qwen``, a missing closing tag and characters of the tag left over in front of the JSON are forgiven. Different:

* thinking, and tool responses that the model wrote itself, are never read;
* everything that was marked as a call counts: as a call, or as ``unparsed``; so does every made-up response;
* text between blocks does no harm to the block that follows it;
* a call's ``name`` is text and its arguments are an object (or JSON text of one), or the call does not parse.
"""

from __future__ import annotations

import json
from typing import Any

from ftrl.tool_calls.parsed import ParsedCall, ParsedResponse
from ftrl.tool_calls.spoken import OPEN, listen


def parse_qwen_strict(text: str) -> ParsedResponse:
    """Read every call that was made aloud."""
    spoken = listen(text)
    blocks = [piece for piece in spoken.pieces if piece.is_call]
    read = [(piece, _read(piece.text)) for piece in blocks]
    calls = [(piece, call) for piece, call in read if call is not None]
    unparsed = len(blocks) - len(calls) + spoken.stray + spoken.forged
    if not calls:
        return ParsedResponse(text.strip(), unparsed=unparsed)
    before = text[: calls[0][0].start].removesuffix(OPEN).strip()
    return ParsedResponse(before, tuple(call for _, call in calls), unparsed)


def _read(block: str) -> ParsedCall | None:
    try:
        body: Any = json.loads(block.strip().lstrip(OPEN).strip())
        arguments = body["arguments"]
        if isinstance(arguments, str):
            arguments = json.loads(arguments)
        if not isinstance(arguments, dict) or not isinstance(body["name"], str) or not body["name"]:
            return None
        return ParsedCall(body["name"], json.dumps(arguments, ensure_ascii=False))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
