"""Exposed time of one iteration, by cause.

p stages that take t_s per microbatch, w_s of it for gradients of weights, need for m microbatches

    m max(t) + bubble

1F1B and GPipe: bubble = sum(t) - max(t), for the first and the last microbatch pass the other
stages alone. With v chunks a stage they pass a v-th of each: (sum(t) - max(t)) / v (Narayanan et
al. 2021, section 2.2). ZB-H1 fills it with gradients of weights: sum(t - 2 w) - max(t - 2 w), at
least 0 (Qi et al. 2023, table 2: (p - 1) (F + B - W) for equal stages).
"""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.watos.columns import LayerColumns
from star_watos.watos.machine import Machine
from star_watos.watos.plans import Ints, Plans, Schedule
from star_watos.watos.stages import Params, StageKind, largest_stage, stage_kinds
from star_watos.watos.training import WEIGHT_BYTES, Training
from star_watos.workload import Model

TIME_TERMS = (
    "compute",
    "recompute",
    "tp_comm",
    "cp_comm",
    "ep_comm",
    "pp_comm",
    "dp_comm",
    "bubble",
    "remote_memory",
    "optimizer",
)
"""Causes of exposed time; remote memory is not used by this model yet."""


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Seconds of a stage per microbatch, by cause."""

    compute: Column
    recompute: Column
    tp_comm: Column
    cp_comm: Column
    ep_comm: Column

    @property
    def all(self) -> Column:
        """Seconds of a stage per microbatch."""
        return self.compute + self.recompute + self.tp_comm + self.cp_comm + self.ep_comm


def stage_times(plans: Plans, layer: LayerColumns, stage: StageKind) -> StageTimes:
    """Return what a stage does for one microbatch."""
    ends = stage.has_embedding * layer.embedding.time_s + stage.has_head * layer.head.time_s
    embedding_comm = stage.has_embedding * embedding_comm_s(plans, layer)
    return StageTimes(
        compute=stage.layers * (layer.forward.time_s + layer.backward.time_s) + ends,
        recompute=stage.layers * layer.recompute.time_s,
        tp_comm=stage.layers * layer.comm.time_s + embedding_comm,
        cp_comm=stage.layers * layer.cp_comm_s,
        ep_comm=stage.layers * layer.ep_comm_s,
    )


def embedding_comm_s(plans: Plans, layer: LayerColumns) -> Column:
    """Seconds of the embedding's all-reduce; none where the table is whole."""
    return np.where(plans.tp > 1, layer.embedding_comm.time_s, 0.0)


def exposed_s(
    machine: Machine,
    model: Model,
    training: Training,
    plans: Plans,
    layer: LayerColumns,
    n_microbatches: Ints,
    params: Params,
) -> dict[str, Column]:
    """Return the exposed seconds by cause; they sum to the iteration.

    `params` are those of the fullest device, which sets gradient and optimizer time.
    """
    slowest = slowest_stage(model, plans, layer)
    send = machine.send_s(plans, layer.boundary_bytes)
    optimizer_bytes = training.optimizer_traffic_bytes * params.split(plans, 1)
    terms: dict[str, Column] = {
        "compute": n_microbatches * slowest.compute,
        "recompute": n_microbatches * slowest.recompute,
        "tp_comm": n_microbatches * slowest.tp_comm,
        "cp_comm": n_microbatches * slowest.cp_comm,
        "ep_comm": n_microbatches * slowest.ep_comm,
        "pp_comm": sends_exposed_s(training, plans, slowest.all, send, n_microbatches),
        "dp_comm": replicas_exposed_s(
            machine, model, training, plans, layer, n_microbatches, params
        ),
        "bubble": bubble_s(model, plans, layer, slowest.all),
        "optimizer": optimizer_bytes / machine.memory_bytes_per_s,
    }
    zero = np.zeros(len(plans))
    return {term: terms.get(term, zero) for term in TIME_TERMS}


def slowest_stage(model: Model, plans: Plans, layer: LayerColumns) -> StageTimes:
    """Return what the slowest stage does for one microbatch."""
    ends = layer.embedding.time_s + embedding_comm_s(plans, layer)
    stages = stage_kinds(model, plans.pp)
    seconds = [
        s.layers * layer.busy_s + s.has_embedding * ends + s.has_head * layer.head.time_s
        for s in stages
    ]
    return stage_times(plans, layer, largest_stage(stages, seconds))


def bubble_s(model: Model, plans: Plans, layer: LayerColumns, slowest_s: Column) -> Column:
    """Seconds in which the slowest stage waits for the first and the last microbatch."""
    ends = layer.embedding.time_s + layer.head.time_s + embedding_comm_s(plans, layer)
    others = model.n_layers * layer.busy_s + ends - slowest_s
    layers = model.n_layers - -(-model.n_layers // plans.pp)
    filled = np.maximum(others - 2 * layers * layer.weights_s, 0.0)
    waits = np.where(plans.schedule == Schedule.ZERO_BUBBLE, filled, others)
    return np.where(plans.pp > 1, waits / plans.virtual_stages, 0.0)


def sends_exposed_s(
    training: Training, plans: Plans, slowest_s: Column, send: Column, n_microbatches: Ints
) -> Column:
    """Seconds of sends between stages that nothing hides.

    Those of the first and the last microbatch are; without overlap a stage also waits for its own
    two, v times for v chunks; with it, for what they exceed its work.
    """
    both = 2 * plans.virtual_stages * send
    waits = np.maximum(both - slowest_s, 0.0) if training.overlap else both
    passing = 2 * (plans.pp - 1) * send
    return np.where(plans.pp > 1, passing + n_microbatches * waits, 0.0)


def replicas_exposed_s(
    machine: Machine,
    model: Model,
    training: Training,
    plans: Plans,
    layer: LayerColumns,
    n_microbatches: Ints,
    params: Params,
) -> Column:
    """Seconds of gradients and split weights between replicas that nothing hides.

    Gradients are all-reduced once; with ZeRO they are reduce-scattered, with ZeRO-2 and 3 for every
    microbatch, and weights gathered: once after the step, or with ZeRO-3 forward and backward. What
    travels backward hides behind backward passes, unless weights are not gathered ahead there; what
    travels forward behind forward passes. One layer goes out or is waited for at a time, so at
    least that is exposed.
    """
    gradients, weights = training.gradient_bytes * params.all, WEIGHT_BYTES * params.all
    scatter = machine.replicas_ring_s(plans, gradients)
    gather = machine.replicas_ring_s(plans, weights)
    reduce = machine.replicas_all_reduce_s(plans, gradients)
    sharded = plans.zero == 3
    again = sharded * gather
    backward = np.where(plans.zero > 0, scatter, reduce)
    forward = np.where(plans.zero > 0, gather, 0.0)
    scatters = np.where(plans.zero >= 2, n_microbatches, 1)
    gathers = np.where(sharded, n_microbatches, 1)
    if not training.overlap:
        whole = scatters * backward + gathers * (forward + again)
        return np.where(plans.replicas > 1, whole, 0.0)
    layers = -(-model.n_layers // plans.pp)
    work_s = layers * (layer.backward.time_s + layer.recompute.time_s)
    hidden = backward + again if machine.gathers_ahead else backward
    waited = gathers * (again - again * machine.gathers_ahead)
    late = scatters * np.maximum(hidden - work_s, hidden / layers) + waited
    early = gathers * np.maximum(forward - layers * layer.forward.time_s, forward / layers)
    return np.where(plans.replicas > 1, late + early, 0.0)
