"""What of a turn was thought and what was said aloud, where thinking stands between ``<think>`` and ``</think>``.

Some chat templates open the thinking in the prompt: then the turn begins in the middle of it.
"""

from __future__ import annotations

import re

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_FIRST_THOUGHT = re.compile(r"\s*(?:<think>)?(?:(?!<think>).)*?</think>\s*", re.DOTALL)


def first_thought(text: str) -> str:
    """The thinking that a turn begins with, its tags and the space around it included; nothing if it does not."""
    found = _FIRST_THOUGHT.match(text)
    return found.group() if found else ""


def aloud(text: str, *, opened: bool = False) -> str:
    """The turn without thinking. What is opened and never closed goes on to the end.

    Args:
        text: the turn.
        opened: whether the prompt has opened the thinking.
    """
    said = _THOUGHT.sub("", f"<think>{text}" if opened else text)
    return said.rpartition("</think>")[2]  # an end without a beginning ends what stands before it
