"""What a training iteration asks of the hardware: of a mesh of dies, or of a switched cluster."""

from typing import Protocol

from star_watos.cost import Column, Cost
from star_watos.watos.framework import Framework
from star_watos.watos.plans import Plans
from star_watos.workload import Op


class Machine(Protocol):
    """Equal devices and what joins them; a device is a die, or a GPU.

    Costs and seconds are of one device. Transfers take the plans, whose degrees say which devices
    they are between.
    """

    @property
    def n_devices(self) -> int:
        """Devices of the machine."""
        ...

    @property
    def device_flops_per_s(self) -> float:
        """Peak of one device, dense, 16 bits, a MAC being 2."""
        ...

    @property
    def memory_bytes(self) -> float:
        """Memory of one device."""
        ...

    @property
    def memory_bytes_per_s(self) -> float:
        """What long streams reach, reads and writes together."""
        ...

    @property
    def memory_energy_j_per_byte(self) -> float:
        """Energy of a byte to or from memory, where it is not part of `static_power_w`."""
        ...

    @property
    def static_power_w(self) -> float:
        """Power that does not depend on the work, of the whole machine."""
        ...

    def forward(self, op: Op, saved_bytes: Column) -> Cost:
        """Cost of the forward pass of `op`, of whose results `saved_bytes` are kept."""
        ...

    def backward(self, op: Op, gradient_bytes: float) -> Cost:
        """Cost of both gradients of `op`, those of weights in `gradient_bytes` each."""
        ...

    def launch_s(self, op: Op) -> tuple[Column, Column]:
        """Seconds of the host to start the forward and the backward of `op`, beside the device."""
        ...

    @property
    def collective_launch_s(self) -> float:
        """Seconds of the host to start a collective."""
        ...

    @property
    def pipelined_tp(self) -> bool:
        """Whether collectives of sequence-parallel groups travel in pieces beside products."""
        ...

    @property
    def framework(self) -> Framework:
        """What the software holds beside what it must."""
        ...

    @property
    def gathers_ahead(self) -> bool:
        """Whether split weights are gathered for the next layer while one goes backward."""
        ...

    def all_reduce(
        self, tp_rows: Column, tp_cols: Column, n_bytes: Column, halves: Column = False
    ) -> Cost:
        """Cost of an all-reduce of `n_bytes` over the devices that share each matrix.

        In `halves` it is a reduce-scatter, and later an all-gather.
        """
        ...

    def send_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to hand `n_bytes` a device to the next stage."""
        ...

    def send_bytes(self, plans: Plans, n_bytes: Column) -> Column:
        """Bytes of these that go from a device to its counterpart on the next stage."""
        ...

    def send_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of all stages' sends of one microbatch, there and back, in all replicas."""
        ...

    def replicas_ring_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:
        """Seconds to reduce-scatter, or to all-gather, `n_bytes` over the replicas of a device.

        It is one of the `stage` of each plan, counted from 0.
        """
        ...

    def replicas_all_reduce_s(self, plans: Plans, n_bytes: Column, stage: Column) -> Column:
        """Seconds to all-reduce `n_bytes` over the replicas of a device."""
        ...

    def replicas_energy_j(self, plans: Plans, n_bytes: Column) -> Column:
        """Energy of the all-reduces over replicas, of all devices."""
        ...

    def all_to_all_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds in which each device of an expert group sends `n_bytes` in all."""
        ...

    def swap_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds in which each device that shares a sequence sends `n_bytes` in all."""
        ...

    def pass_on_s(self, plans: Plans, n_bytes: Column) -> Column:
        """Seconds to hand `n_bytes` to the next device that shares a sequence."""
        ...
