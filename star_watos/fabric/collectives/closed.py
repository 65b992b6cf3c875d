"""Terms of collectives on a whole mesh of rows x cols, in closed form; numbers or columns.

n is rows times cols, S the bytes of a node's vector. `docs/fabric.md` derives each; the step lists
have the same terms. Where a reduce-scatter is meant, an all-gather takes the same, and an
all-reduce twice that.
"""

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric.collectives.timing import Terms


def has_cycle(rows: Column, cols: Column) -> NDArray[np.bool_]:
    """Whether the mesh of rows x cols has a cycle of single hops through all of its nodes.

    >>> bool(has_cycle(2, 4)), bool(has_cycle(1, 8)), bool(has_cycle(3, 3))
    (True, False, False)
    """
    r, c = np.asarray(rows), np.asarray(cols)
    cycle: NDArray[np.bool_] = (r > 1) & (c > 1) & (r * c % 2 == 0)
    return cycle


def ring(rows: Column, cols: Column) -> Terms:
    """Reduce-scatter on the snake, one way, with a long way back.

    (n - 1) h a + (n - 1) / n S / B, with h = R - 1 of even R, R + C - 2 of odd.
    """
    r, c = np.asarray(rows), np.asarray(cols)
    n = r * c
    back = np.where(r % 2 == 0, r - 1, r + c - 2)
    return Terms((n - 1) * np.maximum(back, 1), (n - 1) / n, (n - 1) / n * (n - 1 + back))


def bidirectional_ring(rows: Column, cols: Column) -> Terms:
    """Reduce-scatter on the snake both ways: the ways back load its links, but for two rows.

    >>> float(bidirectional_ring(2, 4).share), float(bidirectional_ring(4, 2).share)
    (0.4375, 0.875)
    """
    one_way = ring(rows, cols)
    free = (np.asarray(rows) == 2) & (np.asarray(cols) > 1)
    return Terms(one_way.hops, one_way.share * np.where(free, 0.5, 1.0), one_way.moved)


def hamiltonian_ring(rows: Column, cols: Column) -> Terms:
    """Reduce-scatter both ways on a cycle of single hops: (n - 1) a + (n - 1) / 2 n S / B.

    Where there is none it is the interleaved ring, both ways of which share links: no gain.
    """
    n = np.asarray(rows) * np.asarray(cols)
    cycle, other = has_cycle(rows, cols), interleaved_ring(rows, cols)
    hops, moved = np.where(cycle, n - 1, other.hops), np.where(cycle, n - 1, other.moved)
    return Terms(hops, other.share * np.where(cycle, 0.5, 1.0), moved)


def interleaved_ring(rows: Column, cols: Column) -> Terms:
    """Reduce-scatter on the folded snake: 2 (n - 1) a + (n - 1) / n S / B; of two nodes one hop."""
    n = np.asarray(rows) * np.asarray(cols)
    return Terms((n - 1) * np.where(n > 2, 2, 1), (n - 1) / n, 2 * (n - 1) ** 2 / n)


def hierarchical(rows: Column, cols: Column) -> Terms:
    """Reduce-scatter in rows, then in columns: (C - 1) / C S / B + (R - 1) / R S / (C B)."""
    r, c = np.asarray(rows), np.asarray(cols)
    in_rows, in_cols = interleaved_ring(1, c), interleaved_ring(r, 1)
    return Terms(
        in_rows.hops + in_cols.hops,
        in_rows.share + in_cols.share / c,
        in_rows.moved * r + in_cols.moved,
    )


def split(rows: Column, cols: Column) -> Terms:
    """Reduce-scatter of half of the data rows first, of half columns first.

    While both work on pieces of half, m - 1 steps are of S / 2 m and M - m of S / 2 M, m the
    shorter and M the longer side; then M - 1 of S / 2 n. Of two rows or columns: `hierarchical`.
    """
    r, c = np.asarray(rows), np.asarray(cols)
    short, long, n = np.minimum(r, c), np.maximum(r, c), r * c
    plain, turned, two = hierarchical(r, c), hierarchical(c, r), short <= 2
    share = (short - 1) / (2 * short) + (long - short) / (2 * long) + (long - 1) / (2 * n)
    return Terms(
        np.where(two, plain.hops, 4 * (long - 1)),
        np.where(two, plain.share, share),
        np.where(two, plain.moved, (plain.moved + turned.moved) / 2),
    )


def binary_trees(rows: Column, cols: Column) -> Terms:
    """Reduction to both ends in binomial trees, half each: ceil(log2) steps of S / 2, 2^k hops."""
    r, c = np.asarray(rows, dtype=np.float64), np.asarray(cols, dtype=np.float64)
    down, across = np.ceil(np.log2(r)), np.ceil(np.log2(c))
    moved = r * _binomial_hops(c) + _binomial_hops(r)
    return Terms(2**down + 2**across - 2, (down + across) / 2, moved)


def _binomial_hops(length: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hops of all messages of a binomial tree on a line: of step k ceil((L - 2^k) / 2^(k + 1)).

    >>> _binomial_hops(np.array([1.0, 2.0, 4.0, 6.0])).tolist()
    [0.0, 1.0, 4.0, 9.0]
    """
    apart = 2.0 ** np.arange(np.ceil(np.log2(np.max(length, initial=1.0))))
    messages = np.maximum(np.ceil((length[..., None] - apart) / (2 * apart)), 0.0)
    hops: NDArray[np.float64] = np.sum(messages * apart, axis=-1)
    return hops


def halving(rows: Column, cols: Column) -> Terms:
    """Reduce-scatter by recursive halving in rows, then in columns, of powers of two.

    In step k, 2^k flows of S / 2^(k + 1) share a link: S / 2 each step, S / 2 C in columns.
    """
    r, c = np.asarray(rows, dtype=np.float64), np.asarray(cols, dtype=np.float64)
    across, down = np.log2(c), np.log2(r)
    return Terms(c + r - 2, across / 2 + down / (2 * c), r * (c * across + down) / 2)


def is_power_of_two(rows: Column, cols: Column) -> NDArray[np.bool_]:
    """Whether both sides are: where `halving` has this form."""
    n = np.asarray(np.asarray(rows) * np.asarray(cols), dtype=np.int64)
    power: NDArray[np.bool_] = (n & (n - 1)) == 0
    return power


def all_to_all(rows: Column, cols: Column) -> Terms:
    """Two steps, each of half of what crosses the middle of the longer side L: L S / 4 in all."""
    r, c = np.asarray(rows), np.asarray(cols)
    long = np.maximum(r, c)
    moved = (r * (c**2 - 1) + c * (r**2 - 1)) / 3
    return Terms(2 * (long - 1), long**2 // 4 / long, moved)


def relay(rows: Column, cols: Column) -> Terms:
    """All-gather on the snake in single hops, both ways: (n - 1) a + (n - 1) / n S / B.

    Every piece crosses every link of the snake once.
    """
    n = np.asarray(rows) * np.asarray(cols)
    return Terms(n - 1, (n - 1) / n, n - 1)
