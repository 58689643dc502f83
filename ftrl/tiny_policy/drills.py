"""Practice beside whole conversations: to find a tool in the list by what it does, and to copy."""

from __future__ import annotations

from random import Random

from ftrl.synthesis.candidate import Candidate
from ftrl.tiny_policy.demonstrations import Demonstration, Turn, call_text
from ftrl.tiny_policy.lessons import Lesson

_SEGMENTS = (12, 30)
_TOKENS_OF_A_SEGMENT = (2, 6)


def drill(candidate: Candidate, dice: Random) -> Demonstration:
    """Every tool of a task is asked for once, in its description's own words, and called.

    A conversation has one or two calls; without this, most of a list is never needed, and reading it is learnt late.
    """
    tools = list(candidate.environment.tools)
    dice.shuffle(tools)
    values = [value for step in candidate.environment.trace for value in step.arguments.values()]
    turns = []
    for tool in tools:
        function = tool["function"]
        parameter, value = next(iter(function["parameters"]["properties"])), dice.choice(values)
        turns.append(Turn({"role": "user", "content": f"{function['description']} {value}"}, example=False))
        turns.append(
            Turn({"role": "assistant", "content": call_text([(function["name"], {parameter: value})])}, example=True)
        )
    return Demonstration(candidate.environment.tools, tuple(turns))


def copying(vocab: int, first_token: int, dice: Random) -> Lesson:
    """Runs of any tokens, and the same runs once more in another order, which can be copied from the first time.

    Args:
        vocab: tokens of the tokenizer.
        first_token: none before it is used.
        dice: decides everything.
    """
    runs = [
        [dice.randrange(first_token, vocab) for _ in range(dice.randint(*_TOKENS_OF_A_SEGMENT))]
        for _ in range(dice.randint(*_SEGMENTS))
    ]
    tokens = [token for run in runs for token in run]
    weights = [0.0] * len(tokens)
    dice.shuffle(runs)
    for run in runs:
        tokens += run
        weights += [0.0, *[1.0] * (len(run) - 1)]
    return Lesson(tokens, weights)
