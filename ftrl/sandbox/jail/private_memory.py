"""Memory that stays with this process when it forks.

What passes through a zygote - sources and arguments that wait, outputs on their way - belongs to other calls than the
next child's. A child holds a copy of all of the zygote's memory, freed or not, and may look through it; so these bytes
are kept in mappings that the kernel leaves out of the copy (Linux; elsewhere they are ordinary ones).
"""

from __future__ import annotations

import mmap
import os
import struct

from . import wire

_LENGTH = struct.Struct("<Q")
_ANONYMOUS = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_FIRST_SIZE = 1 << 16


class Private:
    """Some bytes, read from a descriptor, that children do not get unless they are shown.

    Args:
        size: how many, at most.

    Raises:
        OSError: there is no memory for them.
    """

    def __init__(self, size: int) -> None:
        self._map = mmap.mmap(-1, max(size, 1), flags=_ANONYMOUS)
        self._used = 0
        self.hide()

    def hide(self) -> None:
        """Leave it out of the children forked from now on."""
        if hasattr(mmap, "MADV_DONTFORK"):
            self._map.madvise(mmap.MADV_DONTFORK)

    def show(self) -> None:
        """Let the children forked from now on have it."""
        if hasattr(mmap, "MADV_DOFORK"):
            self._map.madvise(mmap.MADV_DOFORK)

    def fill(self, descriptor: int, size: int) -> None:
        """Read ``size`` bytes more.

        Raises:
            wire.Garbled: the stream ended before.
        """
        while size:
            read = self.read(descriptor, size)
            if not read:
                raise wire.Garbled("the stream ended within a message")
            size -= read

    def read(self, descriptor: int, most: int) -> int:
        """Read once into the room that is left; returns how many bytes came, 0 at the end of the stream."""
        with memoryview(self._map) as whole, whole[self._used : self._used + most] as room:
            read = os.readv(descriptor, [room])
        self._used += read
        return read

    def view(self) -> memoryview:
        """What it holds."""
        return memoryview(self._map)[: self._used]


class Inbox(Private):
    """What a child has said and nobody has taken yet: it grows, up to a limit.

    Args:
        longest: bytes that one message may have.

    Raises:
        OSError: there is no memory for it.
    """

    def __init__(self, longest: int) -> None:
        super().__init__(min(longest, _FIRST_SIZE))
        self._longest = longest

    def hear(self, descriptor: int) -> bool:
        """Read what has come; False at the end of the stream.

        Raises:
            wire.Garbled: a message is longer than it may be.
            OSError: there is no memory for it.
        """
        if self._used == len(self._map):
            if self._used >= self._longest:
                raise wire.Garbled("it does not end")
            larger = Private(min(2 * self._used, self._longest))
            with self.view() as held:
                larger._map[: self._used] = held
            self._map.close()
            self._map = larger._map
        return self.read(descriptor, len(self._map)) > 0

    def take(self, fields: int) -> list[memoryview] | None:
        """The fields of the first message; None while it is incomplete. Release them, then ``drop`` the message.

        Raises:
            wire.Garbled: it is no message of that many fields.
        """
        size = self._message_size()
        if size is None:
            return None
        found = []
        at = _LENGTH.size
        for _ in range(fields):
            if at + _LENGTH.size > size:
                raise wire.Garbled("this is no answer")
            start = at + _LENGTH.size
            at = start + _LENGTH.unpack_from(self._map, at)[0]
            if at > size:
                raise wire.Garbled("this is no answer")
            found.append(memoryview(self._map)[start:at])
        if at != size:
            raise wire.Garbled("this is no answer")
        return found

    def drop(self) -> None:
        """Forget the first message."""
        size = self._message_size() or 0
        self._map.move(0, size, self._used - size)
        self._used -= size

    def _message_size(self) -> int | None:
        """Of the first message with its own length, once it is there."""
        if self._used < _LENGTH.size:
            return None
        size = _LENGTH.size + int(_LENGTH.unpack_from(self._map)[0])
        return size if size <= self._used else None
