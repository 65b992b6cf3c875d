"""A ring laid on the mesh: what a step of it takes, and which core has whose block when."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric.collectives import closed
from star_watos.fabric.collectives.timing import Terms
from star_watos.star.spatial.choice import RingLayout

Shares = NDArray[np.float64]

TERMS = {
    RingLayout.NAIVE: closed.ring,
    RingLayout.INTERLEAVED: closed.interleaved_ring,
    RingLayout.HAMILTONIAN: closed.hamiltonian_ring,
    RingLayout.RELAY: closed.relay,
}


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a ring, every core passing on a block."""

    hops: float
    load: float
    """Blocks on the most loaded link."""
    moved: Shares
    """Blocks times hops of all cores, of each step."""
    steps: int
    link_bytes_per_s: float
    latency_s: float

    def seconds(self, block_bytes: Column, messages: Column = 1.0) -> Column:
        """Return the time of a step whose blocks go in so many messages, one after the other."""
        return messages * self.hops * self.latency_s + (
            self.load * block_bytes / self.link_bytes_per_s
        )


def hop(ring: RingLayout, rows: int, cols: int, link_bytes_per_s: float, latency_s: float) -> Hop:
    """Return a step of a ring on rows x cols: its collective's terms over its steps.

    >>> hop(RingLayout.HAMILTONIAN, 2, 2, 4.0, 1.0).seconds(8.0)  # half each way
    2.0
    """
    n = rows * cols
    terms: Terms = TERMS[ring](rows, cols)
    each = n / max(n - 1, 1)
    return Hop(
        hops=float(terms.hops) / max(n - 1, 1),
        load=float(terms.share) * each,
        moved=_moved(ring, n, float(terms.moved) * each),
        steps=n - 1,
        link_bytes_per_s=link_bytes_per_s,
        latency_s=latency_s,
    )


def _moved(ring: RingLayout, n: int, mean: float) -> Shares:
    """Return blocks times hops of each step; of a relay fewer and fewer are still on their way.

    >>> _moved(RingLayout.RELAY, 4, 4.0).tolist()
    [6.0, 4.0, 2.0]
    """
    if ring is RingLayout.RELAY:
        return np.arange(n - 1, 0, -1) * np.float64(2)
    return np.full(n - 1, mean)


def by_step(ring: RingLayout, at: Shares) -> Shares:
    """Return what each core does at each step, [steps, cores], of `at` [cores, blocks].

    Cores are in the order of the ring and begin with the block of their own number.

    >>> alike = np.ones((3, 3))
    >>> by_step(RingLayout.RELAY, alike).tolist()  # both neighbours' blocks come to the middle
    [[1.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 0.0, 1.0]]
    """
    n = len(at)
    step, core = np.arange(n)[:, None], np.arange(n)
    before, after = core - step, core + step
    onward: Shares = at[core, before % n]
    back: Shares = at[core, after % n]
    match ring:
        case RingLayout.NAIVE | RingLayout.INTERLEAVED:
            return onward
        case RingLayout.HAMILTONIAN:
            return (onward + back) / 2
        case RingLayout.RELAY:
            return onward * (before >= 0) + back * ((after < n) & (step > 0))
