"""Predictors of attention scores: DLZS and what it is compared with.

Phase 1 predicts K from the tokens, K^ = W_k x; phase 2 predicts the scores, A^ = Q K^T. A factor
common to a query's scores does not change their order, so integers are compared as they are.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from star_watos.star.algorithms.fixed import (
    Fixed,
    Integers,
    excess_bits,
    narrow,
    quantize,
    truncate,
)
from star_watos.star.algorithms.leading_zero import Snap, snap
from star_watos.star.algorithms.operations import Operations
from star_watos.tensors import AttentionInput, Rotation

PER_HEAD = (1, 2)
"""Axes of [heads, seq_len, head_dim] that share a scale."""
ANGLE_BITS = 14
"""Fraction bits of the sines and cosines that turn K^: 16-bit numbers that reach 1."""


class Method(StrEnum):
    """How a product is estimated."""

    DLZS = "dlzs"
    """Differential leading zeros: one operand a power of two, the other shifted."""
    SLZS = "slzs"
    """Symmetric leading zeros: both operands powers of two (FACT, ISCA 2023)."""
    INT4 = "int4"
    """4-bit multiplication of both operands."""
    EXACT = "exact"
    """No estimate: the scores themselves."""


class Encode(StrEnum):
    """Which operand of phase 2 DLZS turns into leading zeros."""

    QUERY = "query"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Predictor:
    """A predictor and the widths of its numbers, as SOFA (MICRO 2024) gives them."""

    method: Method = Method.DLZS
    snap: Snap = Snap.FLOOR
    encode: Encode = Encode.QUERY
    token_bits: int = 8
    weight_bits: int = 8
    """Before W_k becomes a code of 4 bits and the sign."""
    query_bits: int = 16
    """Before Q becomes a code of 5 bits and the sign."""
    key_bits: int = 16
    """What is kept of a predicted K."""
    score_bits: int = 8
    """What is kept of a predicted score: SOFA's output buffer of 4 KB holds 128 x 32 bytes."""

    def __str__(self) -> str:
        """Return the predictor in one line."""
        match self.method:
            case Method.DLZS:
                return (
                    f"dlzs ({self.snap} snap, {self.encode} encoded, {self.token_bits}-bit tokens, "
                    f"{self.key_bits}-bit K, {self.score_bits}-bit scores)"
                )
            case Method.SLZS | Method.INT4 | Method.EXACT:
                return self.method.value
            case _:
                assert_never(self.method)

    def prepare(self, given: AttentionInput) -> "Prepared":
        """Return both operands of phase 2 for a layer: phase 1, and Q in the form it takes.

        Tokens share one scale and W_k one a head, so that no result needs to be rescaled.
        """
        match self.method:
            case Method.EXACT:
                return Prepared.exactly(given)
            case Method.INT4:
                q = quantize(given.q, 4, axis=PER_HEAD)
                keys = self._keys(given, 4, 4)
                again = quantize(keys.values, 4, axis=PER_HEAD)
                return self._prepared(q, Fixed(again.values, again.scale * keys.scale))
            case Method.DLZS | Method.SLZS:
                q = quantize(given.q, self.query_bits, axis=PER_HEAD)
                keys = self._keys(given, self.token_bits, self.weight_bits)
                both = self.method is Method.SLZS
                snap_q = both or self.encode is Encode.QUERY
                snap_k = both or self.encode is Encode.KEY
                return self._prepared(
                    self._snapped(q) if snap_q else q, self._snapped(keys) if snap_k else keys
                )
            case _:
                assert_never(self.method)

    def _snapped(self, x: Fixed) -> Fixed:
        return Fixed(snap(x.values, self.snap), x.scale)

    def _keys(self, given: AttentionInput, token_bits: int, weight_bits: int) -> Fixed:
        """Return K^ [G, seq_len, head_dim]: phase 1, cut to `key_bits`, then rotated."""
        x, w = quantize(given.x, token_bits), quantize(given.w_k, weight_bits, axis=PER_HEAD)
        if self.method in {Method.DLZS, Method.SLZS}:
            w = self._snapped(w)
        if self.method is Method.SLZS:
            x = self._snapped(x)
        wide = Fixed(x.values @ w.values.swapaxes(1, 2), x.scale * w.scale)
        keys = narrow(wide, self.key_bits, axis=PER_HEAD)
        if given.rotation is None:
            return keys
        turned = Fixed(rotate(keys.values, given.rotation), keys.scale)
        return narrow(turned, self.key_bits, axis=PER_HEAD)  # a pair's turn can reach √2 of it

    def _prepared(self, q: Fixed, keys: Fixed) -> "Prepared":
        """Return the operands with the bits each head drops: no score can exceed |q| |k|."""
        group = len(q.values) // len(keys.values)
        k_most = _longest(keys.values).repeat(group)
        most = _longest(q.values) * k_most
        drop = excess_bits(most, self.score_bits)
        unit = q.scale.ravel() * keys.scale.ravel().repeat(group) * 2.0**drop
        return Prepared(q.values, keys.values, drop, unit * q.values.shape[2] ** -0.5)

    def operations(self, given: AttentionInput, scores: float) -> Operations:
        """Return the operations of both phases for a layer with `scores` predicted scores.

        Phase 1 has S D d_kv products, rotation 4 multiplications and 2 additions a pair of K^,
        phase 2 `scores` head_dim products. A product is a shift and an addition under DLZS, an
        addition of exponents (a shift of one) and an addition under SLZS, a 4-bit multiplication
        and an addition under int4. EXACT predicts nothing and costs the full products.
        """
        pairs = given.x.size * given.k.shape[0] * given.k.shape[2]
        products = pairs + scores * given.q.shape[2]
        turned = 0 if given.rotation is None or self.method is Method.EXACT else given.k.size
        rotation = Operations(mul=2.0 * turned, add=1.0 * turned)
        match self.method:
            case Method.DLZS | Method.SLZS:
                return Operations(shift=products, add=products) + rotation
            case Method.INT4:
                return Operations(low_mul=products, add=products) + rotation
            case Method.EXACT:
                return Operations(mul=products, add=products)
            case _:
                assert_never(self.method)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Operands of phase 2 for all heads of a layer."""

    q: Integers
    """[H, seq_len, head_dim]"""
    keys: Integers
    """[G, seq_len, head_dim]"""
    drop: NDArray[np.int64] | None
    """Low bits that each head's scores lose; None where they are not integers."""
    unit: NDArray[np.float64]
    """Of each head's scores: what 1 means in Q K^T / sqrt(head_dim)."""

    @classmethod
    def exactly(cls, given: AttentionInput) -> "Prepared":
        """Return Q and K as they are."""
        unit = np.full(len(given.q), given.q.shape[2] ** -0.5)
        return cls(given.q.astype(np.float64), given.k.astype(np.float64), None, unit)

    def scores(self, head: int, queries: slice, keys: int) -> NDArray[np.float32]:
        """Return A^ [queries, keys] of one head over the first `keys` keys.

        In float32, which holds integers of up to 24 bits; wider ones are rounded, order kept.
        """
        group = head // (len(self.q) // len(self.keys))
        products = self.q[head, queries] @ self.keys[group, :keys].T
        if self.drop is not None:
            products = truncate(products, self.drop[head])
        return products.astype(np.float32)


