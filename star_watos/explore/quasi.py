"""Points that fill a space evenly from the first one on: where a search begins."""

import random
from collections.abc import Iterator, Sequence
from itertools import count

from star_watos.explore.space import Point


def quasi_random(shape: Sequence[int], seed: int) -> Iterator[Point]:
    """Yield points of a space with so many values an axis, endlessly.

    The additive recurrence R_d: coordinate k of point n is the fraction of s_k + n g^-(k+1), where
    g solves g^(d+1) = g + 1 and s is drawn from the seed. Source: M. Roberts, "The unreasonable
    effectiveness of quasirandom sequences", 2018.

    >>> points = quasi_random((4, 4), seed=0)
    >>> sorted({next(points)[0] for _ in range(4)})
    [0, 1, 2, 3]
    """
    draw = random.Random(seed)  # noqa: S311 (a search, not a secret)
    starts = [draw.random() for _ in shape]
    steps = [_root(len(shape)) ** -(axis + 1) for axis in range(len(shape))]
    for n in count():
        place = zip(starts, steps, shape, strict=True)
        yield tuple(int((start + n * step) % 1.0 * size) for start, step, size in place)


def _root(dimensions: int) -> float:
    """Return g > 1 with g^(d+1) = g + 1: for one dimension the golden ratio.

    >>> round(_root(1), 6)
    1.618034
    """
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    return root
