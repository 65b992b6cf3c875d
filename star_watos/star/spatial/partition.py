"""How many pairs of query and key each core, or each pair of cores, has to do."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from star_watos.star.spatial.choice import Partition

Stretches = NDArray[np.float64]
"""Tokens of each core, [cores, stretches, 2]: from and to, as shares of the sequence."""


def stretches(partition: Partition, n: int) -> Stretches:
    """Return which tokens each of n cores has; of stripes, that each has a share of all.

    >>> stretches(Partition.ZIGZAG, 2).tolist()
    [[[0.0, 0.25], [0.75, 1.0]], [[0.25, 0.5], [0.5, 0.75]]]
    """
    i = np.arange(n)
    match partition:
        case Partition.PLAIN:
            one: Stretches = np.stack([i, i + 1], axis=-1)[:, None, :] / n
            return one
        case Partition.ZIGZAG:
            last = 2 * n - 1 - i
            two = np.stack([[i, i + 1], [last, last + 1]], axis=0).transpose(2, 0, 1)
            both: Stretches = two / (2 * n)
            return both
        case Partition.STRIPED:
            return np.broadcast_to(np.array([0.0, 1.0]), (n, 1, 2))


@lru_cache(maxsize=16)
def shared_pairs(
    partition: Partition, queries: int, keys: int, *, causal: bool
) -> NDArray[np.float64]:
    """Return `pair_shares` of so many parts of the queries with so many of the keys."""
    parts = stretches(partition, queries), stretches(partition, keys)
    return pair_shares(*parts, causal=causal)


def pair_shares(queries: Stretches, keys: Stretches, *, causal: bool) -> NDArray[np.float64]:
    """Return the share of all pairs that each core's queries have with each core's keys.

    [cores of queries, cores of keys]; sums to 1. Causal: keys up to the query.

    >>> plain = stretches(Partition.PLAIN, 2)
    >>> pair_shares(plain, plain, causal=True).tolist()
    [[0.25, 0.0], [0.5, 0.25]]
    """
    begin, end = (queries[:, :, None, None, side] for side in (0, 1))
    first, last = (keys[None, None, :, :, side] for side in (0, 1))
    if causal:
        pairs = _below(end, first, last) - _below(begin, first, last)
    else:
        pairs = (end - begin) * (last - first)
    # A stripe is a stretch of all, thinned: its pairs with another are a like share of all.
    each = pairs.sum(axis=(1, 3))
    share: NDArray[np.float64] = each / each.sum()
    return share


def _below(
    q: NDArray[np.float64], first: NDArray[np.float64], last: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pairs of queries up to q with keys from `first` to `last` that are not after them."""
    width = last - first
    inside = np.clip(q - first, 0.0, width)
    area: NDArray[np.float64] = inside**2 / 2 + width * np.maximum(q - last, 0.0)
    return area


def stripe_waste(partition: Partition, n: int, query_tile: int, seq_len: float) -> float:
    """Share of work added because a tile of striped queries reaches over n times its length.

    Its keys are those of its last query: on average half of its reach too many, of half of the
    sequence.
    """
    return query_tile * (n - 1) / seq_len if partition is Partition.STRIPED else 0.0
