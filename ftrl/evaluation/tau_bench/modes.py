"""What the two published scripts do differently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ftrl.evaluation.suite import Transcript


@dataclass(frozen=True)
class Mode:
    """The rules of one published script.

    Attributes:
        name: as it is chosen on the command line.
        ends: the tool whose call ends the episode. It is left out of the ground truth, as published.
        error: (tool, what it raised) → what the agent is shown.
        unknown: (tool) → what the agent is shown where there is no such tool.
        told: the texts of a transcript in which outputs are looked for.
        blank_line: whether the user's rules have a blank line in front.
    """

    name: str
    ends: str
    error: Callable[[str, str], str]
    unknown: Callable[[str], str]
    told: Callable[[Transcript], list[str]]
    blank_line: bool


def _replies(transcript: Transcript) -> list[str]:
    return [m["content"] or "" for m in transcript.messages if m["role"] == "assistant" and not m.get("tool_calls")]


def _beside_calls(transcript: Transcript) -> list[str]:
    return [m["content"] or "" for m in transcript.messages if m["role"] == "assistant" and m.get("tool_calls")]


OFFICIAL = Mode(
    name="official",
    ends="transfer_to_human_agents",
    error=lambda tool, why: f"Error: {why}",
    unknown=lambda tool: f"Unknown action {tool}",
    told=_replies,
    blank_line=True,
)
"""Sierra's: a transfer ends the episode, and outputs count where the user was told them."""

FTRL = Mode(
    name="ftrl",
    # The published name; no tool has it, so a transfer does not end an episode.
    ends="transform_to_user_agent",
    error=lambda tool, why: f"an error occured when call {tool}: {why}",
    unknown=lambda tool: f"an error occured when call {tool}: '{tool}'",
    told=_beside_calls,
    blank_line=False,
)
"""The paper's: outputs are looked for in what the agent wrote beside its calls, which no user ever sees."""

MODES = {mode.name: mode for mode in (OFFICIAL, FTRL)}
