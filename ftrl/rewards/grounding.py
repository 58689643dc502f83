"""Whether the arguments of a call are what brought a gold back.

Some tools tell their gold for any arguments, or for none: a defect of the task, which a model must not be paid for
finding. Arguments are *grounded* if a value of theirs comes from the question, from an earlier output, or is one that
the document lists for a parameter that it requires. A call whose arguments are not grounded may be right all the
same - guessed, or known - so it is put to the test: the same call with nonsense in their place (``probes``). If that
brings the gold back as well, the arguments were worth nothing, and nor is the tick.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from ftrl.rewards.arguments import NO_SCHEMA, Value, names_of, read_arguments, values_of
from ftrl.rewards.conformity import is_listed, required_of
from ftrl.rewards.context import Context, Earlier
from ftrl.rewards.nonsense import probes_for
from ftrl.rewards.reading import is_refusal, read_output
from ftrl.rewards.tokens import Tokens, stands_in, tokens_of
from ftrl.tool_calls import ParsedCall

SHORTEST_WORD = 3
LONGEST_GUESS = 40
"""Words of values that come from nowhere; more of them is a list of guesses, not an argument."""
_EMPTY_WORDS = frozenset(
    tokens_of(
        "a an the of in on at to by for from with and or not no yes is are was were be been do does did has have had "
        "it its this that these those which what who whom whose when where why how many much more most than as into "
        "about all any true false none null name type date city country other"
    )
)
"""Words that stand in most questions; a value made of them alone tells nothing."""


class Standing(Enum):
    """What a call's arguments are worth as evidence."""

    GROUNDED = "grounded"
    DOUBTFUL = "doubtful"
    """Worth what a probe says."""
    WORTHLESS = "worthless"
    """Nothing was said though the document asks for something, or everything at once: no evidence at all."""


@dataclass(frozen=True)
class Assessment:
    """The standing of a call, and its probes if it is doubtful.

    Attributes:
        standing: see ``Standing``.
        probes: calls which, if one of them brings the same gold, show that the arguments did not matter.
        worth_if_probed: what is left of the tick's worth in that case.
    """

    standing: Standing
    probes: tuple[ParsedCall, ...] = ()
    worth_if_probed: float = 0.0


EMPTY_WORTH = 0.5
"""Of a tick by a call that says nothing, made of a tool whose document asks for nothing: the model may have known
that this tool needs no more, or not; and it could not have said it better."""


class Grounds:
    """What a model could know before it spoke: the question, earlier outputs, golds that are already solved.

    Args:
        context: question and earlier calls.
        solved: gives the solved golds; asked only if they are needed.
    """

    def __init__(self, context: Context, solved: Callable[[], Sequence[str]]) -> None:
        self._context = context
        self._solved = solved

    @cached_property
    def texts(self) -> tuple[Tokens, ...]:
        """Everything that could be known, as tokens."""
        outputs = [text for earlier in self._context.history for text in _news(earlier)]
        return (self._context.task.question_tokens, *outputs, *map(tokens_of, self._solved()))

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


def _news(earlier: Earlier) -> Iterator[Tokens]:
    """What an earlier output told, without the words that its own arguments had put there."""
    arguments = read_arguments(earlier.arguments)
    texts = [str(value.value) for value in values_of(arguments)] + list(names_of(arguments))
    given = {token for text in texts for token in tokens_of(text)}
    for leaf in read_output(earlier.output).leaves:
        if not is_refusal(leaf.text):
            yield tuple("" if token in given else token for token in leaf.tokens)


def assess(call: ParsedCall, arguments: Any, context: Context, grounds: Grounds) -> Assessment:
    """The standing of a call's arguments."""
    document = context.task.document(call.name) or NO_SCHEMA
    required = set(required_of(document))
    values = list(values_of(arguments, document))
    listed = [value for value in values if is_listed(value.value, value.schema.get("enum"))]
    free = [value for value in values if value not in listed]
    if any(map(grounds.hold, values)):
        return Assessment(Standing.GROUNDED)
    given = set(arguments) if isinstance(arguments, dict) else set()
    if sum(len(value.tokens) for value in free) > LONGEST_GUESS or (not free and not required <= given):
        return Assessment(Standing.WORTHLESS)
    asked = [value.parameter in required for value in free]
    if (
        not any(asked)
        and required <= given
        and any(value.parameter in required and _is_choice(value) for value in listed)
    ):
        return Assessment(Standing.GROUNDED)
    if free:
        return Assessment(Standing.DOUBTFUL, probes_for(call.name, arguments, free))
    # Only listed values, yes and no, for parameters that nobody asked for.
    bare = {name: value for name, value in arguments.items() if name in required} if given else {}
    return Assessment(Standing.DOUBTFUL, (ParsedCall(call.name, json.dumps(bare)),), EMPTY_WORTH)


def _is_choice(value: Value) -> bool:
    """Whether the document lists anything else besides this value."""
    return any(not is_listed(value.value, [other]) for other in value.schema["enum"])
