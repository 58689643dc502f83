"""The layers of the jail: each is tried, and what came of it is written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Layer(NamedTuple):
    """One layer of isolation: its name, whether it holds, and why not."""

    name: str
    active: bool
    why_not: str


class Layers:
    """The record of a worker's layers, in the order they were tried."""

    def __init__(self) -> None:
        self.all: list[Layer] = []

    def attempt(self, name: str, build: Callable[[], None]) -> bool:
        """Build one layer; a refusal by the system is recorded, never fatal: other layers may still hold."""
        try:
            build()
        except OSError as error:
            self.missing(name, error.strerror or str(error))
            return False
        self.all.append(Layer(name, True, ""))
        return True

    def missing(self, name: str, why_not: str) -> None:
        """Record a layer that does not hold."""
        self.all.append(Layer(name, False, why_not))

    def active(self, name: str) -> bool:
        """Whether the named layer holds."""
        return any(layer.active for layer in self.all if layer.name == name)

    def tried(self, name: str) -> bool:
        """Whether the named layer was tried, with or without success."""
        return any(layer.name == name for layer in self.all)
