"""The operators of a plan's layer, and its stages, as the scheduler takes them."""

import numpy as np

from star_watos.cost import number
from star_watos.watos.balance.operators import Operator
from star_watos.watos.balance.schedule import Stage
from star_watos.watos.columns import microbatch_of
from star_watos.watos.iteration import Iterations
from star_watos.watos.machine import Machine
from star_watos.watos.memory import kept_microbatches, state_bytes
from star_watos.watos.pipeline import ends_s
from star_watos.watos.plans import Plans
from star_watos.watos.stages import StageKind, stage_params
from star_watos.watos.training import Training
from star_watos.watos.work import OpWork
from star_watos.workload import Model, layer_kinds, layer_ops


def operators_of(
    machine: Machine, model: Model, training: Training, plans: Plans
) -> list[Operator]:
    """Return what a layer of one plan may make again; of several kinds of layers, each its share.

    A product is run again with its input, whose maker is kept or run again before it. Sums over a
    TP group are not: what they give is kept by the operator after them.
    """
    shape, found = microbatch_of(training, plans), []
    kinds = layer_kinds(model)
    for i, (kind, count) in enumerate(kinds):
        share, mark = count / model.n_layers, f" {i}" if len(kinds) > 1 else ""
        for op in layer_ops(model, shape, kind):
            work = OpWork.of(machine, op, training.gradient_bytes)
            again_s = _seconds(work) * share
            dropped = number(op.saved_bytes - (op.kept_bytes if op.recomputed else 0.0)) * share
            if dropped > 0:
                found.append(Operator(op.name + mark, again_s, dropped))
    return found


def _seconds(work: OpWork) -> float:
    """Seconds that running again adds: what is not stored takes less time before."""
    before = work.kept if work.op.recomputed else work.dropped
    added = before.device.time_s + work.dropped.device.time_s - work.stored.device.time_s
    return number(added)


def stages_of(
    machine: Machine,
    model: Model,
    training: Training,
    plans: Plans,
    result: Iterations,
    stage: StageKind,
) -> list[Stage]:
    """Return the stages of one plan; `result` is its own, nothing being run again.

    `stage` has a row a stage: its layers and ends.
    """
    layer = result.layer.mixed(stage.bottom, stage.layers)
    params = stage_params(model, stage, plans.tp, layer)
    columns = np.broadcast_arrays(
        stage.layers * layer.busy_s + ends_s(layer, stage),
        stage.layers,
        kept_microbatches(plans, result.n_microbatches, stage),
        layer.saved_bytes,
        layer.working_bytes,
        stage.has_head * layer.head_bytes,
        machine.memory_bytes - np.asarray(state_bytes(params, plans, layer, training)),
    )
    return [Stage(*map(float, row)) for row in zip(*columns, strict=True)]
