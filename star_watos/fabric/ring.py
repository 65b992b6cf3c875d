"""Ring collectives on a rectangle of a mesh without wrap-around links.

`bytes` is the size S of the vector that every die holds, B the bandwidth of one link in one
direction. Where both sides are longer than one and one is even, a Hamiltonian cycle of single hops
exists and both directions carry half. Elsewhere (a line, or odd x odd) the ring is folded along a
line (for odd x odd: along a snake), logical neighbours being up to two hops apart, so each link
carries two ring edges. Both are standard; Thakur et al. 2005 for the rings.
"""

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column


def has_cycle(rows: Column, cols: Column) -> NDArray[np.bool_]:
    """Whether the mesh of rows x cols has a cycle of single hops through all of its dies.

    >>> bool(has_cycle(2, 4)), bool(has_cycle(1, 8)), bool(has_cycle(3, 3))
    (True, False, False)
    """
    r, c = np.asarray(rows), np.asarray(cols)
    cycle: NDArray[np.bool_] = (r > 1) & (c > 1) & (r * c % 2 == 0)
    return cycle


def all_reduce_s(
    rows: Column, cols: Column, n_bytes: Column, link_bytes_per_s: Column, latency_s: Column
) -> Column:
    """Seconds of an all-reduce: reduce-scatter, then all-gather, on the ring.

    On a cycle, used both ways: 2 (n - 1) a + (n - 1) / n S / B.
    Folded: 2 (n - 1) 2 a + 2 (n - 1) / n S / B; for n = 2 a step is one hop.

    >>> all_reduce_s(2, 2, 4.0, 1.0, 0.0).item(), all_reduce_s(1, 2, 4.0, 1.0, 0.0).item()
    (3.0, 4.0)
    """
    n = np.asarray(rows) * np.asarray(cols)
    cycle = has_cycle(rows, cols)
    hops = np.where(cycle | (n == 2), 1, 2)
    volume = np.where(cycle, 1, 2) * (n - 1) / n * n_bytes / link_bytes_per_s
    seconds: Column = 2 * (n - 1) * hops * latency_s + volume
    return seconds


def all_reduce_byte_hops(rows: Column, cols: Column, n_bytes: Column) -> Column:
    """Bytes times hops that an all-reduce moves, all dies together.

    Each ring edge carries 2 (n - 1) / n S; a cycle has n edges of one hop, a folded ring of n dies
    passes 2 (n - 1) links in all.

    >>> all_reduce_byte_hops(2, 2, 4.0).item()
    24.0
    """
    n = np.asarray(rows) * np.asarray(cols)
    links = np.where(has_cycle(rows, cols), n, 2 * (n - 1))
    moved: Column = 2 * (n - 1) / n * n_bytes * links
    return moved
