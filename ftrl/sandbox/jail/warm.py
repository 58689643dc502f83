"""The warm interpreter: runs calls of *proven* tools in itself, one after the other.

Nothing is carried from call to call: such tools keep nothing (``ftrl.sandbox.proof`` says why), and each call executes
the source anew in a namespace of its own. Only its compiled form is kept. What a proof from the source alone cannot
cover is watched here: a call that needs more than computing (a codec not yet imported, say), or more memory than there
is, is *unfit*; it is given back unanswered, and this interpreter is replaced.
"""

from __future__ import annotations

import codecs
import gc
import importlib
import json
import marshal
import mmap
import os
import re
import sys
import time
import warnings
from types import CodeType
from typing import Any

from . import tool_call, wire
from .moment import Moment
from .settings import Settings

_PIECE = 1 << 18
_CODECS = ("ascii", "cp1252", "latin-1", "utf-16", "utf-32", "utf-8-sig", "unicode_escape")
_HARMLESS_EVENTS = frozenset({"builtins.id"})  # copy.deepcopy asks for it
_UNTOUCHED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | (0x4000 if sys.platform == "linux" else 0)  # MAP_NORESERVE
_to_json = json.JSONEncoder().encode


class Tripwire:
    """Watches a call for what no proven tool does, as Python itself reports it (PEP 578): files, imports, frames, ….

    Attributes:
        code: what is about to be executed; None between calls.
        tripped: whether the call did anything else that Python reports. It was kept from it, too.
    """

    def __init__(self) -> None:
        self.code: CodeType | None = None
        self.tripped = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.code is None or event in _HARMLESS_EVENTS or (event == "exec" and arguments[0] is self.code):
            return
        self.tripped = True
        raise RuntimeError(f"a warm interpreter does not allow {event}")


class Warm:
    """Serves batches of calls from the control socket.

    A request was marshalled by the main process: code that is new here, by its numbers, and the calls as (number of the
    code or None, name, arguments). The reply, which the main process has no reason to trust, is JSON: for each call
    [status, output, microseconds], up to one that is unfit; whether there was one; and whether this interpreter has
    kept so much memory that it should be replaced.

    Args:
        control: descriptor of the socket to the main process.
        settings: the limits of each call; time and memory are kept from outside.
    """

    def __init__(self, control: int, settings: Settings) -> None:
        self._control = control
        self._settings = settings
        self._codes: dict[int, CodeType] = {}
        for module in settings.modules:
            importlib.import_module(module)
        for codec in _CODECS:
            codecs.lookup(codec)
        warnings.simplefilter("ignore")  # their records would outlive the call
        _make_regex_cache_exact()
        self._tripwire = Tripwire()

    def serve(self) -> None:
        """Answer until the main process hangs up."""
        gc.collect()
        gc.freeze()
        received, full, moment = bytearray(), False, Moment(self._control)
        while piece := os.read(self._control, _PIECE):
            received += piece
            while (request := wire.take(received)) is not None:
                codes, calls = marshal.loads(request[0])
                self._codes.update(codes)
                replies = []
                for call in calls:
                    reply = self._answer(*call)
                    if reply is None:
                        break
                    replies.append(reply)
                unfit = len(replies) < len(calls)
                wire.write(self._control, wire.pack(_to_json([replies, unfit, full]).encode()))
                full = not self._has_room()  # told next time: nobody waits for it now
            moment.spend()

    def _answer(self, number: int | None, name: str, arguments: str) -> tuple[str, str, int] | None:
        """The answer to a call; None if it is unfit."""
        tripwire = self._tripwire
        code = None if number is None else self._codes[number]
        started = time.perf_counter()
        tripwire.code = code
        try:
            status, output = tool_call.run(
                name,
                arguments,
                code,
                proven=True,
                legacy=self._settings.legacy,
                output_bytes=self._settings.output_bytes,
            )
        except MemoryError:
            return None  # it may be others' garbage that it lacks
        finally:
            tripwire.code = None
        if tripwire.tripped:
            return None
        return status, output, int((time.perf_counter() - started) * 1e6)

    def _has_room(self) -> bool:
        """Whether at least half of the memory that a call may use is free."""
        try:
            mmap.mmap(-1, max(1, self._settings.memory_bytes // 2), flags=_UNTOUCHED, prot=0).close()
        except (OSError, MemoryError):
            return False
        return True


def _make_regex_cache_exact() -> None:
    """``re`` finds patterns by what equals their flags: 2.0 would find what 2 left, where it should be an error."""
    original = re._compile  # type: ignore[attr-defined]

    def compile_pattern(pattern: object, flags: object) -> object:
        if not isinstance(flags, int):
            re.purge()
        return original(pattern, flags)

    re._compile = compile_pattern  # type: ignore[attr-defined]
