"""Machines of dies of which some are broken, and of none that wait for each other."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.fabric import Links, Mesh, all_reduce, reduce_scatter
from star_watos.watos import operator
from star_watos.watos.dies import Dies
from star_watos.watos.faults.groups import Group, Summing, joined
from star_watos.watos.layout import Layout, Ways
from star_watos.watos.line import Line
from star_watos.watos.placement import slots_of
from star_watos.watos.plans import Plans
from star_watos.watos.wafer import Grid, Wafer
from star_watos.workload import Op


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(Dies):
    """A `Machine` whose TP groups stand where they are put, on a mesh with faults.

    Of plans of as many dies a TP group, which use all groups. Transfers take shortest ways, those
    of a stage or all replicas at once, and as long as the busiest link.
    """

    mesh: Mesh
    groups: tuple[Group, ...]
    """In the order of the pipeline, the replicas of a stage beside each other."""
    summing: Summing
    worn: Wafer
    """The wafer with as many cores a die as the die with fewest has."""

    def layout(self, plans: Plans) -> Layout:
        """Return where the dies of one plan stand."""
        return _layout(self.mesh, self.groups, int(plans.pp[0]), int(plans.replicas[0]))

    def forward(self, op: Op, saved_bytes: Column) -> Cost:
        """Cost of the forward pass on the slowest die."""
        return operator.forward(self.worn, op, saved_bytes)

    def backward(self, op: Op, gradient_bytes: float) -> Cost:
        """Cost of both gradients on the slowest die."""
        return operator.backward(self.worn, op, gradient_bytes)

    def all_reduce(
        self, tp_rows: Column, tp_cols: Column, n_bytes: Column, halves: Column = False
    ) -> Cost:
        """Cost of an all-reduce of the slowest group, whatever its shape."""
        taken = joined(self.summing, n_bytes, self._links, halves)
        byte_hops = taken.byte_hops / (tp_rows * tp_cols)
        energy_j = byte_hops * self._link_energy_j_per_byte
        return Cost(time_s=taken.seconds, energy_j=energy_j, link_bytes=byte_hops)

    def send_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next stage."""
        ways = self._ways(stage_ways, plans)
        return ways.seconds(n_bytes, self.wafer.d2d.link_bytes_per_s, self.wafer.d2d.latency_s)

    def send_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of all sends of one microbatch, forward and backward."""
        byte_hops = 2 * self._ways(stage_ways, plans).moved * n_bytes
        energy: Column = byte_hops * self._link_energy_j_per_byte
        return energy

    def replicas_ring_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:  # noqa: ARG002 (the protocol's)
        """Seconds to reduce-scatter, or to all-gather, over the replicas of a stage."""
        return self._line(plans).over(reduce_scatter, plans.replicas, n_bytes).seconds

    def replicas_all_reduce_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:  # noqa: ARG002 (same)
        """Seconds to all-reduce over the replicas of a stage."""
        return self._line(plans).over(all_reduce, plans.replicas, n_bytes).seconds

    def replicas_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of the all-reduces of all stages and dies."""
        ways = self._ways(replica_ways, plans)
        pairs = 2 * (plans.replicas - 1)
        line = all_reduce(1, plans.replicas, n_bytes, self._links).byte_hops
        energy: Column = line * ways.moved / np.maximum(pairs, 1) * self._link_energy_j_per_byte
        return energy

    def all_to_all_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds over the ep groups that share the experts."""
        return self._line(plans).all_to_all_s(plans.ep, n_bytes)

    def pass_on_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next of the groups that share a sequence."""
        return self._line(plans).pass_on_s(n_bytes)

    def _line(self, plans: Plans) -> Line:
        """Return the replicas of a stage, which stand on a line."""
        ways = self._ways(replica_ways, plans)
        return Line(self._links, ways.hops, ways.load)

    @property
    def _links(self) -> Links:
        return Links(self.wafer.d2d.link_bytes_per_s, self.wafer.d2d.latency_s)

    def _ways(
        self, between: Callable[[Mesh, tuple[Group, ...], int, int], Ways], plans: Plans
    ) -> Ways:
        """Return what a transfer does in every plan; each layout is looked at once."""
        first, index = plans.distinct("pp", "dp", "cp")
        own = plans.take(first)
        degrees = zip(own.pp.tolist(), own.replicas.tolist(), strict=True)
        found = [between(self.mesh, self.groups, *each) for each in degrees]
        return Ways.columns(found, index)


