"""The sorter of SADS: a bitonic network of which only the needed comparators are built.

A comparator (a, b) leaves the larger of two wires on a. After the whole network wire 0 carries the
largest. Each step of the 16-to-4 core takes 12 new scores beside the 4 survivors of the last.
"""

from functools import cache

from star_watos.star.sorting import INPUTS, SURVIVORS

Comparator = tuple[int, int]

ORDERED = 2
"""Of these, as many in exact order: SU-FA needs the first two."""


def network(inputs: int) -> tuple[Comparator, ...]:
    """Return the comparators of a bitonic sort, in order; `inputs` is a power of two.

    Source: Batcher, Sorting Networks and their Applications (1968).

    >>> network(4)
    ((0, 1), (3, 2), (0, 2), (1, 3), (0, 1), (2, 3))
    """
    if inputs < 1 or inputs & (inputs - 1):
        raise ValueError(f"inputs: expected a power of two, got {inputs}")
    levels = range(1, inputs.bit_length())
    return tuple(
        _directed(wire, wire ^ (1 << distance), block=1 << level)
        for level in levels
        for distance in reversed(range(level))
        for wire in range(inputs)
        if not wire & (1 << distance)
    )


def _directed(low: int, high: int, block: int) -> Comparator:
    """Every other block is sorted the other way round, so that two make a bitonic sequence."""
    return (high, low) if low & block else (low, high)


@cache
def pruned(
    inputs: int = INPUTS, survivors: int = SURVIVORS, ordered: int = ORDERED
) -> tuple[Comparator, ...]:
    """Return the comparators that matter to the `survivors` largest, the first `ordered` in order.

    Backwards from the outputs, a comparator goes if nobody tells its two outputs apart: both
    unused, or both among the survivors whose order is free and no later comparator sees them.

    >>> pruned(4, survivors=2, ordered=1)
    ((0, 1), (3, 2), (0, 2), (1, 3), (0, 1))
    >>> pruned(4, survivors=2, ordered=0)
    ((0, 1), (3, 2), (0, 2), (1, 3))
    """
    exact, free, unused = 0, 1, 2
    role = [exact if w < ordered else free if w < survivors else unused for w in range(inputs)]
    kept = []
    for a, b in reversed(network(inputs)):
        if role[a] == role[b] != exact:
            continue
        role[a] = role[b] = exact
        kept.append((a, b))
    return tuple(reversed(kept))


def comparators_per_step(
    inputs: int = INPUTS, survivors: int = SURVIVORS, ordered: int = ORDERED
) -> int:
    """Comparisons of one step of the pruned network.

    >>> comparators_per_step(), len(network(16))
    (63, 80)
    """
    return len(pruned(inputs, survivors, ordered))


def full_sort_comparators(n: int) -> int:
    """Comparisons of a bitonic sort of n numbers, padded to a power of two N.

    N/4 log2 N (log2 N + 1), the whole-row sort that SADS replaces.

    >>> full_sort_comparators(16), full_sort_comparators(2048)
    (80, 67584)
    """
    levels = max(n - 1, 0).bit_length()
    return (1 << levels) * levels * (levels + 1) // 4
