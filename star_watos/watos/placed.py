"""Wafers whose transfers take as long as the links between their dies say, plan by plan."""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np

from star_watos.cost import Column
from star_watos.fabric import Mesh
from star_watos.watos.dies import Dies
from star_watos.watos.layout import Layout, Ways
from star_watos.watos.placement import on_snake, slots_of
from star_watos.watos.plans import Plans
from star_watos.watos.wafer import Grid


class Order(Enum):
    """How TP rectangles are numbered."""

    SNAKE = "snake, pipelines apart"
    """On the snake, each pipeline by itself."""
    ROWS = "rows, pipelines apart"
    """Row by row, each pipeline by itself."""


class Transfer(Enum):
    """What goes where."""

    STAGE = "to the next stage"
    REPLICA = "to the next replica"
    EXPERTS = "to each other of the expert group"


@dataclass(frozen=True, slots=True)
class Degrees:
    """What a plan's layout depends on, on one wafer."""

    tp_rows: int
    tp_cols: int
    pp: int
    replicas: int
    ep: int = 1


@dataclass(frozen=True, slots=True)
class Placed(Dies):
    """A `Machine` of dies that stand in one of two orders; collectives over replicas are rings.

    Transfers take shortest ways, those of a stage or all replicas at once, and as long as the
    busiest link.
    """

    order: Order = Order.SNAKE

    def layout(self, plans: Plans) -> Layout:
        """Return where the dies of one plan stand on one wafer."""
        (degrees,) = _degrees(self.on_one(plans))
        return placed(self.order, self.wafer.grid, degrees)

    def send_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next stage, or to the next wafer if that takes longer."""
        here = self._seconds(self._ways(Transfer.STAGE, plans), n_bytes)
        return np.maximum(here, self.to_next_wafer_s(plans, n_bytes))

    def send_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of all sends of one microbatch, forward and backward."""
        moved = 2 * self.wafers * self._ways(Transfer.STAGE, plans).moved * n_bytes
        energy: Column = moved * self._link_energy_j_per_byte
        return energy

    def replicas_ring_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:  # noqa: ARG002 (the protocol's)
        """Seconds of replicas - 1 steps of a ring."""
        n = plans.replicas
        return (n - 1) * self._seconds(self._ways(Transfer.REPLICA, plans), n_bytes / n)

    def replicas_all_reduce_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:
        """Seconds of twice that."""
        return 2 * self.replicas_ring_s(plans, n_bytes, stage)

    def replicas_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of the all-reduces of all stages and dies."""
        n = plans.replicas
        steps = 2 * (n - 1) * self._ways(Transfer.REPLICA, plans).moved * n_bytes / n
        energy: Column = self.wafers * steps * self._link_energy_j_per_byte
        return energy

    def all_to_all_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds in which each die sends a part to each other of its group of replicas."""
        return self._seconds(self._ways(Transfer.EXPERTS, plans), n_bytes / plans.ep)

    def pass_on_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next replica."""
        return self._seconds(self._ways(Transfer.REPLICA, plans), n_bytes)

    def _seconds(self, ways: Ways, n_bytes: Column) -> Column:
        d2d = self.wafer.d2d
        return ways.seconds(n_bytes, d2d.link_bytes_per_s, d2d.latency_s)

    def _ways(self, transfer: Transfer, plans: Plans) -> Ways:
        """Return what a transfer does in every plan; each layout is looked at once."""
        here, grid = self.on_one(plans), self.wafer.grid
        first, index = here.distinct("tp_rows", "tp_cols", "pp", "dp", "cp", "ep")
        found = [
            ways(transfer, self.order, grid, degrees) for degrees in _degrees(here.take(first))
        ]
        return Ways.columns(found, index)


def _degrees(plans: Plans) -> list[Degrees]:
    """Return those of each plan."""
    columns = (plans.tp_rows, plans.tp_cols, plans.pp, plans.replicas, plans.ep)
    return [Degrees(*row) for row in np.stack(columns, axis=-1).tolist()]


def placed(order: Order, grid: Grid, degrees: Degrees) -> Layout:
    """Return where the dies of a plan stand: [stages, replicas, tp].

    >>> placed(Order.ROWS, Grid(rows=2, cols=4), Degrees(1, 2, pp=2, replicas=2)).dies.tolist()
    [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    """
    slots = slots_of(degrees.pp, degrees.replicas, apart=True)
    dies = on_snake(grid, (degrees.tp_rows, degrees.tp_cols), slots, turns=order is Order.SNAKE)
    return Layout(Mesh(grid.rows, grid.cols), dies)


@lru_cache(maxsize=65536)
def ways(transfer: Transfer, order: Order, grid: Grid, degrees: Degrees) -> Ways:
    """Return what a transfer does on a grid.

    >>> ways(Transfer.REPLICA, Order.ROWS, Grid(rows=2, cols=4), Degrees(1, 2, 2, 2)).hops
    1
    """
    layout = placed(order, grid, degrees)
    match transfer:
        case Transfer.STAGE:
            return layout.to_next_stage()
        case Transfer.REPLICA:
            return layout.to_next_replica()
        case Transfer.EXPERTS:
            return layout.to_others(degrees.ep)