def _layout(mesh: Mesh, groups: tuple[Group, ...], pp: int, replicas: int) -> Layout:
    return Layout(mesh, np.array([group.dies for group in groups])[slots_of(pp, replicas)])


@lru_cache(maxsize=8192)
def stage_ways(mesh: Mesh, groups: tuple[Group, ...], pp: int, replicas: int) -> Ways:
    """Return what sends to next stages do, the mean of all.

    >>> stages = Group((1, 2), (0, 1)), Group((1, 2), (2, 3))
    >>> stage_ways(Mesh(1, 4), stages, 2, 1)  # two dies a stage, two hops
    Ways(hops=2.0, load=2.0, moved=4)
    """
    return _layout(mesh, groups, pp, replicas).to_next_stage()


@lru_cache(maxsize=8192)
def replica_ways(mesh: Mesh, groups: tuple[Group, ...], pp: int, replicas: int) -> Ways:
    """Return what sends between neighbouring replicas do, both ways, all at once."""
    dies = _layout(mesh, groups, pp, replicas).dies
    one, other = dies[:, :-1], dies[:, 1:]
    return Ways.of(mesh, np.stack([one, other]), np.stack([other, one]))


def worn(wafer: Wafer, cores: int) -> Wafer:
    """Return the wafer as work sees it whose dies have so many cores alive.

    Its area, and with it the length of wires on a die, are then those of the cores alive.

    >>> from star_watos.spec import load
    >>> wafer = load(Wafer, "watos_config3", "configs/wafers")
    >>> worn(wafer, 162).die.peak_flops_per_s / wafer.die.peak_flops_per_s
    0.5
    """
    if cores == wafer.die.cores.size:
        return wafer
    array = Grid.model_construct(rows=1, cols=cores)
    die = wafer.die.model_copy(update={"cores": array})
    return wafer.model_copy(update={"die": die})


@dataclass(frozen=True, slots=True)
class Unhindered(Dies):
    """A `Machine` of dies that never wait for other groups, all of which have the best shape.

    No plan is faster on a wafer with faults, wherever its groups stand: its times are bounds.
    """

    def all_reduce(
        self, tp_rows: Column, tp_cols: Column, n_bytes: Column, halves: Column = False
    ) -> Cost:
        """Cost of an all-reduce over that rectangle of as many dies which is fastest."""
        dies = np.asarray(tp_rows * tp_cols)
        costs = [Dies.all_reduce(self, tp_rows, tp_cols, n_bytes, halves)]
        for rows in range(1, self.wafer.grid.rows + 1):
            fits = (dies % rows == 0) & (dies // rows <= self.wafer.grid.cols)
            if fits.any():
                other = np.where(fits, rows, tp_rows), np.where(fits, dies // rows, tp_cols)
                costs.append(Dies.all_reduce(self, *other, n_bytes, halves))
        fastest = np.min(np.stack([np.asarray(cost.time_s) for cost in costs]), axis=0)
        return replace(costs[0], time_s=fastest)

    def send_s(self, plans: Plans, n_bytes: Column) -> Column:  # noqa: ARG002 (the protocol's)
        """Nothing."""
        return np.zeros(len(plans))

    def replicas_ring_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:  # noqa: ARG002 (same)
        """Nothing."""
        return np.zeros(len(plans))

    def replicas_all_reduce_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:  # noqa: ARG002 (same)
        """Nothing."""
        return np.zeros(len(plans))

    def all_to_all_s(self, plans: Plans, n_bytes: Column) -> Column:  # noqa: ARG002 (same)
        """Nothing."""
        return np.zeros(len(plans))

    def pass_on_s(self, plans: Plans, n_bytes: Column) -> Column:  # noqa: ARG002 (same)
        """Nothing."""
        return np.zeros(len(plans))
