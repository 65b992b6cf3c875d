"""Leading-zero form: an integer by its sign and the position of its leading one.

x * y becomes sign * (|x| << exponent(y)): the multiplier of y is snapped to a power of two (SOFA,
MICRO 2024, section on DLZS).
"""

from enum import StrEnum
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from star_watos.star.algorithms.fixed import Integers


class Snap(StrEnum):
    """To which power of two a magnitude goes."""

    FLOOR = "floor"
    """The leading one, as in SOFA's worked example: 24 * 6 becomes 24 << 2 = 96."""
    NEAREST = "nearest"
    """The nearer one on the linear scale; 3 * 2^i goes up."""


def snap(x: Integers, rule: Snap = Snap.FLOOR) -> Integers:
    """Return `x` with each magnitude replaced by a power of two; 0 stays 0.

    >>> snap(np.array([0.0, 1.0, -6.0, 7.0])).tolist()
    [0.0, 1.0, -4.0, 4.0]
    >>> snap(np.array([5.0, 6.0]), Snap.NEAREST).tolist()
    [4.0, 8.0]
    """
    mantissa, exponent = np.frexp(np.abs(x))
    match rule:
        case Snap.FLOOR:
            power = exponent - 1
        case Snap.NEAREST:
            power = exponent - (mantissa < 0.75)
        case _:
            assert_never(rule)
    snapped: Integers = np.sign(x) * np.ldexp(1.0, power)
    return snapped


def leading_zeros(x: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Return the zeros before the leading one of |x| in `bits` bits: the code LZ, `bits` for 0.

    >>> leading_zeros(np.array([0, 1, 24, -128]), 8).tolist()
    [8, 7, 3, 0]
    """
    _, exponent = np.frexp(np.abs(x).astype(np.float64))
    return bits - exponent.astype(np.int64)


def code_bits(bits: int) -> int:
    """Return the width of the code of a `bits`-bit number: LZ takes bits + 1 values, sign aside.

    >>> code_bits(8), code_bits(16)
    (4, 5)
    """
    return bits.bit_length()


def shift_product(x: NDArray[np.int64], y: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """Return x * y with y in leading-zero form, made as the hardware does: |x| << (bits - 1 - LZ).

    >>> int(shift_product(np.array(24), np.array(-6), 8))
    -96
    """
    zeros = leading_zeros(y, bits)
    shifted = np.left_shift(np.abs(x), np.maximum(bits - 1 - zeros, 0))
    product: NDArray[np.int64] = np.where(zeros == bits, 0, np.sign(x) * np.sign(y) * shifted)
    return product
