"""How far a text commits itself to the right answer.

A text that names every possible answer names the right one too. So an answer is asked for in a way in which naming
more never pays more than the best single guess:

* Where the choices are known - yes or no, options (a) to (h), things that the question offers with "or" - the text is
  held to one of them: the first after the last "answer", or else the one that it begins with, or else the last.
* Where the answer has a number in it, other numbers that come from nowhere (not from the question, an earlier output
  or a solved gold) are guesses too: with k of them, the answer is worth 1 / (1 + k), and with more than
  ``MOST_GUESSES`` nothing.
* Everywhere, beyond ``MOST_NEW_WORDS`` different words that come from nowhere a text is worth less, and with twice as
  many nothing: it is a list.
* Passages copied from the question say nothing if they hold the answer, or several of the choices.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ftrl.rewards.tokens import PART, Tokens, fold, parts_of, places, stands_in, tokens_of

T = TypeVar("T")

MOST_NEW_WORDS = 48
MOST_GUESSES = 8
COPIED = 6
"""Words in a row that make a passage a copy."""

_POLAR = (("yes",), ("no",)), (("true",), ("false",))
_OPTION = re.compile(r"\(?([a-h])\)?")
_OPTION_MENTION = re.compile(
    r"""\(([a-h])\) | (?<![\w'\u2019-])([b-h])(?![\w'\u2019-])
    | (?<![\w'\u2019-])(a)(?=\s*(?:$|[.,;:)\]>!?*"'\n]|(?:and|or|then|is|has|was|because)\b))(?!['\u2019-]\w)""",
    re.VERBOSE,
)
_LIST_MARK = re.compile(r"(?m)^[ \t]*(?:\d{1,2}[.)]|[-*•])[ \t]+")
_SEPARATORS = re.compile(r"[,:;?.!()]|\bor\b|\band\b|\bbetween\b|\bversus\b|\bvs\b")


@dataclass(frozen=True)
class Known:
    """What could be known before the answer was given.

    Attributes:
        question: its words.
        words: every word and number of the question, of earlier outputs and of solved golds.
        question_text: the question.
    """

    question: Tokens
    words: frozenset[str]
    question_text: str = ""


def share_right(text: str, answer: str, known: Known) -> float:
    """How much of the reward for a right answer this text deserves: 0 if it is not there, 1 if it is all that is said.

    Args:
        text: what was said aloud.
        answer: the right answer.
        known: what could be known.
    """
    text = _LIST_MARK.sub("", text)
    letters = _letters(answer)
    if letters:
        return float(_chosen_letters(text, len(letters), known) == letters)
    parts = parts_of(answer)
    if not parts:
        return float(bool(answer.strip()) and fold(text) == fold(answer))
    words = tokens_of(text)
    choices = _choices(answer, parts, known)
    heard = _without_copies(words, choices or parts, known.question, alone=len(choices) < 2)
    right = _chosen(heard, choices) == parts[0] if choices else all(stands_in(part, heard) for part in parts)
    if not right:
        return 0.0
    return _undiluted(words, parts, known, closed=bool(choices))


def _undiluted(words: Tokens, parts: Sequence[Tokens], known: Known, *, closed: bool) -> float:
    own = {token for part in parts for token in part}
    asked = {token for token in own if _has_digit(token)}
    # Numbers of the question are no guesses, unless the answer itself could be guessed from there.
    free = known.words - set(known.question) if asked & set(known.question) else known.words
    guesses = {token for token in words if _has_digit(token) and token not in own and token not in free}
    if asked and len(guesses) > MOST_GUESSES:
        return 0.0
    share = 1 / (1 + len(guesses)) if asked and not closed else 1.0
    excess = max(0, len(set(words) - own - known.words) - MOST_NEW_WORDS)
    return share * max(0.0, 1 - excess / MOST_NEW_WORDS)


def _has_digit(token: str) -> bool:
    return any(character.isdigit() for character in token.removeprefix(PART))


def _letters(answer: str) -> str:
    """``cab`` for "c, a, b" or "(c) > (a) > (b)"; nothing if the answer is no option or order of options."""
    pieces = [piece.strip() for piece in re.split(r"[,>]|\bthen\b", fold(answer))]
    matches = [_OPTION.fullmatch(piece) for piece in pieces]
    return "".join(match.group(1) for match in matches if match) if all(matches) else ""


def _chosen_letters(text: str, count: int, known: Known) -> str:
    folded = fold(text)
    mentions = [
        (len(tokens_of(folded[: match.start()])), str(match.group(match.lastindex or 0)))
        for match in _OPTION_MENTION.finditer(folded)
    ]
    words = tokens_of(folded)
    copied = _copied(words, known.question)
    for start, end in copied:
        if len({letter for at, letter in mentions if start <= at < end}) > 1:
            mentions = [(at, letter) for at, letter in mentions if not start <= at < end]
    return "".join(_committed(mentions, count, words))


def _chosen(heard: Tokens, choices: Sequence[Tokens]) -> Tokens | None:
    mentions = sorted((at, choice) for choice in choices for at in places(choice, heard))
    committed = _committed(mentions, 1, heard)
    return committed[0] if committed else None


def _committed(mentions: Sequence[tuple[int, T]], count: int, words: Tokens) -> list[T]:
    """The choice, or the order of choices, that a text is held to."""
    if not mentions:
        return []
    said = [what for _, what in mentions]
    mark = max((at for at, word in enumerate(words) if word in ("answer", "answers")), default=-1)
    after = [what for at, what in mentions if at > mark]
    if mark >= 0 and after:
        return after[:count]
    return said[:count] if mentions[0][0] == 0 else said[-count:]


def _choices(answer: str, parts: Sequence[Tokens], known: Known) -> list[Tokens]:
    """The choices that the answer is one of, itself included; none where they are not known."""
    if len(parts) > 1:
        return []
    for polar in _POLAR:
        if parts[0] in polar:
            return list(polar)
    if not stands_in(parts[0], known.question):
        return []
    pieces = [tokens_of(piece) for piece in _SEPARATORS.split(fold(known.question_text))]
    pieces = [piece for piece in pieces if piece]
    found = [parts[0]]
    for at, piece in enumerate(pieces):
        if stands_in(parts[0], piece):
            found += [other for other in pieces[max(at - 1, 0) : at + 2] if other != piece and other not in found]
    return found


def _without_copies(words: Tokens, choices: Sequence[Tokens], question: Tokens, *, alone: bool) -> Tokens:
    """The text without passages copied from the question that hold several choices, or the only one that is known."""
    heard = list(words)
    for start, end in _copied(words, question):
        held = sum(stands_in(choice, words[start:end]) for choice in choices)
        if held > 1 or (alone and held):
            heard[start:end] = [""] * (end - start)
    return tuple(heard)


def _copied(words: Tokens, question: Tokens) -> list[tuple[int, int]]:
    """Passages of ``COPIED`` words or more that stand in the question word by word, as (start, end)."""
    runs = {question[at : at + COPIED] for at in range(len(question) - COPIED + 1)}
    passages: list[tuple[int, int]] = []
    for at in range(len(words) - COPIED + 1):
        if words[at : at + COPIED] in runs:
            if passages and at <= passages[-1][1]:
                passages[-1] = (passages[-1][0], at + COPIED)
            else:
                passages.append((at, at + COPIED))
    return passages
