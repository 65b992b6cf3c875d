"""A 2-D mesh of nodes without wrap-around links, some of which may be missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric.mesh_routes import DIRECTIONS, mesh_routes
from star_watos.fabric.routes import Nodes, Routes


@dataclass(frozen=True)
class Mesh:
    """R x C nodes, numbered row by row; a link is one direction between neighbours.

    Link 4 v + d leads from node v in direction d. Bandwidth, latency and energy are of all links,
    or [4 n] of each. A node that is missing has no links; a missing link has neither direction.

    >>> mesh = Mesh(2, 3, missing_links=frozenset({(0, 1)}))
    >>> int(mesh.present.sum()), mesh.connected
    (12, True)
    """

    rows: int
    cols: int
    link_bytes_per_s: Column = 1.0
    latency_s: Column = 0.0
    energy_j_per_byte: Column = 0.0
    missing_nodes: frozenset[int] = frozenset()
    missing_links: frozenset[tuple[int, int]] = frozenset()
    """Pairs of neighbours."""

    @property
    def n_nodes(self) -> int:
        """Places of nodes, those of missing ones included."""
        return self.rows * self.cols

    @property
    def n_links(self) -> int:
        """Places of links: four a node, those over the edge included."""
        return 4 * self.n_nodes

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return not (self.missing_nodes or self.missing_links)

    @cached_property
    def nodes(self) -> NDArray[np.intp]:
        """The nodes that are there."""
        return np.setdiff1d(np.arange(self.n_nodes), list(self.missing_nodes))

    @cached_property
    def neighbours(self) -> NDArray[np.intp]:
        """Node in each direction of each node, [n, 4]; -1 over the edge or a missing link."""
        rows, cols = np.divmod(np.arange(self.n_nodes), self.cols)
        found = np.full((self.n_nodes, 4), -1)
        for direction, (down, right) in enumerate(DIRECTIONS):
            r, c = rows + down, cols + right
            inside = (r >= 0) & (r < self.rows) & (c >= 0) & (c < self.cols)
            found[inside, direction] = (r * self.cols + c)[inside]
        gone = np.isin(found, list(self.missing_nodes))
        gone[list(self.missing_nodes)] = True
        found[gone] = -1
        for a, b in self.missing_links:
            found[a, found[a] == b] = -1
            found[b, found[b] == a] = -1
        return found

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Whether each link is there, [4 n]."""
        there: NDArray[np.bool_] = (self.neighbours >= 0).ravel()
        return there

    @cached_property
    def connected(self) -> bool:
        """Whether every node reaches every other."""
        return len(self.reached(int(self.nodes[0]))) == len(self.nodes)

    def reached(self, start: int, within: Iterable[int] | None = None) -> set[int]:
        """Return the nodes that `start` reaches, by nodes `within` if told."""
        allowed = set(self.nodes.tolist() if within is None else within)
        seen, new = {start}, [start]
        while new:
            ahead = set(self.neighbours[new].ravel().tolist()) & allowed
            new = list(ahead - seen)
            seen |= ahead
        return seen

    def each_link(self, value: Column) -> NDArray[np.float64]:
        """Return `value` of each link, [4 n]."""
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (self.n_links,))

    @property
    def capacity_bytes_per_s(self) -> NDArray[np.float64]:
        """Bandwidth of each link, [4 n]."""
        return self.each_link(self.link_bytes_per_s)

    @property
    def hop_s(self) -> NDArray[np.float64]:
        """Latency of each link, [4 n]."""
        return self.each_link(self.latency_s)

    @property
    def hop_j_per_byte(self) -> NDArray[np.float64]:
        """Energy of a byte on each link, [4 n]."""
        return self.each_link(self.energy_j_per_byte)

    def routes(self, source: Nodes, target: Nodes) -> Routes:
        """Return the shortest route of each flow; `ValueError` where there is none.

        >>> Mesh(2, 2).routes(np.array([0]), np.array([3])).link.tolist()  # 0 east, 1 south
        [0, 6]
        """
        return mesh_routes(self, source, target)
