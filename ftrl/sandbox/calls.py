"""What goes into the sandbox and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

MIB = 1024 * 1024


class CallStatus(str, Enum):
    """How a call ended. ``INFRASTRUCTURE`` is our fault and is never scored; all else is the tool's doing."""

    OK = "ok"
    TOOL_ERROR = "tool_error"
    """The tool raised, there is no such tool, or the arguments do not fit."""
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output_limit"
    CRASHED = "crashed"
    """Its process ended without an answer: a signal, ``os._exit``, or bytes forged on our channel."""
    INFRASTRUCTURE = "infrastructure"
    """The sandbox itself failed, twice; the call may be made again."""


@dataclass(frozen=True)
class Call:
    """One tool call as a model wrote it."""

    name: str
    arguments: str
    """JSON text, parsed inside the sandbox: text that does not parse is the tool call's error."""
    source: str | None
    """Python source that defines ``name``; None where the task has no such tool."""

    def __post_init__(self) -> None:
        source = "" if self.source is None else self.source
        if isinstance(self.name, str) and isinstance(self.arguments, str) and isinstance(source, str):
            return
        for field, value in (("name", self.name), ("arguments", self.arguments), ("source", source)):
            if not isinstance(value, str):
                raise TypeError(f"Call.{field} must be text, not {type(value).__name__}")


class CallResult(NamedTuple):
    """What the model would see, how the call ended, and how long it took."""

    output: str
    status: CallStatus
    seconds: float


@dataclass(frozen=True)
class Limits:
    """What one call may use."""

    seconds: float = 10.0
    """Wall clock, enforced by SIGKILL; 10 s in the published code."""
    memory_bytes: int = 512 * MIB
    """Address space on top of the bare interpreter's."""
    output_bytes: int = MIB
    """Of the output as UTF-8."""
    processes: int = 8
    """Processes and threads that a call may start."""

    def __post_init__(self) -> None:
        for field in ("seconds", "memory_bytes", "output_bytes"):
            if not getattr(self, field) > 0:
                raise ValueError(f"Limits.{field} must be above zero, not {getattr(self, field)!r}")
        if self.processes < 0:
            raise ValueError(f"Limits.processes must not be negative, not {self.processes!r}")
