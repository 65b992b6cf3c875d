"""RASS: every need is served once, each key loaded once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from star_watos.star.algorithms.rass import (
    VECTORS_PER_KEY,
    in_order_loads,
    in_order_steps,
    rass_loads,
    schedule,
)

tiles = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=20))


def in_order_by_hand(kept):
    """Distinct keys of each step, step by step."""
    wanted = [np.flatnonzero(row) for row in kept]
    steps = max((len(keys) for keys in wanted), default=0)
    return sum(len({int(keys[t]) for keys in wanted if t < len(keys)}) for t in range(steps))


def test_sofa_example_24_to_16_vector_loads():
    """4 queries, 8 keys. In order: {1, 0, 4}, {3, 1, 2, 5}, {4, 3, 6}, {6, 7}: 12 keys, not 8."""
    kept = np.zeros((4, 8), dtype=bool)
    for query, keys in enumerate(((1, 3, 4, 6), (0, 1, 3, 6), (0, 2, 3, 6), (4, 5, 6, 7))):
        kept[query, list(keys)] = True
    assert in_order_loads(kept) * VECTORS_PER_KEY == 24
    assert rass_loads(kept) * VECTORS_PER_KEY == 16
    # Key 6 is everybody's. Then 3, wanted by queries 0 to 2, leaves query 3 to key 5.
    assert schedule(kept).steps == ((6,), (3, 5), (0, 4), (1, 2, 7))
    assert in_order_steps(kept) == 4


@given(tiles)
def test_in_order_loads_are_those_of_the_steps(kept):
    assert in_order_loads(kept) == in_order_by_hand(kept)
    assert in_order_steps(kept) == kept.sum(axis=1).max()


@given(arrays(bool, (2, 3, 4, 9)))
def test_leading_axes_are_tiles_of_their_own(kept):
    for loads in (in_order_loads, in_order_steps, rass_loads):
        assert loads(kept).shape == (2, 3)
        assert loads(kept).tolist() == [[int(loads(tile)) for tile in row] for row in kept]


@given(tiles)
def test_rass_never_loads_more(kept):
    assert rass_loads(kept) <= in_order_loads(kept)


@given(tiles)
def test_every_need_is_served_once_and_no_key_twice(kept):
    plan = schedule(kept)
    loaded = [key for keys in plan.steps for key in keys]
    assert sorted(loaded) == np.flatnonzero(kept.any(axis=0)).tolist()
    assert plan.loads == rass_loads(kept)
    for keys in plan.steps:
        served = kept[:, list(keys)].sum(axis=1)
        assert served.max() == 1, "a query takes at most one key a step"


@given(tiles)
def test_steps_are_greedy(kept):
    """What waits for a later step shares a query with this one, and is not more shared."""
    plan = schedule(kept)
    for t, keys in enumerate(plan.steps):
        served = kept[:, list(keys)].any(axis=1)
        for later in (key for rest in plan.steps[t + 1 :] for key in rest):
            assert (kept[:, later] & served).any()
            assert kept[:, later].sum() <= kept[:, keys[0]].sum()


@pytest.mark.parametrize("queries", [1, 7, 8, 9, 128])
def test_any_number_of_queries(queries):
    kept = np.random.default_rng(queries).random((queries, 50)) < 0.2
    plan = schedule(kept)
    assert plan.loads == rass_loads(kept)
    assert all(kept[:, list(keys)].sum(axis=1).max() == 1 for keys in plan.steps)
    assert len(plan.steps) >= in_order_steps(kept)
