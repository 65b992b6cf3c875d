"""What is counted on a query tile; tallies add up over heads and tiles."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from star_watos.star.accuracy.setting import kept_per_row
from star_watos.star.accuracy.tile import Head, Mask, mass_of
from star_watos.star.algorithms import (
    MaskCounts,
    SufaAttended,
    in_order_loads,
    mask_counts,
    max_updates,
    predicted_order,
    rass_loads,
)

PARTS = 8
"""Equal parts of a row by which it is said where the kept keys lie."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums at one keep ratio.

    Choices are the rows that leave out some key (`Head.choices`).
    """

    choices: float = 0.0
    found: float = 0.0
    """Sum over choices of the share of the exact top-k that is kept."""
    mass: float = 0.0
    """Sum over choices of the softmax mass kept."""
    cosine: float = 0.0
    """Sum over choices of the cosine between sparse and dense output."""
    error: float = 0.0
    """Sum over choices of the squares of (sparse - dense) output."""
    size: float = 0.0
    """Sum over choices of the squares of the dense output."""
    saturated: float = 0.0
    """Exponentials that did not fit, all rows."""
    updates: float = 0.0
    """Segments, in descending order of prediction, that held a new maximum after all."""
    rows: float = 0.0
    pairs: float = 0.0
    """Kept (query, key) pairs, of all rows."""
    seen: float = 0.0
    """Visible pairs."""
    tiles: float = 0.0
    """(row, segment) pairs with a kept key."""
    compares: float = 0.0
    """Comparisons of the sorter."""
    full_sort: float = 0.0
    """Comparisons of a full bitonic sort of each row."""
    visited: float = 0.0
    """Keys that query tiles pass over, head by head."""
    loads: float = 0.0
    """Of those, keys that some row of the tile keeps: what RASS loads."""
    in_order: float = 0.0
    """Loads of a schedule in key order that retains nothing."""
    group_visited: float = 0.0
    """Keys that query tiles pass over, K/V head by K/V head."""
    group_loads: float = 0.0
    """Of those, keys that some row of some query head keeps."""
    segments: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    """Kept pairs by part of what the tile sees, first to last [PARTS]."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def work(self, head_dim: int) -> MaskCounts:
        """Return what attention had to do."""
        return MaskCounts(self.rows, self.pairs, self.tiles, head_dim)


def tally(heads: Sequence[Head], k: int) -> tuple[Tally, NDArray[np.bool_]]:
    """Return what the heads of one K/V head amount to, and which keys [keys] they need together.

    `k` is what a query may keep.
    """
    masks = [head.kept(k) for head in heads]
    needed = [mask.any(axis=0) for mask in masks]
    together = np.logical_or.reduce(needed)
    group = Tally(group_visited=float(together.size), group_loads=float(together.sum()))
    each = (_of_head(head, mask, k) for head, mask in zip(heads, masks, strict=True))
    return sum(each, group), together


def _of_head(head: Head, kept: Mask, k: int) -> Tally:
    """Return the counts of one head, and its accuracy."""
    own = kept_per_row(k, head.seen)
    counts = mask_counts(kept, head.sorted.tiles, head.q.shape[1])
    attended = head.star(kept)
    return _accuracy(head, kept, k, attended) + Tally(
        saturated=float(attended.saturated),
        updates=float(max_updates(attended.references, predicted_order(attended))),
        rows=float(len(kept)),
        pairs=counts.pairs,
        seen=float(head.seen.sum()),
        tiles=counts.tiles,
        compares=head.sorted.comparisons(own),
        full_sort=head.sorted.full_sort_comparisons,
        visited=float(kept.shape[1]),
        loads=float(rass_loads(kept)),
        in_order=float(in_order_loads(kept)),
        segments=np.array([part.sum() for part in np.array_split(kept, PARTS, axis=1)], float),
    )


def _accuracy(head: Head, kept: Mask, k: int, attended: SufaAttended) -> Tally:
    """Return recall of the exact top-k, mass and error over the choices."""
    rows = head.choices(k)
    if rows.size == 0:
        return Tally()
    sparse, dense = attended.output[rows], head.dense[rows].astype(np.float64)
    sizes = np.square(dense).sum(axis=1)
    norms = np.sqrt(sizes * np.square(sparse).sum(axis=1))
    return Tally(
        choices=float(rows.size),
        found=float(head.recall(kept, k)[rows].sum()),
        mass=float(mass_of(head.weights, kept)[rows].sum()),
        cosine=float(((sparse * dense).sum(axis=1) / np.maximum(norms, 1e-300)).sum()),
        error=float(np.square(sparse - dense).sum()),
        size=float(sizes.sum()),
    )
