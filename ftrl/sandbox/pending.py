"""The results of calls that are on their way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ftrl.sandbox.calls import Call, CallResult
from ftrl.sandbox.results import is_repeatable


class Pending:
    """Results that are still being worked on.

    Args:
        calls: what is to be made.
        finished: called once, from any thread, when all results are there.
    """

    def __init__(self, calls: list[Call], finished: Callable[[], None] | None) -> None:
        self.calls = calls
        self.abandoned = False
        """Set when nobody waits any more: calls not yet begun are dropped."""
        self._finished = finished
        self._results: list[CallResult | None] = [None] * len(calls)
        self._same: dict[int, list[int]] = {}
        self._missing = len(calls) + 1  # one for the sending
        self._lock = threading.Lock()
        self._event: threading.Event | None = None

    def same_as(self, first: int, index: int) -> bool:
        """One call is another's very same, and gets its result; not if the other has its result by now."""
        with self._lock:
            if self._results[first] is not None:
                return False
            self._same.setdefault(first, []).append(index)
        return True

    def deliver(self, indexes: Sequence[int], results: Sequence[CallResult]) -> list[int]:
        """Take the results of some calls, and give them to the same ones.

        Returns:
            The same ones that have to be made after all: how the first ended says nothing about them.
        """
        delivered, apart = len(indexes), list[int]()
        with self._lock:
            for index, result in zip(indexes, results, strict=True):
                self._results[index] = result
                same = self._same.pop(index, [])
                if not is_repeatable(result):
                    apart += same
                    continue
                for other in same:
                    self._results[other] = result
                delivered += len(same)
        self._fewer(delivered)
        return apart

    def has(self, index: int) -> bool:
        """Whether a call's result is there."""
        return self._results[index] is not None

    def all_sent(self) -> None:
        """Every call is on its way."""
        self._fewer(1)

    def done(self) -> bool:
        """Whether all results are there."""
        return not self._missing

    def result(self) -> list[CallResult]:
        """Wait, and take the results."""
        with self._lock:
            if self._missing:
                self._event = threading.Event()
        if self._event is not None:
            try:
                self._event.wait()
            finally:
                self.abandoned = True
        return [result for result in self._results if result is not None]

    def _fewer(self, count: int) -> None:
        with self._lock:
            self._missing -= count
            if self._missing:
                return
        if self._event is not None:
            self._event.set()
        if self._finished is not None:
            self._finished()
