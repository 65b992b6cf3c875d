"""Integers of a given width, as the hardware has them.

They are held in float64, which is exact up to 2**53: BLAS multiplies float64 matrices ten and more
times faster than NumPy multiplies integer ones, and every sum here stays below 2**50.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.float64]
"""Whole numbers in float64."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """value = values * scale."""

    values: Integers
    scale: NDArray[np.float64]
    """Broadcasts against `values`."""


def quantize(x: NDArray[Any], bits: int, axis: int | tuple[int, ...] | None = None) -> Fixed:
    """Return `x` as signed integers of `bits` bits, symmetric, the largest magnitude at the end.

    scale = max |x| / (2^(bits-1) - 1) over `axis` (all axes when left out), rounded to nearest.

    >>> fixed = quantize(np.array([-1.0, 0.26, 0.5]), 4)
    >>> fixed.values.tolist(), round(float(fixed.scale), 4)
    ([-7.0, 2.0, 4.0], 0.1429)
    """
    wide = np.asarray(x, dtype=np.float64)
    largest = np.max(np.abs(wide), axis=axis, keepdims=axis is not None)
    scale = np.where(largest > 0, largest, 1.0) / (2.0 ** (bits - 1) - 1)
    return Fixed(np.rint(wide / scale), np.asarray(scale))


def excess_bits(largest: Integers, bits: int) -> NDArray[np.int64]:
    """Return how many low bits to drop so that +-`largest` fits into `bits` signed bits.

    >>> excess_bits(np.array([127.0, 128.0, 5.0]), 8).tolist()
    [0, 1, 0]
    """
    _, length = np.frexp(largest)
    return np.maximum(length.astype(np.int64) - (bits - 1), 0)


def truncate(values: Integers, drop: NDArray[np.int64]) -> Integers:
    """Return `values` shifted right by `drop` bits, towards minus infinity as a shifter does.

    >>> truncate(np.array([5.0, -5.0]), np.array(1)).tolist()
    [2.0, -3.0]
    """
    shifted: Integers = np.floor(values * 2.0**-drop)
    return shifted


def narrow(wide: Fixed, bits: int, axis: tuple[int, ...] | None = None) -> Fixed:
    """Return `wide` cut to `bits` signed bits by one right shift that the largest value sets.

    The shift is common to all values, or to those along `axis`.

    >>> cut = narrow(Fixed(np.array([1000.0, -3.0]), np.array(1.0)), 8)
    >>> cut.values.tolist(), float(cut.scale)
    ([125.0, -1.0], 8.0)
    """
    largest = np.max(np.abs(wide.values), axis=axis, keepdims=axis is not None)
    drop = excess_bits(largest, bits)
    return Fixed(truncate(wide.values, drop), wide.scale * 2.0**drop)
