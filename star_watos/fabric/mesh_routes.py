"""Which links flows take on a mesh.

Every hop goes to a neighbour one hop nearer to the target, along the row while one is: the
dimension-ordered route where nothing is missing on it, a shortest way around otherwise.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric.routes import Nodes, Routes, ranges, starts

if TYPE_CHECKING:
    from star_watos.fabric.mesh import Mesh

DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))
"""Steps in row and column over the links of a node: east, west, south, north."""
EAST, WEST, SOUTH, NORTH = range(4)
OPPOSITE = np.array([WEST, EAST, NORTH, SOUTH])
BLOCK = 2**22
"""Pairs of target and node that are searched together."""


def mesh_routes(mesh: "Mesh", source: Nodes, target: Nodes) -> Routes:
    """Return the route of each flow; nodes that are missing or cut off raise `ValueError`."""
    source, target = np.asarray(source), np.asarray(target)
    straight = _dimension_ordered(mesh, source, target)
    if mesh.whole:
        return straight
    if np.isin([source, target], list(mesh.missing_nodes)).any():
        raise ValueError("a flow begins or ends at a missing node")
    missing = straight.along((~mesh.present).astype(float)) > 0
    if not missing.any():
        return straight
    around = _around(mesh, source[missing], target[missing])
    return _replaced(straight, np.flatnonzero(missing), around)


def _dimension_ordered(mesh: "Mesh", source: Nodes, target: Nodes) -> Routes:
    """Along the row to the target's column, then along the column."""
    (row, col), (to_row, to_col) = np.divmod(source, mesh.cols), np.divmod(target, mesh.cols)
    right, down = to_col - col, to_row - row
    across, along = np.abs(right), np.abs(down)
    legs = np.stack([across, along], axis=-1).ravel()
    first = np.stack([source, row * mesh.cols + to_col], axis=-1).ravel()
    step = np.stack([np.sign(right), np.sign(down) * mesh.cols], axis=-1).ravel()
    direction = np.stack(
        [np.where(right > 0, EAST, WEST), np.where(down > 0, SOUTH, NORTH)], axis=-1
    ).ravel()
    ends = starts(legs)
    k = np.arange(ends[-1]) - np.repeat(ends[:-1], legs)
    link = np.repeat(4 * first + direction, legs) + k * np.repeat(4 * step, legs)
    return Routes(starts(across + along), link)


def _around(mesh: "Mesh", source: Nodes, target: Nodes) -> Routes:
    """Shortest routes on what is there, found backwards from each target."""
    targets, which = np.unique(target, return_inverse=True)
    together = max(1, BLOCK // mesh.n_nodes)
    flows, links = [], []
    for first in range(0, len(targets), together):
        towards = _towards(mesh, targets[first : first + together])
        mine = np.flatnonzero((which >= first) & (which < first + together))
        row, at = which[mine] - first, source[mine]
        while len(mine):
            direction = towards[row, at]
            if (direction < 0).any():
                raise ValueError("a flow has no way to its target")
            flows.append(mine)
            links.append(4 * at + direction)
            at = mesh.neighbours[at, direction]
            ahead = at != target[mine]
            mine, row, at = mine[ahead], row[ahead], at[ahead]
    flow = np.concatenate(flows)
    order = np.argsort(flow, kind="stable")
    return Routes(starts(np.bincount(flow, minlength=len(source))), np.concatenate(links)[order])


def _towards(mesh: "Mesh", targets: Nodes) -> NDArray[np.int8]:
    """Return the direction that leads from each node to each target, [targets, n]; -1 is none."""
    n = mesh.n_nodes
    towards = np.full(len(targets) * n, -1, dtype=np.int8)
    new = np.arange(len(targets)) * n + targets
    towards[new] = 4  # any direction: it is there
    while len(new):
        found = []
        for direction in range(4):
            back = mesh.neighbours[new % n, OPPOSITE[direction]]
            place = (new - new % n + back)[back >= 0]
            place = place[towards[place] < 0]
            towards[place] = direction
            found.append(place)
        new = np.concatenate(found)
    return towards.reshape(len(targets), n)


def _replaced(routes: Routes, flows: Nodes, by: Routes) -> Routes:
    """Return `routes` with those of `flows` replaced."""
    hops = routes.hops.copy()
    hops[flows] = by.hops
    start = starts(hops)
    link = np.empty(start[-1], dtype=np.intp)
    kept = np.setdiff1d(np.arange(len(hops)), flows)
    link[ranges(start[kept], hops[kept])] = routes.take(kept).link
    link[ranges(start[flows], by.hops)] = by.link
    return Routes(start, link)
