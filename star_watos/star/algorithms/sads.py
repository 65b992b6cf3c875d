"""SADS: sphere-search aided distributed sorting (SOFA, MICRO 2024).

A row of predicted scores is split into segments; each keeps its own best, found by a sorter that
takes 16 keys a step and carries 4 on. A key further than a radius below the best one so far is
clipped: it takes no part.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.star.algorithms.segments import Layout, Places, quotas, tiles
from star_watos.star.algorithms.sorter import comparators_per_step, full_sort_comparators
from star_watos.star.algorithms.top import Ranking
from star_watos.star.sorting import INPUTS, SURVIVORS, passes, steps


@dataclass(frozen=True, slots=True)
class Sads:
    """A distributed sorter."""

    segments: int = 8
    """Of a whole row; their width is that of a key tile."""
    layout: Layout = Layout.STRIDED
    radius: float | None = None
    """In Q K^T / sqrt(d), of which e^-radius is the softmax; None clips nothing.

    The papers print no value."""
    inputs: int = INPUTS
    survivors: int = SURVIVORS

    def of_prefix(self, keys: int, seq_len: int) -> "Sads":
        """Return the sorter of a query tile that sees `keys` of `seq_len` keys.

        Key tiles keep their width, so it has as many segments as tiles of that width hold its keys.

        >>> Sads(segments=8).of_prefix(256, 1024).segments
        2
        """
        return replace(self, segments=-(-self.segments * keys // seq_len))

    def __str__(self) -> str:
        """Return the sorter in one line."""
        clipped = "" if self.radius is None else f", radius {self.radius:g}"
        how = "whole rows" if self.segments == 1 else f"{self.segments} {self.layout} segments"
        return f"{how}, {self.inputs}-to-{self.survivors} sorters{clipped}"


class SortedRows:
    """Rows of predicted scores of one query tile, each segment ranked once."""

    def __init__(self, scores: NDArray[Any], sorter: Sads, unit: float = 1.0) -> None:
        """Rank the segments of `scores` [rows, keys], counted in `unit`; a hidden key is -inf."""
        self.tiles = tiles(sorter.layout, scores.shape[1], sorter.segments)
        self._sorter, self._scores = sorter, scores
        self._radius = None if sorter.radius is None else sorter.radius / unit
        self._places = Places.of(self.tiles, scores.shape[1])
        self._ranking = Ranking(self._places.split(scores, -np.inf))
        self.seen: NDArray[np.int64] = np.isfinite(self._ranking.scores).sum(axis=-1)

    def kept(self, k: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the mask [rows, keys] of the keys that each row keeps, at most `k` [rows]."""
        if self._sorter.layout is not Layout.ADAPTIVE:
            return self._offered(quotas(self.seen, k))
        offers = np.minimum(2 * quotas(self.seen, k), self.seen)
        offered = np.where(self._offered(offers), self._scores, -np.inf)
        return Ranking(offered).top(np.minimum(k, np.isfinite(offered).sum(axis=1)))

    def comparisons(self, k: NDArray[np.int64]) -> float:
        """Return the comparators that the sorters of all rows pass through, rows keeping `k`.

        A segment takes passes(quota) times steps(keys) of the pruned network; all rows work in
        step on all keys of the tile. Adaptive: twice the quota, then a merge of what is offered.
        """
        inputs, survivors = self._sorter.inputs, self._sorter.survivors
        quota = quotas(self.seen, k)
        merge: Column = 0.0
        if self._sorter.layout is Layout.ADAPTIVE:
            quota = np.minimum(2 * quota, self.seen)
            merge = passes(k, survivors) * steps(quota.sum(axis=1), inputs, survivors)
        keys = np.count_nonzero(self._places.index < self._places.keys, axis=1)
        sort = passes(quota, survivors) * steps(keys, inputs, survivors)
        return float(np.sum(sort) + np.sum(merge)) * comparators_per_step(inputs, survivors)

    @property
    def full_sort_comparisons(self) -> float:
        """Comparators of a bitonic sort of each whole row."""
        rows, keys = self._scores.shape
        return float(rows * full_sort_comparators(keys))

    def _offered(self, quota: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the keys that the segments find when each may keep `quota` [rows, n]."""
        if self._radius is None:
            return self._places.join(self._ranking.top(quota))
        mask = self._places.join(self._within(self._radius, quota))
        # A best key whose segment may keep none can clip the keys of all others.
        empty = np.flatnonzero(~mask.any(axis=1))
        mask[empty, self._scores[empty].argmax(axis=1)] = True
        return mask

    def _within(self, radius: float, quota: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return what the segments [rows, n, width] keep under the radius rule.

        The first pass compares a key with the best of the steps before its own; later passes, which
        find the next survivors each, know the best of the whole segment.
        """
        scores = self._ranking.scores
        best = np.maximum.accumulate(scores.max(axis=-1), axis=-1)
        before = np.concatenate([np.full((len(best), 1), -np.inf), best[:, :-1]], axis=1)
        threshold = _running_best(scores, before, self._sorter) - radius
        first = _top_of(scores, scores >= threshold, np.minimum(quota, self._sorter.survivors))
        left = np.where(quota > self._sorter.survivors, quota - first.sum(axis=-1), 0)
        return first | _top_of(scores, (scores >= best[..., None] - radius) & ~first, left)


def _top_of(
    scores: NDArray[Any], allowed: NDArray[np.bool_], places: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return the best of the allowed keys that are seen, at most `places` [rows, n]."""
    candidates = np.where(allowed, scores, -np.inf)
    return Ranking(candidates).top(np.minimum(places, np.isfinite(candidates).sum(axis=-1)))


def _running_best(scores: NDArray[Any], before: NDArray[Any], sorter: Sads) -> NDArray[Any]:
    """Return the best score known before the sorter step that each key takes part in."""
    new, key = sorter.inputs - sorter.survivors, np.arange(scores.shape[-1])
    later = sorter.inputs + (key - sorter.inputs) // new * new
    first_of_step = np.where(key < sorter.inputs, 0, later)
    so_far = np.concatenate([before[..., None], scores], axis=-1)
    return np.maximum.accumulate(so_far, axis=-1)[..., first_of_step]
