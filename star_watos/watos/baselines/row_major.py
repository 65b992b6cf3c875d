"""A wafer used as Megatron-LM uses a cluster: groups of dies row by row, and rings."""

from dataclasses import dataclass

from star_watos.cost import Column, Cost
from star_watos.fabric.collectives.closed import ring
from star_watos.watos.placed import Order, Placed


@dataclass(frozen=True, slots=True)
class RowMajor(Placed):
    """A `Machine` of dies in the order of ranks: TP innermost, then stages, then replicas.

    TP groups are parts of a row, all collectives are rings.
    """

    order: Order = Order.ROWS

    def all_reduce(
        self,
        tp_rows: Column,
        tp_cols: Column,
        n_bytes: Column,
        halves: Column = False,  # noqa: ARG002 (the protocol's)
    ) -> Cost:
        """Cost of a ring over the dies of a group, with its long way back; halves are the same."""
        terms, d2d = ring(tp_rows, tp_cols).times(2), self.wafer.d2d
        moved = terms.moved * n_bytes / (tp_rows * tp_cols)
        return Cost(
            time_s=terms.seconds(n_bytes, d2d.link_bytes_per_s, d2d.latency_s),
            energy_j=moved * self._link_energy_j_per_byte,
            link_bytes=moved,
        )
