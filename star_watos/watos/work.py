"""What a device does, what the host does to start it, and which of them a pass waits for."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from star_watos.cost import Column, Cost
from star_watos.watos.machine import Machine
from star_watos.workload import Op


@dataclass(frozen=True, slots=True)
class Work:
    """Kernels in one queue: the device's cost, and the seconds of the host to start them."""

    device: Cost
    launches_s: Column

    def __add__(self, other: "Work") -> "Work":
        return Work(self.device + other.device, self.launches_s + other.launches_s)

    @property
    def paced(self) -> Cost:
        """The device's cost, as long as the host takes to start it if that is longer."""
        return replace(self.device, time_s=np.maximum(self.device.time_s, self.launches_s))

    @property
    def in_turn(self) -> Cost:
        """The device's cost after the host's seconds: work that starts from an empty queue."""
        return replace(self.device, time_s=self.device.time_s + self.launches_s)

    def beside(self, other: "Work") -> Cost:
        """Return the cost of this, its time being what it adds to `other` in the same queue."""
        seconds = (self + other).paced.time_s - other.paced.time_s
        return replace(self.device, time_s=seconds)


NOTHING = Work(Cost(), 0.0)


def in_one_queue(works: Iterable[Work]) -> Work:
    """Return works one after the other."""
    return sum(works, NOTHING)


def forward_work(machine: Machine, op: Op, saved_bytes: Column) -> Work:
    """Return the forward pass of an operator of whose result `saved_bytes` are kept."""
    return Work(machine.forward(op, saved_bytes), machine.launch_s(op)[0])


def backward_work(machine: Machine, op: Op, gradient_bytes: float) -> Work:
    """Return the backward pass of an operator."""
    return Work(machine.backward(op, gradient_bytes), machine.launch_s(op)[1])


@dataclass(frozen=True, slots=True)
class OpWork:
    """One operator, evaluated once for every policy of what is kept."""

    op: Op
    stored: Work
    """Forward, everything that backward reads being kept."""
    kept: Work
    """Forward, but what is made again."""
    dropped: Work
    """Forward, nothing being kept."""
    backward: Work

    @classmethod
    def of(cls, machine: Machine, op: Op, gradient_bytes: float) -> "OpWork":
        """Evaluate an operator."""
        stored = forward_work(machine, op, op.saved_bytes)
        return cls(
            op=op,
            stored=stored,
            kept=forward_work(machine, op, op.kept_bytes) if op.recomputed else stored,
            dropped=forward_work(machine, op, 0.0),
            backward=backward_work(machine, op, gradient_bytes),
        )
