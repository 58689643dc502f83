"""Messages between the main process and a worker."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrl.sandbox.jail import wire


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 7))
def test_what_is_packed_comes_out_however_it_is_cut_up(fields: list[bytes], piece: int) -> None:
    stream = io.BytesIO(wire.pack(*fields) + wire.pack(b"next"))
    assert wire.receive(lambda size: stream.read(min(size, piece)), 1000) == fields
    assert wire.receive(stream.read, 1000) == [b"next"]
    assert wire.receive(stream.read, 1000) is None


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_incomplete_or_garbled(data: bytes) -> None:
    try:
        left = bytearray(data)
        fields = wire.take(left)
    except wire.Garbled:
        return
    assert data == bytes(left) if fields is None else data == wire.pack(*fields) + bytes(left)


def test_a_message_longer_than_expected_is_refused_before_it_is_read() -> None:
    stream = io.BytesIO(wire.pack(b"x" * 100))
    with pytest.raises(wire.Garbled, match="108 bytes"):
        wire.receive(stream.read, 50)
    assert stream.tell() == 8


def test_a_stream_that_ends_within_a_message_is_refused() -> None:
    stream = io.BytesIO(wire.pack(b"abc")[:-1])
    with pytest.raises(wire.Garbled, match="ended"):
        wire.receive(stream.read, 50)
