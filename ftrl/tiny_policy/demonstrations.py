"""Conversations of a demonstrator who knows the answers, and may be careless."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ftrl.environments import SubQuestion
from ftrl.sandbox import Call, Sandbox
from ftrl.synthesis.candidate import Candidate


@dataclass(frozen=True)
class Carelessness:
    """How often a demonstrator does what it should not; probabilities.

    Attributes:
        wrong_tool: a call goes to another tool of the list.
        forgets: of several calls that could be made at once, one is left out.
        needless: a call is added that nobody asked for.
        gives_up: after a turn in which something went wrong, it answers at once.
        shown: whether its mistakes are examples, too; else they are only what the next turn has to deal with.
    """

    wrong_tool: float = 0.0
    forgets: float = 0.0
    needless: float = 0.0
    gives_up: float = 0.0
    shown: bool = False


CAREFUL = Carelessness(wrong_tool=0.08, forgets=0.08, needless=0.05)
"""Makes a few mistakes, which are no examples, so that it is seen how one goes on after them."""

CARELESS = Carelessness(wrong_tool=0.6, forgets=0.5, needless=0.6, gives_up=0.8, shown=True)
"""A demonstrator that leaves much to be mended."""


@dataclass(frozen=True)
class Turn:
    """A message of the conversation; ``example`` says whether it is one to learn from."""

    message: dict[str, Any]
    example: bool


@dataclass(frozen=True)
class Demonstration:
    """A conversation about a task, from the question to the answer."""

    tools: tuple[dict[str, Any], ...]
    turns: tuple[Turn, ...]


def demonstrate(candidate: Candidate, carelessness: Carelessness, sandbox: Sandbox, dice: Random) -> Demonstration:
    """Play a task to its end; tools run in the sandbox."""
    environment = candidate.environment
    names = [tool["function"]["name"] for tool in environment.tools]
    parameters = {
        tool["function"]["name"]: next(iter(tool["function"]["parameters"]["properties"])) for tool in environment.tools
    }
    turns = [Turn(message, example=False) for message in environment.messages()]
    solved: set[str] = set()
    waiting = list(environment.trace)
    outputs: list[str] = []
    while waiting:
        ready = [step for step in waiting if solved.issuperset(step.depends_on)]
        calls = _calls(ready, names, parameters, carelessness, dice)
        golden = {_call(step): step.id for step in ready}
        mistaken = set(calls) != set(golden)
        text = "\n".join(map(_block, calls))
        turns.append(Turn({"role": "assistant", "content": text}, carelessness.shown or not mistaken))
        for result in sandbox.run([_to_run(call, candidate.sources) for call in calls]):
            turns.append(Turn({"role": "tool", "content": result.output}, example=False))
            outputs.append(result.output)
        solved |= {golden[call] for call in calls if call in golden}
        waiting = [step for step in waiting if step.id not in solved]
        if mistaken and dice.random() < carelessness.gives_up:
            break
    answer = environment.answer if not waiting else dice.choice(outputs)
    turns.append(Turn({"role": "assistant", "content": answer}, example=True))
    return Demonstration(environment.tools, tuple(turns))


def _calls(
    ready: list[SubQuestion], names: list[str], parameters: dict[str, str], carelessness: Carelessness, dice: Random
) -> list[str]:
    calls = []
    for step in ready:
        if dice.random() < carelessness.wrong_tool:
            name = dice.choice(names)
            calls.append(_written(name, {parameters[name]: next(iter(step.arguments.values()))}))
        else:
            calls.append(_call(step))
    if len(calls) > 1 and dice.random() < carelessness.forgets:
        calls.pop(dice.randrange(len(calls)))
    if dice.random() < carelessness.needless:
        name, subject = dice.choice(names), dice.choice(ready)
        calls.append(_written(name, {parameters[name]: next(iter(subject.arguments.values()))}))
    return calls


def call_text(calls: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """A turn of calls: name and arguments of each."""
    return "\n".join(_block(_written(name, arguments)) for name, arguments in calls)


def _block(call: str) -> str:
    return f"<tool_call>\n{call}\n</tool_call>"


def _call(step: SubQuestion) -> str:
    return _written(step.tool, step.arguments)


def _written(name: str, arguments: dict[str, Any]) -> str:
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


def _to_run(call: str, sources: dict[str, str]) -> Call:
    parsed = json.loads(call)
    return Call(parsed["name"], json.dumps(parsed["arguments"], ensure_ascii=False), sources[parsed["name"]])


def demonstrations(
    candidates: Iterator[Candidate], carelessness: Carelessness, sandbox: Sandbox, seed: int
) -> Iterator[Demonstration]:
    """One conversation about each task, the same for the same seed."""
    for index, candidate in enumerate(candidates):
        yield demonstrate(candidate, carelessness, sandbox, Random(f"{seed}:{index}"))
