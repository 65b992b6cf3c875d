"""Operations counted by hand, their weights, and the papers' comparison of update orders."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.star.algorithms.attention import flash_attention2, softmax_attention
from star_watos.star.algorithms.complexity import UpdateOrder, load_complexity, per_key, savings
from star_watos.star.algorithms.operations import (
    MaskCounts,
    Operations,
    ascending_operations,
    descending_operations,
    flash_operations,
    mask_counts,
    softmax_operations,
    sufa_operations,
)
from star_watos.star.algorithms.sufa import sufa

COUNTED = MaskCounts(rows=2, pairs=4, tiles=3, head_dim=2)


def test_the_mask_is_counted():
    """Row 0 keeps keys 0, 1 and 2 in two tiles of two keys, row 1 key 0 alone."""
    kept = np.array([[True, True, True, False], [True, False, False, False]])
    tiles = [slice(0, 2), slice(2, 4)]
    assert mask_counts(kept, tiles, head_dim=2) == COUNTED
    x = np.ones((4, 2))
    variants = (
        (softmax_attention(x[:2], x, x, kept), softmax_operations),
        (flash_attention2(x[:2], x, x, tiles, kept), flash_operations),
        (sufa(x[:2], x, x, tiles, kept, kept), sufa_operations),
    )
    for attended, formula in variants:
        assert attended.operations == formula(COUNTED)


def test_operations_by_hand():
    """K = 4 pairs, T = 3 tiles, 2 rows, d = 2: 2 K d = 16 products and additions, 4 divisions.

    Subtractions of a maximum: 4. Sums of rows: 3 - 1 and 1 - 1, so 2. A rescale or join by tile
    is d + 1 = 3 products. SU-FA adds up the outputs of row 0's second tile: d = 2.
    """
    expected = {
        softmax_operations: Operations(exp=4, compare=2, mul=16, add=16 + 4 + 2, div=4),
        flash_operations: Operations(exp=7, compare=4, mul=16 + 9, add=16 + 8 + 3, div=4),
        sufa_operations: Operations(exp=7, compare=6, mul=16 + 9, add=16 + 4 + 2 + 3 + 2, div=4),
        ascending_operations: Operations(exp=5, compare=0, mul=16 + 3, add=16 + 4 + 2 + 1, div=4),
    }
    for formula, operations in expected.items():
        assert formula(COUNTED) == operations
    one_update = Operations(exp=5, compare=4, mul=16 + 3, add=16 + 4 + 2 + 1, div=4)
    assert descending_operations(COUNTED, updates=1) == one_update
    assert ascending_operations(COUNTED, assured=True) == one_update


def test_shipped_weights():
    """9e6 weighted operations for 2048 * 2048 / 16 exponentials: 34 each."""
    weights = load_complexity().weights
    assert weights.exp == round(9e6 / (2048 * 2048 / 16))
    assert (weights.add, weights.compare, weights.low_mul, weights.mul) == (1, 1, 1, 16)
    assert all(len(text["source"]) > 20 for text in load_complexity().model_dump().values())


def test_savings_by_hand():
    """Bc = 16, d = 64, exp 34, mul 16: descending 35, ascending 51, traditional 36 + 1074 / 16.

    With the products of 64 dimensions, 2 * 64 * (16 + 1) = 2176 more each.
    """
    weights = load_complexity().weights
    traditional = 36 + (34 + 65 * 16) / 16
    softmax = savings(weights, tile_keys=16, head_dim=64)
    assert softmax.against_traditional == pytest.approx(1 - 35 / traditional)
    assert softmax.against_ascending == pytest.approx(1 - 35 / 51)
    everything = savings(weights, tile_keys=16, head_dim=64, products=True)
    assert everything.against_traditional == pytest.approx(1 - 2211 / (2176 + traditional))
    assert everything.against_ascending == pytest.approx(1 - 2211 / 2227)


@given(st.floats(0.1, 100), st.integers(1, 512), st.integers(1, 256))
def test_descending_order_is_never_dearer(exp, tile_keys, head_dim):
    weights = dataclasses.replace(load_complexity().weights, exp=exp)
    saved = savings(weights, tile_keys, head_dim)
    assert 0 < saved.against_ascending < 1
    assert 0 < saved.against_traditional < 1
    assert per_key(UpdateOrder.DESCENDING, tile_keys, head_dim).exp == 1
