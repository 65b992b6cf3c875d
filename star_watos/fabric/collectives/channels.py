"""Rings of devices behind switches: one for each adapter of a node, all at once."""

import numpy as np

from star_watos.fabric.collectives.orders import Ring
from star_watos.fabric.collectives.rings import reduce_scatter
from star_watos.fabric.collectives.transfers import Transfers, beside


def channels(n: int, per_node: int) -> Transfers:
    """Reduce-scatter of an equal part of the data on each of as many rings as a node has devices.

    Ring k comes into a node at its device k and leaves it at the one before, so that every adapter
    carries one ring. Whole nodes, or devices of a single one.

    >>> channels(4, 2).n_steps
    3
    """
    together = min(per_node, n)
    first = np.arange(0, n, together)[:, None]
    rings = [first + (np.arange(together) + k) % together for k in range(together)]
    return beside(
        *(
            reduce_scatter(Ring.direct(ring.ravel())).chunks(together * n, k, together)
            for k, ring in enumerate(rings)
        )
    )
