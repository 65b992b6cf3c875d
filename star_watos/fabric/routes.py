"""Which links each flow takes, and what flows need to know of a network."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
        return Routes(starts(hops), self.link[ranges(self.start[flows], hops)])


class Fabric(Protocol):
    """What flows need to know of a network: a mesh, or switches."""

    @property
    def n_nodes(self) -> int:
        """Numbers that nodes may have."""
        ...

    @property
    def n_links(self) -> int:
        """Numbers that links may have."""
        ...

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether each link is there."""
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

    def routes(self, source: Nodes, target: Nodes) -> Routes:
        """Return the links of each flow."""
        ...


def starts(hops: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where each flow's links begin, and where the last end."""
    return np.concatenate([[0], np.cumsum(hops)])


def ranges(first: NDArray[np.intp], count: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return first, first + 1, ... of each count, one after the other.

    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = starts(count)
    each: NDArray[np.intp] = np.arange(ends[-1]) + np.repeat(first - ends[:-1], count)
    return each


def routes_by(fabric: Fabric, source: Nodes, via: Nodes, target: Nodes) -> Routes:
    """Return routes that pass the nodes `via`, [flows, k], on their way; -1 is none."""
    stops = [source]
    for column in np.asarray(via).T:
        stops.append(np.where(column < 0, stops[-1], column))
    stops.append(target)
    legs = [fabric.routes(a, b) for a, b in pairwise(stops)]
    flow = np.concatenate([np.repeat(np.arange(len(source)), leg.hops) for leg in legs])
    order = np.argsort(flow, kind="stable")
    link = np.concatenate([leg.link for leg in legs])[order]
    return Routes(starts(sum((leg.hops for leg in legs[1:]), legs[0].hops)), link)
