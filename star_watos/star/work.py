"""What attention has to do, before any hardware is named: counts of keys, pairs and operations."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column


def _float(x: Column) -> NDArray[np.float64]:
    return np.asarray(x, dtype=np.float64)


def _misses(share: Column) -> Column:
    """Return -ln(1 - share), kept finite where all are kept."""
    logs: Column = -np.log1p(-np.minimum(share, 1 - 1e-12))
    return logs


def _power(ratio: Column, count: Column) -> Column:
    """Return the exponent x in [0, 1] of count^x = ratio; 1 for a count of 1."""
    logs = np.log(np.maximum(count, 1.0))
    x: Column = np.clip(np.log(ratio) / np.where(logs > 0, logs, 1.0), 0.0, 1.0)
    return np.where(logs > 0, x, 1.0)


@dataclass(frozen=True, slots=True)
class AttentionWork:
    """Attention with K/V generation of all layers of a model, `q_len` queries over `seq_len` keys.

    Prefill has q_len = seq_len; a chunk or a speculated block has its queries at the end, and the
    tokens before them `cached`.

    Layers that differ in what they keep, and chunks, are groups of equal ones along a last axis:
    ratios, lengths and `n_layers` are then [groups], a key tile is put `beside` them as [..., 1],
    and quantities of one layer are [..., groups] until `total` adds the layers up. Where all layers
    are equal there is no such axis.
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
    """Share of the keys that `load_rows` queries of a head keep together; or `kv_ratio`."""
    load_rows: Column = 128.0
    """Queries of which `load_ratio` was measured."""
    group_load_ratio: Column | None = None
    """The same of `group_heads` heads on one K/V head; heads choose alone when left out."""
    group_heads: Column = 1.0
    """Heads of which `group_load_ratio` was measured."""
    cached: Column = 0.0
    """Tokens at the start whose predicted K, and K and V if anyone kept them, are in DRAM."""
    in_order_distinct: Column = 1.0
    """Loads of the in-order schedule over the keys that its queries keep."""
    whole_len: Column | None = None
    """Length of which `keep_ratio` is a share, where chunks see less; or `seq_len`."""

    @property
    def loaded_ratio(self) -> Column:
        """`load_ratio`, or what stands for it."""
        return self.kv_ratio if self.load_ratio is None else self.load_ratio

    def loaded_share(self, rows: Column, heads: Column = 1.0) -> Column:
        """Return the share of the keys that any of `rows` queries of `heads` heads keeps.

        U = 1 - (1 - keep)^(rows^a heads^b): the sets of one query each are joined, and what all
        of them miss falls off as a power of their number. a and b, from 0 (all keep the same) to 1
        (each chooses alone), are those that give `load_ratio` and `group_load_ratio`.

        >>> two = AttentionWork(1, 1, 1, 1, 1, 8, 8, 0.5, 0.75, load_ratio=0.75, load_rows=2)
        >>> [float(two.loaded_share(rows)) for rows in (1, 2, 4)]  # independent: a is 1
        [0.5, 0.75, 0.9375]
        """
        one = _misses(self.keep_ratio)
        tile = _misses(self.loaded_ratio)
        a = _power(tile / one, self.load_rows)
        b: Column = 1.0
        if self.group_load_ratio is not None:
            b = _power(_misses(self.group_load_ratio) / tile, self.group_heads)
        share: Column = -np.expm1(-one * np.power(rows, a) * np.power(heads, b))
        return share

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
        """Keys k that a query keeps: ceil(keep_ratio * length), of the whole text."""
        k: Column = np.ceil(self.keep_ratio * _float(self._whole))
        return k

    @property
    def _whole(self) -> Column:
        """Length of the whole text."""
        return self.seq_len if self.whole_len is None else self.whole_len

    @property
    def new_tokens(self) -> Column:
        """Tokens whose K is not predicted yet."""
        return self.seq_len - _float(self.cached)

    @property
    def generated_tokens(self) -> Column:
        """Tokens whose K and V are generated: ceil(kv_ratio * new tokens)."""
        tokens: Column = np.ceil(self.kv_ratio * self.new_tokens)
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
        q, s = _float(self.q_len), _float(self.seq_len)
        k = np.minimum(self.kept_per_row, s)
        if not self.causal:
            return q * k
        first = s - q + 1
        short = np.clip(k - first, 0, q)  # queries that see fewer than k keys
        return short * (2 * first + short - 1) / 2 + (q - short) * k

    def dense(self) -> "AttentionWork":
        """Return the same where every key is kept, generated and loaded."""
        return replace(self, keep_ratio=1.0, kv_ratio=1.0, load_ratio=1.0, group_load_ratio=None)

    @property
    def dense_ops(self) -> Column:
        """Operations of the dense work of all layers, a MAC being 2: 2 L (2 q S d_q + 2 N D d_kv).

        The full square of scores, as the accelerator papers count, and K/V of the N new tokens. A
        chunk counts its queries against the whole text, so that chunks add up to the prefill.
        """
        attention = 2 * self.q_len * _float(self._whole) * self.d_q
        generation = 2 * self.new_tokens * self.d_model * self.d_kv
        return self.total(2 * (attention + generation))
