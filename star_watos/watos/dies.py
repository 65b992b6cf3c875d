"""A wafer as a machine, or several: dies in a mesh, TP rectangles on a snake, replicas together."""

from dataclasses import dataclass, replace

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.fabric import Links, Mesh, all_reduce, reduce_scatter
from star_watos.watos import operator
from star_watos.watos.framework import PLAIN, Framework
from star_watos.watos.layout import Layout
from star_watos.watos.placement import on_snake, slots_of
from star_watos.watos.plans import Plans
from star_watos.watos.silicon import static_power_w
from star_watos.watos.traffic import Rectangles
from star_watos.watos.wafer import Wafer
from star_watos.workload import Op


@dataclass(frozen=True, slots=True)
class Dies:
    """A `Machine` of the dies of equal wafers, each of which has as many stages."""

    wafer: Wafer
    dies: int | None = None
    """How many of them take part; all if not said."""
    wafers: int = 1

    def layout(self, plans: Plans) -> Layout:
        """Return where the dies of one plan stand on one wafer."""
        here, grid = self.on_one(plans), self.wafer.grid
        slots = slots_of(int(here.pp[0]), int(here.replicas[0]))
        shape = (int(here.tp_rows[0]), int(here.tp_cols[0]))
        return Layout(Mesh(grid.rows, grid.cols), on_snake(grid, shape, slots))

    @property
    def n_devices(self) -> int:
        """Dies that take part."""
        return self.dies or self.wafers * self.wafer.n_dies

    @property
    def device_flops_per_s(self) -> float:
        """Peak of one die."""
        return self.wafer.die.peak_flops_per_s

    @property
    def memory_bytes(self) -> float:
        """DRAM of one die, or its SRAM."""
        return self.wafer.memory_capacity_bytes

    @property
    def memory_bytes_per_s(self) -> float:
        """Bandwidth of that memory."""
        return self.wafer.memory_bytes_per_s

    @property
    def memory_energy_j_per_byte(self) -> float:
        """Energy of a byte of that memory."""
        return self.wafer.memory_energy_j_per_byte

    @property
    def static_power_w(self) -> float:
        """Leakage of all dies."""
        return self.wafers * static_power_w(self.wafer)

    def forward(self, op: Op, saved_bytes: Column) -> Cost:
        """Cost of the forward pass."""
        return operator.forward(self.wafer, op, saved_bytes)

    def backward(self, op: Op, gradient_bytes: float) -> Cost:
        """Cost of both gradients."""
        return operator.backward(self.wafer, op, gradient_bytes)

    def launch_s(self, op: Op) -> tuple[Column, Column]:  # noqa: ARG002 (the protocol's)
        """Nothing: the start of an operator is in its time, for the cores wait for it."""
        return 0.0, 0.0

    @property
    def collective_launch_s(self) -> float:
        """Nothing: the latency of the links is in a collective's time."""
        return 0.0

    @property
    def pipelined_tp(self) -> bool:
        """No: an operator of this model starts when its input is whole."""
        return False

    @property
    def framework(self) -> Framework:
        """Nothing more than it must."""
        return PLAIN

    @property
    def gathers_ahead(self) -> bool:
        """Yes: the links are idle then."""
        return True

    def all_reduce(
        self, tp_rows: Column, tp_cols: Column, n_bytes: Column, halves: Column = False
    ) -> Cost:
        """Cost of an all-reduce over the dies of a rectangle.

        Halves do not overlap, where trees add up and hand back at once: on a line of n dies one
        takes S / B, the other 2 (n - 1) / n S / B.
        """
        links = Links(self.wafer.d2d.link_bytes_per_s, self.wafer.d2d.latency_s)
        whole = all_reduce(tp_rows, tp_cols, n_bytes, links)
        half = reduce_scatter(tp_rows, tp_cols, n_bytes, links)
        byte_hops = np.where(halves, 2 * half.byte_hops, whole.byte_hops) / (tp_rows * tp_cols)
        return Cost(
            time_s=np.where(halves, 2 * half.seconds, whole.seconds),
            energy_j=byte_hops * self._link_energy_j_per_byte,
            link_bytes=byte_hops,
        )

    def send_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next stage, or to the next wafer if that takes longer."""
        return np.maximum(
            self._between(plans).send_s(n_bytes), self.to_next_wafer_s(plans, n_bytes)
        )

    def on_one(self, plans: Plans) -> Plans:
        """Return the part of the plans that one wafer has."""
        return replace(plans, pp=plans.pp // self.wafers)

    def to_next_wafer_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds in which all dies of a stage hand `n_bytes` to those of the next wafer."""
        if self.wafers == 1 or self.wafer.off_wafer is None:
            return 0.0
        between = self.wafer.off_wafer
        moved = n_bytes * plans.tp * plans.replicas
        seconds: Column = between.latency_s + moved / between.bandwidth_bytes_per_s
        return seconds

    def send_bytes(self, plans: Plans, n_bytes: Column) -> Column:  # noqa: ARG002 (the protocol's)
        """All of them."""
        return n_bytes

    def send_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of all sends of one microbatch; of links between wafers it is not known."""
        byte_hops = self.wafers * self._between(plans).send_byte_hops(n_bytes)
        energy: Column = byte_hops * self._link_energy_j_per_byte
        return energy

    def replicas_ring_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:
        """Seconds to reduce-scatter, or to all-gather, over the replicas of a stage."""
        return self._between(plans).replicas_ring_s(n_bytes, stage)

    def replicas_all_reduce_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:
        """Seconds to all-reduce over the replicas of a stage."""
        return self._between(plans).replicas_all_reduce_s(n_bytes, stage)

    def replicas_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of the all-reduces of all stages and dies."""
        byte_hops = self.wafers * self._between(plans).replicas_byte_hops(n_bytes)
        energy: Column = byte_hops * self._link_energy_j_per_byte
        return energy

    def all_to_all_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds in which each device of an expert group sends `n_bytes` in all."""
        return self._between(plans).all_to_all_s(plans.ep, n_bytes)

    def swap_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds in which each die that shares a sequence sends `n_bytes` in all."""
        return self._between(plans).all_to_all_s(plans.cp, n_bytes)

    def pass_on_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next of the dies that share a sequence."""
        return self._between(plans).pass_on_s(n_bytes)

    def _between(self, plans: Plans) -> Rectangles:
        return Rectangles(self.wafer, self.on_one(plans))

    @property
    def _link_energy_j_per_byte(self) -> float:
        return self.wafer.technology.d2d_energy_j_per_byte.value
