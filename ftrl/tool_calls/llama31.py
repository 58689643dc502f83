"""The Llama 3.x family's calls: one JSON object with ``name`` and ``parameters``, after ``<|python_tag|>`` or bare.

At most one call a turn. The JSON is read with the same tolerance as in the published parser: by the library
``json_repair``, which mends what models get wrong.
"""

from __future__ import annotations

import json
from typing import Any

import json_repair

from ftrl.tool_calls.parsed import ParsedCall, ParsedResponse

TAG = "<|python_tag|>"


def parse_llama31(text: str) -> ParsedResponse:
    """Read the call of a turn, if there is one."""
    start = text.find(TAG)
    if start < 0:
        content, body = None, text.strip()
    else:
        content, body = text[:start].strip(), text[start:].lstrip(TAG).strip()
    call = _read(body.split(TAG)[0])
    if call is None:
        return ParsedResponse(text.strip(), unparsed=int(start >= 0))
    return ParsedResponse(content, (call,))


def _read(body: str) -> ParsedCall | None:
    value: Any = json_repair.loads(body)
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, dict) or "parameters" not in value or "name" not in value:
        return None
    arguments = value["parameters"]
    if isinstance(arguments, str):
        arguments = json_repair.loads(arguments)
    name = value["name"]
    if isinstance(name, (list, dict)):
        return None
    return ParsedCall(name if isinstance(name, str) else json.dumps(name), json.dumps(arguments, ensure_ascii=False))
