"""What a model said aloud: its text without thinking, and without tool responses that it wrote itself.

``thinking`` ends what stands before it even where it was never opened, since some chat templates open it in the
prompt; what was opened and never closed goes on to the end of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

OPEN, CLOSE = "<tool_call>", "</tool_call>"
FORGED = ("<tool_response>", "<tool_parsed_response>")
"""Openings of what only tools may say."""

_TAG = re.compile(r"</?(?:tool_call|think|tool_response|tool_parsed_response)>")


@dataclass(frozen=True)
class Piece:
    """A stretch of what was said aloud.

    Attributes:
        start: where it stands in the whole text.
        text: without the tags around it.
        is_call: whether it was marked as a call.
    """

    start: int
    text: str
    is_call: bool


@dataclass(frozen=True)
class Spoken:
    """What was said aloud.

    Attributes:
        pieces: in the order of the text; a call never holds another.
        stray: closing tags of calls that nothing opened.
        forged: tool responses that the model wrote itself.
    """

    pieces: tuple[Piece, ...]
    stray: int
    forged: int

    @property
    def prose(self) -> str:
        """Everything but the calls."""
        return "\n".join(piece.text for piece in self.pieces if not piece.is_call).strip()


def listen(text: str) -> Spoken:
    """Take a turn apart."""
    pieces: list[Piece] = []
    stray = forged = 0
    for start, end, state, tag in _stretches(text):
        said = text[start:end]
        # An opening right after an opening is a doubled tag; a block that is closed empty is a call of nothing.
        if state == "tool_call" and (said.strip() or tag != OPEN):
            pieces.append(Piece(start, said, is_call=True))
        elif not state and said.strip():
            pieces.append(Piece(start, said, is_call=False))
        if tag == "</think>" and state != "think":
            pieces.clear()
            stray = forged = 0
        elif tag == CLOSE and not state:
            stray += 1
        elif tag in FORGED:
            forged += 1
    return Spoken(tuple(pieces), stray, forged)


def _stretches(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Start, end, what it is inside of (nothing, or a tag's name), and the tag that ends it."""
    at, state = 0, ""
    for match in _TAG.finditer(text):
        tag = match.group()
        name = tag.strip("</>")
        if state not in ("", "tool_call") and tag != f"</{state}>":
            continue  # inside of thinking or of a forged response, only its own end means anything
        yield at, match.start(), state, tag
        at = match.end()
        state = "" if tag.startswith("</") else name
    yield at, len(text), state, ""
