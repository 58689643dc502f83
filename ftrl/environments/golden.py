"""The golden trajectory of a task: what a perfect policy would write."""

from __future__ import annotations

import json

from ftrl.environments.schema import Environment, SubQuestion
from ftrl.environments.trace import waves


def golden_turns(environment: Environment) -> list[str]:
    """The assistant turns that solve a task: calls as soon as they can be made, then the answer.

    Calls that do not wait for each other stand in one turn. The format is Qwen's:
    ``<tool_call>\\n{"name": ..., "arguments": {...}}\\n</tool_call>``.

    Raises:
        ValueError: the environment has no trace (imported tasks have none), no answer, or dependencies in a
        circle.
    """
    if not environment.trace or environment.answer is None:
        raise ValueError(f"the environment {environment.id} has no trace or no answer to make a trajectory of")
    turns = ["\n".join(_call(step) for step in wave) for wave in waves(environment.trace)]
    return [*turns, environment.answer]


def _call(step: SubQuestion) -> str:
    call = json.dumps({"name": step.tool, "arguments": step.arguments}, ensure_ascii=False)
    return f"<tool_call>\n{call}\n</tool_call>"
