"""What replicas that stand on a line take to exchange something."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.fabric import Links, Taken


@dataclass(frozen=True, slots=True)
class Line:
    """Replicas whose neighbours are some hops of the mesh apart; numbers, or a row a plan."""

    links: Links
    """Of the mesh."""
    hops: Column
    """Of the longest way between neighbours."""
    load: Column
    """Ways over the busiest link, if all dies of all replicas send to their neighbours."""

    def over(
        self,
        collective: Callable[[Column, Column, Column, Links], Taken],
        replicas: Column,
        n_bytes: Column,
    ) -> Taken:
        """Return what a collective takes, each of whose hops is one between neighbours.

        So it has `hops` times the latency, and its links `load` times the bytes.
        """
        links = Links(self.links.bytes_per_s, self.links.latency_s * self.hops)
        return collective(1, replicas, n_bytes * self.load, links)

    def all_to_all_s(self, ep: Column, n_bytes: Column) -> Column:
        """Seconds over groups of ep: half of them send half their bytes to the rest.

        Between the two in the middle (n / 2)² S / n = n S / 4 go each way.

        >>> float(Line(Links(1.0, 0.0), hops=1.0, load=2.0).all_to_all_s(4.0, 8.0))
        16.0
        """
        middle = np.where(np.asarray(ep) > 1, ep * n_bytes / 4, 0.0)
        carried_s = self.load * middle / self.links.bytes_per_s
        seconds: Column = carried_s + self.hops * (ep - 1) * self.links.latency_s
        return seconds

    def pass_on_s(self, n_bytes: Column) -> Column:
        """Seconds to the next of a folded ring, two places away."""
        carried_s = self.load * n_bytes / self.links.bytes_per_s
        return 2 * (self.hops * self.links.latency_s + carried_s)
