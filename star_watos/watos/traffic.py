"""What pipeline and replicas send over the mesh between TP rectangles.

Rectangles stand on a snake through the grid, the replicas of a stage side by side, stages in order.
All dies of a rectangle send at once to their counterparts, so a transfer to a rectangle h hops away
shares each link with h - 1 others: the distance counts once for latency and once for bandwidth. How
far stages are apart where the snake turns, and what their sends share there, is in `snake`.
"""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.fabric import Links, all_reduce, reduce_scatter
from star_watos.watos.layout import Ways
from star_watos.watos.line import Line
from star_watos.watos.plans import Ints, Plans
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
        line = self._line(self.replica_hops(stage))
        return line.over(all_reduce, self.plans.replicas, n_bytes).seconds

    def replicas_ring_s(self, n_bytes: Column, stage: Column) -> Column:
        """Seconds to reduce-scatter, or to all-gather, `n_bytes` a die over those replicas."""
        line = self._line(self.replica_hops(stage))
        return line.over(reduce_scatter, self.plans.replicas, n_bytes).seconds

    def replicas_byte_hops(self, n_bytes: Column) -> Column:
        """Bytes times hops of the all-reduces over replicas, of all stages and dies."""
        plans = self.plans
        one = self._line(self.slot_hops).over(all_reduce, plans.replicas, n_bytes).byte_hops
        moved: Column = one * plans.pp * plans.tp
        return moved

    def all_to_all_s(self, group: Ints, n_bytes: Column) -> Column:
        """Seconds over neighbouring rectangles that share experts, or a sequence."""
        return self._line(self.slot_hops).all_to_all_s(group, n_bytes)

    def pass_on_s(self, n_bytes: Column) -> Column:
        """Seconds to the next of the rectangles that share a sequence."""
        return self._line(self.slot_hops).pass_on_s(n_bytes)

    def _line(self, hops: Column) -> Line:
        """Return the replicas; as many dies' ways share a link as there are hops."""
        d2d = self.wafer.d2d
        return Line(Links(d2d.link_bytes_per_s, d2d.latency_s), hops, hops)
