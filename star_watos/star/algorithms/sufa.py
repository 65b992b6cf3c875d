"""SU-FA: FlashAttention whose order of updates is given by the predicted scores.

Each tile of keys takes its reference from the prediction instead of looking for its maximum, and
tiles are joined once, at the end. A wrong prediction costs range of the exponential, never the
result: references cancel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from star_watos.star.algorithms.attention import (
    Attended,
    Numbers,
    Values,
    check_tiles,
    full_mask,
    with_ones,
)
from star_watos.star.algorithms.fixed import quantize
from star_watos.star.algorithms.operations import Mask, mask_counts, sufa_operations
from star_watos.star.algorithms.segments import Places


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Widths of the integer path; the defaults are SOFA's 16-bit array."""

    value_bits: int = 16
    """Bits of Q, K and V, sign included; one scale a head, symmetric."""
    exp_bits: int = 16
    """Bits of an exponential (unsigned) and fraction bits of a factor that joins tiles."""
    exp_integer_bits: int = 6
    """Of those, integer bits: mis-ordered keys lie above the reference, so exp exceeds 1.

    The papers give no format. On SmolLM2 six come closest to float64 (docs/algorithms.md): with
    fewer, what saturates costs more than the fraction gains.
    """

    @property
    def exp_fraction_bits(self) -> int:
        """Bits of an exponential below the point."""
        return self.exp_bits - self.exp_integer_bits


@dataclass(frozen=True, slots=True)
class SufaAttended(Attended):
    """What SU-FA gives beside the output."""

    references: Values
    """Reference score of each tile [..., rows, tiles]; -inf where it keeps no key."""
    predicted_best: Values
    """Predicted score of the key predicted best [..., rows, tiles]; -inf likewise."""
    saturated: int = 0
    """Exponentials that did not fit the integer path's width."""


def sufa(
    q: Numbers,
    k: Numbers,
    v: Numbers,
    tiles: Sequence[slice],
    predicted: Numbers,
    kept: Mask | None = None,
    arithmetic: Arithmetic | None = None,
) -> SufaAttended:
    """Attention over tiles j, each with a reference score r_j that the prediction picks.

    r_j = the larger exact score of the two kept keys predicted best (K rows are fed by two);
    l_j = sum exp(s - r_j); o_j = sum exp(s - r_j) v; m = max r_j; f_j = exp(r_j - m);
    O = sum o_j f_j / sum l_j f_j.

    `predicted` [..., rows, keys] gives the order only, finite numbers of any type. In float64
    (`arithmetic=None`) the result depends neither on it nor on the order of tiles, as long as no
    score lies 700 above its reference. The integer path rounds Q, K, V to integers, multiplies
    and sums them exactly, rounds exponentials (of an otherwise exact unit) to nearest and
    saturates them, and rounds f_j. Source: SOFA (MICRO 2024), section on SU-FA, with each tile's
    output scaled by f_j, which the printed listing leaves out.

    >>> one = np.ones((2, 4))
    >>> sufa(one, one, one, [slice(0, None, 2), slice(1, None, 2)], np.eye(2)).output[0]
    array([1., 1., 1., 1.])
    """
    mask = full_mask(q, k, kept)
    check_tiles(tiles, mask.shape[-1])
    lead = mask.shape[:-2]
    q, k, v, order = (
        np.broadcast_to(x, (*lead, *x.shape[-2:]))
        for x in (q, k, v, np.broadcast_to(predicted, mask.shape))
    )
    # Head by head, so that a tile's scores stay in the cache.
    heads = [
        _attend(_head(q[i], k[i], v[i], arithmetic), tiles, order[i], mask[i], arithmetic)
        for i in np.ndindex(lead)
    ]
    operations = sufa_operations(mask_counts(mask, tiles, q.shape[-1]))
    return SufaAttended(
        np.stack([h.output for h in heads]).reshape(*lead, q.shape[-2], v.shape[-1]),
        operations,
        np.stack([h.references for h in heads]).reshape(*mask.shape[:-1], len(tiles)),
        np.stack([h.best for h in heads]).reshape(*mask.shape[:-1], len(tiles)),
        sum(h.saturated for h in heads),
    )


def predicted_order(attended: SufaAttended) -> NDArray[np.intp]:
    """Return the tiles of each row [..., rows, tiles], predicted best first."""
    order: NDArray[np.intp] = np.argsort(-attended.predicted_best, axis=-1, kind="stable")
    return order


def max_updates(references: Values, order: NDArray[np.intp]) -> int:
    """Return how often a later tile's reference exceeds all before it; empty tiles (-inf) do not.

    Both are [..., rows, tiles]; tile `order[..., 0]` comes first.

    >>> max_updates(np.array([[3.0, 5.0, -np.inf, 4.0]]), np.array([[2, 0, 3, 1]]))
    2
    """
    visited = np.take_along_axis(references, order, axis=-1)
    before = np.maximum.accumulate(visited, axis=-1)[..., :-1]
    return int(np.count_nonzero((visited[..., 1:] > before) & (before > -np.inf)))


class _Head(NamedTuple):
    """Operands of one head, in float64; on the integer path they are whole numbers.

    Products of such numbers are exact in float64 below 2**53 (16-bit values and d = 64 give
    2**36), whatever the order of the sum, and BLAS has no integers.
    """

    q: Values
    k: Values
    v: Values
    """With a column of ones."""
    score_scale: float
    value_scale: float


