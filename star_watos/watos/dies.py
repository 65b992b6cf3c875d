"""A wafer as a machine: dies in a mesh, TP rectangles on a snake."""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.fabric import Links, all_reduce
from star_watos.watos import operator, traffic
from star_watos.watos.plans import Plans
from star_watos.watos.silicon import static_power_w
from star_watos.watos.wafer import Wafer
from star_watos.workload import Op


@dataclass(frozen=True, slots=True)
class Dies:
    """A `Machine` of the dies of one wafer."""

    wafer: Wafer
    dies: int | None = None
    """How many of them take part; all if not said."""

    @property
    def n_devices(self) -> int:
        """Dies that take part."""
        return self.dies or self.wafer.n_dies

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
        return static_power_w(self.wafer)

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
    def gathers_ahead(self) -> bool:
        """Yes: the links are idle then."""
        return True

    def all_reduce(self, tp_rows: Column, tp_cols: Column, n_bytes: Column) -> Cost:
        """Cost of an all-reduce over the dies of a rectangle."""
        d2d = self.wafer.d2d
        taken = all_reduce(tp_rows, tp_cols, n_bytes, Links(d2d.link_bytes_per_s, d2d.latency_s))
        byte_hops = taken.byte_hops / (tp_rows * tp_cols)
        return Cost(
            time_s=taken.seconds,
            energy_j=byte_hops * self._link_energy_j_per_byte,
            link_bytes=byte_hops,
        )

    def send_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next stage, dp rectangles away."""
        return traffic.send_s(self.wafer, plans, n_bytes)

    def send_bytes(self, plans: Plans, n_bytes: Column) -> Column:  # noqa: ARG002 (the protocol's)
        """All of them."""
        return n_bytes

    def send_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of all sends of one microbatch."""
        byte_hops = traffic.send_byte_hops(self.wafer, plans, n_bytes)
        energy: Column = byte_hops * self._link_energy_j_per_byte
        return energy

    def replicas_ring_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to reduce-scatter, or to all-gather, over the replicas of a stage."""
        return traffic.replicas_ring_s(self.wafer, plans, n_bytes)

    def replicas_all_reduce_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to all-reduce over the replicas of a stage."""
        return traffic.replicas_all_reduce_s(self.wafer, plans, n_bytes)

    def replicas_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of the all-reduces of all stages and dies."""
        byte_hops = traffic.replicas_byte_hops(self.wafer, plans, n_bytes)
        energy: Column = byte_hops * self._link_energy_j_per_byte
        return energy

    def all_to_all_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds over ep rectangles on a line: half of them send half their bytes to the rest.

        The link in the middle carries (n / 2)² S / n = n S / 4, shared by h rectangles' dies.
        """
        hops, d2d = traffic.slot_hops(self.wafer, plans), self.wafer.d2d
        middle = np.where(plans.ep > 1, plans.ep * n_bytes / 4, 0.0)
        seconds: Column = hops * (middle / d2d.link_bytes_per_s + (plans.ep - 1) * d2d.latency_s)
        return seconds

    def pass_on_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next rectangle of a folded ring, two slots away."""
        hops, d2d = 2 * traffic.slot_hops(self.wafer, plans), self.wafer.d2d
        seconds: Column = hops * (d2d.latency_s + n_bytes / d2d.link_bytes_per_s)
        return seconds

    @property
    def _link_energy_j_per_byte(self) -> float:
        return self.wafer.technology.d2d_energy_j_per_byte.value
