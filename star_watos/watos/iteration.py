"""One training iteration of every plan at once: time by cause, memory, energy, what bounds it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Bound, Column, largest
from star_watos.watos.columns import LayerColumns, layer_columns
from star_watos.watos.machine import Machine
from star_watos.watos.memory import fullest_bytes
from star_watos.watos.plans import Ints, Plans
from star_watos.watos.schedule import exposed_s
from star_watos.watos.stages import Params, Stages, largest_stage, stage_params
from star_watos.watos.training import Training
from star_watos.watos.transfers import Transfers
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
    """On the fullest device."""
    model_flops: Column
    """Of one iteration, without recomputation, flash attention's own included."""
    hardware_flops: Column
    """Of one iteration, as done."""
    energy_j: dict[str, Column]
    """Of one iteration, by cause; they sum to the whole machine's."""
    bound: NDArray[np.object_]

    @property
    def iteration_s(self) -> Column:
        """Seconds of one iteration."""
        return total(self.time_s)


def total(parts: dict[str, Column]) -> Column:
    """Return the sum of columns by name, added in their order: a row does not depend on others."""
    return sum(parts.values())


def evaluate(machine: Machine, model: Model, training: Training, plans: Plans) -> Iterations:
    """Evaluate every plan of `plans` on `machine`."""
    layer = layer_columns(machine, model, training, plans)
    n_microbatches = plans.microbatches(training.global_batch)
    stages = Stages.of(model, plans, layer)
    fullest, _ = largest_stage(stages.kinds, [params.all for params in stages.params])
    params = stage_params(model, fullest, plans.tp, layer.mixed(fullest.bottom, fullest.layers))
    time_s = exposed_s(machine, model, training, plans, layer, n_microbatches, stages)
    needed = (1 + BACKWARD_OVER_FORWARD) * layer.forward.ops
    times = plans.tp * plans.replicas * n_microbatches
    return Iterations(
        plans=plans,
        layer=layer,
        n_microbatches=n_microbatches,
        time_s=time_s,
        memory_bytes=fullest_bytes(training, plans, stages),
        model_flops=(needed * model.n_layers + layer.head.ops) * times,
        hardware_flops=(layer.work.ops * model.n_layers + layer.head.ops) * times,
        energy_j=energy_j(
            machine, model, training, plans, layer, n_microbatches, params, total(time_s)
        ),
        bound=_bound(machine, layer, time_s),
    )


def energy_j(
    machine: Machine,
    model: Model,
    training: Training,
    plans: Plans,
    layer: LayerColumns,
    n_microbatches: Ints,
    params: Params,
    iteration_s: Column,
) -> dict[str, Column]:
    """Joules of one iteration: devices at work, links, optimizer, and what runs anyway."""
    work = layer.work.energy_j * model.n_layers
    ends = layer.embedding.energy_j + layer.head.energy_j
    times = plans.tp * plans.replicas * n_microbatches
    comm = (layer.comm.times(model.n_layers) + layer.ends_comm.times(2)).energy_j * times
    sends = n_microbatches * machine.send_energy_j(plans, layer.boundary_bytes)
    replicas = machine.replicas_energy_j(plans, training.gradient_bytes * params.all)
    states = Transfers(machine, training, plans, 0).step_bytes(params) * plans.devices
    return {
        "compute": (work + ends) * times,
        "d2d": comm + sends + replicas,
        "optimizer": states * machine.memory_energy_j_per_byte,
        "static": machine.static_power_w * iteration_s,
    }


def _bound(machine: Machine, layer: LayerColumns, time_s: dict[str, Column]) -> NDArray[np.object_]:
    """Return the largest cause; work counts as DRAM's where its bytes take longer than its FLOPs.

    Time spent computing again is what a lack of memory costs.
    """
    there, back = layer.forward, layer.backward
    dram_s = (there.dram_bytes + back.dram_bytes) / machine.memory_bytes_per_s
    in_dram = dram_s > (there.ops + back.ops) / machine.device_flops_per_s
    between = ("tp_comm", "cp_comm", "ep_comm", "pp_comm", "dp_comm")
    terms: dict[Bound, Column] = {
        Bound.COMPUTE: np.where(in_dram, 0.0, time_s["compute"]),
        Bound.DRAM: np.where(in_dram, time_s["compute"], 0.0) + time_s["optimizer"],
        Bound.D2D: sum(time_s[name] for name in between),
        Bound.MEMORY_CAPACITY: time_s["recompute"],
        Bound.BUBBLE: time_s["bubble"],
    }
    return np.asarray(largest(terms))
