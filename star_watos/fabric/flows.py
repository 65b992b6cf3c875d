"""What flows do to links: loads, energy, fair shares, and how long they take together."""

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric.routes import Fabric, Routes

Values = NDArray[np.float64]
SAME = 1 + 1e-9
"""Rates and times closer than this are one."""


def slowest(fabric: Fabric) -> tuple[float, float]:
    """Return the least bandwidth and the longest latency of the links that are there.

    >>> from star_watos.fabric import Mesh
    >>> slowest(Mesh(1, 2, link_bytes_per_s=4.0, latency_s=0.5))
    (4.0, 0.5)
    """
    there = fabric.present
    rate = fabric.capacity_bytes_per_s[there].min(initial=np.inf)
    return float(rate), float(fabric.hop_s[there].max(initial=0.0))


def link_loads(fabric: Fabric, routes: Routes, n_bytes: Values) -> Values:
    """Return the bytes that each link carries.

    >>> from star_watos.fabric import Mesh
    >>> line = Mesh(1, 3)
    >>> link_loads(line, line.routes(np.array([0, 1]), np.array([2, 2])), np.ones(2)).max()
    np.float64(2.0)
    """
    n_bytes = np.asarray(n_bytes, dtype=np.float64)
    loads = np.bincount(routes.link, routes.of_flows(n_bytes), minlength=fabric.n_links)
    return loads.astype(np.float64)


def busiest_s(fabric: Fabric, routes: Routes, n_bytes: Values) -> float:
    """Seconds that the most loaded link needs for its bytes."""
    return float(np.max(link_loads(fabric, routes, n_bytes) / fabric.capacity_bytes_per_s))


def flow_energy_j(fabric: Fabric, routes: Routes, n_bytes: Values) -> float:
    """Joules of all bytes on all links."""
    return float(np.sum(n_bytes * routes.along(fabric.hop_j_per_byte)))


def fair_rates(routes: Routes, capacity: Values) -> Values:
    """Return the max-min fair rate of each flow, in bytes a second (Bertsekas and Gallager 1992).

    The link with the least for each of its flows gives them that; they are taken off, and so on.
    A flow without links is not limited.

    >>> two_share = Routes(np.array([0, 2, 3, 4]), np.array([0, 1, 0, 1]))
    >>> fair_rates(two_share, np.array([2.0, 6.0])).tolist()
    [1.0, 1.0, 5.0]
    """
    rate = np.full(len(routes.start) - 1, np.inf)
    flow, link, left = np.repeat(np.arange(len(rate)), routes.hops), routes.link, capacity.copy()
    while len(link):
        users = np.bincount(link, minlength=len(left))
        used = users > 0
        share = np.full(len(left), np.inf)
        share[used] = np.maximum(left[used], 0.0) / users[used]
        level = share.min()
        limited = np.zeros(len(rate), dtype=bool)
        limited[flow[share[link] <= level * SAME]] = True
        rate[limited] = level
        done = limited[flow]
        left -= level * np.bincount(link[done], minlength=len(left))
        flow, link = flow[~done], link[~done]
    return rate


def finish_s(fabric: Fabric, routes: Routes, n_bytes: Values) -> Values:
    """Return when each flow has arrived if all start together and share links fairly.

    Rates are shared anew whenever a flow ends; the last byte then has the route's latency to go.
    """
    left, now = np.asarray(n_bytes, dtype=np.float64).copy(), 0.0
    ended = np.zeros(len(left))
    going = np.flatnonzero((left > 0) & (routes.hops > 0))
    while len(going):
        rates = fair_rates(routes.take(going), fabric.capacity_bytes_per_s)
        needs = left[going] / rates
        step = needs.min()
        now += step
        left[going] -= rates * step
        over = needs <= step * SAME
        ended[going[over]] = now
        going = going[~over]
    return ended + routes.along(fabric.hop_s)
