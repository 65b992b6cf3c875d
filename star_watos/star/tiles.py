"""The visits of a query tile: its key tiles, and what its queries keep of each.

All quantities are of one query head, [tiles, ...] over the representative query tiles.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from star_watos.cost import Column
from star_watos.star.dataflow import Dataflow, Tile
from star_watos.star.resources import Resources
from star_watos.star.rows import QueryTiles
from star_watos.star.work import AttentionWork


def overhang(core: Resources, work: AttentionWork, tiles: QueryTiles, keys: Column) -> Column:
    """Keys by which the last of equal stretches of `keys` reaches beyond what a query tile sees.

    Exact for a tile itself. For the middle of a stretch of tiles the mean: what they see differs by
    whole tiles of P, so the overhang takes every value of its residue modulo g = gcd(P, keys),
    (keys - g) / 2 + (-first) mod g on average.
    """
    own = np.ceil(tiles.seen / keys) * keys - tiles.seen
    if not work.causal or np.all(tiles.whole):
        return own
    common = np.gcd(np.asarray(core.queries, np.int64), np.asarray(keys, np.int64))
    past = np.asarray(work.seq_len) - work.q_len
    mean = (keys - common) / 2 + np.mod(-past, common)
    return np.where(tiles.whole, own, mean)


class Quota(NamedTuple):
    """Whole keys that the fullest query keeps of tiles which have a mean of them."""

    least: Column
    more: Column
    """Share of the tiles in which it is one more."""

    @classmethod
    def of(cls, mean: Column) -> "Quota":
        """Return the whole numbers around `mean`."""
        least: Column = np.floor(mean)
        return cls(least, mean - least)

    def mean(self, cycles: Callable[[Column], Column]) -> Column:
        """Return the mean of `cycles(quota)`.

        >>> [float(Quota.of(m).mean(lambda quota: np.ceil(quota / 2))) for m in (8.25, 9.0)]
        [4.25, 5.0]
        """
        few = cycles(self.least)
        return few + self.more * (cycles(self.least + 1) - few)


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits of a query tile by one head."""

    count: Column
    """Key tiles."""
    keys: Column
    """Keys of a whole one."""
    last: Column
    """Keys of the last."""
    kept: Column
    """Keys that the fullest query keeps, of all tiles together."""
    quota: Quota
    """Of which in a whole tile."""
    last_quota: Quota
    """And in the last."""

    @classmethod
    def of(
        cls, core: Resources, work: AttentionWork, tile: Tile, flow: Dataflow, tiles: QueryTiles
    ) -> "Visits":
        """Return the visits of each query tile; a query keeps k keys, or all it sees if fewer."""
        keys = np.minimum(tile.keys, work.seq_len)
        beyond = overhang(core, work, tiles, keys)
        seen = tiles.seen
        kept = np.minimum(work.kept_per_row, seen) if flow.predicts else seen
        share = kept / seen
        last = keys - beyond
        quotas = (Quota.of(share * keys), Quota.of(share * last))
        return cls((seen + beyond) / keys, keys, last, kept, *quotas)

    def total(self, of_whole: Column, of_last: Column) -> Column:
        """Sum over the visits of a query tile."""
        return (self.count - 1) * of_whole + of_last

    def over_quotas(self, cycles: Callable[[Column], Column]) -> tuple[Column, Column]:
        """Return the mean of `cycles(quota)` in a whole tile, and in the last."""
        return self.quota.mean(cycles), self.last_quota.mean(cycles)
