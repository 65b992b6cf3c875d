"""What a layer's attention works on, and dense attention as the model itself has it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
ROWS = 256
"""Queries of a block: its scores over 8,192 keys are 8 MB, which a cache still holds in part."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Rotary embedding of adjacent pairs: element 2i and 2i + 1 turn by position * frequency i."""

    cos: Floats
    """[seq_len, head_dim / 2]"""
    sin: Floats
    """[seq_len, head_dim / 2]"""

    @classmethod
    def of(cls, seq_len: int, head_dim: int, base: float) -> "Rotation":
        """Return the rotation of Su et al. (RoFormer, 2021): frequency i = base^(-2 i / d).

        >>> Rotation.of(2, 4, 100.0).cos[1].round(4).tolist()
        [0.5403000116348267, 0.9950000047683716]
        """
        frequency = base ** (-np.arange(0, head_dim, 2) / head_dim)
        angle = np.arange(seq_len)[:, None] * frequency
        return cls(np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32))

    def __call__(self, x: Floats) -> Floats:
        """Return x [..., seq_len, head_dim], rotated."""
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = np.empty_like(x)
        turned[..., 0::2] = even * self.cos - odd * self.sin
        turned[..., 1::2] = even * self.sin + odd * self.cos
        return turned


@dataclass(frozen=True, slots=True)
class AttentionInput:
    """What one layer's attention sees: H query heads in groups that share one of G K/V heads."""

    layer: int
    x: Floats
    """[seq_len, d_model]: the normed tokens that W_k multiplies."""
    w_k: Floats
    """[G, head_dim, d_model]"""
    q: Floats
    """[H, seq_len, head_dim], rotated."""
    k: Floats
    """[G, seq_len, head_dim], rotated."""
    v: Floats
    """[G, seq_len, head_dim]"""
    rotation: Rotation | None
    """What stands between W_k x and K; None where positions are added to the tokens."""
    causal: bool

    @property
    def group(self) -> int:
        """Query heads that share a K/V head."""
        return int(self.q.shape[0] // self.k.shape[0])


Attend: TypeAlias = Callable[[AttentionInput], Floats]
"""Returns the attention output [H, seq_len, head_dim] of a layer."""


def blocks(seq_len: int, *, causal: bool, rows: int = ROWS) -> Iterator[tuple[slice, int]]:
    """Yield blocks of queries, each with the number of keys that its last query sees.

    >>> list(blocks(5, causal=True, rows=4))
    [(slice(0, 4, None), 4), (slice(4, 5, None), 5)]
    """
    for first in range(0, seq_len, rows):
        last = min(first + rows, seq_len)
        yield slice(first, last), last if causal else seq_len


def visible(queries: slice, keys: int, *, causal: bool) -> NDArray[np.bool_]:
    """Return which of the first `keys` keys each of `queries` sees, [queries, keys]."""
    if not causal:
        return np.ones((queries.stop - queries.start, keys), dtype=bool)
    seen: NDArray[np.bool_] = np.arange(keys) <= np.arange(queries.start, queries.stop)[:, None]
    return seen


def dense(given: AttentionInput) -> Floats:
    """Return softmax(Q Kᵀ / sqrt(d)) V, [H, seq_len, head_dim], in float32."""
    out = np.empty_like(given.q)
    scale = np.float32(given.q.shape[-1] ** -0.5)
    for queries, keys in blocks(given.q.shape[1], causal=given.causal):
        hidden = ~visible(queries, keys, causal=given.causal)
        for head in range(given.q.shape[0]):
            group = head // given.group
            scores = (given.q[head, queries] * scale) @ given.k[group, :keys].T
            scores[hidden] = -np.inf
            scores -= scores.max(axis=1, keepdims=True)
            weights = np.exp(scores, out=scores)
            total = weights.sum(axis=1, keepdims=True)
            out[head, queries] = weights @ given.v[group, :keys] / total
    return out
