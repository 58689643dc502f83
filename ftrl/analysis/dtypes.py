"""The number types of safetensors, read into 64-bit floats without loss and written back.

NumPy knows no bfloat16; it is the upper half of a 32-bit float, so a shift reads it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Raw: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]

_STORED = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|u1",
}

CONFIG_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""Types of weights, as ``config.json`` calls them."""

_EXACT_BITS = {"F64": 53, "F32": 24, "F16": 11, "BF16": 8}
_SMALLER = ("F16", "BF16")


def is_known(dtype: str) -> bool:
    """Whether tensors of this type can be read: not so the 8-bit floats and packed types of quantized models."""
    return dtype in _STORED


def raw(dtype: str, data: bytes) -> Raw:
    """The stored numbers of a piece of a file, in their own type; bfloat16 as the 16 bits that it is."""
    return np.frombuffer(data, dtype=_STORED[dtype])


def itemsize(dtype: str) -> int:
    """Bytes of one number."""
    return np.dtype(_STORED[dtype]).itemsize


def read_floats(dtype: str, numbers: Raw, out: Floats) -> None:
    """Put stored numbers into ``out``, which is as long; exact, but for integers beyond 2 ** 53."""
    out[:] = (numbers.astype("<u4") << 16).view("<f4") if dtype == "BF16" else numbers


def cast(numbers: Raw, source: str, target: str) -> Raw:
    """Stored numbers of one type as another: the nearest, where the other is coarser (ties go to even)."""
    if source == target:
        return numbers
    floats = np.empty(numbers.shape)
    read_floats(source, numbers, floats)
    if target != "BF16":
        with np.errstate(over="ignore"):
            return floats.astype(_STORED[target])
    with np.errstate(over="ignore"):
        bits = floats.astype("<f4").view("<u4")
    rounded: Raw = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype("<u2")


def holds_all_of(dtype: str, other: str) -> bool:
    """Whether every number of the type ``other`` is one of ``dtype``, too."""
    if dtype == other:
        return True
    if dtype not in _EXACT_BITS or other not in _EXACT_BITS or {dtype, other} == set(_SMALLER):
        return False
    return _EXACT_BITS[dtype] > _EXACT_BITS[other]


def widest(first: str, second: str) -> str:
    """The smallest type that holds the numbers of both: of F16 and BF16 that is F32.

    Both are floating-point types, or the same.
    """
    if holds_all_of(first, second):
        return first
    return second if holds_all_of(second, first) else "F32"
