"""Which DRAM each core's traffic goes to, and over which links."""

from dataclasses import dataclass

import numpy as np

from star_watos.fabric.flows import Values, link_loads
from star_watos.fabric.routes import Nodes
from star_watos.star.core import Core
from star_watos.star.spatial.noc import Noc


@dataclass(frozen=True)
class Shares:
    """What a core gets of the DRAM."""

    bytes_per_s: float
    """Bandwidth that the worst placed core gets, all working alike."""
    loads: Values
    """Traffic on each link, where that of each core is 1."""
    port_bytes_per_s: float
    """Bandwidth of a port."""
    by_links: bool
    """Whether links on the way limit it, and not the ports."""

    @property
    def most_on_a_link(self) -> float:
        """Cores whose traffic the most loaded link carries."""
        return float(self.loads.max(initial=0.0))


def shares(noc: Noc, core: Core, rows: int, cols: int) -> Shares:
    """Return the shares of a mesh of alike cores, each at the port that is nearest.

    A port is shared by the cores that it serves, and a link by those whose traffic it carries.
    """
    mesh, ports = noc.mesh(rows, cols), noc.port_nodes(rows, cols)
    cores = np.arange(rows * cols)
    (row, col), (port_row, port_col) = np.divmod(cores, cols), np.divmod(ports, cols)
    away = np.abs(row[:, None] - port_row) + np.abs(col[:, None] - port_col)
    nearest = _evenly(away)
    routes = mesh.routes(ports[nearest], cores)
    loads = link_loads(mesh, routes, np.ones(len(cores)))
    at_port = np.bincount(nearest).max()
    port_rate = noc.port_bytes_per_s(len(ports), core.dram.bandwidth_bytes_per_s)
    at_port_rate = float(port_rate / at_port)
    link_rate = noc.link_bandwidth_bytes_per_s.value / max(float(loads.max()), 1e-30)
    return Shares(min(at_port_rate, link_rate), loads, port_rate, link_rate < at_port_rate)


def _evenly(away: Nodes) -> Nodes:
    """Return the nearest port of each core; of equally near ones that which serves fewest."""
    served = np.zeros(away.shape[1], dtype=np.intp)
    chosen = np.zeros(len(away), dtype=np.intp)
    for core, distances in enumerate(away):
        near = np.flatnonzero(distances == distances.min())
        chosen[core] = near[np.argmin(served[near])]
        served[chosen[core]] += 1
    return chosen
