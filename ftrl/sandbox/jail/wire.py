"""Framing of messages between the main process and a worker: a length, then fields, each with its length."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

_LENGTH = struct.Struct("<Q")


class Garbled(ValueError):
    """The bytes are not a message; whoever wrote them cannot be trusted any further."""


def pack(*fields: bytes) -> bytes:
    """The fields as one message."""
    body = b"".join(_LENGTH.pack(len(field)) + field for field in fields)
    return _LENGTH.pack(len(body)) + body


def take(received: bytearray) -> list[bytes] | None:
    """The fields of the first message, which is taken off; None while it is still incomplete.

    Raises:
        Garbled: it cannot become a message whatever follows.
    """
    if len(received) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack_from(received)
    if len(received) < _LENGTH.size + size:
        return None
    body = bytes(received[_LENGTH.size : _LENGTH.size + size])
    del received[: _LENGTH.size + size]
    return _fields(body)


def write(descriptor: int, *data: bytes | memoryview) -> None:
    """All of ``data``, however many writes it takes."""
    sent = os.writev(descriptor, data)
    for part in data:
        with memoryview(part) as whole:
            while sent < len(part):
                sent += os.write(descriptor, whole[sent:])
        sent -= len(part)


def receive(read: Callable[[int], bytes], limit: int) -> list[bytes] | None:
    """Read one message through ``read(at most n bytes)``.

    Returns:
        Its fields, or None at the end of the stream.

    Raises:
        Garbled: the message is cut short, longer than ``limit`` bytes, or its lengths do not add up.
    """
    head = _exactly(read, _LENGTH.size)
    if not head:
        return None
    (size,) = _LENGTH.unpack(head)
    if size > limit:
        raise Garbled(f"a message of {size} bytes, {limit} at most were expected")
    body = _exactly(read, size)
    if len(body) != size:
        raise Garbled("the stream ended within a message")
    return _fields(body)


def _fields(body: bytes) -> list[bytes]:
    fields = []
    at = 0
    while at < len(body):
        start = at + _LENGTH.size
        if start > len(body):
            raise Garbled("a field's length is cut short")
        (size,) = _LENGTH.unpack_from(body, at)
        at = start + size
        if at > len(body):
            raise Garbled("a field is longer than its message")
        fields.append(body[start:at])
    return fields


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """``size`` bytes, or nothing at the end of the stream."""
    parts = []
    missing = size
    while missing:
        part = read(min(missing, 1 << 20))
        if not part:
            if missing == size:
                return b""
            raise Garbled("the stream ended within a message")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
