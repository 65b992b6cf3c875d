"""What attention has to do, before any hardware is named: counts of keys, pairs and operations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column


def _float(x: Column) -> NDArray[np.float64]:
    return np.asarray(x, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class AttentionWork:
    """Attention with K/V generation of all layers of a model, `q_len` queries over `seq_len` keys.

    Prefill has q_len = seq_len; a chunk or a speculated block has its queries at the end.

    Layers that differ in what they keep are groups of equal ones along a last axis: `keep_ratio`,
    `kv_ratio`, `load_ratio` and `n_layers` are then [groups], a key tile is put `beside` them as
    [..., 1], and quantities of one layer are [..., groups] until `total` adds the layers up. Where
    all layers are equal there is no such axis.
    """

    d_model: Column
    n_layers: Column
    n_heads: Column
    n_kv_heads: Column
    head_dim: Column
    seq_len: Column
    q_len: Column
    keep_ratio: Column
    kv_ratio: Column
    causal: bool = True
    load_ratio: Column | None = None
    """Share of the keys a query tile passes over whose K, V rows it loads; or `kv_ratio`."""

    @property
    def loaded_ratio(self) -> Column:
        """`load_ratio`, or what stands for it."""
        return self.kv_ratio if self.load_ratio is None else self.load_ratio

    def beside(self, column: Column) -> Column:
        """Return what is the same for all layers so that it broadcasts: [...] -> [..., 1]."""
        return _float(column)[..., np.newaxis] if np.ndim(self.n_layers) else column

    def total(self, per_layer: Column) -> Column:
        """Add up a quantity of one layer over all layers: [..., groups] -> [...].

        Time as well, because layers follow one another.

        >>> work = AttentionWork(1.0, np.array([1.0, 3.0]), 1.0, 1.0, 1.0, 8.0, 8.0, 1.0, 1.0)
        >>> work.total(np.array([[10.0, 20.0]])), float(work.total(10.0))
        (array([70.]), 40.0)
        """
        each = per_layer * self.n_layers
        return np.add.reduce(each, axis=-1) if np.ndim(self.n_layers) else each

    def most(self, per_layer: Column) -> Column:
        """Return the largest over layers of a quantity of one layer: [..., groups] -> [...]."""
        return np.maximum.reduce(per_layer, axis=-1) if np.ndim(self.n_layers) else per_layer

    @property
    def d_q(self) -> Column:
        """Width of Q and of the output of one layer."""
        return self.n_heads * self.head_dim

    @property
    def d_kv(self) -> Column:
        """Width of K, and of V, of one layer."""
        return self.n_kv_heads * self.head_dim

    @property
    def kept_per_row(self) -> Column:
        """Keys k that a query keeps: ceil(keep_ratio * seq_len)."""
        k: Column = np.ceil(self.keep_ratio * _float(self.seq_len))
        return k

    @property
    def generated_tokens(self) -> Column:
        """Tokens whose K and V are generated: ceil(kv_ratio * seq_len)."""
        tokens: Column = np.ceil(self.kv_ratio * _float(self.seq_len))
        return tokens

    @property
    def visible_pairs(self) -> Column:
        """Pairs (query, key) of one head that the mask lets through.

        Causal: query i of q sees S - q + i keys, so q (S - q) + q (q + 1) / 2.
        """
        q, s = _float(self.q_len), _float(self.seq_len)
        return q * (s - q) + q * (q + 1) / 2 if self.causal else q * s

    @property
    def kept_pairs(self) -> Column:
        """Pairs of one head that are computed: the sum over queries of min(k, keys it sees)."""
        q, k = _float(self.q_len), self.kept_per_row
        if not self.causal:
            return q * k
        first = _float(self.seq_len) - q + 1
        short = np.clip(k - first, 0, q)  # queries that see fewer than k keys
        return short * (2 * first + short - 1) / 2 + (q - short) * k

    def query_tiles(self, queries: Column) -> Column:
        """Tiles of `queries` rows of one head."""
        tiles: Column = np.ceil(_float(self.q_len) / queries)
        return tiles

    def key_visits(self, queries: Column) -> Column:
        """Keys that the query tiles of one head pass over, summed over the tiles.

        A causal tile passes over the keys that its last query sees.
        """
        n, q, s = self.query_tiles(queries), _float(self.q_len), self.seq_len
        if not self.causal:
            return n * s
        return n * (s - q) + queries * n * (n - 1) / 2 + q

    def fullest_kept(self, queries: Column) -> Column:
        """Keys kept by the fullest query of each query tile, summed over the tiles of one head.

        The rows of an array work in step, so a tile takes as long as its last row, which sees most:
        min(k, keys it sees).
        """
        n, k = self.query_tiles(queries), self.kept_per_row
        if not self.causal:
            return n * k
        past = _float(self.seq_len) - self.q_len
        short = np.clip(np.ceil((k - past) / queries) - 1, 0, n)  # tiles that see fewer than k
        kept: Column = short * past + queries * short * (short + 1) / 2 + (n - short) * k
        return kept

    def tile_visits(self, queries: Column, key_tile: Column) -> Column:
        """Pairs (query tile, key tile) of one head.

        The last key tile of a query tile is partly beyond its diagonal: over a full period the
        overhang averages (key_tile - gcd) / 2 keys, with the gcd of both tile sizes.
        """
        n = self.query_tiles(queries)
        if not self.causal:
            return n * np.ceil(_float(self.seq_len) / key_tile)
        common = np.gcd(np.asarray(queries, int), np.asarray(key_tile, int))
        overhang = n * (key_tile - common) / 2
        visits = (self.key_visits(queries) + overhang) / key_tile
        rounded: Column = np.maximum(np.ceil(visits), n)
        return rounded

    @property
    def dense_ops(self) -> Column:
        """Operations of the dense work of all layers, a MAC being 2: 2 L (2 q S d_q + 2 S D d_kv).

        The full square of scores, as the accelerator papers count, and K/V of every token.
        """
        attention = 2 * self.q_len * _float(self.seq_len) * self.d_q
        generation = 2 * _float(self.seq_len) * self.d_model * self.d_kv
        return self.total(2 * (attention + generation))
