"""Text as a sequence of values: words, numbers and a few signs, so that ``1`` does not stand in ``2010``.

Text is folded first (NFKC, case). Numbers are written in one way: ``9,000,000``, ``9000000.0`` and ``9e6`` are the
same token. The parts of a date, a time or a range (``2001-8-2``, ``12:30``, ``5-10``) are tokens that equal no plain
number, but for parts of four digits: the year may be asked for, the ``2`` may not be found there by chance.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from functools import lru_cache

Tokens = tuple[str, ...]

PART = "~"
"""Marks a token that is a part of a date, a time or a range."""

CACHED_CHARACTERS = 8192
"""Longer texts are taken apart each time, so that the cache stays small."""

_MINUS = "-\u2212"
_BEFORE_MINUS = r"(?<![^\s(\[{:=,;\"'<>~$€£¥+/*])"
_SPACELESS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
"""Scripts that are written without spaces: one token a character."""
_SIGNS = "%$€£¥°\u00d7+#&"
_TOKEN = re.compile(
    rf"""
    (?P<number>(?:{_BEFORE_MINUS}[{_MINUS}])?
        (?:\d+(?:\.\d+)?e[+-]?\d{{1,4}}|\d+(?:(?:[.,:/-]|t(?=\d\d:))\d+)+)(?:(?<=:\d\d)z)?(?![^\W_]))
    |(?P<negative>{_BEFORE_MINUS}[{_MINUS}]\d+(?![^\W_]))
    |(?P<sign>[{_SPACELESS}{_SIGNS}])
    |(?P<word>[^\W_{_SPACELESS}]+(?:(?<=\d)[.,]\d[^\W_{_SPACELESS}]*)*)
    """,
    re.VERBOSE,
)

_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?")
_DECIMAL = re.compile(r"\d+\.\d+")
_JOINTS = re.compile("[-/:t]")
_LARGEST_EXPONENT = 60
_KEPT_DECIMALS = 10
_SMALLEST = Decimal(1).scaleb(-_KEPT_DECIMALS)


def fold(text: str) -> str:
    """Text as it is compared: compatibility forms, case and white space folded."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def tokens_of(text: str) -> Tokens:
    """The values in a text, in order."""
    return _cached(text) if len(text) <= CACHED_CHARACTERS else tuple(_tokens(text))


@lru_cache(maxsize=8192)
def _cached(text: str) -> Tokens:
    return tuple(_tokens(text))


def _tokens(text: str) -> Iterator[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    for match in _TOKEN.finditer(folded):
        found = match.group()
        if match.lastgroup == "number":
            yield from _number(found.rstrip("z"))
        elif match.lastgroup == "negative":
            yield _plain(found)
        elif not found.isdecimal():
            yield found
        elif "_" in (folded[match.start() - 1 : match.start()], folded[match.end() : match.end() + 1]):
            yield PART + _plain(found)  # item_2, 1_000
        else:
            yield _plain(found)


def _number(found: str) -> Iterator[str]:
    body = found.lstrip(_MINUS)
    if _GROUPED.fullmatch(body) or _DECIMAL.fullmatch(body) or "e" in body:
        yield _plain(found)
    elif _JOINTS.search(body) or body.count(".") > 1:
        for piece in _JOINTS.split(body) if _JOINTS.search(body) else body.split("."):
            for number in [piece] if _GROUPED.fullmatch(piece) else piece.split(","):
                plain = _plain(number)
                yield plain if len(plain) >= 4 and plain.isdecimal() else PART + plain
    else:
        yield from map(_plain, body.split(","))


def _plain(number: str) -> str:
    """A number in the one way in which we write it."""
    negative, number = number[0] in _MINUS, number.lstrip(_MINUS).replace(",", "")
    if "e" in number:
        exact = Decimal(number)
        if abs(exact.adjusted()) > _LARGEST_EXPONENT:
            return number
        number = format(exact, "f")
    whole, _, decimals = number.partition(".")
    if len(decimals) > _KEPT_DECIMALS:  # noise of binary fractions: 0.30000000000000004
        rounded = Decimal(number).quantize(_SMALLEST, context=Context(prec=len(number) + 1))
        whole, _, decimals = format(rounded, "f").partition(".")
    whole, decimals = whole.lstrip("0") or "0", decimals.rstrip("0")
    plain = f"{whole}.{decimals}" if decimals else whole
    return f"-{plain}" if negative and plain != "0" else plain


def stands_in(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether a sequence of tokens stands in another without a gap; nothing stands nowhere."""
    return next(places(part, whole), None) is not None


def places(part: Sequence[str], whole: Sequence[str]) -> Iterator[int]:
    """Where a sequence of tokens begins in another."""
    length = len(part)
    if not length or part[0] not in whole:
        return
    for at in range(len(whole) - length + 1):
        if whole[at] == part[0] and whole[at : at + length] == part:
            yield at


@lru_cache(maxsize=8192)
def parts_of(value: str) -> tuple[Tokens, ...]:
    """The parts of a gold or an answer, split at ``", "`` as published; those without any value are left out."""
    return tuple(tokens for part in value.split(", ") if (tokens := tokens_of(part)))
