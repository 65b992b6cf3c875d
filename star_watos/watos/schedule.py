"""Exposed time of one iteration under 1F1B, by cause.

p stages that take t_s per microbatch need, for m microbatches,
    m max(t) + (sum(t) - max(t)),
the second term being the bubble: the first and the last microbatch pass the other stages alone.
"""

import numpy as np

from star_watos.cost import Column
from star_watos.watos.columns import LayerColumns
from star_watos.watos.memory import stage_kinds
from star_watos.watos.plans import Ints, Plans
from star_watos.watos.traffic import gradient_s, send_s
from star_watos.watos.training import OPTIMIZER_TRAFFIC_BYTES
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model

TIME_TERMS = (
    "compute",
    "recompute",
    "tp_comm",
    "pp_comm",
    "dp_comm",
    "ep_comm",
    "bubble",
    "remote_memory",
    "optimizer",
)
"""Causes of exposed time; experts and remote memory do not communicate in this model yet."""


def exposed_s(
    wafer: Wafer,
    model: Model,
    plans: Plans,
    layer: LayerColumns,
    n_microbatches: Ints,
    params: Column,
) -> dict[str, Column]:
    """Return the exposed seconds by cause; they sum to the iteration.

    `params` are those of the fullest die, which sets gradient and optimizer time.
    """
    compute, recompute, tp_comm = slowest_stage_s(model, plans, layer)
    stage_s = compute + recompute + tp_comm
    send = send_s(wafer, plans, layer.boundary_bytes)
    stalls = np.where(plans.pp > 1, np.maximum(2 * send - stage_s, 0.0), 0.0)
    terms: dict[str, Column] = {
        "compute": n_microbatches * compute,
        "recompute": n_microbatches * recompute,
        "tp_comm": n_microbatches * tp_comm,
        "pp_comm": 2 * (plans.pp - 1) * send + n_microbatches * stalls,
        "dp_comm": gradient_exposed_s(wafer, model, plans, layer, params),
        "bubble": np.where(plans.pp > 1, all_stages_s(model, plans, layer) - stage_s, 0.0),
        "optimizer": optimizer_s(wafer, plans, params),
    }
    zero = np.zeros(len(plans))
    return {term: terms.get(term, zero) for term in TIME_TERMS}


def embedding_comm_s(plans: Plans, layer: LayerColumns) -> Column:
    """Seconds of the embedding's all-reduce; none where the table is whole."""
    return np.where(plans.tp > 1, layer.embedding_comm.time_s, 0.0)


def slowest_stage_s(
    model: Model, plans: Plans, layer: LayerColumns
) -> tuple[Column, Column, Column]:
    """Seconds per microbatch of the slowest stage: computing, recomputing, TP communication."""
    work_s = layer.forward.time_s + layer.backward.time_s
    rows = [
        np.stack(
            np.broadcast_arrays(
                stage.layers * work_s
                + stage.has_embedding * layer.embedding.time_s
                + stage.has_head * layer.head.time_s,
                stage.layers * layer.recompute.time_s,
                stage.layers * layer.comm.time_s
                + stage.has_embedding * embedding_comm_s(plans, layer),
            )
        )
        * stage.exists
        for stage in stage_kinds(model, plans.pp)
    ]
    terms = np.stack(rows)  # [stage kind, term, plan]
    slowest = (terms[:, 0] + terms[:, 1] + terms[:, 2]).argmax(axis=0)
    compute, recompute, comm = np.take_along_axis(terms, slowest[None, None, :], axis=0)[0]
    return compute, recompute, comm


def all_stages_s(model: Model, plans: Plans, layer: LayerColumns) -> Column:
    """Seconds of one microbatch through every stage and back, without sends."""
    ends = layer.embedding.time_s + layer.head.time_s + embedding_comm_s(plans, layer)
    return model.n_layers * layer.busy.time_s + ends


def gradient_exposed_s(
    wafer: Wafer, model: Model, plans: Plans, layer: LayerColumns, params: Column
) -> Column:
    """Seconds of the gradient all-reduce that the last microbatch's backward pass does not hide.

    Buckets of one layer go out as soon as it is done, so at least the last bucket is exposed.
    """
    whole = gradient_s(wafer, plans, params)
    layers = -(-model.n_layers // plans.pp)
    hidden = layers * (layer.backward.time_s + layer.recompute.time_s)
    return np.where(plans.dp > 1, np.maximum(whole - hidden, whole / layers), 0.0)


def optimizer_s(wafer: Wafer, plans: Plans, params: Column) -> Column:
    """Seconds to stream the Adam states through the die; ZeRO-1 splits them over the replicas."""
    n_bytes = params * OPTIMIZER_TRAFFIC_BYTES / plans.optimizer_split
    seconds: Column = n_bytes / wafer.dram.bandwidth_bytes_per_s
    return seconds
