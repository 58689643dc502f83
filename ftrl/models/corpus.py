"""Text to train the tiny model's tokenizer on, generated: no network, and the same on every machine.

It looks like what the model will read and write: questions and answers, function signatures as JSON, tool
calls, tool responses and plain prose. Names are made of random syllables, so that unknown names fall into
pieces that were seen before.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator


def _words(text: str) -> list[str]:
    return text.split()


_SUBJECTS = _words(
    """
    author book novel poem film director actor singer song album band painter painting museum city town
    country capital region river lake mountain island bridge castle harbour street school university
    student teacher company founder product market engineer machine ship train station airport team
    player coach league stadium event festival award prize year date century decade price weight height
    length depth area population language currency religion animal bird fish plant tree flower fruit
    dish recipe drink doctor disease medicine planet star moon king queen president minister mayor
    parent child brother sister friend family village farm garden house room
    """
)

_ACTIONS = _words("find lookup search list count compare convert retrieve check compute")

_PLAIN = _words(
    """
    the of and to in is was for on that by with as at from it an be are were which this has have had not
    or but its also one first two three other more than when who what where how many much after before
    between during under over about into most some all each only very old new long large small high low
    early late known called named born died built made wrote founded directed painted found lives
    located near north south east west left right same different number name place time people world
    life work part side end way day result answer question value true false please tell me following
    information given based using need should can will would could do does did if then because there
    here they their he his she her we our you your
    """
)

_RELATIONS = _words(
    """
    wrote directed founded built painted designed discovered ruled visited taught won sang recorded sold
    owned borders contains follows precedes employs
    """
)

_DOCUMENTATION = (
    "The name of the {a} to look up.",
    "Find the {b} of a given {a}.",
    "Returns the {b} for the {a}, or an error message.",
    "Full name of the {a}, as it is written in the question.",
    "Optional filter for the kind of {b}.",
    "A tool that retrieves information about a {a}, such as its {b} and {c}.",
    "The unit in which the {b} is given.",
    "Maximum number of results to return. Defaults to {n}.",
)

_QUESTIONS = (
    "What is the {b} of the {a} {X}?",
    "Who {r} the {a} named {X}?",
    "In which {c} was the {a} of {X} {r}?",
    "How many people live in the {a} where {X} was born?",
    "When did {X} found the {c} {Y}, and what is its {b}?",
    "Which {a} {r} {X} in {y}?",
    "Tell me the {b} of {X} and the {c} of {Y}.",
    "What is the sum of {n} and {m}?",
)

_ANSWERS = (
    "The {b} of {X} is {Y}.",
    "{X} {r} {Y} in {y}.",
    "It was {X} who {r} the {a}.",
    "I could not find the {a} of {X} with the tools.",
    "The answer is {n}.",
    "First I need to find the {a} of {X}, then its {b}.",
    "{X} is a {a} in {Y} with {n} people, known for its {c}.",
)

_ONSETS = _words("b br c ch d dr f g gr h j k kl l m n p pr qu r s sh st t th tr v w y z")
_VOWELS = _words("a e i o u ai ea ee ia io ou")
_CODAS = ["", "", "", "l", "m", "n", "nd", "r", "rt", "s", "st", "th", "x"]


def corpus(documents: int = 6000) -> Iterator[str]:
    """The training text, about 300 bytes a document; the same sequence each time."""
    dice = random.Random("the tokenizer's corpus")
    kinds = (_prose, _exchange, _signature, _calls)
    for index in range(documents):
        yield kinds[index % len(kinds)](dice)


def _name(dice: random.Random) -> str:
    syllables = (dice.choice(_ONSETS) + dice.choice(_VOWELS) + dice.choice(_CODAS) for _ in range(dice.randint(1, 3)))
    return "".join(syllables).capitalize()


def _fill(dice: random.Random, pattern: str) -> str:
    return pattern.format(
        a=dice.choice(_SUBJECTS),
        b=dice.choice(_SUBJECTS),
        c=dice.choice(_SUBJECTS),
        r=dice.choice(_RELATIONS),
        X=f"{_name(dice)} {_name(dice)}" if dice.random() < 0.5 else _name(dice),
        Y=_name(dice),
        n=dice.randint(0, 99999),
        m=f"{dice.randint(0, 9999)}.{dice.randint(0, 99)}",
        y=dice.randint(1000, 2100),
    )


def _prose(dice: random.Random) -> str:
    sentences = []
    for _ in range(dice.randint(2, 4)):
        words = [dice.choice(_PLAIN if dice.random() < 0.6 else _SUBJECTS) for _ in range(dice.randint(5, 14))]
        sentences.append(" ".join(words).capitalize() + dice.choice(".....?!"))
    return " ".join(sentences) + "\n"


def _exchange(dice: random.Random) -> str:
    question, answer = _fill(dice, dice.choice(_QUESTIONS)), _fill(dice, dice.choice(_ANSWERS))
    return f"system\nuser\n{question}\n\nassistant\n{answer}\n"


def _tool_name(dice: random.Random) -> str:
    words = [dice.choice(_SUBJECTS), dice.choice(_SUBJECTS), dice.choice(_ACTIONS)]
    return "_".join(words[dice.randint(0, 1) :])


def _signature(dice: random.Random) -> str:
    properties: dict[str, object] = {}
    for _ in range(dice.randint(1, 3)):
        key = dice.choice(_SUBJECTS) + dice.choice(["", "_name", "_type", "_id"])
        kind = dice.choice(["string", "string", "string", "integer", "number", "boolean", "array"])
        field: dict[str, object] = {"type": kind, "description": _fill(dice, dice.choice(_DOCUMENTATION))}
        if kind == "string" and dice.random() < 0.3:
            field["enum"] = [dice.choice(_SUBJECTS) for _ in range(3)]
        if kind == "array":
            field["items"] = {"type": "string"}
        properties[key] = field
    function = {
        "name": _tool_name(dice),
        "description": _fill(dice, dice.choice(_DOCUMENTATION)),
        "parameters": {"type": "object", "properties": properties, "required": list(properties)[:1]},
    }
    return json.dumps({"type": "function", "function": function}) + "\n"


def _calls(dice: random.Random) -> str:
    lines = []
    for _ in range(dice.randint(1, 3)):
        key = dice.choice(_SUBJECTS) + dice.choice(["", "_name"])
        value: object = f"{_name(dice)} {_name(dice)}" if dice.random() < 0.8 else dice.randint(0, 9999)
        lines.append(json.dumps({"name": _tool_name(dice), "arguments": {key: value}}))
        lines.append(dice.choice([_name(dice), json.dumps({"result": _name(dice), "error": None})]))
    return "\n".join(lines) + "\n"
