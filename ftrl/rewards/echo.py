"""Whether an output says a gold only because the arguments said it.

Many tools repeat what they were given. A gold counts only if some part of it is *fresh*: it does not stand in an
argument, and it stands somewhere in the output with a word that no argument explains. So neither ``{"town": "Orun"}``
nor ``"Result for Ada Vell"``, put together from a first and a last name, is evidence of anything.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ftrl.rewards.arguments import names_of, values_of
from ftrl.rewards.reading import read_output
from ftrl.rewards.tokens import PART, Tokens, parts_of, places, stands_in, tokens_of

SHORTEST_SQUASHED = 5
"""Characters from which on a text is also looked for without spaces and accents: shorter ones turn up by chance."""


def is_echo(output: str, gold: str, arguments: Any) -> bool:
    """Whether nothing of ``gold``, which ``output`` holds, is news to someone who gave these arguments."""
    given = _Given(arguments)
    reading = read_output(output)
    return not any(
        not given.says(part) and any(given.leaves_open(part, leaf) for leaf in reading.holding(part))
        for part in parts_of(gold)
    )


class _Given:
    """The words of a call's arguments."""

    def __init__(self, arguments: Any) -> None:
        texts = [str(value.value) for value in values_of(arguments)] + list(names_of(arguments))
        self._texts = [tuple(token.removeprefix(PART) for token in tokens_of(text)) for text in texts]
        for tokens in list(self._texts):
            rounded = [other for token in tokens for other in _rounded(token)]
            self._texts += [(other,) for other in rounded]
        self._squashed = [_squash(text) for text in texts]
        self._whole = {tokens[0] for tokens in self._texts if len(tokens) == 1}
        self._pairs = {pair for tokens in self._texts for pair in pairwise(tokens)}

    def says(self, part: Tokens) -> bool:
        """Whether an argument has this in it, maybe spelled without spaces or accents, or backwards."""
        part = tuple(token.removeprefix(PART) for token in part)
        if any(stands_in(part, tokens) for tokens in self._texts):
            return True
        squashed = _squash("".join(part))
        if len(squashed) < SHORTEST_SQUASHED or squashed.isdecimal():
            return False
        return any(squashed in text or squashed[::-1] in text for text in self._squashed)

    def leaves_open(self, part: Tokens, leaf: Tokens) -> bool:
        """Whether the leaf has the part in a place where some word comes from no argument."""
        plain = tuple(token.removeprefix(PART) for token in leaf)
        for start in places(part, leaf):
            if not all(self._explains(plain, at) for at in range(start, start + len(part))):
                return True
        return False

    def _explains(self, leaf: Tokens, at: int) -> bool:
        if leaf[at] in self._whole:
            return True
        return leaf[at - 1 : at + 1] in self._pairs or leaf[at : at + 2] in self._pairs


def _rounded(token: str) -> Iterator[str]:
    """What a tool that rounds would make of a number."""
    whole, point, decimals = token.partition(".")
    if point and whole.removeprefix("-").isdecimal() and decimals.isdecimal():
        yield whole
        yield str(int(whole) + (-1 if token[0] == "-" else 1))


def _squash(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in decomposed if character.isalnum())
