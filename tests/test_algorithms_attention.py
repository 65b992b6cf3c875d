"""Attention by softmax, FlashAttention-2 and SU-FA: one answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.star.algorithms.attention import flash_attention2, softmax_attention
from star_watos.star.algorithms.sufa import Arithmetic, max_updates, predicted_order, sufa

KEYS = 48
TILINGS = {
    "one tile": [slice(None)],
    "contiguous": [slice(i, i + 12) for i in range(0, KEYS, 12)],
    "uneven": [slice(0, 5), slice(5, 40), slice(40, KEYS)],
    "strided": [slice(i, None, 4) for i in range(4)],
}
tilings = pytest.mark.parametrize("tiles", TILINGS.values(), ids=TILINGS)


def tensors(seed=0, lead=(2,), rows=20, keys=KEYS, d=16):
    rng = np.random.default_rng(seed)
    shapes = [(*lead, n, d) for n in (rows, keys, keys)]
    return *(rng.normal(size=shape) for shape in shapes), rng.normal(size=(*lead, rows, keys))


def by_definition(q, k, v, kept):
    """Softmax attention row by row, each over its own keys."""
    output = np.empty((*q.shape[:-1], v.shape[-1]))
    for i in np.ndindex(q.shape[:-1]):
        seen = kept[i]
        weights = np.exp(k[i[:-1]][seen] @ q[i] / np.sqrt(q.shape[-1]))
        output[i] = weights @ v[i[:-1]][seen] / weights.sum()
    return output


def masks(shape, rng):
    """All, causal, and a causal choice that leaves whole tiles empty."""
    causal = np.arange(shape[-1]) <= np.arange(shape[-2])[:, None]
    chosen = causal & (rng.random(shape) < 0.1)
    chosen[..., 0] = True
    return np.ones(shape, dtype=bool), np.broadcast_to(causal, shape), chosen


@tilings
@pytest.mark.parametrize("mask", range(3), ids=["all", "causal", "chosen"])
def test_all_variants_give_softmax(tiles, mask):
    q, k, v, predicted = tensors()
    kept = masks(predicted.shape, np.random.default_rng(1))[mask]
    expected = by_definition(q, k, v, kept)
    outputs = [
        softmax_attention(q, k, v, kept).output,
        flash_attention2(q, k, v, tiles, kept).output,
        sufa(q, k, v, tiles, predicted, kept).output,
    ]
    for output in outputs:
        np.testing.assert_allclose(output, expected, rtol=1e-6, atol=1e-12)


@tilings
def test_all_keys_are_kept_without_a_mask(tiles):
    q, k, v, predicted = tensors(lead=())
    everything = softmax_attention(q, k, v, np.ones_like(predicted, dtype=bool))
    for attended in (softmax_attention(q, k, v), flash_attention2(q, k, v, tiles)):
        np.testing.assert_allclose(attended.output, everything.output, rtol=1e-12)
    attended = sufa(q, k, v, tiles, predicted.astype(np.int16))
    np.testing.assert_allclose(attended.output, everything.output, rtol=1e-12)


def test_heads_share_keys_and_values():
    """Four query heads on two K/V heads, by broadcasting; the mask of rows is shared too."""
    rng = np.random.default_rng(2)
    q, k, v = (rng.normal(size=shape) for shape in ((2, 2, 5, 8), (2, 1, 9, 8), (2, 1, 9, 8)))
    kept = rng.random((5, 9)) < 0.5
    kept[:, 4] = True
    tiles = [slice(0, 4), slice(4, 9)]
    all_heads = [np.broadcast_to(x, (2, 2, *x.shape[-2:])) for x in (q, k, v)]
    expected = by_definition(*all_heads, np.broadcast_to(kept, (2, 2, 5, 9)))
    attended = sufa(q, k, v, tiles, rng.integers(0, 9, (5, 9)), kept)
    np.testing.assert_allclose(attended.output, expected, rtol=1e-12)
    assert attended.references.shape == (2, 2, 5, 2)
    np.testing.assert_allclose(flash_attention2(q, k, v, tiles, kept).output, expected, rtol=1e-12)


@given(st.permutations(range(6)), st.integers(0, 2**32 - 1))
def test_neither_order_of_tiles_nor_prediction_changes_the_result(order, seed):
    q, k, v, predicted = tensors(seed, lead=(), rows=4, keys=18, d=4)
    kept = np.random.default_rng(seed).random(predicted.shape) < 0.3
    kept[:, 7] = True
    tiles = [slice(i, None, 6) for i in range(6)]
    straight = sufa(q, k, v, tiles, q @ k.T, kept)
    shuffled = sufa(q, k, v, [tiles[i] for i in order], predicted, kept)
    np.testing.assert_allclose(shuffled.output, straight.output, rtol=1e-9, atol=1e-12)
    assert shuffled.operations == straight.operations


def quantized(x, bits):
    scale = np.abs(x).max() / (2 ** (bits - 1) - 1)
    return np.rint(x / scale).astype(np.int64), scale


def exponential(score, most, fraction_bits):
    """Return exp to nearest (ties to even), and whether it saturates."""
    p = round(float(np.exp(score)) * 2**fraction_bits)
    return min(p, most), p > most


def integer_row(q, k, v, scale, tiles, predicted, kept, arithmetic):
    """One row of SU-FA in Python's and int64's integers; q, k, v are int64."""
    partials, saturated = [], 0
    for tile in tiles:
        keys = [j for j in range(len(k))[tile] if kept[j]]
        if not keys:
            continue
        scores = {j: int(k[j] @ q) for j in keys}
        pair = sorted(keys, key=lambda j: -predicted[j])[:2]
        reference = max(scores[j] for j in pair)
        most, fraction = 2**arithmetic.exp_bits - 1, arithmetic.exp_fraction_bits
        p = {j: exponential((scores[j] - reference) * scale, most, fraction) for j in keys}
        saturated += sum(over for _, over in p.values())
        sums = [sum(p[j][0] for j in keys), *sum(p[j][0] * v[j] for j in keys).tolist()]
        partials.append((reference, sums))
    largest = max(reference for reference, _ in partials)
    factors = [
        round(float(np.exp((reference - largest) * scale)) * 2**arithmetic.exp_bits)
        for reference, _ in partials
    ]
    total, *outputs = (
        sum(f * sums[i] for f, (_, sums) in zip(factors, partials, strict=True))
        for i in range(v.shape[-1] + 1)
    )
    assert max(map(abs, [total, *outputs])) < 2**53, "exact in float64"
    return [x / total for x in outputs], saturated


@tilings
@pytest.mark.parametrize("spread", [1.0, 4.0], ids=["in range", "saturating"])
def test_integer_path_is_that_of_int64_bit_for_bit(tiles, spread):
    q, k, v, predicted = tensors(3, lead=())
    q = q * spread
    kept = masks(predicted.shape, np.random.default_rng(4))[2]
    arithmetic = Arithmetic()
    (qi, q_scale), (ki, k_scale), (vi, v_scale) = (
        quantized(x, arithmetic.value_bits) for x in (q, k, v)
    )
    scale = q_scale * k_scale / np.sqrt(q.shape[-1])
    rows = [
        integer_row(qi[i], ki, vi, scale, tiles, predicted[i], kept[i], arithmetic)
        for i in range(len(q))
    ]
    attended = sufa(q, k, v, tiles, predicted, kept, arithmetic)
    np.testing.assert_array_equal(attended.output, np.array([r for r, _ in rows]) * v_scale)
    assert attended.saturated == sum(s for _, s in rows)
    assert (attended.saturated > 0) == (spread > 1)


@tilings
@pytest.mark.parametrize(
    ("arithmetic", "most"),
    [
        (Arithmetic(12, 16), 0.1),
        (Arithmetic(exp_integer_bits=4), 0.02),
        (Arithmetic(), 0.08),  # two fraction bits fewer: four times as much
        (Arithmetic(22, 28), 1e-4),
    ],
    ids=str,
)
def test_integer_path_is_within_its_rounding(tiles, arithmetic, most):
    """The bound, row by row, without saturation.

    Scores: elements of q, k, v are off by at most half a step (a, b, c), so q k / sqrt(d) is off by
    at most e = (b |q|_1 + a |k|_1 + d a b) / sqrt(d), and each softmax weight by a factor within
    exp(+-2e): the weights' errors sum to at most exp(2e) - 1.
    Exponentials: p < P = 2^integer bits is off by at most u = 2^-(fraction bits + 1), its factor
    f <= 1 by at most g = 2^-(exp_bits + 1), their product by at most h = u (1 + g) + P g. The
    products of K keys sum to L or more, L = exp(-e) sum exp(s - best reference), so the weights'
    errors sum to at most 2 K h / L more. Output: max|v| (exp(2e) - 1 + 2 K h / L) + c.
    """
    q, k, v, noise = tensors(5, lead=())
    root, scores = np.sqrt(q.shape[-1]), q @ k.T / np.sqrt(q.shape[-1])
    attended = sufa(q, k, v, tiles, scores + noise / 4, arithmetic=arithmetic)
    assert attended.saturated == 0
    a, b, c = (np.abs(x).max() / (2**arithmetic.value_bits - 2) for x in (q, k, v))
    e = (b * np.abs(q).sum(1) + a * np.abs(k).sum(1).max() + root**2 * a * b) / root
    u, g = 2.0 ** -(arithmetic.exp_fraction_bits + 1), 2.0 ** -(arithmetic.exp_bits + 1)
    h = u * (1 + g) + 2**arithmetic.exp_integer_bits * g
    least = np.exp(scores - attended.references.max(axis=1, keepdims=True)).sum(1) * np.exp(-e)
    bound = np.abs(v).max() * (np.expm1(2 * e) + 2 * KEYS * h / least) + c
    error = np.abs(attended.output - softmax_attention(q, k, v).output).max(axis=1)
    assert (error <= bound).all()
    assert bound.max() < most


def test_a_head_of_zeros_is_no_division_by_zero():
    zeros = np.zeros((1, 2, 4))
    assert not sufa(
        zeros, zeros, zeros, [slice(None)], np.zeros((2, 2)), None, Arithmetic()
    ).output.any()


def test_empty_tiles_have_no_reference():
    q, k, v, predicted = tensors(lead=(), rows=2)
    kept = np.zeros(predicted.shape, dtype=bool)
    kept[:, 13] = True
    attended = sufa(q, k, v, TILINGS["contiguous"], predicted, kept)
    assert (attended.references > -np.inf).tolist() == [[False, True, False, False]] * 2
    assert (attended.predicted_best[:, 1] == predicted[:, 13]).all()
    assert attended.operations.exp == 2 * (1 + 1)


@tilings
def test_an_exact_prediction_needs_no_update(tiles):
    q, k, v, random = tensors(6)
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    exact = sufa(q, k, v, tiles, scores)
    for j, tile in enumerate(tiles):
        np.testing.assert_allclose(exact.references[..., j], scores[..., tile].max(axis=-1))
    assert max_updates(exact.references, predicted_order(exact)) == 0
    wrong = sufa(q, k, v, tiles, random)
    assert (max_updates(wrong.references, predicted_order(wrong)) > 0) == (len(tiles) > 1)


def test_the_pair_fed_together_gives_the_reference():
    """Of the two keys predicted best, 0 and 1, the second has the larger score."""
    q, k = np.ones((1, 1)), np.array([[1.0], [3.0], [9.0]])
    attended = sufa(q, k, k, [slice(None)], np.array([[5, 4, 3]], dtype=np.uint8))
    assert attended.references.tolist() == [[3.0]]
    assert attended.predicted_best.tolist() == [[5.0]]


def test_wrong_tiles_and_empty_rows_are_named():
    q, k, v, predicted = tensors(lead=())
    with pytest.raises(ValueError, match=r"tiles: key 2 is in 0 tiles; each of the 48 keys"):
        sufa(q, k, v, [slice(0, 2)], predicted)
    with pytest.raises(ValueError, match=r"kept: every row must keep at least one key"):
        flash_attention2(q, k, v, [slice(None)], predicted > np.inf)
