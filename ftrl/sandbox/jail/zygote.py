"""The zygote: a warm interpreter, single-threaded, that forks one child for each call and answers for it.

A child speaks once, through a pipe made for its call alone, and opens with a word that only this call knows.
The zygote never runs, compiles or parses anything of a tool's.
"""

from __future__ import annotations

import functools
import gc
import os
import select
import signal
import struct
import time
from os import _exit  # bound here, for a tool may overwrite it in its module

from . import tool_call, wire
from .guard import Guard
from .settings import Settings

TIMEOUT, CRASHED = b"timeout", b"crashed"
_LONGEST_REQUEST = 1 << 30
_ROOM_FOR_AN_ERROR = 1 << 16
_PIECE = 1 << 16


class Zygote:
    """Serves calls from the control socket, one after the other.

    Args:
        control: descriptor of the socket to the main process.
        settings: the limits of each call.
        guard: keeps the calls' processes apart and sweeps up after them.
    """

    def __init__(self, control: int, settings: Settings, guard: Guard) -> None:
        self._control = control
        self._settings = settings
        self._guard = guard

    def serve(self) -> None:
        """Answer until the main process hangs up."""
        gc.collect()
        gc.freeze()  # or the first collection in every child would copy all of this process's pages
        while True:
            request = wire.receive(functools.partial(os.read, self._control), _LONGEST_REQUEST)
            if request is None:
                return
            status, output, seconds = self._answer(*request)
            _write(self._control, wire.pack(status, output, struct.pack("<d", seconds)))
            self._guard.empty_scratch()

    def _answer(self, name: bytes, arguments: bytes, *source: bytes) -> tuple[bytes, bytes, float]:
        word = os.urandom(16)
        reading, writing = os.pipe()
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            try:
                os.close(self._control)
                os.close(reading)
                self._guard.confine()
                _write(writing, self._call(word, name, arguments, *source))
            finally:
                _exit(0)
        os.close(writing)
        received, in_time = self._listen(reading, child, started + self._settings.seconds)
        seconds = time.monotonic() - started
        os.close(reading)
        exit_code = self._guard.sweep(child)
        status, output = self._judge(name, word, received, in_time, exit_code)
        return status, output, seconds

    def _call(self, word: bytes, name: bytes, arguments: bytes, *source: bytes) -> bytes:
        """In the call's own process: make the call and word the reply."""
        settings = self._settings
        readable_name = _text(name)
        used_too_much = f"it used more than {settings.memory_bytes / 2**20:g} MiB of memory"
        # Made beforehand: there may be no memory left to make it with.
        out_of_memory = wire.pack(word, tool_call.MEMORY, tool_call.error(readable_name, used_too_much))
        try:
            status, output = tool_call.run(
                readable_name,
                _text(arguments),
                _text(source[0]) if source else None,
                legacy=settings.legacy,
                output_bytes=settings.output_bytes,
            )
            return wire.pack(word, status, output)
        except MemoryError:
            return out_of_memory

    def _listen(self, reading: int, child: int, deadline: float) -> tuple[bytes, bool]:
        """Collect what the child says.

        Returns:
            All that came, and whether it came (or the child hung up) before the deadline.
        """
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        poll.register(self._control, 0)  # for the main process hanging up, which is always told
        received = b""
        longest = self._settings.output_bytes + _ROOM_FOR_AN_ERROR
        while (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                if descriptor == self._control:
                    self._guard.sweep(child)
                    _exit(0)
                piece = os.read(reading, _PIECE)
                received += piece
                if not piece or len(received) > longest or _complete(received):
                    return received, True
        return received, False

    def _judge(self, name: bytes, word: bytes, received: bytes, in_time: bool, exit_code: int) -> tuple[bytes, bytes]:
        """What the call came to: the child's word, if it is one, else what became of the child."""
        said = _fields(received)
        if said is not None and len(said) == 3 and said[0] == word and said[1] in tool_call.STATUSES:
            return said[1], said[2]
        if not in_time:
            status, why = TIMEOUT, f"it ran longer than {self._settings.seconds:g} s"
        elif received:
            status, why = CRASHED, "it wrote on the sandbox's own channel"
        elif exit_code < 0 and exit_code != -signal.SIGKILL:
            status, why = CRASHED, f"its process was ended by {signal.Signals(-exit_code).name}"
        else:  # SIGKILL says nothing: it may have been ours, when we swept up
            status, why = CRASHED, "its process ended without an answer"
        return status, tool_call.error(_text(name), why)


def _complete(received: bytes) -> bool:
    """Whether there is no use in reading on: the message is whole, or never will be one."""
    try:
        return wire.unpack(received) is not None
    except wire.Garbled:
        return True


def _fields(received: bytes) -> list[bytes] | None:
    try:
        return wire.unpack(received)
    except wire.Garbled:
        return None


def _text(field: bytes) -> str:
    return field.decode("utf-8", "surrogatepass")


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
