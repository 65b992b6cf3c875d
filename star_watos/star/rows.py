"""The query tiles of a head, by a few that stand for all.

Everything about a query tile follows from how many keys it sees, which grows evenly from tile to
tile. So a sum over all tiles is a weighted sum over a few: exactly where there are no more than
`TILES`; else the first and the last, and the middles of stretches between them.

Arrays have the tiles along their first axis, [tiles, ...], and everything else broadcasts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.star.work import AttentionWork

TILES = 8
"""Query tiles that stand for all."""

BEFORE = 2
"""Of which lie between the first and where sums bend."""

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
        # Where causal queries begin to see more than they keep, sums bend.
        bend = (work.kept_per_row - (s - q)) / queries - 0.5 if work.causal else 0.0
        index, weight, whole = _places(count, np.asarray(bend), ndim)
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
        tiles = np.broadcast_to(of_a_tile, np.broadcast(of_a_tile, self.weight).shape)
        summed: Column = self.weight[0] * tiles[0]
        for weight, tile in zip(self.weight[1:], tiles[1:], strict=True):
            summed += weight * tile
        return summed


def _places(count: Floats, bend: Floats, ndim: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return index, weight and wholeness of the tiles that stand for `count` of them.

    Between the first and the last, `BEFORE` equal stretches end at index `bend`, and the others,
    equal among themselves, at the last: sums of what is straight on either side are exact.

    >>> index, weight, _ = _places(np.asarray(26.0), np.asarray(8.5), 0)
    >>> index.tolist()
    [0.0, 2.5, 6.5, 10.5, 14.5, 18.5, 22.5, 25.0]
    >>> float(weight.sum()), float((weight * index).sum()) == sum(range(26))
    (26.0, True)
    """
    most = int(min(np.max(count), TILES))
    m = np.arange(most, dtype=np.float64).reshape(most, *(1,) * ndim)
    few = count <= most
    start, end = 0.5, count - 1.5
    bend = np.clip(bend, start, np.maximum(end, start))
    before, after = (bend - start) / BEFORE, (end - bend) / (TILES - 2 - BEFORE)
    early = m <= BEFORE
    stretch = np.where(early, before, after)
    middle = np.where(early, start + before * (m - 0.5), bend + after * (m - 0.5 - BEFORE))
    ends = (m == 0) | (m == most - 1)
    index = np.where(ends, np.where(m == 0, 0.0, count - 1), middle)
    weight = np.where(ends, 1.0, stretch)
    return (
        np.where(few, np.minimum(m, count - 1), index),
        np.where(few, np.where(m < count, 1.0, 0.0), weight),
        few | ends,
    )
