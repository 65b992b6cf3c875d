"""The pruned sorting network, on every input of zeros and ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star_watos.star.algorithms.sorter import (
    comparators_per_step,
    full_sort_comparators,
    network,
    pruned,
)
from star_watos.star.sorting import passes, steps


def bits(inputs):
    """All inputs of zeros and ones, a wire an entry."""
    numbers = np.arange(2**inputs)
    return [(numbers >> wire & 1).astype(bool) for wire in range(inputs)]


def run(comparators, wires):
    wires = list(wires)
    for a, b in comparators:
        wires[a], wires[b] = np.maximum(wires[a], wires[b]), np.minimum(wires[a], wires[b])
    return wires


@pytest.mark.parametrize("inputs", [1, 2, 4, 8, 16])
def test_the_whole_network_sorts(inputs):
    """By the 0-1 principle: what sorts all zeros and ones sorts everything."""
    wires = bits(inputs)
    ones = sum(wire.astype(int) for wire in wires)
    for place, wire in enumerate(run(network(inputs), wires)):
        assert (wire == (ones > place)).all()
    assert len(network(inputs)) == full_sort_comparators(inputs)


@pytest.mark.parametrize(
    ("inputs", "survivors", "ordered"),
    [(16, 4, 2), (16, 4, 0), (16, 4, 4), (16, 1, 1), (8, 3, 1), (8, 8, 2)],
)
def test_survivors_are_the_largest_and_the_first_in_order(inputs, survivors, ordered):
    """On all 2**inputs zeros and ones: survivors hold min(ones, survivors) of them."""
    wires = bits(inputs)
    ones = sum(wire.astype(int) for wire in wires)
    out = run(pruned(inputs, survivors, ordered), wires)
    surviving = sum(wire.astype(int) for wire in out[:survivors])
    assert (surviving == np.minimum(ones, survivors)).all()
    for place in range(ordered):
        assert (out[place] == (ones > place)).all()


@given(st.lists(st.floats(allow_nan=False), min_size=16, max_size=16))
def test_any_sixteen_numbers(numbers):
    out = [float(x) for x in run(pruned(), numbers)]
    largest = sorted(numbers, reverse=True)
    assert out[:2] == largest[:2]
    assert sorted(out[:4], reverse=True) == largest[:4]


def test_pruning_by_hand():
    """80 comparators: 8 + 16 + 24 up to two runs of eight, 32 to merge them.

    Of the merge, 4 of 16 outputs need 8 + 4 + 2 comparators and (0, 1) for the order of the first
    two: 48 + 15 = 63.
    """
    assert len(network(16)) == 8 + 16 + 24 + 32
    assert comparators_per_step() == 48 + 8 + 4 + 2 + 1
    assert comparators_per_step(ordered=4) == comparators_per_step() + 1
    assert comparators_per_step(survivors=16, ordered=16) == 80


def test_inputs_that_are_no_power_of_two_are_refused():
    with pytest.raises(ValueError, match=r"inputs: expected a power of two, got 12"):
        network(12)


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_steps_and_passes_are_enough(keys, quota):
    """One pass takes in the whole segment, one step less would not; likewise passes."""
    assert 4 + 12 * steps(keys) >= keys
    assert steps(keys) == 1 or 4 + 12 * (steps(keys) - 1) < keys
    assert 4 * passes(quota) >= quota > 4 * (passes(quota) - 1)


def test_steps_and_passes_take_columns():
    assert steps(np.array([16.0, 256.0])).tolist() == [1, 21]
    assert passes(np.array([4.0, 8.5])).tolist() == [1, 3]
    assert steps(10.0, inputs=8, survivors=2) == 2


@pytest.mark.parametrize(("n", "comparators"), [(1, 0), (2, 1), (3, 6), (1000, 28160)])
def test_a_whole_sort_is_padded(n, comparators):
    """1024 / 4 * 10 * 11 = 28160."""
    assert full_sort_comparators(n) == comparators
