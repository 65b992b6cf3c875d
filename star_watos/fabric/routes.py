"""Which links each flow takes.

On a mesh every hop goes to a neighbour one hop nearer to the target, along the row while one is:
the dimension-ordered route where nothing is missing on it, a shortest way around otherwise.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric.mesh import EAST, NORTH, OPPOSITE, SOUTH, WEST, Mesh

BLOCK = 2**22
"""Pairs of target and node that are searched together."""

Nodes = NDArray[np.intp]


@dataclass(frozen=True)
class Routes:
    """Links of flows, one flow after the other: flow i takes `link[start[i]:start[i + 1]]`."""

    start: NDArray[np.intp]
    link: NDArray[np.intp]

    @property
    def hops(self) -> NDArray[np.intp]:
        """Links of each flow."""
        return np.diff(self.start)

    def of(self, flow: int) -> NDArray[np.intp]:
        """Return the links of one flow."""
        return self.link[self.start[flow] : self.start[flow + 1]]

    def of_flows(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a value of each flow beside each of its links."""
        return np.repeat(values, self.hops)

    def along(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum over each flow's links of a value of each link."""
        sums = np.concatenate([[0.0], np.cumsum(values[self.link])])
        total: NDArray[np.float64] = sums[self.start[1:]] - sums[self.start[:-1]]
        return total

    def take(self, flows: Nodes) -> "Routes":
        """Return the routes of some flows."""
        hops = self.hops[flows]
        return Routes(starts(hops), self.link[_ranges(self.start[flows], hops)])


class Fabric(Protocol):
    """What flows need to know of a network: a mesh, or switches."""

    @property
    def n_links(self) -> int:
        """Numbers that links may have."""
        ...

    @property
    def capacity_bytes_per_s(self) -> NDArray[np.float64]:
        """Bandwidth of each link."""
        ...

    @property
    def hop_s(self) -> NDArray[np.float64]:
        """Latency of each link."""
        ...

    @property
    def hop_j_per_byte(self) -> NDArray[np.float64]:
        """Energy of a byte on each link."""
        ...


def starts(hops: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where each flow's links begin, and where the last end."""
    return np.concatenate([[0], np.cumsum(hops)])


def _ranges(first: NDArray[np.intp], count: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return first, first + 1, ... of each count, one after the other.

    >>> _ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = starts(count)
    ranges: NDArray[np.intp] = np.arange(ends[-1]) + np.repeat(first - ends[:-1], count)
    return ranges


def mesh_routes(mesh: Mesh, source: Nodes, target: Nodes) -> Routes:
    """Return the route of each flow; nodes that are missing or cut off raise `ValueError`.

    >>> mesh_routes(Mesh(2, 2), np.array([0]), np.array([3])).link.tolist()  # 0 east, 1 south
    [0, 6]
    """
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


def mesh_routes_by(mesh: Mesh, source: Nodes, via: NDArray[np.intp], target: Nodes) -> Routes:
    """Return routes that pass the nodes `via`, [flows, k], on their way; -1 is none."""
    stops = [source]
    for column in np.asarray(via).T:
        stops.append(np.where(column < 0, stops[-1], column))
    stops.append(target)
    legs = [mesh_routes(mesh, a, b) for a, b in pairwise(stops)]
    flow = np.concatenate([np.repeat(np.arange(len(source)), leg.hops) for leg in legs])
    order = np.argsort(flow, kind="stable")
    link = np.concatenate([leg.link for leg in legs])[order]
    return Routes(starts(sum((leg.hops for leg in legs[1:]), legs[0].hops)), link)


def _dimension_ordered(mesh: Mesh, source: Nodes, target: Nodes) -> Routes:
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


def _around(mesh: Mesh, source: Nodes, target: Nodes) -> Routes:
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


def _towards(mesh: Mesh, targets: Nodes) -> NDArray[np.int8]:
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
    link[_ranges(start[kept], hops[kept])] = routes.take(kept).link
    link[_ranges(start[flows], by.hops)] = by.link
    return Routes(start, link)
