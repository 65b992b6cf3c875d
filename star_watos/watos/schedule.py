"""Exposed time of one iteration, by cause.

p stages that take t_s per microbatch need, for m microbatches, m max(t) for the slowest, and what
they wait for each other (`pipeline`) and for their replicas (`replicas`).
"""

from dataclasses import dataclass

import numpy as np

from star_watos.cost import Column
from star_watos.watos.columns import LayerColumns
from star_watos.watos.machine import Machine
from star_watos.watos.pipeline import bubble_s, ends_s, own_sends, sends_s, stage_passes
from star_watos.watos.plans import Ints, Plans
from star_watos.watos.replicas import (
    Exposed,
    ends_exposed_s,
    exposed_by_stage,
    late_weights_s,
)
from star_watos.watos.stages import StageKind, Stages, largest_stage
from star_watos.watos.training import Training
from star_watos.watos.transfers import Pieces, Transfers
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


def stage_times(layer: LayerColumns, stage: StageKind) -> StageTimes:
    """Return what a stage, whose layers are `layer`, does for one microbatch."""
    ends = stage.has_embedding * layer.embedding.time_s + stage.has_head * layer.head.time_s
    return StageTimes(
        compute=stage.layers * (layer.forward.time_s + layer.backward.time_s) + ends,
        recompute=stage.layers * layer.recompute.time_s,
        tp_comm=stage.layers * layer.comm.time_s
        + (1 * stage.has_embedding + stage.has_head) * layer.ends_comm.time_s,
        cp_comm=stage.layers * layer.cp_comm_s,
        ep_comm=stage.layers * layer.ep_comm_s,
    )


def exposed_s(
    machine: Machine,
    model: Model,
    training: Training,
    plans: Plans,
    layer: LayerColumns,
    n_microbatches: Ints,
    stages: Stages[LayerColumns],
) -> dict[str, Column]:
    """Return the exposed seconds by cause; they sum to the iteration."""
    kinds, layers = stages.kinds, stages.layers
    between = [Transfers(machine, training, plans, kind.index) for kind in kinds]
    pieces = Pieces.of_stages(between[0], [kind.index for kind in kinds], model, layers)
    replicas = [
        exposed_by_stage(*those)
        for those in zip(between, pieces, layers, kinds, stages.params, strict=True)
    ]
    send = np.where(plans.pp > 1, machine.send_s(plans, layer.boundary_bytes), 0.0)
    seconds = [
        _busy_s(training, plans, own, stage, found, send)
        for own, stage, found in zip(layers, kinds, replicas, strict=True)
    ]
    slowest, place = largest_stage(kinds, seconds)
    own = layer.mixed(slowest.bottom, slowest.layers)
    times, passes = stage_times(own, slowest), stage_passes(own, slowest)
    each = np.choose(place, np.broadcast_arrays(*(found.each for found in replicas)))
    late = late_weights_s(between[0], pieces[0], layers[0])
    at_ends, step = ends_exposed_s(between[0], stages, replicas)
    terms: dict[str, Column] = {
        "compute": n_microbatches * times.compute,
        "recompute": n_microbatches * times.recompute,
        "tp_comm": n_microbatches * times.tp_comm,
        "cp_comm": n_microbatches * times.cp_comm,
        "ep_comm": n_microbatches * times.ep_comm,
        "pp_comm": sends_s(training, plans, slowest, passes, send, n_microbatches),
        "dp_comm": n_microbatches * each + at_ends,
        "bubble": bubble_s(model, plans, layer, slowest, n_microbatches, late),
        "optimizer": step,
    }
    zero = np.zeros(len(plans))
    return {term: terms.get(term, zero) for term in TIME_TERMS}


def _busy_s(
    training: Training,
    plans: Plans,
    layer: LayerColumns,
    stage: StageKind,
    replicas: Exposed,
    send: Column,
) -> Column:
    """Seconds in which a stage cannot take another microbatch."""
    work = stage.layers * layer.busy_s + ends_s(layer, stage) + replicas.each
    return work if training.overlap else work + own_sends(plans, stage) * send
