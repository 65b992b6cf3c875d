"""One training iteration of every plan at once: time by cause, memory, energy, what bounds it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Bound, Column, largest
from star_watos.watos.columns import LayerColumns, layer_columns
from star_watos.watos.memory import StageKind, in_flight, stage_kinds, stage_params, state_bytes
from star_watos.watos.plans import Ints, Plans
from star_watos.watos.schedule import exposed_s
from star_watos.watos.traffic import gradient_byte_hops, send_byte_hops
from star_watos.watos.training import OPTIMIZER_TRAFFIC_BYTES, Training
from star_watos.watos.wafer import Wafer
from star_watos.workload import Model

BACKWARD_OVER_FORWARD = 2.0
"""Model FLOPs of the backward pass over the forward: one product for each of two gradients."""


@dataclass(frozen=True, slots=True)
class Iterations:
    """What the plans take, one row a plan."""

    plans: Plans
    layer: LayerColumns
    n_microbatches: Ints
    time_s: dict[str, Column]
    """Exposed seconds by cause; they sum to the iteration."""
    memory_bytes: Column
    """On the fullest die."""
    model_flops: Column
    """Of one iteration, without recomputation, flash attention's own included."""
    hardware_flops: Column
    """Of one iteration, as done."""
    energy_j: dict[str, Column]
    """Of one iteration, by cause; they sum to the whole wafer's."""
    bound: NDArray[np.object_]

    @property
    def iteration_s(self) -> Column:
        """Seconds of one iteration."""
        return total(self.time_s)


def total(parts: dict[str, Column]) -> Column:
    """Return the sum of columns by name, added in their order: a row does not depend on others."""
    return sum(parts.values())


def evaluate(wafer: Wafer, model: Model, training: Training, plans: Plans) -> Iterations:
    """Evaluate every plan of `plans` on `wafer`."""
    layer = layer_columns(wafer, model, training, plans)
    n_microbatches = training.global_batch // (plans.dp * plans.microbatch)
    stages = stage_kinds(model, plans.pp)
    per_stage = [s.exists * stage_params(model, s, plans.tp, layer.params) for s in stages]
    params = np.max(np.stack(per_stage), axis=0)
    held = [
        memory_bytes(plans, layer, n_microbatches, s, p)
        for s, p in zip(stages, per_stage, strict=True)
    ]
    time_s = exposed_s(wafer, model, plans, layer, n_microbatches, params)
    needed = (1 + BACKWARD_OVER_FORWARD) * layer.forward.ops
    done = (layer.forward + layer.recompute + layer.backward).ops
    times = plans.tp * plans.dp * n_microbatches
    return Iterations(
        plans=plans,
        layer=layer,
        n_microbatches=n_microbatches,
        time_s=time_s,
        memory_bytes=np.max(np.stack(held), axis=0),
        model_flops=(needed * model.n_layers + layer.head.ops) * times,
        hardware_flops=(done * model.n_layers + layer.head.ops) * times,
        energy_j=energy_j(wafer, model, plans, layer, n_microbatches, params, total(time_s)),
        bound=_bound(wafer, layer, time_s),
    )


def memory_bytes(
    plans: Plans, layer: LayerColumns, n_microbatches: Ints, stage: StageKind, params: Column
) -> Column:
    """Bytes on a die of `stage`: states, activations in flight, one layer's working set, logits."""
    kept = in_flight(plans, n_microbatches, stage) * stage.layers * layer.saved_bytes
    held = state_bytes(params, plans) + kept + layer.working_bytes
    return stage.exists * (held + stage.has_head * layer.head_saved_bytes)


def energy_j(
    wafer: Wafer,
    model: Model,
    plans: Plans,
    layer: LayerColumns,
    n_microbatches: Ints,
    params: Column,
    iteration_s: Column,
) -> dict[str, Column]:
    """Joules of one iteration: dies at work, links, optimizer, and leakage of the whole wafer."""
    tech = wafer.technology
    work = (layer.forward + layer.recompute + layer.backward).energy_j * model.n_layers
    ends = layer.embedding.energy_j + layer.head.energy_j
    times = plans.tp * plans.dp * n_microbatches
    comm = (layer.comm.times(model.n_layers) + layer.embedding_comm).energy_j * times
    byte_hops = n_microbatches * send_byte_hops(wafer, plans, layer.boundary_bytes)
    byte_hops = byte_hops + gradient_byte_hops(wafer, plans, params)
    states = params * plans.dies / plans.optimizer_split * OPTIMIZER_TRAFFIC_BYTES
    macs = wafer.n_dies * wafer.die.cores.size * wafer.die.core.n_macs
    return {
        "compute": (work + ends) * times,
        "d2d": comm + byte_hops * tech.d2d_energy_j_per_byte.value,
        "optimizer": states * tech.dram_energy_j_per_byte.value,
        "static": macs * tech.mac_static_power_w.value * iteration_s,
    }


def _bound(wafer: Wafer, layer: LayerColumns, time_s: dict[str, Column]) -> NDArray[np.object_]:
    """Return the largest cause; work counts as DRAM's where its bytes take longer than its FLOPs.

    Time spent computing again is what a lack of memory costs.
    """
    once = layer.forward + layer.backward
    dram_s = once.dram_bytes / wafer.dram.bandwidth_bytes_per_s
    in_dram = dram_s > once.ops / wafer.die.peak_flops_per_s
    terms: dict[Bound, Column] = {
        Bound.COMPUTE: np.where(in_dram, 0.0, time_s["compute"]),
        Bound.DRAM: np.where(in_dram, time_s["compute"], 0.0) + time_s["optimizer"],
        Bound.D2D: time_s["tp_comm"] + time_s["pp_comm"] + time_s["dp_comm"],
        Bound.MEMORY_CAPACITY: time_s["recompute"],
        Bound.BUBBLE: time_s["bubble"],
    }
    return np.asarray(largest(terms))
