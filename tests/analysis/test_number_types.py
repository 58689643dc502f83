"""The number types of safetensors are read and written as PyTorch reads and writes them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ftrl.analysis import dtypes

TORCH = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def stored(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().view(torch.uint8).numpy().tobytes())


@pytest.mark.parametrize("dtype", TORCH)
@given(st.lists(st.floats(-60_000, 60_000), min_size=1, max_size=20))
def test_stored_numbers_are_read_without_loss(dtype: str, numbers: list[float]) -> None:
    tensor = torch.tensor(numbers, dtype=torch.float64).to(TORCH[dtype])
    read = np.empty(len(numbers))
    dtypes.read_floats(dtype, dtypes.raw(dtype, stored(tensor)), read)
    assert read.tolist() == tensor.to(torch.float64).tolist()


@pytest.mark.parametrize("source", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("target", ["F32", "F16", "BF16"])
@given(numbers=st.lists(st.floats(-60_000, 60_000, width=32), min_size=1, max_size=20))
def test_numbers_are_rounded_to_another_type_as_pytorch_rounds_them(
    source: str, target: str, numbers: list[float]
) -> None:
    tensor = torch.tensor(numbers, dtype=torch.float32).to(TORCH[source])
    written = dtypes.cast(dtypes.raw(source, stored(tensor)), source, target)
    assert written.tobytes() == stored(tensor.to(TORCH[target]))


def test_halves_between_two_bfloat16_numbers_are_rounded_to_the_even_one() -> None:
    halves = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, -(1 + 2**-8)], dtype=torch.float32)
    written = dtypes.cast(dtypes.raw("F32", stored(halves)), "F32", "BF16")
    assert written.tobytes() == stored(halves.to(torch.bfloat16))


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ("BF16", "BF16", "BF16"),
        ("BF16", "F32", "F32"),
        ("F32", "F16", "F32"),
        ("BF16", "F16", "F32"),
        ("F16", "F64", "F64"),
        ("I64", "I64", "I64"),
    ],
)
def test_the_widest_type_holds_the_numbers_of_both(first: str, second: str, both: str) -> None:
    assert dtypes.widest(first, second) == dtypes.widest(second, first) == both
    assert dtypes.holds_all_of(both, first)
    assert dtypes.holds_all_of(both, second)
