"""Bytes that the fullest device of each kind of stage holds.

A pipeline of L layers on p stages has q = L // p layers a stage; the L mod p stages just before the
last have one more. So only three stages can be the fullest: the first (most microbatches in flight,
and the embedding), the first with an extra layer, and the last (the head).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.watos.columns import LayerColumns
from star_watos.watos.plans import Ints, Plans, Schedule
from star_watos.watos.training import OPTIMIZER_BYTES, WEIGHT_BYTES, Training
from star_watos.workload import Model, embedding_params, head_params


@dataclass(frozen=True, slots=True)
class StageKind:
    """One of the three stages that can be the fullest or the slowest, as columns."""

    exists: NDArray[np.bool_]
    index: Ints
    """Which stage it is, from 0."""
    layers: Ints
    has_embedding: NDArray[np.bool_]
    has_head: NDArray[np.bool_]


def stage_kinds(model: Model, pp: Ints) -> tuple[StageKind, StageKind, StageKind]:
    """Return the first stage, the first of those with an extra layer, and the last."""
    least, extra = model.n_layers // pp, model.n_layers % pp
    no, yes = np.zeros(pp.shape, dtype=bool), np.ones(pp.shape, dtype=bool)
    heavy = pp - 1 - extra
    first_is_heavy = (extra > 0) & (heavy == 0)
    return (
        StageKind(yes, np.zeros_like(pp), least + first_is_heavy, yes, pp == 1),
        StageKind(extra > 0, heavy, least + 1, first_is_heavy, no),
        StageKind(pp > 1, pp - 1, least, no, yes),
    )


def every_stage(model: Model, pp: int) -> StageKind:
    """Return all stages of one pipeline, one row a stage."""
    index = np.arange(pp)
    extra = model.n_layers % pp
    heavy = (index >= pp - 1 - extra) & (index < pp - 1)
    return StageKind(
        exists=np.ones(pp, dtype=bool),
        index=index,
        layers=model.n_layers // pp + heavy,
        has_embedding=index == 0,
        has_head=index == pp - 1,
    )


@dataclass(frozen=True, slots=True)
class Params:
    """Parameters on one device: what all replicas hold, and its share of the routed experts."""

    dense: Column
    experts: Column

    @property
    def all(self) -> Column:
        """Parameters of both kinds."""
        return self.dense + self.experts

    def split(self, plans: Plans, stage: int) -> Column:
        """Parameters of a device's share of what ZeRO splits from `stage` on.

        Experts have replicas / ep copies only.
        """
        parts = plans.split(stage)
        shared: Column = self.dense / parts + self.experts / np.maximum(parts / plans.ep, 1)
        return shared


def stage_params(model: Model, stage: StageKind, tp: Ints, layer: LayerColumns) -> Params:
    """Parameters on one device of a stage.

    Tied embeddings are stored on the last stage again where it is not the first (Megatron-LM).
    """
    tied = embedding_params(model) * model.tied_embeddings * (stage.index > 0)
    last = stage.has_head * (head_params(model) + tied)
    ends = (stage.has_embedding * embedding_params(model) + last) / tp
    experts = stage.layers * layer.expert_params
    return Params(stage.layers * layer.params - experts + ends, experts)


def state_bytes(params: Params, plans: Plans, layer: LayerColumns, training: Training) -> Column:
    """Weights, gradients and optimizer states, split as ZeRO does.

    Split weights are gathered layer by layer: two layers are whole at once.
    """
    gathered = np.where(plans.split(3) > 1, 2 * WEIGHT_BYTES * layer.params, 0.0)
    held: Column = (
        WEIGHT_BYTES * params.split(plans, 3)
        + training.gradient_bytes * params.split(plans, 2)
        + OPTIMIZER_BYTES * params.split(plans, 1)
        + gathered
    )
    return held


def in_flight(plans: Plans, n_microbatches: Ints, stage: StageKind) -> Column:
    """Microbatches whose activations a stage holds, a chunk counting as its share of one.

    1F1B and ZB-H1: min(m, p - s). GPipe: m. Interleaved: of the m v chunks that pass, those that
    are begun before the first ends, 2 (p - s - 1) + (v - 1) p + 1 (Narayanan et al. 2021, 2.2).
    """
    p, v = plans.pp, plans.virtual_stages
    after = p - stage.index
    chunks = 2 * (after - 1) + (v - 1) * p + 1
    interleaved = np.minimum(n_microbatches * v, chunks) / v
    held = np.where(plans.schedule == Schedule.GPIPE, n_microbatches, after)
    held = np.where(plans.schedule == Schedule.INTERLEAVED, interleaved, held)
    microbatches: Column = np.minimum(n_microbatches, held)
    return microbatches


def memory_bytes(
    training: Training,
    plans: Plans,
    layer: LayerColumns,
    n_microbatches: Ints,
    stage: StageKind,
    params: Params,
) -> Column:
    """Bytes on a device: states, activations in flight, working set of a layer or the head."""
    kept = in_flight(plans, n_microbatches, stage) * stage.layers * layer.saved_bytes
    working = np.maximum(layer.working_bytes, stage.has_head * layer.head_bytes)
    held: Column = state_bytes(params, plans, layer, training) + kept + working
    return stage.exists * held
