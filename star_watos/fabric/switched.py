"""Devices behind switches as a fabric, and their collectives: n of them, g of each node.

A ring passes every node once, so its bandwidth is that of one device inside a node, or between
nodes that of the g adapters that its devices have there. Both are standard (Thakur et al. 2005).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric.routes import Nodes, Routes, starts
from star_watos.tables import Table


@dataclass(frozen=True, slots=True)
class Switches:
    """Bandwidths that long transfers reach, of one device in one direction, and latencies."""

    gpus_per_node: int
    node_bytes_per_s: float
    node_latency_s: float
    between_bytes_per_s: float
    between_latency_s: float
    all_reduce_table: Table | None = None
    """Measured seconds inside a node, by n and bytes."""


@dataclass(frozen=True)
class SwitchFabric:
    """Devices behind switches as a `Fabric`; every device has four links.

    Link 4 v leads from device v into its node's switches and 4 v + 1 out of them to v; 4 v + 2 and
    4 v + 3 do the same at its adapter to other nodes. Switches themselves limit nothing.

    >>> SwitchFabric(Switches(2, 1.0, 0.0, 1.0, 0.0), 4).routes(np.array([0, 0]), np.array([1, 2]))
    Routes(start=array([0, 2, 4]), link=array([ 0,  5,  2, 11]))
    """

    switches: Switches
    n_nodes: int
    """Devices."""

    @property
    def n_links(self) -> int:
        """Four a device."""
        return 4 * self.n_nodes

    @property
    def present(self) -> NDArray[np.bool_]:
        """All links are there."""
        return np.ones(self.n_links, dtype=bool)

    @property
    def capacity_bytes_per_s(self) -> NDArray[np.float64]:
        """Bandwidth of each link."""
        inside, between = self.switches.node_bytes_per_s, self.switches.between_bytes_per_s
        return np.tile([inside, inside, between, between], self.n_nodes)

    @property
    def hop_s(self) -> NDArray[np.float64]:
        """Latency of each link: half of that between two devices."""
        inside, between = self.switches.node_latency_s, self.switches.between_latency_s
        return np.tile([inside / 2, inside / 2, between / 2, between / 2], self.n_nodes)

    @property
    def hop_j_per_byte(self) -> NDArray[np.float64]:
        """Nothing: it is part of the devices' power."""
        return np.zeros(self.n_links)

    def routes(self, source: Nodes, target: Nodes) -> Routes:
        """Return the links of each flow: into the switches and out of them."""
        per_node = self.switches.gpus_per_node
        other = 2 * (source // per_node != target // per_node)
        link = np.stack([4 * source + other, 4 * target + 1 + other], axis=-1)
        hops = np.where(source == target, 0, 2)
        return Routes(starts(hops), link[source != target].ravel())


def members_per_node(switches: Switches, n: Column, stride: Column) -> Column:
    """Return how many of n devices, every `stride`-th one, share a node: at least one.

    >>> members_per_node(Switches(8, 1.0, 0.0, 1.0, 0.0), n=np.array([2, 4, 16]), stride=4)
    array([2, 2, 2])
    """
    members: Column = np.minimum(n, np.maximum(switches.gpus_per_node // np.asarray(stride), 1))
    return members


def ring_s(switches: Switches, n: Column, stride: Column, n_bytes: Column) -> Column:
    """Seconds to reduce-scatter, or to all-gather, `n_bytes` over n devices.

    (n - 1) a + (n - 1) / n S / B, with B = min(in a node, g x between nodes).

    >>> two_nodes = Switches(2, 100.0, 0.0, 10.0, 0.0)
    >>> ring_s(two_nodes, 2, 1, 400.0).item(), ring_s(two_nodes, 4, 1, 400.0).item()
    (2.0, 15.0)
    """
    count = np.asarray(n, dtype=np.float64)
    together = members_per_node(switches, n, stride)
    inside = together >= count
    across = np.minimum(switches.node_bytes_per_s, together * switches.between_bytes_per_s)
    rate = np.where(inside, switches.node_bytes_per_s, across)
    step = np.where(inside, switches.node_latency_s, switches.between_latency_s)
    seconds: Column = (count - 1) * (step + n_bytes / count / rate)
    return seconds


def all_reduce_s(switches: Switches, n: Column, stride: Column, n_bytes: Column) -> Column:
    """Seconds of an all-reduce: as measured inside a node where there is a table, else two rings.

    Below the table's smallest size its time stays, above its largest the bandwidth does.
    """
    rings = 2.0 * np.asarray(ring_s(switches, n, stride, n_bytes))
    measured = switches.all_reduce_table
    if measured is None:
        return rings
    count = np.asarray(n, dtype=np.float64)
    known = measured.within(1, np.maximum(n_bytes, 1.0))
    seconds = 1e-6 * measured.at(measured.within(0, np.maximum(count, 2.0)), known)[0]
    seconds = seconds * np.maximum(n_bytes / known, 1.0)
    inside = members_per_node(switches, n, stride) >= count
    table_holds = inside & ~measured.outside(0, np.maximum(count, 2.0))
    return np.where(count > 1, np.where(table_holds, seconds, rings), 0.0)


def send_s(switches: Switches, distance: Column, n_bytes: Column) -> Column:
    """Seconds to send `n_bytes` to the device `distance` places further."""
    inside = np.asarray(distance) < switches.gpus_per_node
    rate = np.where(inside, switches.node_bytes_per_s, switches.between_bytes_per_s)
    latency = np.where(inside, switches.node_latency_s, switches.between_latency_s)
    seconds: Column = latency + n_bytes / rate
    return seconds


def all_to_all_s(switches: Switches, n: Column, stride: Column, n_bytes: Column) -> Column:
    """Seconds in which each of n devices sends `n_bytes` in all, an equal part to each.

    What leaves a node is (n - g) / n of it and goes through the device's own adapter.
    """
    count = np.asarray(n, dtype=np.float64)
    together = members_per_node(switches, n, stride)
    inside_s = n_bytes * (together - 1) / count / switches.node_bytes_per_s
    between_s = n_bytes * (count - together) / count / switches.between_bytes_per_s
    latency = np.where(together >= count, switches.node_latency_s, switches.between_latency_s)
    return np.where(count > 1, latency + np.maximum(inside_s, between_s), 0.0)
