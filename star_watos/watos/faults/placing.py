"""Where TP groups stand on a wafer with faults: anywhere, or on their fixed tiling."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from star_watos.watos.faults.draw import Damage
from star_watos.watos.faults.groups import Fastest, Group, Kept, Shape, State, Summing
from star_watos.watos.faults.machine import Standing, worn
from star_watos.watos.faults.packing import Candidate, candidates, packed, tiling
from star_watos.watos.faults.path import distances, ordered
from star_watos.watos.wafer import Wafer

LEFT_OUT = (0.5, 0.25, 0.1, 0.0)
"""Shares of the dies, those with fewest cores, without which a packing is tried, strictest first. A
modelling choice."""


class _Rule(NamedTuple):
    """Which groups may be packed."""

    left_out: float
    """Share of the dies, those with fewest cores."""
    state: State
    """The worst that is taken."""
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Anywhere:
    """Robust: groups are packed anew, and passed in an order with short ways between them.

    A packing is of whole rectangles of the plan's shape or turned, of the dies with most cores, if
    that gives enough groups; otherwise of other rectangles of as many dies, then of such with
    broken links, then of more dies.
    """

    wafer: Wafer
    damage: Damage
    hops: NDArray[np.float64]
    _packings: dict[_Rule, list[Group]] = field(default_factory=dict)

    @classmethod
    def on(cls, wafer: Wafer, damage: Damage) -> "Anywhere":
        """Return it for what is left of a wafer."""
        return cls(wafer, damage, distances(damage.mesh))

    def machine(self, shape: Shape, count: int) -> Standing | None:
        """Return the machine of so many groups of a shape; None where there is no room for them."""
        need, have = count * shape[0] * shape[1], self.damage.n_dies
        for rule in self._rules(shape):
            if need <= have - int(rule.left_out * have):
                groups = self._packing(rule)
                if len(groups) >= count:
                    best = self._best(groups, count)
                    summing = Fastest(self.damage.mesh, tuple(best))
                    return standing(self.wafer, self.damage, best, summing)
        return None

    def most(self, shape: Shape) -> int:
        """Return how many groups of a shape there is room for."""
        return max(len(self._packing(rule)) for rule in self._rules(shape))

    def _rules(self, shape: Shape) -> Iterator[_Rule]:
        """Yield the rules by which groups of a shape may be packed, strictest first."""
        mesh = self.damage.mesh
        cores = self.damage.cores_alive[mesh.nodes]
        size = shape[0] * shape[1]
        own = tuple(sorted({shape, shape[::-1]}))
        every = tuple((rows, size // rows) for rows in range(1, size + 1) if size % rows == 0)
        for left_out in LEFT_OUT if len(set(cores.tolist())) > 1 else LEFT_OUT[-1:]:
            for state in State if mesh.missing_links else [State.WHOLE]:
                yield _Rule(left_out, state, own)
                if own != every:
                    yield _Rule(left_out, state, every)

    def _packing(self, rule: _Rule) -> list[Group]:
        """Return most disjoint groups, in the order of a path."""
        if rule not in self._packings:
            groups = self._packed(rule)
            self._packings[rule] = ordered(groups, self.damage.mesh.cols, self.hops)
        return self._packings[rule]

    def _packed(self, rule: _Rule) -> list[Group]:
        """Return most disjoint groups: no fewer than are left of a tiling."""
        mesh = self.damage.mesh
        every = [each for each in self._candidates(rule) if each.state <= rule.state]
        there = {each.group for each in every}
        grid = self.wafer.grid
        tilings = (
            [group for group in tiling(grid, shape, mesh) if group in there]
            for shape in rule.shapes
            if shape[0] <= grid.rows and shape[1] <= grid.cols
        )
        return max(packed(every, mesh.n_nodes), *tilings, key=len)

    def _candidates(self, rule: _Rule) -> list[Candidate]:
        """Return the rectangles of a rule's shapes and dies."""
        mesh = self.damage.mesh
        by_cores = mesh.nodes[np.argsort(-self.damage.cores_alive[mesh.nodes], kind="stable")]
        allowed = by_cores[: len(by_cores) - int(rule.left_out * len(by_cores))]
        return candidates(mesh, rule.shapes, allowed.tolist())

    def _best(self, groups: Sequence[Group], count: int) -> list[Group]:
        """Return so many groups, without those with fewest cores or most broken links."""
        mesh, cores = self.damage.mesh, self.damage.cores_alive

        def speed(place: int) -> tuple[int, int, int, int]:
            group = groups[place]
            slowest = int(cores[list(group.dies)].min())
            return -slowest, group.state(mesh), len(group.broken(mesh)), place

        kept = sorted(sorted(range(len(groups)), key=speed)[:count])
        return [groups[place] for place in kept]


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """Not robust: groups stay on their tiling and on its snake, without those that lost a die."""

    wafer: Wafer
    damage: Damage

    def machine(self, shape: Shape, count: int) -> Standing | None:
        """Return the machine of the first groups of a shape; None where too few are left."""
        mesh = self.damage.mesh
        groups = tiling(self.wafer.grid, shape, mesh)[:count]
        if len(groups) < count:
            return None
        return standing(self.wafer, self.damage, groups, Kept(mesh, tuple(groups)))


def standing(wafer: Wafer, damage: Damage, groups: Sequence[Group], summing: Summing) -> Standing:
    """Return the machine of some groups; their slowest die sets the pace."""
    cores = int(damage.cores_alive[[die for group in groups for die in group.dies]].min())
    return Standing(
        wafer=wafer,
        dies=damage.n_dies,
        mesh=damage.mesh,
        groups=tuple(groups),
        summing=summing,
        worn=worn(wafer, cores),
    )
