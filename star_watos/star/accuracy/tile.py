"""One query tile of one K/V head: what is predicted, found and computed.

A tile's rows are the queries that a core serves at once; the query heads that share the K/V head
are taken one after another.
"""

from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from star_watos.star.accuracy.setting import Setting, kept_per_row
from star_watos.star.algorithms import Prepared, Ranking, SortedRows, SufaAttended, sufa
from star_watos.tensors import AttentionInput
from star_watos.tensors.attention import Floats, visible

Mask = NDArray[np.bool_]


class Where(NamedTuple):
    """A query tile of one K/V head."""

    group: int
    queries: slice
    keys: int
    """Keys that the tile's last query sees."""


class Head:
    """One query head's rows of a tile; what is asked for is computed once."""

    def __init__(
        self, given: AttentionInput, prepared: Prepared, head: int, where: Where, setting: Setting
    ) -> None:
        """Take the rows of `where` of query head `head`."""
        self.q = given.q[head, where.queries]
        self.k = given.k[where.group, : where.keys]
        self.v = given.v[where.group, : where.keys]
        self.seq_len = given.k.shape[1]
        self._shown = visible(where.queries, where.keys, causal=given.causal)
        self.seen: NDArray[np.int64] = self._shown.sum(axis=1)
        self._predict = partial(prepared.scores, head, where.queries, where.keys)
        self._unit = float(prepared.unit[head])
        self._sorter = setting.sorter.of_prefix(where.keys, self.seq_len)
        self._arithmetic = setting.arithmetic

    @cached_property
    def scores(self) -> Floats:
        """Exact scores [rows, keys]; -inf where a key is hidden."""
        return self._hide((self.q * np.float32(self.q.shape[1] ** -0.5)) @ self.k.T)

    @cached_property
    def exact(self) -> Ranking:
        """The exact scores, ranked."""
        return Ranking(self.scores)

    @cached_property
    def weights(self) -> Floats:
        """Dense softmax [rows, keys]."""
        weights: Floats = np.exp(self.scores - self.scores.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        return weights

    @cached_property
    def dense(self) -> Floats:
        """Output of dense attention [rows, head_dim]."""
        return self.weights @ self.v

    @cached_property
    def predicted(self) -> Floats:
        """Scores of the predictor [rows, keys]; -inf where a key is hidden."""
        return self._hide(self._predict())

    @cached_property
    def sorted(self) -> SortedRows:
        """The predicted scores, ranked by segment."""
        return SortedRows(self.predicted, self._sorter, self._unit)

    def kept(self, k: int) -> Mask:
        """Return the keys [rows, keys] that the core keeps when a query may keep `k`."""
        return self.sorted.kept(kept_per_row(k, self.seen))

    def choices(self, k: int) -> NDArray[np.intp]:
        """Return the rows that leave out some key they see, or all where k is the whole sequence.

        Rows that keep all they see would only flatter a mean.
        """
        return np.flatnonzero((self.seen > k) | (k >= self.seq_len))

    def recall(self, kept: Mask, k: int) -> NDArray[np.float64]:
        """Return the share of each row's exact top-k [rows] that is kept."""
        own = kept_per_row(k, self.seen)
        share: NDArray[np.float64] = (kept & self.exact.top(own)).sum(axis=1) / own
        return share

    def mass(self, k: int) -> tuple[float, float]:
        """Return the softmax mass that the choices keep, and their number."""
        rows = self.choices(k)
        if rows.size == 0:
            return 0.0, 0.0
        return float(mass_of(self.weights, self.kept(k))[rows].sum()), float(rows.size)

    def star(self, kept: Mask) -> SufaAttended:
        """Return SU-FA over the kept keys, in the setting's arithmetic."""
        tiles = self.sorted.tiles
        return sufa(self.q, self.k, self.v, tiles, self.predicted, kept, self._arithmetic)

    def exact_top_k(self, k: int) -> Floats:
        """Return attention over the `k` best keys, found exactly, in float32."""
        weights = self.weights * self.exact.top(kept_per_row(k, self.seen))
        output: Floats = weights @ self.v / weights.sum(axis=1, keepdims=True)
        return output

    def _hide(self, scores: NDArray[Any]) -> NDArray[Any]:
        np.copyto(scores, -np.inf, where=~self._shown)
        return scores


def mass_of(weights: Floats, kept: Mask) -> NDArray[np.float64]:
    """Return the softmax mass [rows] of the kept keys."""
    mass: NDArray[np.float64] = np.einsum("rk,rk->r", weights, kept, dtype=np.float64)
    return mass


def heads_of(
    given: AttentionInput, prepared: Prepared, where: Where, setting: Setting
) -> list[Head]:
    """Return the query heads that share the K/V head of `where`."""
    heads = range(where.group * given.group, (where.group + 1) * given.group)
    return [Head(given, prepared, head, where, setting) for head in heads]
