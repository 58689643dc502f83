"""The simulated user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from ftrl.errors import FtrlError
from ftrl.evaluation.prompts import prompt
from ftrl.evaluation.suite import message

STOP = "###STOP###"
"""What the user says, perhaps among other words, when the conversation is over."""

GREETING = "Hi! How can I help you today?"
"""What the agent is taken to have said first; the agent itself never sees it."""

User = Callable[[Sequence[dict[str, Any]]], Awaitable[str]]
"""From the conversation as the user sees it (rules as ``system``, the agent as ``user``, itself as ``assistant``), what
the user says next. A call that fails for good raises ``EngineFault``: the episode is then played again, not scored."""


class Customer:
    """One user over one episode.

    Args:
        user: who speaks.
        instruction: the task's, for the user's eyes only.
        blank_line: whether a blank line stands in front of the rules.
    """

    def __init__(self, user: User, instruction: str, *, blank_line: bool) -> None:
        rules = prompt("tau_bench_user").replace("{instruction}", instruction + "\n" * blank_line)
        self._user = user
        self._messages = [message("system", rules)]

    async def hear(self, said: str = GREETING) -> str:
        """What the user answers to that."""
        self._messages.append(message("user", said))
        answer = await self._user(tuple(self._messages))
        self._messages.append(message("assistant", answer))
        return answer


def scripted_user(lines: Iterable[str]) -> User:
    """A user who says these lines, one a turn, for one episode.

    Raises (when called):
        FtrlError: the lines are at their end but the conversation goes on.
    """
    rest = iter(lines)

    async def say(messages: Sequence[dict[str, Any]]) -> str:
        for line in rest:
            return line
        raise FtrlError("the scripted user has nothing more to say, but the conversation goes on")

    return say
