"""A wafer used as Megatron-LM uses a cluster: groups of dies row by row, rings, one order."""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.fabric import Mesh
from star_watos.fabric.collectives.closed import ring
from star_watos.watos.dies import Dies
from star_watos.watos.layout import Layout, Ways
from star_watos.watos.plans import Plans


@dataclass(frozen=True, slots=True)
class RowMajor(Dies):
    """A `Machine` of dies that are numbered row by row: TP innermost, then stages, then replicas.

    TP groups are parts of a row, all collectives are rings, transfers take shortest ways.
    """

    def layout(self, plans: Plans) -> Layout:
        """Return where the dies of one plan stand on one wafer."""
        here, grid = self.on_one(plans), self.wafer.grid
        degrees = (here.tp_cols[0], here.pp[0], here.replicas[0])
        return row_major(grid.rows, grid.cols, *map(int, degrees))

    def all_reduce(self, tp_rows: Column, tp_cols: Column, n_bytes: Column) -> Cost:
        """Cost of a ring over the dies of a group, with its long way back."""
        terms, d2d = ring(tp_rows, tp_cols).times(2), self.wafer.d2d
        moved = terms.moved * n_bytes / (tp_rows * tp_cols)
        return Cost(
            time_s=terms.seconds(n_bytes, d2d.link_bytes_per_s, d2d.latency_s),
            energy_j=moved * self._link_energy_j_per_byte,
            link_bytes=moved,
        )

    def send_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next stage, which stands behind it, or on the next wafer."""
        here = self._seconds(self._ways(Transfer.STAGE, plans), n_bytes)
        return np.maximum(here, self.to_next_wafer_s(plans, n_bytes))

    def send_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of all sends of one microbatch, forward and backward."""
        moved = 2 * self.wafers * self._ways(Transfer.STAGE, plans).moved * n_bytes
        energy: Column = moved * self._link_energy_j_per_byte
        return energy

    def replicas_ring_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds of replicas - 1 steps of a ring, over replicas that are pp groups apart."""
        n = plans.replicas
        seconds = self._seconds(self._ways(Transfer.REPLICA, plans), n_bytes / n)
        return (n - 1) * seconds

    def replicas_all_reduce_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds of twice that."""
        return 2 * self.replicas_ring_s(plans, n_bytes)

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

    def _ways(self, transfer: "Transfer", plans: Plans) -> Ways:
        """Return what a transfer does in every plan; each layout is looked at once."""
        here = self.on_one(plans)
        first, index = here.distinct("tp_cols", "pp", "dp", "cp", "ep")
        own, grid = here.take(first), self.wafer.grid
        degrees = np.stack([own.tp_cols, own.pp, own.replicas, own.ep], axis=-1)
        found = [ways(transfer, grid.rows, grid.cols, *row) for row in degrees.tolist()]
        columns = ([getattr(each, name) for each in found] for name in Ways.__slots__)
        return Ways(*(np.array(column, dtype=np.float64)[index] for column in columns))


class Transfer(Enum):
    """What goes where."""

    STAGE = "to the next stage"
    REPLICA = "to the next replica"
    EXPERTS = "to each other of the expert group"


def row_major(rows: int, cols: int, tp: int, pp: int, replicas: int) -> Layout:
    """Return where the dies of a plan stand: groups of tp side by side, row by row.

    >>> row_major(2, 4, 2, 2, 2).dies.tolist()  # [stages, replicas, tp]
    [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    """
    per_row = cols // tp
    row, place = np.divmod(np.arange(replicas * pp), per_row)
    first = (row * cols + place * tp).reshape(replicas, pp).T
    return Layout(Mesh(rows, cols), first[..., None] + np.arange(tp))


@lru_cache(maxsize=16384)
def ways(transfer: Transfer, rows: int, cols: int, *degrees: int) -> Ways:
    """Return what a transfer does on a grid; `degrees` are tp, pp, replicas and ep.

    >>> ways(Transfer.REPLICA, 2, 4, 2, 2, 2, 1).hops
    1
    """
    tp, pp, replicas, ep = degrees
    layout = row_major(rows, cols, tp, pp, replicas)
    match transfer:
        case Transfer.STAGE:
            return layout.to_next_stage()
        case Transfer.REPLICA:
            return layout.to_next_replica()
        case Transfer.EXPERTS:
            return layout.to_others(ep)
