"""Every collective by name, and the fastest for a size and shape."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from star_watos.fabric.area import Area
from star_watos.fabric.collectives import closed, exchange, grids, rings
from star_watos.fabric.collectives.bounds import least_hops, least_share
from star_watos.fabric.collectives.check import Kind
from star_watos.fabric.collectives.packed import Packed
from star_watos.fabric.collectives.packing import trees
from star_watos.fabric.collectives.pipelined import DEFAULT_PIECES, multicast, packed_trees
from star_watos.fabric.collectives.timing import Terms, summed
from star_watos.fabric.collectives.transfers import Transfers, then
from star_watos.fabric.flows import slowest


class Algorithm(StrEnum):
    """How a collective goes about it."""

    RING = "ring"
    BIDIRECTIONAL_RING = "bidirectional-ring"
    HAMILTONIAN_RING = "hamiltonian-ring"
    INTERLEAVED_RING = "interleaved-ring"
    HIERARCHICAL = "hierarchical"
    SPLIT = "split"
    HALVING = "halving-doubling"
    BINARY_TREES = "binary-trees"
    """All-reduce only."""
    PACKED_TREES = "packed-trees"
    """All-reduce and multicast."""
    ROWS_AND_COLUMNS = "rows-and-columns"
    """All-to-all only."""


SCATTERS: dict[Algorithm, Callable[[Area], Transfers]] = {
    Algorithm.RING: rings.ring,
    Algorithm.BIDIRECTIONAL_RING: rings.bidirectional_ring,
    Algorithm.HAMILTONIAN_RING: rings.hamiltonian_ring,
    Algorithm.INTERLEAVED_RING: rings.interleaved_ring,
    Algorithm.HIERARCHICAL: grids.hierarchical,
    Algorithm.SPLIT: grids.split,
    Algorithm.HALVING: grids.halving,
}
"""Reduce-scatters; backwards they are all-gathers."""


def algorithms(kind: Kind) -> list[Algorithm]:
    """Return those that do a kind of collective."""
    match kind:
        case Kind.ALL_REDUCE:
            return [*SCATTERS, Algorithm.BINARY_TREES, Algorithm.PACKED_TREES]
        case Kind.REDUCE_SCATTER | Kind.ALL_GATHER:
            return list(SCATTERS)
        case Kind.ALL_TO_ALL:
            return [Algorithm.ROWS_AND_COLUMNS]
        case Kind.MULTICAST:
            return [Algorithm.PACKED_TREES]


def collective(
    kind: Kind,
    algorithm: Algorithm,
    area: Area,
    pieces: int = DEFAULT_PIECES,
    root: int | None = None,
) -> Transfers:
    """Return the transfers of a collective; `pieces` are of trees, `root` of a multicast.

    >>> from star_watos.fabric import Area, Mesh
    >>> line = Area.all(Mesh(1, 4))
    >>> collective(Kind.ALL_REDUCE, Algorithm.RING, line).n_steps
    6
    """
    if algorithm not in algorithms(kind):
        raise ValueError(f"{algorithm.value} does no {kind.value}")
    if kind is Kind.ALL_TO_ALL:
        return exchange.all_to_all(area)
    if kind is Kind.MULTICAST:
        first = int(area.nodes[0]) if root is None else root
        if first not in area.nodes:
            raise ValueError(f"the root {root} is no node of the area")
        return multicast(area, first, pieces)
    if algorithm is Algorithm.PACKED_TREES:
        return packed_trees(area, pieces)
    half = (SCATTERS | {Algorithm.BINARY_TREES: grids.binary_trees})[algorithm](area)
    match kind:
        case Kind.REDUCE_SCATTER:
            return half
        case Kind.ALL_GATHER:
            return half.reversed()
        case _:
            return then(half, half.reversed())


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to do a collective, and what it takes."""

    algorithm: Algorithm
    pieces: int
    terms: Terms
    seconds: float
    bound_s: float
    """What no collective can beat."""

    @property
    def over_bound(self) -> float:
        """Time over the bound."""
        return self.seconds / self.bound_s if self.bound_s > 0 else 1.0


