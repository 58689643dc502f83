"""Per-step samples of an episode, made when they are asked for (paper, section 3.3).

The first is the task itself; one more follows every turn that made calls. Each is a state to act from: the
conversation so far, and the golds that are still open. Training samples responses to it and scores them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrl.environments import Environment
from ftrl.errors import FtrlError
from ftrl.rewards import Earlier
from ftrl.rollouts.trajectory import Trajectory, TrajectoryStatus


@dataclass(frozen=True)
class Snapshot:
    """A state within an episode.

    Attributes:
        trajectory_id: the episode.
        environment_id: its task.
        step: 0 for the task itself, k after the k-th turn with calls.
        messages: the conversation so far, OpenAI chat format.
        unsolved: golds still open, ``{tool: [values]}``; tools with none left keep an empty list, as published.
        solve_rate: share of the golds that is solved, in [0, 1].
    """

    trajectory_id: str
    environment_id: str
    step: int
    messages: tuple[dict[str, Any], ...]
    unsolved: dict[str, list[str]]
    solve_rate: float


def snapshots(environment: Environment, trajectory: Trajectory) -> Iterator[Snapshot]:
    """The per-step samples of an episode, in order.

    Raises:
        FtrlError: the trajectory is of another environment, or failed through a fault of ours.
    """
    if trajectory.environment_id != environment.id:
        raise FtrlError(
            f"trajectory {trajectory.id} is of environment {trajectory.environment_id}, not of {environment.id}"
        )
    if trajectory.status is TrajectoryStatus.INFRASTRUCTURE:
        raise FtrlError(f"trajectory {trajectory.id} failed through a fault of ours and has no steps")
    start = next((i for i, message in enumerate(trajectory.messages) if message["role"] == "assistant"), None)
    solved: set[int] = set()
    yield _snapshot(environment, trajectory, 0, start, solved)
    turn = step = 0
    for index, message in enumerate(trajectory.messages):
        if message["role"] != "assistant":
            continue
        calls = message.get("tool_calls") or ()
        if calls:
            step += 1
            solved |= {call.gold for call in trajectory.calls if call.turn == turn and call.gold is not None}
            yield _snapshot(environment, trajectory, step, index + 1 + len(calls), solved)
        turn += 1


def earlier_calls(messages: Sequence[Mapping[str, Any]]) -> tuple[Earlier, ...]:
    """The calls that a conversation in OpenAI chat format holds, each with the output that it shows."""
    outputs = {message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"}
    return tuple(
        Earlier(call["function"]["name"], call["function"]["arguments"], outputs[call["id"]])
        for message in messages
        for call in message.get("tool_calls") or ()
        if call["id"] in outputs
    )


def _snapshot(
    environment: Environment, trajectory: Trajectory, step: int, end: int | None, solved: set[int]
) -> Snapshot:
    unsolved: dict[str, list[str]] = {gold.tool: [] for gold in environment.golds}
    for index, gold in enumerate(environment.golds):
        if index not in solved:
            unsolved[gold.tool].append(gold.value)
    golds = len(environment.golds)
    return Snapshot(
        trajectory_id=trajectory.id,
        environment_id=environment.id,
        step=step,
        messages=trajectory.messages[:end],
        unsolved=unsolved,
        # Written like this, and not as a plain share, to give the published number to the last bit.
        solve_rate=1 - (golds - len(solved)) / golds,
    )
