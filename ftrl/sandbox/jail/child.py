"""What runs in a child that was forked for the calls of one job."""

from __future__ import annotations

import marshal

from . import tool_call, wire
from .settings import Settings

# A tool may overwrite these in their modules; that must not reach its own answer.
_pack, _write, _run = wire.pack, wire.write, tool_call.run


def make_calls(calls: memoryview, first: int, writing: int, word: bytes, settings: Settings) -> None:
    """Make the calls from ``first`` on, in order, and word each answer as (word, status, output).

    Args:
        calls: marshalled by the main process: a list of (name, arguments, code or source or None).
        first: index of the first call to make.
        writing: the pipe to the zygote.
        word: what every answer opens with.
        settings: the limits.
    """
    for name, arguments, source in marshal.loads(calls)[first:]:
        # Made beforehand: there may be no memory left to make it with.
        too_much = tool_call.out_of_memory(name, settings.memory_bytes).encode("utf-8", "backslashreplace")
        out_of_memory = _pack(word, tool_call.MEMORY.encode(), too_much)
        try:
            status, output = _run(
                name, arguments, source, proven=False, legacy=settings.legacy, output_bytes=settings.output_bytes
            )
            answer = _pack(word, status.encode(), output.encode("utf-8", "backslashreplace"))
        except MemoryError:
            _write(writing, out_of_memory)
            return  # the calls that are left are made in a fresh child
        _write(writing, answer)
