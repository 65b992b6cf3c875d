"""Kernels that PyTorch starts for an operator, and the seconds of the host that takes.

Counted from the layers of Megatron-LM (2021 to 2023), whose bias, GELU, dropout and residual add
are fused in pairs. Backward, each parameter's gradient is added to what earlier microbatches left,
and each bias' gradient is a sum of its own.
"""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.watos.cluster import Cluster, Launches
from star_watos.watos.kernels import ELEMENT_BYTES, is_norm
from star_watos.workload import Kind, Op


@dataclass(frozen=True, slots=True)
class Count:
    """Kernels by family."""

    gemm: int = 0
    norm: int = 0
    softmax: int = 0
    elementwise: int = 0

    def seconds(self, launches: Launches) -> float:
        """Seconds of the host to start all."""
        return (
            self.gemm * launches.gemm.value
            + self.norm * launches.norm.value
            + self.softmax * launches.softmax.value
            + self.elementwise * launches.elementwise.value
        )


EMBEDDING = (Count(elementwise=18), Count(elementwise=3))
"""A batch to the device and to the TP group (7), masks and positions (6), mask, look up, positions,
add, dropout; dropout, scatter into the table, add to the gradient."""
LOSS = (Count(softmax=1, elementwise=16), Count(elementwise=7))
"""Vocabulary-parallel cross-entropy kernel by kernel (10), mean over the mask (4), scaling (3); the
same backward, subtract at the label, to 16 bits."""
RESIDUAL = (Count(elementwise=1), Count(elementwise=3))
"""Bias, dropout and add at once; dropout, bias, and the sum of two gradients of the stream."""
NORM = (Count(norm=1), Count(norm=2, elementwise=2))
"""Rows; rows and columns, and two parameters' gradients added up."""
UNFUSED = (Count(gemm=2, softmax=1, elementwise=2), Count(gemm=4, softmax=1, elementwise=3))
"""Two products, softmax, dropout, and heads side by side again; the same backward."""
FLASH = (Count(gemm=1, elementwise=1), Count(gemm=1, elementwise=2))
"""One kernel and heads side by side again; backward, row sums before and a conversion after."""
OTHER = (Count(elementwise=1), Count(elementwise=1))


def counts(op: Op) -> tuple[Count, Count]:
    """Return the kernels of the forward and the backward pass of `op`."""
    if op.kind is Kind.GEMM:
        has_bias = bool(np.any(op.weight_bytes > ELEMENT_BYTES * op.batch * op.n * op.k))
        return Count(gemm=1), Count(gemm=2, elementwise=3 if has_bias else 1)
    if op.kind is Kind.ATTENTION:
        return UNFUSED if op.unfused else FLASH
    if is_norm(op):
        return NORM
    if op.name.endswith("residual"):
        return RESIDUAL
    return {"embedding": EMBEDDING, "loss": LOSS}.get(op.name, OTHER)


def launch_s(cluster: Cluster, op: Op) -> tuple[Column, Column]:
    """Seconds of the host to start the forward and the backward kernels of `op`."""
    forward, backward = counts(op)
    unaligned = 4 * cluster.launches.elementwise.value * (op.batch % 4 != 0) * op.unfused
    return (
        forward.seconds(cluster.launches) + unaligned,
        backward.seconds(cluster.launches) + unaligned,
    )
