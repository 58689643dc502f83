"""How a collection is doing, counted as episodes come in and shown while it runs.

On a terminal a live table; otherwise a plain line every ten seconds, and when engines come or go. Always on stderr:
stdout is for results.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TextIO

from ftrl import telemetry
from ftrl.rollouts.pulse import NOTHING_TOLD, Pulse
from ftrl.rollouts.trajectory import Trajectory
from ftrl.sandbox import CallStatus

PLAIN_SECONDS = 10.0


@dataclass
class Tally:
    """Sums over the episodes of one collection.

    Attributes:
        total: episodes wanted, those that were there before included.
        before: episodes that were there before.
        seconds: for how long there was an engine ready; rates are per second of these.
        errors: calls that did not end well, by status; and faults of ours.
        places: turns that the engines would generate at once; 0 where nobody knows.
        pulse: what the engines told last.
    """

    total: int
    before: int
    seconds: float = 0.0
    episodes: int = 0
    turns: int = 0
    calls: int = 0
    tokens: int = 0
    usd: float | None = 0.0
    precision: float = 0.0
    recall: float = 0.0
    f1: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    engines: int = 0
    in_flight: int = 0
    places: int = 0
    pulse: Pulse = NOTHING_TOLD
    _last: float | None = None

    def add(self, trajectory: Trajectory) -> None:
        """Count one finished episode."""
        metrics = trajectory.metrics[0]
        self.episodes += 1
        self.turns += sum(message["role"] == "assistant" for message in trajectory.messages)
        self.calls += len(trajectory.calls)
        usage = trajectory.usage
        if usage is not None:
            self.tokens += usage.output
        self.usd = None if usage is None or usage.usd is None or self.usd is None else self.usd + usage.usd
        self.precision += metrics.precision
        self.recall += metrics.recall
        self.f1 += metrics.f1
        self.statuses[trajectory.status.value] += 1
        for call in trajectory.calls:
            if call.call_status is not CallStatus.OK:
                self.errors[call.call_status.value] += 1
        _tell(trajectory)

    def notice(self, *, engines: int, in_flight: int, places: int = 0, pulse: Pulse = NOTHING_TOLD) -> None:
        """Take note of how many engines are ready, now and until the next call; of the episodes on them, and of what
        they tell of themselves."""
        now = time.monotonic()
        if self._last is not None and self.engines:
            self.seconds += now - self._last
        self._last, self.engines, self.in_flight = now, engines, in_flight
        self.places, self.pulse = places, pulse

    def mean(self, value: float) -> float | None:
        """Per finished episode; null before the first."""
        return value / self.episodes if self.episodes else None

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take at the present rate; null before the first episode."""
        return self.rest * self.seconds / self.episodes if self.episodes else None

    @property
    def cached(self) -> float | None:
        """Share of the prompts' tokens that engines had read before: null before the first."""
        return self.pulse.cached_tokens / self.pulse.prompt_tokens if self.pulse.prompt_tokens else None

    @property
    def rest(self) -> int:
        """Episodes that are wanted and not finished."""
        return self.total - self.before - self.episodes

    def cells(self) -> list[tuple[str, str]]:
        """What is shown: names and values."""
        rate = self.episodes / self.seconds if self.seconds else 0.0
        tokens = self.tokens / self.seconds if self.seconds else 0.0
        cells = [
            ("episodes", f"{self.before + self.episodes}/{self.total}"),
            ("episodes/s", f"{rate:.2f}"),
            ("tokens/s", f"{tokens:.0f}"),
            *([("cost", f"${self.usd:.2f}")] if self.usd else []),
            ("turns", _number(self.mean(self.turns), 1)),
            ("F1", _number(self.mean(self.f1), 3)),
            (
                "in flight",
                f"{self.in_flight} on {self.engines} engines" if self.engines else "engines are starting",
            ),
            *([("engines busy", f"{self.pulse.generating / self.places:.0%}")] if self.places else []),
            *([("prefix cache", f"{self.cached:.0%}")] if self.cached is not None else []),
            ("left", _duration(self.left)),
        ]
        if self.errors:
            cells.append(("errors", ", ".join(f"{kind} {count}" for kind, count in sorted(self.errors.items()))))
        return cells


class Display:
    """Shows a tally for the length of a ``with`` block.

    Args:
        tally: what to show; read at every ``refresh``.
        stream: where to; stderr if left out.
        silent: show nothing.
    """

    def __init__(self, tally: Tally, *, stream: TextIO | None = None, silent: bool = False) -> None:
        self._tally = tally
        self._silent = silent
        self._stream = stream or sys.stderr
        self._live: Any = None
        self._last = 0.0
        self._engines = 0
        self._said = ""

    def __enter__(self) -> Display:
        if self._silent:
            return self
        if self._stream.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=self._stream), refresh_per_second=4, transient=True)
            self._live.start()
        self._last = time.monotonic() - PLAIN_SECONDS
        self.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        if not self._silent:
            self._line()

    def refresh(self) -> None:
        """Show how it stands, if it is time to."""
        if self._silent:
            return
        if self._live is not None:
            self._live.update(self._table())
        elif time.monotonic() - self._last >= PLAIN_SECONDS or self._tally.engines != self._engines:
            self._line()

    def _line(self) -> None:
        self._last, self._engines = time.monotonic(), self._tally.engines
        line = "rollout: " + " | ".join(f"{name} {value}" for name, value in self._tally.cells())
        if line != self._said:  # while engines start, nothing changes for a minute
            print(line, file=self._stream, flush=True)
        self._said = line

    def _table(self) -> Any:
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        for name, value in self._tally.cells():
            table.add_row(f"[dim]{name}[/dim]", value)
        return table


def _tell(trajectory: Trajectory) -> None:
    collection = {"run": trajectory.run, "iteration": trajectory.iteration}
    telemetry.EPISODES.add(status=trajectory.status.value, **collection)
    if trajectory.usage is not None:
        telemetry.TOKENS.add(trajectory.usage.output, **collection)
    for metrics in trajectory.metrics:
        telemetry.F1.add(metrics.f1, profile=metrics.profile, **collection)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
