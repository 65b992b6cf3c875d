"""The query tiles of a head, by a few that stand for all.

Everything about a query tile follows from how many keys it sees, which grows evenly from tile to
tile. So a sum over all tiles is a weighted sum over a few: exactly where there are no more than
`TILES`; else the first and the last, and the middles of equal stretches between them.

Arrays have the tiles along their first axis, [tiles, ...], and everything else broadcasts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.star.work import AttentionWork

TILES = 8
"""Query tiles that stand for all."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QueryTiles:
    """Representative query tiles of one head, [tiles, ...]."""

    weight: Floats
    """How many query tiles it stands for; 0 where there are fewer than rows of this array."""
    whole: NDArray[np.bool_]
    """Whether it is a tile itself, and not the middle of a stretch."""
    rows: Floats
    """Queries."""
    seen: Floats
    """Keys that the last of its queries sees."""
    new: Floats
    """Of which no earlier tile saw them, and which are not cached."""

    @classmethod
    def of(cls, queries: Column, work: AttentionWork, ndim: int) -> "QueryTiles":
        """Return the tiles of `queries` rows each, beside columns of `ndim` axes.

        >>> work = AttentionWork(64, 1, 1, 1, 64, seq_len=40, q_len=40, keep_ratio=1, kv_ratio=1)
        >>> tiles = QueryTiles.of(16.0, work, 0)
        >>> tiles.rows.tolist(), tiles.seen.tolist(), tiles.new.tolist()
        ([16.0, 16.0, 8.0], [16.0, 32.0, 40.0], [16.0, 16.0, 8.0])
        """
        q, s = np.asarray(work.q_len, float), np.asarray(work.seq_len, float)
        count = np.ceil(q / queries)
        index, weight, whole = _places(count, ndim)
        last = np.where(index == count - 1, q - (count - 1) * queries, queries)
        rows = last + 0.0 * index
        seen = s - q + np.minimum((index + 1) * queries, q) if work.causal else s + 0.0 * index
        later = rows if work.causal else 0.0
        new = np.where(index == 0, seen - work.cached, later)
        return cls(weight, whole, rows, seen, new)

    def total(self, of_a_tile: Column) -> Column:
        """Sum over all query tiles of a head: [tiles, ...] -> [...].

        One after the other, so that a number and a column are summed in the same order.
        """
        first, *others = np.asarray(self.weight * of_a_tile)
        summed: Column = sum(others, start=first)
        return summed


def _places(count: NDArray[np.float64], ndim: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return index, weight and wholeness of the tiles that stand for `count` of them.

    >>> index, weight, _ = _places(np.asarray(26.0), 0)
    >>> index.tolist(), float(weight.sum())
    ([0.0, 2.5, 6.5, 10.5, 14.5, 18.5, 22.5, 25.0], 26.0)
    """
    most = int(min(np.max(count), TILES))
    m = np.arange(most, dtype=np.float64).reshape(most, *(1,) * ndim)
    few = count <= most
    stretch = (count - 2) / max(TILES - 2, 1)
    middle = np.where(m == most - 1, count - 1, 0.5 + stretch * (m - 0.5))
    ends = (m == 0) | (m == most - 1)
    index = np.where(few, np.minimum(m, count - 1), np.where(m == 0, 0.0, middle))
    weight = np.where(few, np.where(m < count, 1.0, 0.0), np.where(ends, 1.0, stretch))
    return index, weight, few | ends
