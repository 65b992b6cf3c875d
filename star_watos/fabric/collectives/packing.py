"""Several spanning trees that share the links of an area evenly.

Reducing up a tree and spreading down it uses each of its links once in each direction, which is the
least any all-reduce can do; to be as fast as the links allow, the data is cut over trees that use
all links alike. Each tree grows from the node that is nearest to all, over the links that trees
before have used least (as in MultiTree, ISCA 2021, in principle). The number of trees is that of
which the most used link carries the smallest share.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric.area import Area
from star_watos.fabric.routes import Nodes

MOST_TREES = 16


@dataclass(frozen=True)
class Tree:
    """A spanning tree: who is above whom; columns of every node but the root."""

    root: int
    node: Nodes
    above: Nodes
    depth: Nodes
    """Edges to the root."""
    height: Nodes
    """Edges to the farthest node below."""

    @property
    def levels(self) -> int:
        """Depth of the deepest node."""
        return int(self.depth.max(initial=0))


def trees(area: Area, root: int | None = None) -> list[Tree]:
    """Return the trees of an area, all from `root` or from its middle."""
    start = _middle(area) if root is None else root
    beside: dict[int, list[tuple[int, int]]] = {v: [] for v in area.nodes.tolist()}
    for i, (a, b) in enumerate(area.edges):
        beside[a].append((b, i))
        beside[b].append((a, i))
    used = np.zeros(len(area.edges), dtype=np.intp)
    grown, shares = [], []
    for count in range(1, MOST_TREES + 1):
        grown.append(_grow(beside, start, used))
        shares.append(used.max(initial=0) / count)
    return grown[: int(np.argmin(np.round(shares, 9))) + 1]


def _middle(area: Area) -> int:
    """Return the node nearest to the middle of the area."""
    row, col = np.divmod(area.nodes, area.mesh.cols)
    away = np.abs(row - area.row - area.rows // 2) + np.abs(col - area.col - area.cols // 2)
    return int(area.nodes[np.argmin(away)])


def _grow(beside: dict[int, list[tuple[int, int]]], root: int, used: NDArray[np.intp]) -> Tree:
    """Grow a tree by the least used links, of these by those nearest to the root; count them."""
    depth, above = {root: 0}, {}
    edge = [(int(used[i]), 1, b, root, i) for b, i in beside[root]]
    heapq.heapify(edge)
    while edge:
        _, d, node, parent, i = heapq.heappop(edge)
        if node in depth:
            continue
        depth[node], above[node] = d, parent
        used[i] += 1
        for b, j in beside[node]:
            if b not in depth:
                heapq.heappush(edge, (int(used[j]), d + 1, b, node, j))
    height = dict.fromkeys(depth, 0)
    for node in sorted(above, key=depth.__getitem__, reverse=True):
        height[above[node]] = max(height[above[node]], height[node] + 1)
    columns = [list(above), list(above.values()), *([m[v] for v in above] for m in (depth, height))]
    return Tree(root, *(np.array(column, dtype=np.intp) for column in columns))
