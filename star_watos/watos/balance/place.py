"""Where stages stand: the fewest bytes times hops, and the least on the busiest link.

A quadratic assignment problem. The cost is WATOS' (arXiv 2512.12279, eq. 2): what neighbours in the
pipeline hand over and what is kept for others, each times its hops, and conflicts, which are taken
as the bytes on the busiest link. Few places are tried in every order; of many, stages change places
with each other, or move to free ones, as long as that helps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, permutations
from math import perm

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric import Mesh

Values = NDArray[np.float64]
Places = NDArray[np.intp]
MOST_ORDERS = 400_000
"""Orders of stages on places that are all tried: those of nine on nine."""
TOGETHER = 512
"""Orders whose links are loaded at once."""


@dataclass(frozen=True)
class Ground:
    """Places for stages on a mesh, and what stages send each other."""

    links: Values
    """1 where the way from a place to another takes a link, [places, places, links]."""
    pairs: Places
    """Stages that send something to others, [pairs, 2]."""
    n_bytes: Values
    """Of each pair."""
    farthest: float = np.inf
    """Hops between neighbours in the pipeline at most."""

    @classmethod
    def of(cls, mesh: Mesh, nodes: Places, traffic: Values, farthest: float = np.inf) -> "Ground":
        """Return it for places at nodes of a mesh; `traffic` is between stages, [from, to]."""
        m = len(nodes)
        routes = mesh.routes(np.repeat(nodes, m), np.tile(nodes, m))
        links = np.zeros((m * m, mesh.n_links))
        links[np.repeat(np.arange(m * m), routes.hops), routes.link] = 1.0
        used = links.any(axis=0)
        pairs = np.argwhere(traffic > 0)
        return cls(links[:, used].reshape(m, m, -1), pairs, traffic[tuple(pairs.T)], farthest)

    def costs(self, orders: Places) -> Values:
        """Return bytes times hops and those of the busiest link, of places [orders, stages].

        No price is too high for neighbours that are too far apart.
        """
        apart = self.links.sum(axis=-1)[orders[:, :-1], orders[:, 1:]].max(axis=1, initial=0.0)
        too_far = np.where(apart > self.farthest, np.inf, 0.0)
        found = []
        for first in range(0, len(orders), TOGETHER):
            some = orders[first : first + TOGETHER]
            ways = self.links[some[:, self.pairs[:, 0]], some[:, self.pairs[:, 1]]]
            loads = np.einsum("opl,p->ol", ways, self.n_bytes)
            found.append(loads.sum(axis=1) + loads.max(axis=1, initial=0.0))
        costs: Values = np.concatenate(found) + too_far
        return costs


def placed(ground: Ground, start: Places) -> Places:
    """Return the place of each stage; never worse than `start`."""
    m, p = ground.links.shape[0], len(start)
    if perm(m, p) <= MOST_ORDERS:
        return _best_of_all(ground, m, p)
    best, cost = start, float(ground.costs(start[None])[0])
    while True:
        orders = _changed(best, m)
        costs = ground.costs(orders)
        row = int(costs.argmin())
        if costs[row] >= cost * (1 - 1e-12):
            return best
        best, cost = orders[row], float(costs[row])


def _best_of_all(ground: Ground, m: int, p: int) -> Places:
    """Return the cheapest of all orders of p stages on m places; of equal ones the first."""
    best, least, orders = np.zeros(p, dtype=np.intp), np.inf, permutations(range(m), p)
    for some in _in_blocks(orders):
        costs = ground.costs(some)
        row = int(costs.argmin())
        if costs[row] < least:
            best, least = some[row], float(costs[row])
    return best


def _in_blocks(orders: Iterator[tuple[int, ...]]) -> Iterator[Places]:
    while some := list(islice(orders, 8 * TOGETHER)):
        yield np.array(some, dtype=np.intp)


def _changed(order: Places, m: int) -> Places:
    """Return every order in which two stages have changed places, or one has moved to a free one.

    >>> _changed(np.array([0, 1]), 3).tolist()
    [[1, 0], [2, 1], [0, 2]]
    """
    p, found = len(order), []
    for a in range(p):
        for b in range(a + 1, p):
            swapped = order.copy()
            swapped[[a, b]] = order[[b, a]]
            found.append(swapped)
    for a in range(p):
        for free in np.setdiff1d(np.arange(m), order):
            moved = order.copy()
            moved[a] = free
            found.append(moved)
    return np.array(found, dtype=np.intp)
