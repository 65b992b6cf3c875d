"""Where the dies of a plan stand, and what its transfers do to the links between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.fabric import Mesh
from star_watos.fabric.flows import link_loads


@dataclass(frozen=True, slots=True)
class Ways:
    """What flows of equal size do that start together; of one layout, or of each row."""

    hops: Column
    """Of the longest way."""
    load: Column
    """Flows on the busiest link."""
    moved: Column
    """Links of all ways."""

    @classmethod
    def of(cls, mesh: Mesh, source: NDArray[np.intp], target: NDArray[np.intp]) -> "Ways":
        """Return what flows from each source to its target do, by shortest ways.

        >>> line = Mesh(1, 3)
        >>> Ways.of(line, np.array([0, 1]), np.array([2, 2]))
        Ways(hops=2, load=2.0, moved=3)
        """
        if not source.size:
            return cls(0, 0.0, 0)
        routes = mesh.routes(source.ravel(), target.ravel())
        loads = link_loads(mesh, routes, np.ones(source.size))
        return cls(int(routes.hops.max()), float(loads.max()), int(routes.hops.sum()))

    def seconds(self, n_bytes: Column, link_bytes_per_s: float, latency_s: float) -> Column:
        """Return the time of flows of `n_bytes`: the longest way, and the busiest link's bytes."""
        return self.hops * latency_s + self.load * n_bytes / link_bytes_per_s

    @classmethod
    def columns(cls, found: "Sequence[Ways]", index: NDArray[np.intp]) -> "Ways":
        """Return for each row that of its place among those found."""
        names = ("hops", "load", "moved")
        every = (np.array([getattr(ways, name) for ways in found]) for name in names)
        return cls(*(column.astype(np.float64)[index] for column in every))


@dataclass(frozen=True)
class Layout:
    """The dies of every stage and replica on a mesh, which may have holes."""

    mesh: Mesh
    dies: NDArray[np.intp]
    """Node of each die, [stages, replicas, tp]; dies of the same place have the same part."""

    def stage_hops(self) -> NDArray[np.float64]:
        """Return the hops between first dies of stages where nothing is missing."""
        place = np.stack(np.divmod(self.dies[:, 0, 0], self.mesh.cols), axis=-1)
        hops: NDArray[np.intp] = np.abs(place[:, None] - place).sum(axis=-1)
        return hops.astype(np.float64)

    def to_next_stage(self) -> Ways:
        """Return what the sends of a stage to the next do, the mean of all stages, there and back.

        `moved` is of the sends of all stages one way. A pipeline passes every stage, so that the
        mean is what a way through all of it adds up to.
        """
        there = [Ways.of(self.mesh, a, b) for a, b in pairwise(self.dies)]
        back = [Ways.of(self.mesh, b, a) for a, b in pairwise(self.dies)]
        every = max(len(there), 1)
        return Ways(
            hops=sum(ways.hops for ways in there) / every,
            load=sum(ways.load for ways in there + back) / (2 * every),
            moved=sum(ways.moved for ways in there),
        )

    def to_next_replica(self) -> Ways:
        """Return what a step of all rings over replicas does."""
        if self.dies.shape[1] == 1:
            return Ways(0, 0.0, 0)
        return Ways.of(self.mesh, self.dies, np.roll(self.dies, -1, axis=1))

    def to_others(self, group: int) -> Ways:
        """Return what sends from each die to all others do, in groups of neighbouring replicas."""
        stages, replicas, tp = self.dies.shape
        groups = self.dies.reshape(stages, replicas // group, group, tp)
        one, other = np.nonzero(~np.eye(group, dtype=bool))
        return Ways.of(self.mesh, groups[:, :, one], groups[:, :, other])
