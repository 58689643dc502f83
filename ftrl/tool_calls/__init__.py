"""Reading tool calls out of a model's text.

In: the text of one assistant turn. Out: a ``ParsedResponse`` - the text besides the calls, the calls in order,
and how many blocks looked like calls but could not be read.

One module per model family, each a plain function; ``PARSERS`` names them. The functions are lenient in exactly
the ways in which the published parsers are, since a reward is only comparable if both read the same calls.
``parse_qwen_strict`` is for a reward that must not be tricked: it never reads thinking (``spoken``), and counts
everything that was meant as a call. ``TurnReader`` reads tokens with a parser chosen by name, vLLM's own among them.
"""

from ftrl.tool_calls.llama31 import parse_llama31
from ftrl.tool_calls.parsed import ParsedCall, ParsedResponse, Parser, mended
from ftrl.tool_calls.qwen import parse_qwen, parse_qwen_one_call
from ftrl.tool_calls.qwen_strict import parse_qwen_strict
from ftrl.tool_calls.spoken import Spoken, listen
from ftrl.tool_calls.thinking import first_thought
from ftrl.tool_calls.turn_reader import PARSERS, ParserFailed, TurnReader, check_parser

__all__ = [
    "PARSERS",
    "ParsedCall",
    "ParsedResponse",
    "Parser",
    "ParserFailed",
    "Spoken",
    "TurnReader",
    "check_parser",
    "first_thought",
    "listen",
    "mended",
    "parse_llama31",
    "parse_qwen",
    "parse_qwen_one_call",
    "parse_qwen_strict",
]
