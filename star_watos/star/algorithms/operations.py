"""How many operations an algorithm does: counted from masks, never estimated."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Operations:
    """Counts of scalar operations; a MAC is one `mul` and one `add`.

    `a + b` is both, `a * n` is n times a; `Operations()` is neutral, so `sum(parts, Operations())`
    works. The same shape serves as weights: the cost of one operation of each kind.

    >>> sum([Operations(exp=2, add=1), Operations(add=3)], Operations()) * 2
    Operations(exp=4.0, mul=0.0, add=8.0, compare=0.0, div=0.0, shift=0.0, low_mul=0.0)
    """

    exp: float = 0.0
    mul: float = 0.0
    """16-bit multiplications."""
    add: float = 0.0
    """Additions and subtractions."""
    compare: float = 0.0
    div: float = 0.0
    shift: float = 0.0
    low_mul: float = 0.0
    """4-bit multiplications, as low-precision predictors do them."""

    def __add__(self, other: "Operations") -> "Operations":
        return Operations(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, times: float) -> "Operations":
        return Operations(*(getattr(self, f.name) * times for f in fields(self)))

    def as_dict(self) -> dict[str, float]:
        """Return the counts by name, zeros included.

        >>> Operations(exp=2.0).as_dict()["exp"]
        2.0
        """
        return asdict(self)

    def weighted(self, weights: "Operations") -> float:
        """Return the sum over kinds of count times weight.

        >>> Operations(exp=2, add=5).weighted(Operations(exp=34, add=1))
        73.0
        """
        return float(sum(getattr(self, f.name) * getattr(weights, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class MaskCounts:
    """What a mask asks of attention; every formula below is linear in it.

    Totals over all heads and rows, so that for one row `pairs` is its K and `tiles` its T.
    """

    rows: float
    """Rows of queries, each of which keeps at least one key."""
    pairs: float
    """Kept (row, key) pairs."""
    tiles: float
    """(row, tile) pairs with at least one kept key; empty ones are never visited."""
    head_dim: int

    @property
    def macs(self) -> Operations:
        """QK and SV: 2 K d multiply-accumulates; the scale 1/sqrt(d) is folded into W_q."""
        count = 2.0 * self.pairs * self.head_dim
        return Operations(mul=count, add=count)

    @property
    def divisions(self) -> Operations:
        """The d outputs of a row by its sum."""
        return Operations(div=float(self.rows * self.head_dim))


def mask_counts(kept: Mask, tiles: Sequence[slice], head_dim: int) -> MaskCounts:
    """Count rows, kept pairs and non-empty (row, tile) pairs of `kept` [..., rows, keys].

    >>> mask_counts(np.array([[True, False, True, True]]), [slice(0, 2), slice(2, 4)], 64)
    MaskCounts(rows=1, pairs=3, tiles=2, head_dim=64)
    """
    rows = int(np.prod(kept.shape[:-1]))
    visited = sum(int(np.count_nonzero(kept[..., tile].any(axis=-1))) for tile in tiles)
    return MaskCounts(rows, int(np.count_nonzero(kept)), visited, head_dim)


def softmax_operations(work: MaskCounts) -> Operations:
    """Softmax attention, per row of K kept keys.

    exp K; compare K - 1; mul 2Kd; add 2Kd + K (subtract the maximum) + K - 1 (sum); div d.

    >>> softmax_operations(MaskCounts(rows=1, pairs=3, tiles=1, head_dim=2))
    Operations(exp=3.0, mul=12.0, add=17.0, compare=2.0, div=2.0, shift=0.0, low_mul=0.0)
    """
    k, rows = work.pairs, work.rows
    return work.macs + work.divisions + Operations(exp=k, add=2 * k - rows, compare=k - rows)


def flash_operations(work: MaskCounts) -> Operations:
    """FlashAttention-2, per row of K kept keys in T tiles; the factor of the first tile is 0.

    exp K + T (factors); compare K (inside tiles, and each tile with the running maximum);
    mul 2Kd + (d+1) T (rescale output and sum); add 2Kd + 2K + T (differences of maxima); div d.
    Source: Dao, FlashAttention-2 (2023), algorithm 1.

    >>> flash_operations(MaskCounts(rows=1, pairs=3, tiles=2, head_dim=2))
    Operations(exp=5.0, mul=18.0, add=20.0, compare=3.0, div=2.0, shift=0.0, low_mul=0.0)
    """
    k, t = work.pairs, work.tiles
    rescale = Operations(exp=t, add=t, mul=(work.head_dim + 1) * t)
    return work.macs + work.divisions + rescale + Operations(exp=k, add=2 * k, compare=k)


def sufa_operations(work: MaskCounts) -> Operations:
    """SU-FA as built: one reference a tile, joined once at the end.

    exp K + T; compare 2T (the pair that is fed at once, the maximum of references);
    mul 2Kd + (d+1) T; add 2Kd + K (subtract the reference) + K - 1 (sum) + T (reference minus
    maximum) + (T-1) d (join outputs); div d. Source: SOFA (MICRO 2024), section on SU-FA.

    >>> sufa_operations(MaskCounts(rows=1, pairs=3, tiles=2, head_dim=2))
    Operations(exp=5.0, mul=18.0, add=21.0, compare=4.0, div=2.0, shift=0.0, low_mul=0.0)
    """
    t, d = work.tiles, work.head_dim
    join = Operations(exp=t, compare=t, mul=(d + 1) * t, add=t + (t - work.rows) * d)
    return work.macs + work.divisions + _exponentials(work) + join + Operations(compare=t)


def descending_operations(work: MaskCounts, updates: float) -> Operations:
    """SU-FA with tiles in descending order of predicted maximum, and assurance of the maximum.

    A later tile's reference exceeds the running maximum in `updates` cases U (`max_updates`).
    exp K + U; compare T (pairs) + T - 1 (tile switches); mul 2Kd + (d+1) U;
    add 2Kd + K + K - 1 + U; div d. What it costs to order the tiles is not in it.

    >>> descending_operations(MaskCounts(rows=1, pairs=3, tiles=2, head_dim=2), updates=0)
    Operations(exp=3.0, mul=12.0, add=17.0, compare=3.0, div=2.0, shift=0.0, low_mul=0.0)
    """
    rescale = Operations(exp=updates, add=updates, mul=(work.head_dim + 1) * updates)
    assurance = Operations(compare=2 * work.tiles - work.rows)
    return work.macs + work.divisions + _exponentials(work) + rescale + assurance


def ascending_operations(work: MaskCounts, *, assured: bool = False) -> Operations:
    """SU-FA with tiles in ascending order: every reference is taken for a new maximum.

    exp K + T - 1; mul 2Kd + (d+1)(T-1); add 2Kd + K + K - 1 + T - 1; div d; no compare in the
    papers' count, as many as in descending order where the maximum is assured.

    >>> ascending_operations(MaskCounts(rows=1, pairs=3, tiles=2, head_dim=2))
    Operations(exp=4.0, mul=15.0, add=18.0, compare=0.0, div=2.0, shift=0.0, low_mul=0.0)
    """
    switches = work.tiles - work.rows
    rescale = Operations(exp=switches, add=switches, mul=(work.head_dim + 1) * switches)
    assurance = Operations(compare=(2 * work.tiles - work.rows) * assured)
    return work.macs + work.divisions + _exponentials(work) + rescale + assurance


def _exponentials(work: MaskCounts) -> Operations:
    """One exponential and one subtraction a kept key, and their sum."""
    return Operations(exp=work.pairs, add=2 * work.pairs - work.rows)
