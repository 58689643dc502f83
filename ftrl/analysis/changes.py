"""How far apart two tensors are, added up piece by piece in 64-bit floats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ftrl.analysis import dtypes
from ftrl.analysis.weights import StoredTensor
from ftrl.errors import InputError

_BLOCK = 1 << 13
"""Numbers that are worked on at a time: few enough to stay in a core's cache, and for BLAS not to wake its threads (it
does from 10,000 on), which would wait for each other more than they work."""


@dataclass(frozen=True)
class Change:
    """Sums over some of the model's numbers; those of several tensors add up to those of all of them.

    Attributes:
        elements: how many numbers.
        changed: how many of them differ.
        base_squares: sum of the squares before.
        tuned_squares: sum of the squares after.
        delta_squares: sum of the squares of the differences.
        product: sum of before times after.
        largest: the largest difference, regardless of its sign.
        rounding_squares: ``delta_squares`` of a copy of the base in the tuned one's type: what storing in a coarser
            type changes by itself.
    """

    elements: int = 0
    changed: int = 0
    base_squares: float = 0.0
    tuned_squares: float = 0.0
    delta_squares: float = 0.0
    product: float = 0.0
    largest: float = 0.0
    rounding_squares: float = 0.0

    def __add__(self, other: Change) -> Change:
        return Change(
            self.elements + other.elements,
            self.changed + other.changed,
            self.base_squares + other.base_squares,
            self.tuned_squares + other.tuned_squares,
            self.delta_squares + other.delta_squares,
            self.product + other.product,
            max(self.largest, other.largest),
            self.rounding_squares + other.rounding_squares,
        )

    @property
    def relative(self) -> float | None:
        """``‖tuned - base‖ / ‖base‖``; none where the base is all zero and the tuned one is not."""
        return _ratio(self.delta_squares, self.base_squares)

    @property
    def rounding(self) -> float | None:
        """The relative change that rounding to the tuned one's type makes by itself; 0 for a type as fine."""
        return _ratio(self.rounding_squares, self.base_squares)

    @property
    def cosine(self) -> float | None:
        """The cosine of the angle between before and after; none where one of them is all zero."""
        norms = math.sqrt(self.base_squares) * math.sqrt(self.tuned_squares)
        return max(-1.0, min(1.0, self.product / norms)) if norms else None

    @property
    def changed_fraction(self) -> float:
        """The share of numbers that differ, 0 to 1."""
        return self.changed / self.elements if self.elements else 0.0


def _ratio(squares: float, base_squares: float) -> float | None:
    if not squares:
        return 0.0
    return math.sqrt(squares / base_squares) if base_squares else None


def change_between(base: StoredTensor, tuned: StoredTensor) -> Change:
    """What changed from ``base`` to ``tuned``, which are of one shape.

    Both are read side by side, a piece at a time; types may differ.

    Raises:
        InputError: a tensor holds numbers that are not finite.
    """
    base_block, tuned_block, delta, rounded = (np.empty(_BLOCK) for _ in range(4))
    coarser = not dtypes.holds_all_of(tuned.dtype, base.dtype)
    changed, largest = 0, 0.0
    base_squares = tuned_squares = delta_squares = product = rounding_squares = 0.0
    for base_piece, tuned_piece in zip(base.pieces(), tuned.pieces(), strict=True):
        for start in range(0, len(base_piece), _BLOCK):
            numbers = base_piece[start : start + _BLOCK]
            before, after, apart = (block[: len(numbers)] for block in (base_block, tuned_block, delta))
            dtypes.read_floats(base.dtype, numbers, before)
            dtypes.read_floats(tuned.dtype, tuned_piece[start : start + _BLOCK], after)
            np.subtract(after, before, out=apart)
            base_squares += float(before @ before)
            tuned_squares += float(after @ after)
            if coarser:
                copied = rounded[: len(numbers)]
                dtypes.read_floats(tuned.dtype, dtypes.cast(numbers, base.dtype, tuned.dtype), copied)
                copied -= before
                rounding_squares += float(copied @ copied)
            different = int(np.count_nonzero(apart != 0))  # many times faster than on the numbers themselves
            if different:
                changed += different
                delta_squares += float(apart @ apart)
                largest = max(largest, float(apart.max()), -float(apart.min()))
            product += float(before @ after)
    for tensor, squares in ((base, base_squares), (tuned, tuned_squares)):
        if not math.isfinite(squares):
            raise InputError(
                f"tensor {tensor.name} holds numbers that are not finite (NaN or infinite); training went astray, "
                "or the file is damaged",
                file=tensor.file,
            )
    return Change(
        elements=base.elements,
        changed=changed,
        base_squares=base_squares,
        tuned_squares=tuned_squares,
        delta_squares=delta_squares,
        product=product,
        largest=largest,
        rounding_squares=rounding_squares,
    )
