"""The fastest collective on whole meshes, for columns of shapes and sizes.

What a collective is made of depends on the shape alone: it is worked out once a shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric.collectives import closed
from star_watos.fabric.collectives.packed import Packed, packed_column
from star_watos.fabric.collectives.timing import Terms

Sides: TypeAlias = tuple[tuple[int, int], ...]

NEVER = 1e12
"""More hops, and vectors over a link, than any collective has."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the fastest way takes."""

    seconds: Column
    byte_hops: Column
    """Bytes over all links."""


@dataclass(frozen=True, slots=True)
class Links:
    """What all links of a mesh are like."""

    bytes_per_s: Column
    latency_s: Column


@dataclass(frozen=True, slots=True)
class Shapes:
    """The different meshes of a column, and which of them each row has."""

    sides: Sides
    """Rows and columns."""
    which: NDArray[np.intp]

    @classmethod
    def of(cls, rows: Column, cols: Column) -> "Shapes":
        """Return the shapes of two columns.

        >>> shapes = Shapes.of(np.array([2, 1, 2]), 3)
        >>> shapes.sides, shapes.which.tolist()
        (((1, 3), (2, 3)), [1, 0, 1])
        """
        r, c = (np.asarray(side).astype(np.intp) for side in (rows, cols))
        width = int(c.max(initial=0)) + 1
        key = r * width + c
        there = np.zeros(int(key.max(initial=0)) + 1, dtype=bool)
        there[key] = True
        sides = tuple(divmod(found, width) for found in np.flatnonzero(there).tolist())
        return cls(sides, (np.cumsum(there) - 1)[key])

    def each(self, values: Column) -> Column:
        """Return a value of each shape for every row."""
        column: Column = np.broadcast_to(values, len(self.sides))[self.which]
        return column


def reduce_scatter(rows: Column, cols: Column, n_bytes: Column, links: Links) -> Taken:
    """Return what a reduce-scatter takes, or an all-gather.

    >>> taken = reduce_scatter(2, 2, 4.0, Links(1.0, 0.0))  # both ways on a ring of four
    >>> float(taken.seconds), float(taken.byte_hops)
    (1.5, 12.0)
    """
    shapes = Shapes.of(rows, cols)
    return _fastest(shapes, _scatters(shapes.sides), n_bytes, links)


def all_reduce(rows: Column, cols: Column, n_bytes: Column, links: Links) -> Taken:
    """Return what an all-reduce takes: a reduce-scatter twice, or trees.

    >>> taken = all_reduce(1, 2, 4.0, Links(1.0, 0.0))
    >>> float(taken.seconds), float(taken.byte_hops)
    (4.0, 8.0)
    """
    shapes = Shapes.of(rows, cols)
    best = _fastest(shapes, _all_reduces(shapes.sides), n_bytes, links)
    return _faster(best, _trees(shapes, n_bytes, links))


@lru_cache(maxsize=256)
def _scatters(sides: Sides) -> list[Terms]:
    """Return the reduce-scatters worth trying; halving where both sides are powers of two."""
    rows, cols = np.array(sides).T
    halving = closed.halving(rows, cols)
    never = np.where(closed.is_power_of_two(rows, cols), 0.0, NEVER)
    ways = [
        closed.hamiltonian_ring(rows, cols),
        closed.split(rows, cols),
        Terms(halving.hops + never, halving.share + never, halving.moved),
    ]
    return _worth(ways)


@lru_cache(maxsize=256)
def _all_reduces(sides: Sides) -> list[Terms]:
    """Return the all-reduces worth trying, but for packed trees."""
    trees = closed.binary_trees(*np.array(sides).T)
    return _worth([terms.times(2) for terms in (*_scatters(sides), trees)])


_packed = lru_cache(maxsize=256)(packed_column)


def _worth(ways: Sequence[Terms]) -> list[Terms]:
    """Return the ways that are the only best one, at some size, of some shape."""
    kept = list(ways)
    for way in reversed(ways):
        others = [other for other in kept if other is not way]
        beaten = np.zeros(np.shape(way.hops), dtype=bool)
        for other in others:
            beaten |= (other.hops <= way.hops) & (other.share <= way.share)
        if beaten.all():
            kept = others
    return kept


def _fastest(shapes: Shapes, ways: Sequence[Terms], n_bytes: Column, links: Links) -> Taken:
    """Return the fastest of several ways, row by row."""
    best: Taken | None = None
    for way in ways:
        hops, share, moved = map(shapes.each, (way.hops, way.share, way.moved))
        terms = Terms(hops, share, moved)
        taken = Taken(terms.seconds(n_bytes, links.bytes_per_s, links.latency_s), moved * n_bytes)
        best = taken if best is None else _faster(best, taken)
    assert best is not None  # noqa: S101 (there is always a ring)
    return best


def _faster(one: Taken, other: Taken) -> Taken:
    """Return the faster of two, row by row."""
    seconds = np.minimum(one.seconds, other.seconds)
    byte_hops = np.where(one.seconds <= other.seconds, one.byte_hops, other.byte_hops)
    return Taken(seconds, byte_hops)


def _trees(shapes: Shapes, n_bytes: Column, links: Links) -> Taken:
    """Return what packed trees take with the best number of pieces."""
    packed = _packed(shapes.sides)
    every = Packed(*(shapes.each(getattr(packed, name)) for name in Packed.__slots__))
    pieces = every.pieces(n_bytes, links.bytes_per_s, links.latency_s)
    terms = every.terms(pieces)
    seconds = terms.seconds(n_bytes, links.bytes_per_s, links.latency_s)
    return Taken(seconds, terms.moved * n_bytes)
