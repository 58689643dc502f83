"""Whether the arguments of a call are what brought a gold back.

Some tools tell their gold for any arguments, or for none: a defect of the task, which a model must not be paid for
finding. Arguments are *grounded* if a value of theirs comes from the question, from an earlier output, or is one that
the document lists for a parameter that it requires. A call whose arguments are not grounded may be right all the
same - guessed, or known - so it is put to the test: the same call with nonsense in their place (``probes``). If that
brings the gold back as well, the arguments were worth nothing, and nor is the tick.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from ftrl.rewards.arguments import NO_SCHEMA, Value, values_of
from ftrl.rewards.conformity import is_listed, required_of
from ftrl.rewards.context import Context
from ftrl.rewards.reading import read_output
from ftrl.rewards.tokens import Tokens, stands_in, tokens_of
from ftrl.tool_calls import ParsedCall

SHORTEST_WORD = 3
_EMPTY_WORDS = frozenset(
    tokens_of(
        "a an the of in on at to by for from with and or not no yes is are was were be been do does did has have had "
        "it its this that these those which what who whom whose when where why how many much more most than as into "
        "about all any true false none null name type date city country other"
    )
)
"""Words that stand in most questions; a value made of them alone tells nothing."""


NONSENSE_WORD, NONSENSE_NUMBER = "zqxv", 7919


class Standing(Enum):
    """What a call's arguments are worth as evidence."""

    GROUNDED = "grounded"
    DOUBTFUL = "doubtful"
    """Worth what a probe says."""
    MISSING = "missing"
    """Nothing was said, though the document asks for something: no evidence at all."""


@dataclass(frozen=True)
class Assessment:
    """The standing of a call, and its probes if it is doubtful.

    Attributes:
        standing: see ``Standing``.
        probes: calls which, if one of them brings the same gold, show that the arguments did not matter.
        penalty: what is left of the tick's worth in that case.
    """

    standing: Standing
    probes: tuple[ParsedCall, ...] = ()
    penalty: float = 0.0


EMPTY_WORTH = 0.5
"""Of a tick by a call that says nothing, made of a tool whose document asks for nothing: the model may have known
that this tool needs no more, or not; and it could not have said it better."""


class Grounds:
    """What a model could know before it spoke: the question, earlier outputs, golds that are already solved."""

    def __init__(self, context: Context, solved: tuple[str, ...]) -> None:
        self._context = context
        self._solved = solved

    @cached_property
    def texts(self) -> tuple[Tokens, ...]:
        """Everything that could be known, as tokens."""
        outputs = [
            leaf.tokens
            for earlier in self._context.history
            for leaf in read_output(self._context.visible(earlier.output)).leaves
        ]
        return (self._context.task.question_tokens, *outputs, *map(tokens_of, self._solved))

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word and number of them."""
        return frozenset(token for text in self.texts for token in text)

    def hold(self, value: Value) -> bool:
        """Whether this value of an argument could be known, and tells something."""
        telling = any(
            token not in _EMPTY_WORDS and (len(token) >= SHORTEST_WORD or not token.isalpha()) for token in value.tokens
        )
        if not telling or not self.words.issuperset(value.tokens):
            return False
        return any(stands_in(value.tokens, text) for text in self.texts)


def assess(call: ParsedCall, arguments: Any, context: Context, grounds: Grounds) -> Assessment:
    """The standing of a call's arguments."""
    document = context.task.document(call.name) or NO_SCHEMA
    required = set(required_of(document))
    values = list(values_of(arguments, document))
    listed = [value for value in values if is_listed(value.value, value.schema.get("enum"))]
    free = [value for value in values if value not in listed]
    if any(grounds.hold(value) for value in free) or any(grounds.hold(value) for value in listed):
        return Assessment(Standing.GROUNDED)
    given = set(arguments) if isinstance(arguments, dict) else set()
    if not required <= given:
        return Assessment(Standing.MISSING) if not free else _doubtful(call, arguments, free)
    if any(value.parameter in required for value in listed) and not any(value.parameter in required for value in free):
        return Assessment(Standing.GROUNDED)
    if free:
        return _doubtful(call, arguments, free)
    # Only listed values, yes and no, for parameters that nobody asked for.
    bare = {name: value for name, value in arguments.items() if name in required} if given else {}
    return Assessment(Standing.DOUBTFUL, (ParsedCall(call.name, json.dumps(bare)),), EMPTY_WORTH)


def _doubtful(call: ParsedCall, arguments: Any, free: list[Value]) -> Assessment:
    replaced = {str(value.value) for value in free}
    probes = (_nonsense(arguments, replaced, in_shape=True), _nonsense(arguments, replaced, in_shape=False))
    return Assessment(
        Standing.DOUBTFUL,
        tuple(ParsedCall(call.name, json.dumps(probe, ensure_ascii=False)) for probe in probes),
    )


def _nonsense(value: Any, replaced: set[str], *, in_shape: bool) -> Any:
    """The arguments with nonsense for the given values: in their shape (``Orun`` → ``Zdqk``), or one and the same."""
    if isinstance(value, dict):
        return {key: _nonsense(inner, replaced, in_shape=in_shape) for key, inner in value.items()}
    if isinstance(value, list):
        return [_nonsense(inner, replaced, in_shape=in_shape) for inner in value]
    if isinstance(value, bool) or value is None or str(value) not in replaced:
        return value
    if isinstance(value, str):
        return _scrambled(value) if in_shape else NONSENSE_WORD
    return _other_number(value) if in_shape else NONSENSE_NUMBER


def _other_number(number: float) -> float:
    try:
        return type(number)(_scrambled(str(number)))
    except (ValueError, OverflowError):  # 1e+300, nan: changing their digits does not give a number
        return NONSENSE_NUMBER


def _scrambled(text: str) -> str:
    """Other letters and digits, in the same places, the same for the same text."""
    noise = hashlib.shake_128(text.encode("utf-8", "surrogatepass")).digest(max(len(text), 1))
    return "".join(map(_other, text, noise))


def _other(character: str, noise: int) -> str:
    if character.isdecimal():
        return str((int(character) + 1 + noise % 8) % 9 + 1)  # no zero, which could lead a number
    if character.isalpha():
        letter = "bcdfghjklmnpqrstvwxz"[noise % 20]
        return letter.upper() if character.isupper() else letter
    return character