def choices(kind: Kind, area: Area, n_bytes: float) -> list[Choice]:
    """Return every way to do a collective, fastest first.

    The slowest link stands for all where they differ.
    """
    rate, latency = slowest(area.mesh)
    hops, share = least(kind, area)
    bound_s = max(hops * latency, share * n_bytes / rate)
    found = []
    for algorithm in algorithms(kind):
        for pieces in _pieces(kind, algorithm, area, (n_bytes, rate, latency)):
            terms = terms_of(kind, algorithm, area, pieces)
            seconds = float(terms.seconds(n_bytes, rate, latency))
            found.append(Choice(algorithm, pieces, terms, seconds, bound_s))
    return sorted(found, key=lambda choice: choice.seconds)


def best(kind: Kind, area: Area, n_bytes: float) -> Choice:
    """Return the fastest way to do a collective on vectors of `n_bytes`.

    >>> from star_watos.fabric import Area, Mesh
    >>> area = Area.all(Mesh(8, 8, link_bytes_per_s=1e12, latency_s=1e-7))
    >>> [best(Kind.ALL_REDUCE, area, size).algorithm.value for size in (1e3, 1e9)]
    ['halving-doubling', 'packed-trees']
    """
    return choices(kind, area, n_bytes)[0]


@lru_cache(maxsize=256)
def least(kind: Kind, area: Area) -> tuple[int, float]:
    """Return the least hops and share; of a multicast from the first node."""
    root = int(area.nodes[0]) if kind is Kind.MULTICAST else None
    return least_hops(area, root), least_share(kind, area)


@lru_cache(maxsize=256)
def _packed(kind: Kind, area: Area) -> Packed:
    """Return it for an all-reduce, or for a multicast from the first node."""
    if kind is Kind.MULTICAST:
        return Packed.of(trees(area, int(area.nodes[0])), ways=1)
    return Packed.of(trees(area))


def _pieces(
    kind: Kind, algorithm: Algorithm, area: Area, sizes: tuple[float, float, float]
) -> list[int]:
    """Return numbers of pieces worth trying: the best that fill the trees, or a single one."""
    if algorithm is not Algorithm.PACKED_TREES or len(area.nodes) == 1:
        return [1]
    best = int(_packed(kind, area).pieces(*sizes))
    return [best] if kind is Kind.ALL_REDUCE else [1, best]


@lru_cache(maxsize=1024)
def terms_of(kind: Kind, algorithm: Algorithm, area: Area, pieces: int) -> Terms:
    """Return the terms: in closed form where nothing is missing, of the steps elsewhere."""
    known = _closed(kind, algorithm, area, pieces) if area.whole else None
    return known or summed(area.mesh, collective(kind, algorithm, area, pieces))


def _closed(kind: Kind, algorithm: Algorithm, area: Area, pieces: int) -> Terms | None:
    """Return the closed form, if there is one."""
    sides = area.rows, area.cols
    twice = 2 if kind is Kind.ALL_REDUCE else 1
    if algorithm is Algorithm.PACKED_TREES:
        if area.size == 1:
            return Terms()
        packed = _packed(kind, area)
        return packed.terms(pieces) if pieces >= packed.fill else None
    if algorithm is Algorithm.HALVING and not closed.is_power_of_two(*sides):
        return None
    return CLOSED[algorithm](*sides).times(twice)


CLOSED: dict[Algorithm, Callable[..., Terms]] = {
    Algorithm.RING: closed.ring,
    Algorithm.BIDIRECTIONAL_RING: closed.bidirectional_ring,
    Algorithm.HAMILTONIAN_RING: closed.hamiltonian_ring,
    Algorithm.INTERLEAVED_RING: closed.interleaved_ring,
    Algorithm.HIERARCHICAL: closed.hierarchical,
    Algorithm.SPLIT: closed.split,
    Algorithm.HALVING: closed.halving,
    Algorithm.BINARY_TREES: closed.binary_trees,
    Algorithm.ROWS_AND_COLUMNS: closed.all_to_all,
}
