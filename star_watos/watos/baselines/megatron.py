"""Megatron-LM's plans on a wafer, and on GPUs that are worth as much."""

from collections.abc import Sequence

from star_watos.cost import Overflow
from star_watos.spec import load
from star_watos.watos.cluster import Cluster
from star_watos.watos.legal import Choices, Rectangle, cluster_plans, plans_of_rectangles, shares
from star_watos.watos.plans import Plans, Recompute
from star_watos.watos.simulate import Simulation, fastest
from star_watos.watos.switched import Switched
from star_watos.watos.training import Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model

GROUPS = (1, 2, 4, 8)
"""Dies of a TP group: Megatron-LM keeps to a node, which has eight GPUs."""
POLICIES = (Recompute.NONE, Recompute.SELECTIVE, Recompute.FULL)
"""Megatron-LM's: one of them for all stages."""


def megatron_plans(
    wafer: Wafer, model: Model, training: Training, choices: Choices, wafers: int = 1
) -> Plans:
    """Return every plan whose TP groups are parts of a row."""
    grid = wafer.grid
    groups = [
        Rectangle(1, tp, grid.rows * (grid.cols // tp))
        for tp in GROUPS
        if tp <= grid.cols and shares(model, tp)
    ]
    return plans_of_rectangles(model, groups, training.global_batch, choices, wafers)


def worth(wafer: Wafer, wafers: int = 1, overrides: Sequence[str] = ()) -> Cluster:
    """Return eight GPUs for each wafer, which have its FLOP/s and DRAM between them.

    Their step is Adam's alone, as a wafer's, whatever else Megatron-Core moves in it.
    `overrides` are of the cluster's template.

    >>> wafer = load(Wafer, "watos_config3", "configs/wafers")
    >>> round(worth(wafer).gpu.peak_flops_per_s.value * 8 / wafer.peak_flops_per_s, 9)
    1.0
    """
    base = load(Cluster, "blackwell_8", "configs/clusters")
    known = base.gpu.peak_flops_per_s.value
    peak = wafer.peak_flops_per_s / base.devices
    memory = wafer.n_dies * wafer.memory_capacity_bytes / base.devices
    changes = {
        "devices": base.devices * wafers,
        "gpu.peak_flops.value": peak,
        "gpu.memory.value": memory,
        "flash.scale.value": base.flash.scale.value * peak / known,
        "software.step_bytes.value": 0,
    }
    texts = [*(f"{key}={value}" for key, value in changes.items()), *overrides]
    return load(Cluster, "blackwell_8", "configs/clusters", texts)


def megatron_gpu(
    cluster: Cluster, model: Model, training: Training, choices: Choices
) -> Simulation | Overflow:
    """Return the fastest plan on GPUs, or by how much none fits."""
    per_node, batch = cluster.network.gpus_per_node, training.global_batch
    plans = cluster_plans(model, per_node, cluster.devices, batch, choices)
    return fastest(cluster, Switched(cluster, cluster.devices), model, training, plans)
