"""How the evaluation of a suite is doing, on stderr: a bar on a terminal, else a plain line every ten seconds."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from ftrl.evaluation.spending import Meter

PLAIN_SECONDS = 10.0


class SuiteDisplay:
    """Shows how many episodes are finished, for the length of a ``with`` block.

    Args:
        name: of the suite.
        total: episodes that are wanted, those that were there before included.
        meter: what is taken.
        stream: where to; stderr if left out.
        silent: show nothing.
    """

    def __init__(
        self, name: str, total: int, meter: Meter, *, stream: TextIO | None = None, silent: bool = False
    ) -> None:
        self._name = name
        self._total = total
        self._meter = meter
        self._stream = stream or sys.stderr
        self._silent = silent
        self._bar: Any = None
        self._task: Any = None
        self._line = f"{name}: 0/{total} episodes"
        self._said, self._last = "", 0.0

    def __enter__(self) -> SuiteDisplay:
        if not self._silent and self._stream.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(file=self._stream), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._say()

    def tell(self, done: int, faults: int) -> None:
        """Show how it stands."""
        more = [f"${self._meter.usd:.2f}"] * bool(self._meter.usd) + [f"{faults} faults of ours"] * bool(faults)
        self._line = " | ".join([f"{self._name}: {done}/{self._total} episodes", *more])
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=" | ".join([self._name, *more]))
        elif time.monotonic() - self._last >= PLAIN_SECONDS:
            self._say()

    def _say(self) -> None:
        if not self._silent and self._line != self._said:
            print(self._line, file=self._stream, flush=True)
        self._said, self._last = self._line, time.monotonic()
