"""Softmax attention and FlashAttention-2 under a mask: the references of SU-FA.

Shapes everywhere: q [..., rows, d], k and v [..., keys, d], kept bool [..., rows, keys], with
leading axes (heads) that broadcast. `kept` is the mask, causal and selected; every row keeps at
least one key, and only kept pairs cost anything. Scores are q k^T / sqrt(d).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from star_watos.star.algorithms.operations import (
    Mask,
    Operations,
    flash_operations,
    mask_counts,
    softmax_operations,
)

Values = NDArray[np.float64]
Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Attended:
    """The output of an attention, float64 [..., rows, d], and what it took."""

    output: Values
    operations: Operations


def softmax_attention(q: Numbers, k: Numbers, v: Numbers, kept: Mask | None = None) -> Attended:
    """Attention as defined: O = softmax(q k^T / sqrt(d)) v over the kept keys, in float64.

    >>> one = np.ones((1, 2, 4))
    >>> softmax_attention(one, one, one).output[0, 0]
    array([1., 1., 1., 1.])
    """
    mask = full_mask(q, k, kept)
    scores = _scores(scaled(q), k, mask)
    scores -= scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores, out=scores)
    output = weights @ np.asarray(v, dtype=np.float64) / weights.sum(axis=-1, keepdims=True)
    counts = mask_counts(mask, [slice(None)], q.shape[-1])
    return Attended(output, softmax_operations(counts))


def flash_attention2(
    q: Numbers, k: Numbers, v: Numbers, tiles: Sequence[slice], kept: Mask | None = None
) -> Attended:
    """FlashAttention-2: a running maximum m, by which sum and output are rescaled each tile.

    m' = max(m, max s); f = exp(m - m'); l' = l f + sum exp(s - m'); O' = O f + exp(s - m') v;
    O / l at the end. `tiles` are slices over keys that share them out, contiguous or strided.
    Source: Dao, FlashAttention-2 (2023), algorithm 1.
    """
    mask = full_mask(q, k, kept)
    check_tiles(tiles, mask.shape[-1])
    query, value = scaled(q), with_ones(v)
    maximum = np.full((*mask.shape[:-1], 1), -np.inf)
    total = np.zeros((*mask.shape[:-1], value.shape[-1]))
    for tile in tiles:
        scores = _scores(query, k[..., tile, :], mask[..., tile])
        larger = np.maximum(maximum, scores.max(axis=-1, keepdims=True))
        shift = np.where(np.isneginf(larger), 0.0, larger)  # no key yet: not -inf - -inf
        total *= np.exp(maximum - shift)
        scores -= shift
        total += np.exp(scores, out=scores) @ value[..., tile, :]
        maximum = larger
    output = total[..., :-1] / total[..., -1:]
    return Attended(output, flash_operations(mask_counts(mask, tiles, q.shape[-1])))


def full_mask(q: Numbers, k: Numbers, kept: Mask | None) -> Mask:
    """Return `kept`, or all, as [..., rows, keys] of the scores; `ValueError` for an empty row."""
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2])
    wanted = np.ones((), dtype=np.bool_) if kept is None else kept
    mask = np.broadcast_to(wanted, (*lead, q.shape[-2], k.shape[-2]))
    if not mask.any(axis=-1).all():
        raise ValueError("kept: every row must keep at least one key")
    return mask


def check_tiles(tiles: Sequence[slice], keys: int) -> None:
    """Raise `ValueError` unless every key is in exactly one tile.

    >>> check_tiles([slice(0, 2), slice(1, 4)], keys=4)
    Traceback (most recent call last):
    ValueError: tiles: key 1 is in 2 tiles; each of the 4 keys must be in one
    """
    found = np.zeros(keys, dtype=np.int64)
    for tile in tiles:
        found[tile] += 1
    wrong = np.flatnonzero(found != 1)
    if wrong.size:
        key = int(wrong[0])
        raise ValueError(
            f"tiles: key {key} is in {found[key]} tiles; each of the {keys} keys must be in one"
        )


def scaled(q: Numbers) -> Values:
    """Return q / sqrt(d) in float64."""
    query: Values = np.asarray(q, dtype=np.float64) / np.sqrt(q.shape[-1])
    return query


def with_ones(v: Numbers) -> Values:
    """Return v in float64 with a column of ones, so that one product sums p v and p."""
    return np.concatenate([v, np.ones((*v.shape[:-1], 1))], axis=-1, dtype=np.float64)


def _scores(query: Values, keys: Numbers, mask: Mask) -> Values:
    """Return query keys^T, and -inf where the mask does not keep the pair."""
    scores: Values = query @ np.asarray(keys, dtype=np.float64).swapaxes(-1, -2)
    np.copyto(scores, -np.inf, where=~mask)
    return scores