class _Weights(NamedTuple):
    """What a head's scores become, tile by tile."""

    p: Values
    """exp(s - r) of kept pairs, 0 of others [tiles, rows, width]."""
    references: Values
    """r in units of the scores [tiles, rows]; -inf where a tile keeps no key."""
    best: Values
    """Predicted score of the key predicted best [tiles, rows]."""
    saturated: int


class _Result(NamedTuple):
    output: Values
    references: Values
    best: Values
    saturated: int


def _head(q: Numbers, k: Numbers, v: Numbers, arithmetic: Arithmetic | None) -> _Head:
    root = float(np.sqrt(q.shape[-1]))
    if arithmetic is None:
        exact = np.asarray(q, dtype=np.float64), np.asarray(k, dtype=np.float64), with_ones(v)
        return _Head(*exact, score_scale=1 / root, value_scale=1.0)
    query, keys, values = (quantize(x, arithmetic.value_bits) for x in (q, k, v))
    scale = float(query.scale * keys.scale) / root
    return _Head(query.values, keys.values, with_ones(values.values), scale, float(values.scale))


def _attend(
    head: _Head,
    tiles: Sequence[slice],
    predicted: Numbers,
    kept: Mask,
    arithmetic: Arithmetic | None,
) -> _Result:
    """Return the output [rows, d] of one head: partial sums by tile, then one synchronisation."""
    places = Places.of(tiles, kept.shape[1])
    weights = _weights(head, places, predicted, kept, arithmetic)
    below = weights.references - weights.references.max(axis=0)
    factors = np.exp(below * head.score_scale)
    if arithmetic is not None:
        factors = np.rint(factors * 2.0**arithmetic.exp_bits)
    partial = weights.p @ places.split(head.v, 0.0, axis=-2)
    total = np.einsum("trd,tr->rd", partial, factors)
    output = total[:, :-1] / total[:, -1:] * head.value_scale
    references = weights.references.T * head.score_scale
    return _Result(output, references, weights.best.T, weights.saturated)


def _weights(
    head: _Head,
    places: Places,
    predicted: Numbers,
    kept: Mask,
    arithmetic: Arithmetic | None,
) -> _Weights:
    """Return the exponentials of all tiles at once.

    All but the product works on kept pairs alone, picked and put back by flat index: masks are
    random, and branches on them cost several times as much.
    """
    pairs = np.flatnonzero(_by_tile(places, kept, fill=False))
    scores = head.q @ places.split(head.k, 0.0, axis=-2).swapaxes(1, 2)
    order = np.full(scores.shape, -np.inf, dtype=np.result_type(predicted, np.float32))
    order.ravel()[pairs] = _by_tile(places, predicted, fill=0.0).ravel()[pairs]
    references, best = _references(scores, order)
    per_row = _per_row(pairs, scores.shape)
    exponentials = scores.ravel()[pairs] - np.repeat(references.ravel(), per_row.ravel())
    saturated = _exponentiate(exponentials, head.score_scale, arithmetic)
    scores.fill(0.0)
    scores.ravel()[pairs] = exponentials
    references[per_row == 0] = -np.inf
    return _Weights(scores, references, best, saturated)


def _by_tile(places: Places, x: Numbers, fill: float) -> Numbers:
    """Return x [rows, keys] as [tiles, rows, width]."""
    return np.ascontiguousarray(places.split(x, fill).swapaxes(0, 1))


def _per_row(pairs: NDArray[np.intp], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return how many of the flat indices lie in each row [tiles, rows] of `shape`."""
    rows = shape[0] * shape[1]
    edges = np.searchsorted(pairs, np.arange(rows + 1) * shape[2])
    return np.diff(edges).reshape(shape[:2])


def _references(scores: Values, order: Numbers) -> tuple[Values, Values]:
    """Return the larger exact score of the two best of `order`, and the best one's prediction.

    Both are [tiles, rows] of [tiles, rows, width]; `order` loses its best.
    """
    first = order.argmax(axis=-1, keepdims=True)
    best = np.take_along_axis(order, first, axis=-1)[..., 0].astype(np.float64)
    np.put_along_axis(order, first, -np.inf, axis=-1)
    second = order.argmax(axis=-1, keepdims=True)
    is_kept = np.take_along_axis(order, second, axis=-1) > -np.inf
    other = np.where(is_kept, np.take_along_axis(scores, second, axis=-1), -np.inf)
    larger = np.maximum(np.take_along_axis(scores, first, axis=-1), other)
    return larger[..., 0], best


def _exponentiate(x: Values, scale: float, arithmetic: Arithmetic | None) -> int:
    """Replace x by exp(x scale), on the integer path as whole numbers; return how many saturate."""
    x *= scale
    if arithmetic is None:
        np.exp(x, out=x)
        return 0
    with np.errstate(over="ignore"):  # infinity saturates as well
        np.exp(x, out=x)
    x *= 2.0**arithmetic.exp_fraction_bits
    np.rint(x, out=x)
    most = 2.0**arithmetic.exp_bits - 1
    saturated = int(np.count_nonzero(x > most)) if x.size and x.max() > most else 0
    np.minimum(x, most, out=x)
    return saturated
