"""Reduce-scatter around a ring (Thakur et al. 2005); backwards it is the all-gather."""

import numpy as np
from numpy.typing import NDArray

from star_watos.fabric.area import Area
from star_watos.fabric.collectives.orders import Ring, hamiltonian, interleaved, naive
from star_watos.fabric.collectives.transfers import Transfers, halves
from star_watos.fabric.routes import Nodes


def around(ring: Ring, owner: Nodes, chunk: Nodes, n_chunks: int) -> Transfers:
    """Bring each chunk to the place `owner` on the ring, through all others before it.

    It starts at the place after, and every node adds its own: n - 1 steps.
    """
    n = len(ring.nodes)
    step = np.arange(n - 1)[:, None]
    place = (np.asarray(owner) + 1 + step) % n
    columns = {
        "step": step,
        "source": ring.nodes[place],
        "target": ring.nodes[(place + 1) % n],
        "chunk": chunk,
        "via": ring.via[place],
    }
    return Transfers.of(n_chunks, columns, adds=True)


def reduce_scatter(ring: Ring) -> Transfers:
    """A chunk a node, all in one direction."""
    own = np.arange(len(ring.nodes))
    return around(ring, own, own, len(own))


def both_ways(ring: Ring) -> Transfers:
    """Half of every chunk in each direction."""
    own = np.arange(len(ring.nodes))
    back = ring.backwards()
    return halves(reduce_scatter(ring), around(back, own, (-own) % len(own), len(own)))


def ring(area: Area) -> Transfers:
    """On the naive ring, one way."""
    return reduce_scatter(naive(area))


def bidirectional_ring(area: Area) -> Transfers:
    """On the naive ring, both ways."""
    return both_ways(naive(area))


def hamiltonian_ring(area: Area) -> Transfers:
    """On the circle of single hops, both ways."""
    return both_ways(hamiltonian(area))


def interleaved_ring(area: Area) -> Transfers:
    """On the interleaved ring, one way."""
    return reduce_scatter(interleaved(area))


def relay(line: Nodes, first_chunk: Nodes, n_chunks: int) -> Transfers:
    """All-gather on a line in single hops: every chunk spreads both ways from its node.

    The bidirectional relay of TEMP (arXiv 2512.14256): no way is longer than one hop, and no chunk
    comes to a node twice.
    """
    n = len(line)
    step, own = np.meshgrid(np.arange(n - 1), np.arange(n), indexing="ij")
    parts: list[NDArray[np.intp]] = []
    for towards in (1, -1):
        place = own + towards * step
        onward = (place >= 0) & (place < n) & (place + towards >= 0) & (place + towards < n)
        at = place[onward]
        rows = [step[onward], line[at], line[at + towards], np.asarray(first_chunk)[own[onward]]]
        parts.append(np.stack(rows))
    step_, source, target, chunk = np.concatenate(parts, axis=1)
    columns = {"step": step_, "source": source, "target": target, "chunk": chunk}
    return Transfers.of(n_chunks, columns, adds=False)
