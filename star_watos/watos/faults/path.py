"""The order in which a pipeline passes TP groups: short ways between neighbours."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric import Mesh
from star_watos.watos.faults.groups import Group

Values = NDArray[np.float64]
SHORTER = 1e-9
"""By how much a path must be shorter to be taken instead."""


def distances(mesh: Mesh) -> Values:
    """Return the hops between all nodes, [n, n]; infinite where there is no way.

    >>> distances(Mesh(1, 3, missing_links=frozenset({(0, 1)}))).tolist()[1]
    [inf, 0.0, 1.0]
    """
    n = mesh.n_nodes
    joined = np.zeros((n, n), dtype=np.float64)
    node, direction = np.nonzero(mesh.neighbours >= 0)
    joined[node, mesh.neighbours[node, direction]] = 1.0
    hops = np.full((n, n), np.inf)
    new, steps = np.eye(n, dtype=bool), 0
    while new.any():
        hops[new] = steps
        new, steps = (new @ joined > 0) & np.isinf(hops), steps + 1
    return hops


def ordered(groups: Sequence[Group], cols: int, hops: Values) -> list[Group]:
    """Return groups in an order in which neighbours are near each other.

    The sum of the squares of their hops, which weighs the longest way most, is made smaller from a
    snake on by turning parts of the path around, the best first, as long as that helps (2-opt).

    >>> dies = [Group((1, 1), (die,)) for die in range(4)]
    >>> [group.dies for group in ordered(dies, 2, distances(Mesh(2, 2)))]
    [(0,), (1,), (3,), (2,)]
    """
    if len(groups) < 3:
        return list(groups)
    start = _snake(groups, cols)
    dies = np.array([group.dies for group in start])
    apart = (hops[dies[:, None], dies].mean(axis=-1)) ** 2
    order = _two_opt(apart)
    return [start[i] for i in order]


def _snake(groups: Sequence[Group], cols: int) -> list[Group]:
    """Return groups by the row of their first die, every other row backwards."""

    def place(group: Group) -> tuple[int, int]:
        row, col = divmod(group.dies[0], cols)
        return row, col if row % 2 == 0 else -col

    return sorted(groups, key=place)


def _two_opt(apart: Values) -> NDArray[np.intp]:
    """Return the order of an open path; place n is near everything, so that ends are free."""
    n = len(apart)
    padded = np.zeros((n + 1, n + 1))
    padded[:n, :n] = apart
    order, end = np.arange(n), np.array([n])
    i, j = np.triu_indices(n, k=1)
    while True:
        ring = np.concatenate([end, order, end])
        before = padded[ring[i], ring[i + 1]] + padded[ring[j + 1], ring[j + 2]]
        after = padded[ring[i], ring[j + 1]] + padded[ring[i + 1], ring[j + 2]]
        gain = before - after
        best = int(gain.argmax())
        if gain[best] <= SHORTER:
            return order
        part = slice(i[best], j[best] + 1)
        order[part] = order[part][::-1].copy()
