"""A cluster as a machine: GPUs behind switches, TP innermost, then CP, DP, and stages outermost.

That is the order of ranks of Megatron-LM and of DeepSpeed's pipelines: a TP group shares a node as
far as it fits, the replicas of a device are tp apart, the next stage is tp cp dp away.
"""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.fabric import switched
from star_watos.tables import table
from star_watos.watos import kernels
from star_watos.watos.cluster import Cluster
from star_watos.watos.framework import Framework
from star_watos.watos.launches import launch_s
from star_watos.watos.plans import Ints, Plans
from star_watos.workload import Op


@dataclass(frozen=True, slots=True)
class Switched:
    """A `Machine` of some GPUs of a cluster."""

    cluster: Cluster
    n_devices: int
    fp8: bool = False
    """Whether products are of 8-bit numbers."""

    @property
    def device_flops_per_s(self) -> float:
        """Peak of one GPU at 16 bits."""
        return self.cluster.gpu.peak_flops_per_s.value

    @property
    def memory_bytes(self) -> float:
        """What programs can allocate of one GPU."""
        return self.cluster.gpu.memory_bytes.value

    @property
    def memory_bytes_per_s(self) -> float:
        """What element-wise kernels reach."""
        return self.cluster.elementwise_bytes_per_s

    @property
    def memory_energy_j_per_byte(self) -> float:
        """Nothing: it is part of the board's power."""
        return 0.0

    @property
    def static_power_w(self) -> float:
        """Board power of all GPUs."""
        return self.n_devices * self.cluster.gpu.power_w.value

    def forward(self, op: Op, saved_bytes: Column) -> Cost:  # noqa: ARG002 (results pass memory, kept or not)
        """Cost of the forward pass."""
        seconds = kernels.forward_s(self.cluster, op, fp8=self.fp8)
        if op.name == "loss":
            seconds = kernels.loss_s(self.cluster, op)
        moved = op.input_bytes + op.output_bytes + op.weight_bytes
        return Cost(time_s=seconds, ops=op.forward_flops, dram_bytes=moved)

    def backward(self, op: Op, gradient_bytes: float) -> Cost:
        """Cost of both gradients; the loss' is part of its forward pass."""
        if op.name == "loss":
            return Cost()
        seconds = kernels.backward_s(self.cluster, op, gradient_bytes, fp8=self.fp8)
        moved = 2 * (op.input_bytes + op.output_bytes) + 3 * op.weight_bytes
        return Cost(time_s=seconds, ops=op.backward_flops, dram_bytes=moved)

    def launch_s(self, op: Op) -> tuple[Column, Column]:
        """Seconds of the host to start its kernels."""
        return launch_s(self.cluster, op)

    @property
    def collective_launch_s(self) -> float:
        """Seconds of the host to call one."""
        return self.cluster.launches.collective.value

    @property
    def pipelined_tp(self) -> bool:
        """Whether the cluster's software does that."""
        return self.cluster.software.pipelined_tp.value

    @property
    def framework(self) -> Framework:
        """What the cluster's software does."""
        software = self.cluster.software
        return Framework(
            loss_in_place=software.loss_in_place.value,
            placeholders=software.placeholders.value,
            exchanges_heads=software.exchanges_heads.value,
            step_bytes=software.step_bytes.value,
        )

    @property
    def gathers_ahead(self) -> bool:
        """Whether the cluster's software does that."""
        return self.cluster.software.gathers_ahead.value

    def all_reduce(
        self,
        tp_rows: Column,
        tp_cols: Column,
        n_bytes: Column,
        halves: Column = False,  # noqa: ARG002 (the protocol's)
    ) -> Cost:
        """Cost of an all-reduce over neighbouring GPUs; in halves it is the same ring."""
        n = tp_rows * tp_cols
        seconds = switched.all_reduce_s(self._switches, n, 1, n_bytes)
        return Cost(time_s=seconds, link_bytes=2 * (n - 1) / n * n_bytes)

    def send_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the next stage.

        Between nodes each GPU of a TP group that has the same numbers sends its part, and all
        gather them inside the node (Narayanan et al. 2021, section 4.1).
        """
        gather = switched.ring_s(self._switches, self._parts(plans), 1, n_bytes)
        part = self.send_bytes(plans, n_bytes)
        return switched.send_s(self._switches, _distance(plans), part) + gather

    def send_bytes(self, plans: Plans, n_bytes: Column) -> Column:
        """A part of them between nodes; the others of the TP group send the rest."""
        return n_bytes / self._parts(plans)

    def send_energy_j(self, plans: Plans, n_bytes: Column) -> Column:  # noqa: ARG002 (the protocol's)
        """Nothing: it is part of the board's power."""
        return 0.0

    def replicas_ring_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:  # noqa: ARG002 (the protocol's)
        """Seconds of a ring over the replicas of a GPU."""
        return switched.ring_s(self._switches, plans.replicas, plans.tp, n_bytes)

    def replicas_all_reduce_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:  # noqa: ARG002 (the protocol's)
        """Seconds of an all-reduce over the replicas of a GPU."""
        return switched.all_reduce_s(self._switches, plans.replicas, plans.tp, n_bytes)

    def replicas_energy_j(self, plans: Plans, n_bytes: Column) -> Column:  # noqa: ARG002 (the protocol's)
        """Nothing: it is part of the board's power."""
        return 0.0

    def all_to_all_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds of an all-to-all over the ep GPUs that share the experts."""
        return switched.all_to_all_s(self._switches, plans.ep, plans.tp, n_bytes)

    def swap_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds of an all-to-all over the cp GPUs that share a sequence."""
        return switched.all_to_all_s(self._switches, plans.cp, plans.tp, n_bytes)

    def pass_on_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to the GPU tp places further."""
        return switched.send_s(self._switches, plans.tp * (plans.cp - 1), n_bytes)

    def _parts(self, plans: Plans) -> Ints:
        """Parts in which a TP group that has the same numbers sends them."""
        return np.where((plans.sp == 0) & (_distance(plans) >= self._per_node), plans.tp, 1)

    @property
    def _per_node(self) -> int:
        return self.cluster.network.gpus_per_node

    @property
    def _switches(self) -> switched.Switches:
        network = self.cluster.network
        share, file = network.share.value, network.all_reduce_table
        return switched.Switches(
            gpus_per_node=network.gpus_per_node,
            node_bytes_per_s=share * network.node_bandwidth_bytes_per_s.value,
            node_latency_s=network.node_latency_s.value,
            between_bytes_per_s=share * network.between_bandwidth_bytes_per_s.value,
            between_latency_s=network.between_latency_s.value,
            all_reduce_table=table(file.value, ("n", "size_bytes"), ("time_us",)) if file else None,
        )


def _distance(plans: Plans) -> Ints:
    """Places between a GPU and its counterpart on the next stage."""
    return plans.tp * plans.cp * plans.dp
