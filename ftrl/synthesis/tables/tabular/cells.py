"""Single cells: what type they are, how they are written as an answer, and which are left alone."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum

Cell = str | int | float | bytes | None

LONGEST = 60
"""Characters of a name or an answer; what is longer is prose."""

MISSING = frozenset({"", "na", "n/a", "null", "none", "nan", "\\n", "-", "--", "?", "unknown"})
"""What people write, in any case, where they know nothing."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,12}")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.0+)?)?)Z?)?")
_BOOLEAN = frozenset({"true", "false", "yes", "no", "t", "f", "y", "n"})
_UNSAFE = frozenset('"\\<>`|')
_UNSAFE_WORDS = re.compile(r"tool_call|ignore (all|any|the|previous)|system prompt|assistant:|user:|system:", re.I)


class CellType(str, Enum):
    """What a cell holds."""

    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    TEXT = "text"
    NOTHING = "nothing"
    OTHER = "other"


def type_of(cell: Cell) -> CellType:
    """The type of one cell, as it is or as it is written."""
    if isinstance(cell, bytes):
        return CellType.OTHER
    text = "" if cell is None else str(cell).strip()
    if text.lower() in MISSING:
        return CellType.NOTHING
    if _INTEGER.fullmatch(text):
        return CellType.INTEGER
    if isinstance(cell, (int, float)) or _NUMBER.fullmatch(text):
        return CellType.NUMBER
    if text.lower() in _BOOLEAN:
        return CellType.BOOLEAN
    return CellType.DATE if _day(text) else CellType.TEXT


def written(cell: Cell, type_: CellType) -> str | None:
    """The cell as an answer: trimmed, numbers without needless digits, days as ``1874-03-02``.

    Null where the cell is missing, of another type than its column, or not clean.
    """
    own = type_of(cell)
    if own in (CellType.NOTHING, CellType.OTHER) or cell is None or isinstance(cell, bytes):
        return None
    text = str(cell).strip()
    if type_ is CellType.TEXT:
        return text if is_clean(text) else None
    if type_ is CellType.DATE:
        return _day(text)
    if own is CellType.INTEGER and type_ in (CellType.INTEGER, CellType.NUMBER):
        return text
    return _number(text) if own is CellType.NUMBER and type_ is CellType.NUMBER else None


def rank(text: str, type_: CellType) -> Decimal | None:
    """What a written cell is compared by; null where its type has no order."""
    if type_ is CellType.DATE:
        return Decimal(date.fromisoformat(text).toordinal())
    return Decimal(text) if type_ in (CellType.INTEGER, CellType.NUMBER) else None


def is_clean(text: str) -> bool:
    """Whether a text can stand in a question, a document and code without meaning anything else there.

    Quotes, backslashes, angle brackets, line breaks, invisible letters, lists (parts of an answer are divided by a
    comma) and what addresses a model are left out; apostrophes, braces, semicolons and all alphabets are not.
    """
    if not 1 <= len(text) <= LONGEST or ", " in text or _UNSAFE & set(text) or "\N{REPLACEMENT CHARACTER}" in text:
        return False
    if "  " in text or _UNSAFE_WORDS.search(text) or not any(letter.isalnum() for letter in text):
        return False
    return all(letter == " " or unicodedata.category(letter)[0] not in "CZ" for letter in text)


def _day(text: str) -> str | None:
    match = _DATE.fullmatch(text)
    if match is None or (match[4] or "00:00:00")[:5] != "00:00":
        return None
    try:
        return datetime(int(match[1]), int(match[2]), int(match[3])).date().isoformat()
    except ValueError:
        return None


def _number(text: str) -> str | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    plain = f"{number:f}"
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    # As code writes it, so that what a tool returns is this text and no other.
    return plain if plain not in ("-0", "") and (("." not in plain) or repr(float(plain)) == plain) else None
