"""Meshes, parts of them and collectives that the tests of the fabric share."""

from functools import cache

import numpy as np
import pytest

from star_watos.fabric import Area, Mesh
from star_watos.fabric.collectives import (
    Kind,
    algorithms,
)

EVERY = [(kind, algorithm) for kind in Kind for algorithm in algorithms(kind)]
ADDING = [pair for pair in EVERY if pair[0] in {Kind.ALL_REDUCE, Kind.REDUCE_SCATTER}]
RECTANGLES = [(rows, cols) for rows in range(1, 9) for cols in range(1, 9)]
RATE, LATENCY = 2e12, 2e-7
"""Links of 2 TB/s and 200 ns."""

every_collective = pytest.mark.parametrize(("kind", "algorithm"), EVERY, ids=str)


def area_of(rows, cols):
    """Return a whole mesh."""
    return Area.all(Mesh(rows, cols, RATE, LATENCY))


def as_tuple(terms):
    """Return the numbers of terms."""
    return float(terms.hops), float(terms.share), float(terms.moved)


def as_columns(terms):
    """Return hops, share and moved as they are."""
    return terms.hops, terms.share, terms.moved


def seconds(terms, n_bytes):
    """Return the time on links of 2 TB/s and 200 ns."""
    return float(terms.seconds(n_bytes, RATE, LATENCY))


def random_mesh(rng, least_side=1, most_side=8):
    """Return a connected mesh of which up to 10 % of the nodes and of the links are missing."""
    while True:
        rows, cols = rng.integers(least_side, most_side + 1, 2).tolist()
        whole = Mesh(rows, cols)
        pairs = [(a, int(b)) for a in whole.nodes.tolist() for b in whole.neighbours[a] if b > a]
        nodes = rng.permutation(rows * cols)[: rng.integers(rows * cols // 10 + 1)].tolist()
        gone = rng.permutation(len(pairs))[: rng.integers(len(pairs) // 10 + 1)].tolist()
        links = frozenset(pairs[i] for i in gone)
        mesh = Mesh(rows, cols, RATE, LATENCY, 0.0, frozenset(nodes), links)
        if mesh.connected:
            return mesh


@cache
def holed_areas():
    """Return 200 meshes, most of them with holes."""
    rng = np.random.default_rng(0)
    return [Area.all(random_mesh(rng)) for _ in range(200)]


def partition(rng, mesh, row=0, col=0, rows=None, cols=None):
    """Cut a mesh, or a part of it, into random rectangles."""
    rows, cols = rows or mesh.rows, cols or mesh.cols
    if rows * cols <= 4 or rng.random() < 0.25:
        return [Area(mesh, row, col, rows, cols)]
    if rng.random() * (rows + cols) < rows and rows > 1:
        cut = int(rng.integers(1, rows))
        return [
            *partition(rng, mesh, row, col, cut, cols),
            *partition(rng, mesh, row + cut, col, rows - cut, cols),
        ]
    if cols == 1:
        return [Area(mesh, row, col, rows, cols)]
    cut = int(rng.integers(1, cols))
    return [
        *partition(rng, mesh, row, col, rows, cut),
        *partition(rng, mesh, row, col + cut, rows, cols - cut),
    ]
