"""How long a 16-to-4 sorter takes: shared by the algorithm's counts and the core's cycles."""

import numpy as np

from star_watos.cost import Column

INPUTS = 16
"""Inputs of SOFA's sort core."""
SURVIVORS = 4
"""Of which as many come out, and are carried into the next step."""


def steps(segment_keys: Column, inputs: Column = INPUTS, survivors: Column = SURVIVORS) -> Column:
    """Steps of one pass over a segment: max(ceil((keys - survivors) / (inputs - survivors)), 1).

    >>> [float(steps(n)) for n in (4, 16, 17, 256)]
    [1.0, 1.0, 2.0, 21.0]
    """
    taken: Column = np.maximum(np.ceil((segment_keys - survivors) / (inputs - survivors)), 1.0)
    return taken


def passes(quota: Column, survivors: Column = SURVIVORS) -> Column:
    """Passes over a segment of which `quota` keys are kept: ceil(quota / survivors).

    >>> [float(passes(n)) for n in (1, 4, 5)]
    [1.0, 1.0, 2.0]
    """
    taken: Column = np.ceil(quota / survivors)
    return taken


def merge_steps(keys: Column, inputs: Column = INPUTS, survivors: Column = SURVIVORS) -> Column:
    """Steps of a merge sort of a whole row by one sorter: runs of `inputs`, then doubled.

    ceil(keys / (inputs - survivors)) (1 + ceil(log2(max(keys / inputs, 1))))

    >>> [float(merge_steps(n)) for n in (16, 4096)]
    [2.0, 3078.0]
    """
    rounds = 1 + np.ceil(np.log2(np.maximum(keys / inputs, 1.0)))
    taken: Column = np.ceil(keys / (inputs - survivors)) * rounds
    return taken
