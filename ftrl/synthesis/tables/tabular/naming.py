"""Words from the names of tables and columns: ``BillingCity`` is a billing city, ``artists`` are each an artist."""

from __future__ import annotations

import keyword
import re
import unicodedata

_LONGEST = 26
_ABBREVIATIONS = {
    "qty": "quantity",
    "amt": "amount",
    "num": "number",
    "nbr": "number",
    "no": "number",
    "dob": "date of birth",
    "lat": "latitude",
    "lon": "longitude",
    "lng": "longitude",
    "alt": "altitude",
    "addr": "address",
    "desc": "description",
    "email": "email address",
    "phone": "phone number",
    "fax": "fax number",
    "mobile": "mobile number",
    "dept": "department",
    "tel": "telephone",
    "tailnum": "tail number",
    "firstname": "first name",
    "lastname": "last name",
    "tz": "time zone",
    "tzone": "time zone",
}
_SAME_IN_SINGULAR = ("ss", "us", "is", "news", "series", "species")
_IRREGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "data": "data",
    "movies": "movie",
}


def words_of(name: str) -> list[str]:
    """The words of an identifier, in lower case: camel case, underscores, digits and signs part them."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    parted = re.sub(r"([a-z0-9])([A-Z])|([A-Z]+)([A-Z][a-z])", r"\1\3 \2\4", plain)
    words = re.findall(r"[a-z]+|[0-9]+", parted.lower())
    spelled = " ".join(_ABBREVIATIONS.get(word, word) for word in words).split()
    return [word for before, word in zip(["", *spelled], spelled, strict=False) if word != before]


def noun_of_table(name: str) -> str:
    """What a row of the table is called, in the singular; empty if the name has no letter of the alphabet."""
    words = words_of(name)
    words = words[1:] if len(words) > 1 and words[0] in ("tbl", "dim", "fact", "vw", "stg") else words
    if not words or not any(word.isalpha() for word in words):
        return ""
    return " ".join([*words[:-1], singular(words[-1])])[:_LONGEST].strip()


def noun_of_column(name: str, table: str) -> str:
    """What a column holds, without the noun of its table and without a closing "id"; may be empty."""
    words = words_of(name)
    if len(words) > 1 and words[-1] in ("id", "fk", "key"):
        words = words[:-1]
    own = table.split()
    if len(words) > len(own) and words[: len(own)] == own:
        words = words[len(own) :]
    text = " ".join(words)[:_LONGEST].strip()
    return text if any(word.isalpha() for word in words) else ""


def singular(word: str) -> str:
    """An English noun in the singular, for the common endings."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith(_SAME_IN_SINGULAR) or len(word) < 4:
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word.removesuffix("s")


def plural(noun: str) -> str:
    """An English noun in the plural, for the common endings."""
    *before, word = noun.split()
    back = {one: several for several, one in _IRREGULAR.items() if one != "movie"}
    if word in back:
        several = back[word]
    elif word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        several = f"{word[:-1]}ies"
    elif word.endswith(("s", "x", "z", "ch", "sh")):
        several = word if word.endswith(("news", "series", "species")) else f"{word}es"
    else:
        several = f"{word}s"
    return " ".join([*before, several])


def identifier(text: str) -> str:
    """The words as a name in code; a keyword gets an underscore's worth of company."""
    name = "_".join(words_of(text))
    if not name or name[0].isdigit():
        name = f"item_{name}".rstrip("_")
    return f"{name}_value" if keyword.iskeyword(name) else name
