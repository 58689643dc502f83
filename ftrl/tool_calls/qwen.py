"""The Qwen family's calls: ``<tool_call>{"name": ..., "arguments": {...}}</tool_call>`` blocks in the text.

Lenient exactly as the published parser is: a missing closing tag is accepted, characters of the tag left over in
front of the JSON are skipped, text between blocks swallows the block that follows it, and a block that cannot be
read is dropped. What was dropped is counted in ``ParsedResponse.unparsed``.
"""

from __future__ import annotations

import json
from functools import lru_cache

from ftrl.tool_calls.parsed import ParsedCall, ParsedResponse

_from_json = json.JSONDecoder().decode
_to_json = json.JSONEncoder(ensure_ascii=False).encode

BLOCKS_REMEMBERED, LONGEST_REMEMBERED = 4096, 2000
"""Blocks that are read but once, and how many characters these have at most."""

OPEN, CLOSE = "<tool_call>", "</tool_call>"


def parse_qwen(text: str) -> ParsedResponse:
    """Read every call of a turn."""
    return _parse(text, None)


def parse_qwen_one_call(text: str) -> ParsedResponse:
    """Read only the first block of a turn: for models and benchmarks that allow one call at a time."""
    return _parse(text, 1)


def _parse(text: str, most: int | None) -> ParsedResponse:
    start = text.find(OPEN)
    if start < 0:
        return ParsedResponse(text.strip())
    calls: list[ParsedCall] = []
    unparsed = 0
    for block in text[start:].split(CLOSE)[:most]:
        stripped = block.strip()
        if not stripped:
            continue
        call = _read(stripped) if stripped.startswith(OPEN) else None
        if call is not None:
            calls.append(call)
        elif OPEN in stripped:
            unparsed += 1
    if not calls:
        return ParsedResponse(text.strip(), unparsed=unparsed)
    return ParsedResponse(text[:start].strip(), tuple(calls), unparsed)


def _read(block: str) -> ParsedCall | None:
    return _read_once(block) if len(block) <= LONGEST_REMEMBERED else _read_block(block)


@lru_cache(maxsize=BLOCKS_REMEMBERED)
def _read_once(block: str) -> ParsedCall | None:
    """The responses of a group make the same calls again and again."""
    return _read_block(block)


def _read_block(block: str) -> ParsedCall | None:
    # The tag is taken off as a set of characters, so that a doubled or half tag in front of the JSON goes too.
    try:
        body = _from_json(block.lstrip(OPEN).strip())
        if not isinstance(body, dict) or not body.get("name"):
            return None
        arguments = body["arguments"]
        if not isinstance(arguments, dict):
            arguments = _from_json(arguments)
        text = _to_json(arguments)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _call(body["name"], text)


def _call(name: object, arguments: str) -> ParsedCall | None:
    # The published scorer crashes on a list or an object as a name: here such a block does not parse.
    if isinstance(name, (list, dict)):
        return None
    return ParsedCall(name if isinstance(name, str) else json.dumps(name), arguments)
