"""Which kernels of plans were not measured: their times are those of the nearest that were."""

import numpy as np
from numpy.typing import NDArray

from star_watos.watos.cluster import Cluster
from star_watos.watos.columns import microbatch_of
from star_watos.watos.kernels import outside_table
from star_watos.watos.plans import Plans
from star_watos.watos.training import Training
from star_watos.workload import Kind, Model, head_ops, layer_kinds, layer_ops


def kernels_outside(
    cluster: Cluster, model: Model, training: Training, plans: Plans
) -> dict[str, NDArray[np.bool_]]:
    """Return for each product of a layer and the head which plans take it outside of the table.

    Forward and backward; without a table all are. See `kernels` for what is done there.
    """
    shape = microbatch_of(training, plans)
    ops = [op for kind, _ in layer_kinds(model) for op in layer_ops(model, shape, kind)]
    return {
        op.name: np.broadcast_to(outside_table(cluster, op), len(plans))
        for op in (*ops, *head_ops(model, shape))
        if op.kind is Kind.GEMM
    }
