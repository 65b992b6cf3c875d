"""All-reduces of TP groups in which links are broken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric import Area, Links, Mesh, Taken, all_reduce, reduce_scatter
from star_watos.fabric.collectives import Algorithm, Kind, algorithms, best, collective, summed
from star_watos.fabric.collectives.choose import terms_of
from star_watos.fabric.collectives.packed import Packed
from star_watos.fabric.collectives.packing import trees
from star_watos.fabric.collectives.timing import Terms

Shape: TypeAlias = tuple[int, int]
Broken: TypeAlias = frozenset[tuple[int, int]]
"""Links inside a group that are broken, by the places of their ends in it."""


class State(IntEnum):
    """What broken links leave of a group, from best to worst."""

    WHOLE = 0
    JOINED = 1
    """Links are broken, and the others inside join all dies."""
    DETOUR = 2
    """Some dies reach each other by way of others only."""


@dataclass(frozen=True, slots=True)
class Group:
    """The dies that share each matrix: a rectangle of rows and columns, row by row."""

    shape: Shape
    dies: tuple[int, ...]

    def broken(self, mesh: Mesh) -> Broken:
        """Return the links inside that are broken.

        >>> mesh = Mesh(2, 3, missing_links=frozenset({(1, 4)}))
        >>> Group((2, 2), (1, 2, 4, 5)).broken(mesh)
        frozenset({(0, 2)})
        """
        if not mesh.missing_links:
            return frozenset()
        lost = {frozenset(link) for link in mesh.missing_links}
        dies = self.dies
        pairs = links_of(self.shape)
        return frozenset((a, b) for a, b in pairs if frozenset((dies[a], dies[b])) in lost)

    def state(self, mesh: Mesh) -> State:
        """Return what is left of it."""
        if not self.broken(mesh):
            return State.WHOLE
        joined = len(mesh.reached(self.dies[0], self.dies)) == len(self.dies)
        return State.JOINED if joined else State.DETOUR


@lru_cache(maxsize=256)
def links_of(shape: Shape) -> tuple[tuple[int, int], ...]:
    """Return the pairs of neighbours of a rectangle, numbered row by row.

    >>> links_of((2, 2))
    ((0, 1), (2, 3), (0, 2), (1, 3))
    """
    places = np.arange(shape[0] * shape[1]).reshape(shape)
    across = zip(places[:, :-1].ravel().tolist(), places[:, 1:].ravel().tolist(), strict=True)
    along = zip(places[:-1].ravel().tolist(), places[1:].ravel().tolist(), strict=True)
    return (*across, *along)


class Summing(Protocol):
    """How TP groups add up."""

    def taken(self, kind: Kind, n_bytes: Column, links: Links) -> Taken:
        """Return what the slowest group takes for an all-reduce, or for a reduce-scatter."""
        ...


def joined(summing: Summing, n_bytes: Column, links: Links, halves: Column) -> Taken:
    """Return what the slowest group takes for an all-reduce, in halves or at once."""
    whole = summing.taken(Kind.ALL_REDUCE, n_bytes, links)
    half = summing.taken(Kind.REDUCE_SCATTER, n_bytes, links)
    return Taken(
        np.where(halves, 2 * half.seconds, whole.seconds),
        np.where(halves, 2 * half.byte_hops, whole.byte_hops),
    )


COLUMNS = {Kind.ALL_REDUCE: all_reduce, Kind.REDUCE_SCATTER: reduce_scatter}
"""Of whole groups."""


@dataclass(frozen=True, slots=True)
class Fastest:
    """Every group by the fastest way for the links that it has left."""

    mesh: Mesh
    groups: tuple[Group, ...]

    def taken(self, kind: Kind, n_bytes: Column, links: Links) -> Taken:
        """Return what the slowest group takes; a broken link makes none faster."""
        whole = COLUMNS[kind]
        found = [whole(*shape, n_bytes, links) for shape in {g.shape for g in self.groups}]
        inside = set[tuple[Shape, Broken]]()
        for group in self.groups:
            match group.state(self.mesh):
                case State.JOINED:
                    inside.add((group.shape, group.broken(self.mesh)))
                case State.DETOUR:
                    ways = _detours(self.mesh, group, kind)
                    found.append(ways.taken(n_bytes, links))
        found += [_inside(*each, kind).taken(n_bytes, links) for each in inside]
        return _slowest(found)


@dataclass(frozen=True, slots=True)
class Kept:
    """Every group by what is fastest where nothing is broken, its messages taking other ways."""

    mesh: Mesh
    groups: tuple[Group, ...]

    def taken(self, kind: Kind, n_bytes: Column, links: Links) -> Taken:
        """Return what the slowest group takes."""
        sizes, index = np.unique(np.asarray(n_bytes, dtype=np.float64), return_inverse=True)
        whole = COLUMNS[kind]
        found = [whole(*shape, n_bytes, links) for shape in {g.shape for g in self.groups}]
        for group in self.groups:
            if group.broken(self.mesh):
                each = [self._terms(kind, group, size, links) for size in sizes.tolist()]
                names = Terms.__slots__
                terms = Terms(*(np.array([getattr(t, n) for t in each]) for n in names))
                seconds = terms.seconds(sizes, links.bytes_per_s, links.latency_s)
                both = (np.asarray(seconds), np.asarray(terms.moved * sizes))
                found.append(Taken(*(each[index].reshape(np.shape(n_bytes)) for each in both)))
        return _slowest(found)

    def _terms(self, kind: Kind, group: Group, n_bytes: float, links: Links) -> Terms:
        """Return the terms of the messages of the whole group on the ways that are left."""
        choice = _chosen(kind, group.shape, n_bytes, links)
        return _around(self.mesh, group, frozenset(), kind, *choice)


@lru_cache(maxsize=1024)
def _chosen(kind: Kind, shape: Shape, n_bytes: float, links: Links) -> tuple[Algorithm, int]:
    """Return what is fastest for a whole group: algorithm and pieces."""
    area = Area.all(Mesh(*shape, links.bytes_per_s, links.latency_s))
    choice = best(kind, area, n_bytes)
    return choice.algorithm, choice.pieces


@lru_cache(maxsize=4096)
def _around(
    mesh: Mesh, group: Group, broken: Broken, kind: Kind, algorithm: Algorithm, pieces: int
) -> Terms:
    """Return the terms of a collective made for a rectangle, done by the dies of a group."""
    area = Area.all(Mesh(*group.shape, missing_links=broken))
    steps = collective(kind, algorithm, area, pieces)
    die = np.array([*group.dies, -1])
    ends = {end: die[getattr(steps, end)] for end in ("source", "via", "target")}
    return summed(mesh, replace(steps, **ends))


@dataclass(frozen=True, slots=True)
class _Ways:
    """Collectives of a group, whatever the size."""

    steps: tuple[Terms, ...]
    trees: Packed | None = None

    def taken(self, n_bytes: Column, links: Links) -> Taken:
        """Return what the fastest of them takes."""
        rate, latency = links.bytes_per_s, links.latency_s
        every = list(self.steps)
        if self.trees is not None:
            every.append(self.trees.terms(self.trees.pieces(n_bytes, rate, latency)))
        found = [Taken(t.seconds(n_bytes, rate, latency), t.moved * n_bytes) for t in every]
        return _picked(found, np.argmin)


STEPPED = {
    kind: [a for a in algorithms(kind) if a is not Algorithm.PACKED_TREES] for kind in COLUMNS
}
"""Those that do not depend on the size."""
PIECES = (8, 32, 128)
"""Numbers of pieces that are tried where trees take detours."""


@lru_cache(maxsize=4096)
def _inside(shape: Shape, broken: Broken, kind: Kind) -> _Ways:
    """Return the collectives on a rectangle that lacks some links, and hangs together."""
    area = Area.all(Mesh(*shape, missing_links=broken))
    steps = tuple(terms_of(kind, algorithm, area, 1) for algorithm in STEPPED[kind])
    return _Ways(steps, Packed.of(trees(area)) if kind is Kind.ALL_REDUCE else None)


@lru_cache(maxsize=4096)
def _detours(mesh: Mesh, group: Group, kind: Kind) -> _Ways:
    """Return the collectives of a group some of whose messages pass other dies.

    Those that are made for the whole rectangle, and for the links that are left.
    """
    ways: list[tuple[Algorithm, int]] = [(a, 1) for a in STEPPED[kind]]
    if kind is Kind.ALL_REDUCE:
        ways += [(Algorithm.PACKED_TREES, pieces) for pieces in PIECES]
    return _Ways(
        tuple(
            _around(mesh, group, broken, kind, *way)
            for broken in (frozenset[tuple[int, int]](), group.broken(mesh))
            for way in ways
        )
    )


def _slowest(found: Sequence[Taken]) -> Taken:
    return _picked(found, np.argmax)


def _picked(found: Sequence[Taken], pick: Callable[..., NDArray[np.intp]]) -> Taken:
    """Return for each row the one of which `pick` tells the place by their seconds."""
    seconds = np.stack(np.broadcast_arrays(*(taken.seconds for taken in found)))
    moved = np.stack(np.broadcast_arrays(*(taken.byte_hops for taken in found)))
    row = pick(seconds, axis=0)[None]
    return Taken(np.take_along_axis(seconds, row, 0)[0], np.take_along_axis(moved, row, 0)[0])
