"""The warm interpreter: runs calls of *proven* tools in itself, one after the other.

Nothing is carried from call to call: such tools keep nothing (``ftrl.sandbox.proof`` says why), and each call executes
the source anew in a namespace of its own. Only its compiled form is kept.
"""

from __future__ import annotations

import gc
import json
import marshal
import os
import time
from types import CodeType

from . import tool_call, wire
from .settings import Settings

_PIECE = 1 << 18
_to_json = json.JSONEncoder().encode


class Warm:
    """Serves batches of calls from the control socket.

    A request was marshalled by the main process: code that is new here, by its numbers, and the calls as (number of the
    code or None, name, arguments). The reply, which the main process has no reason to trust, is JSON: for each call
    [status, output, microseconds].

    Args:
        control: descriptor of the socket to the main process.
        settings: the limits of each call; time and memory are kept from outside.
    """

    def __init__(self, control: int, settings: Settings) -> None:
        self._control = control
        self._settings = settings
        self._codes: dict[int, CodeType] = {}

    def serve(self) -> None:
        """Answer until the main process hangs up."""
        gc.collect()
        gc.freeze()
        received = bytearray()
        while piece := os.read(self._control, _PIECE):
            received += piece
            while (request := wire.take(received)) is not None:
                codes, calls = marshal.loads(request[0])
                self._codes.update(codes)
                replies = [self._answer(*call) for call in calls]
                wire.write(self._control, wire.pack(_to_json(replies).encode()))

    def _answer(self, number: int | None, name: str, arguments: str) -> tuple[str, str, int]:
        settings = self._settings
        started = time.perf_counter()
        try:
            status, output = tool_call.run(
                name,
                arguments,
                None if number is None else self._codes[number],
                proven=True,
                legacy=settings.legacy,
                output_bytes=settings.output_bytes,
            )
        except MemoryError:
            status, output = tool_call.MEMORY, tool_call.out_of_memory(name, settings.memory_bytes)
        return status, output, int((time.perf_counter() - started) * 1e6)
