"""What an engine tells of itself while it works."""

from __future__ import annotations

from dataclasses import dataclass

PULSE_SECONDS = 5.0
"""How often an engine is asked."""


@dataclass(frozen=True)
class Pulse:
    """One engine's, or the sum of several.

    Attributes:
        generating: turns that are with the engine at this moment.
        prompt_tokens: of all prompts that it has answered.
        cached_tokens: those of them that it did not have to read, since an earlier prompt began alike.
    """

    generating: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: Pulse) -> Pulse:
        return Pulse(
            self.generating + other.generating,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
        )


NOTHING_TOLD = Pulse()


def no_answer(seconds: float) -> str:
    """Why an engine is taken for hung."""
    return f"it has given no sign of life for {seconds:.0f} seconds"