def _longest(vectors: Integers) -> Integers:
    """Return the largest norm [heads] of vectors [heads, seq_len, head_dim]."""
    longest: Integers = np.sqrt(np.square(vectors).sum(axis=2)).max(axis=1)
    return longest


def rotate(keys: Integers, rotation: Rotation) -> Integers:
    """Return integer K^ [..., seq_len, head_dim] turned by rotary embedding in fixed point.

    Rotation stands between the two phases and mixes pairs of elements, so it cannot be folded into
    W_k. Hardware turns K^ on the 16-bit array with sines of `ANGLE_BITS` fraction bits: 2 MACs an
    element, 2 / D of the work of phase 1.

    >>> turn = Rotation.of(2, 2, 1.0)
    >>> rotate(np.array([[100.0, 0.0], [100.0, 0.0]]), turn).tolist()
    [[100.0, 0.0], [54.0, 84.0]]
    """
    cos, sin = (np.rint(x.astype(np.float64) * 2**ANGLE_BITS) for x in (rotation.cos, rotation.sin))
    even, odd = keys[..., 0::2], keys[..., 1::2]
    turned = np.empty_like(keys)
    turned[..., 0::2] = np.rint((even * cos - odd * sin) * 2.0**-ANGLE_BITS)
    turned[..., 1::2] = np.rint((even * sin + odd * cos) * 2.0**-ANGLE_BITS)
    return turned
