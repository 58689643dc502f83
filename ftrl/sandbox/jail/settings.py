"""What the main process tells a new worker, as JSON in the first message."""

from __future__ import annotations

from typing import NamedTuple


class Settings(NamedTuple):
    """The limits of each call, and where the worker belongs."""

    seconds: float
    memory_bytes: int
    output_bytes: int
    processes: int
    legacy: bool
    """Whether tools see the names that the published host imports."""
    packages: list[str]
    """Installed packages that tools may import: folders, or files of single modules."""
    warm: bool
    """Whether the worker makes calls of proven tools in itself, and no others."""
    modules: list[str]
    """What proven tools may import; a warm interpreter loads all of it before its first call."""
    parent: int
    """The process id of the main process."""
