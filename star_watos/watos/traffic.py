"""What pipeline and replicas send over the mesh between TP rectangles.

Rectangles stand on a snake through the grid, the replicas of a stage side by side, stages in order.
All dies of a rectangle send at once to their counterparts, so a transfer to a rectangle h hops away
shares each link with h - 1 others: the distance counts once for latency and once for bandwidth. How
far stages are apart where the snake turns, and what their sends share there, is in `snake`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.fabric import Links, Taken, all_reduce, reduce_scatter
from star_watos.watos.layout import Ways
from star_watos.watos.plans import Plans
from star_watos.watos.snake import to_next_stage
from star_watos.watos.wafer import Wafer


@dataclass(frozen=True, slots=True)
class Rectangles:
    """The TP rectangles of plans on one wafer; one row a plan."""

    wafer: Wafer
    plans: Plans

    @property
    def slot_hops(self) -> Column:
        """Hops between dies of the same place in neighbouring replicas, of whatever stage."""
        return self.replica_hops(self.plans.pp - 1)

    def replica_hops(self, stage: Column) -> Column:
        """Hops between neighbouring replicas of the stages up to this one.

        The width of a rectangle, or where a stage stands round a corner of the snake, the larger of
        width and height. Stage P // R is the first that does, of P rectangles a row and R replicas.
        """
        plans, replicas = self.plans, self.plans.replicas
        per_row = np.maximum(self.wafer.grid.cols // plans.tp_cols, 1)
        wide = np.where(per_row > 1, plans.tp_cols, 0)
        turns = (replicas > per_row) | (
            (per_row % replicas > 0)
            & (plans.pp * replicas > per_row)
            & (stage >= per_row // replicas)
        )
        hops = np.where(turns, np.maximum(wide, plans.tp_rows), wide)
        return hops.astype(np.float64)

    def send_s(self, n_bytes: Column) -> Column:
        """Seconds to hand one microbatch's activations to the next stage, dp cp rectangles away.

        hops latency + load bytes / link bandwidth: all replicas send at once.
        """
        d2d = self.wafer.d2d
        return self._to_next_stage.seconds(n_bytes, d2d.link_bytes_per_s, d2d.latency_s)

    @property
    def _to_next_stage(self) -> Ways:
        return to_next_stage(self.plans, self.wafer.grid.cols)

    def send_byte_hops(self, n_bytes: Column) -> Column:
        """Bytes times hops of all sends of one microbatch, forward and backward, all replicas."""
        moved: Column = 2 * self._to_next_stage.moved * n_bytes
        return moved

    def replicas_all_reduce_s(self, n_bytes: Column, stage: Column) -> Column:
        """Seconds to all-reduce `n_bytes` a die over the replicas of a stage."""
        return self._over_replicas(all_reduce, n_bytes, self.replica_hops(stage)).seconds

    def replicas_ring_s(self, n_bytes: Column, stage: Column) -> Column:
        """Seconds to reduce-scatter, or to all-gather, `n_bytes` a die over those replicas."""
        return self._over_replicas(reduce_scatter, n_bytes, self.replica_hops(stage)).seconds

    def replicas_byte_hops(self, n_bytes: Column) -> Column:
        """Bytes times hops of the all-reduces over replicas, of all stages and dies."""
        line = self._over_replicas(all_reduce, n_bytes, self.slot_hops).byte_hops
        moved: Column = line * self.plans.pp * self.plans.tp
        return moved

    def _over_replicas(
        self,
        collective: Callable[[Column, Column, Column, Links], Taken],
        n_bytes: Column,
        hops: Column,
    ) -> Taken:
        """Return what a collective takes over the replicas, which stand on a line.

        Each of its hops is h hops of the mesh, which h such lines share: h times the bytes and h
        times the latency.
        """
        d2d = self.wafer.d2d
        links = Links(d2d.link_bytes_per_s, d2d.latency_s * hops)
        return collective(1, self.plans.replicas, n_bytes * hops, links)

    def all_to_all_s(self, n_bytes: Column) -> Column:
        """Seconds over ep rectangles on a line: half of them send half their bytes to the rest.

        The link in the middle carries (n / 2)² S / n = n S / 4, shared by h rectangles' dies.
        """
        ep, d2d, hops = self.plans.ep, self.wafer.d2d, self.slot_hops
        middle = np.where(ep > 1, ep * n_bytes / 4, 0.0)
        seconds: Column = hops * (middle / d2d.link_bytes_per_s + (ep - 1) * d2d.latency_s)
        return seconds

    def pass_on_s(self, n_bytes: Column) -> Column:
        """Seconds to the next rectangle of a folded ring, two slots away."""
        hops, d2d = 2 * self.slot_hops, self.wafer.d2d
        seconds: Column = hops * (d2d.latency_s + n_bytes / d2d.link_bytes_per_s)
        return seconds
