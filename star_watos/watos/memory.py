"""Bytes that the fullest die of each kind of stage holds.

A pipeline of L layers on p stages has q = L // p layers a stage; the L mod p stages just before the
last have one more. So only three stages can be the fullest: the first (most microbatches in flight,
and the embedding), the first with an extra layer, and the last (the head).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.watos.plans import Ints, Plans
from star_watos.watos.training import GRADIENT_BYTES, OPTIMIZER_BYTES, WEIGHT_BYTES
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


def stage_params(model: Model, stage: StageKind, tp: Ints, layer_params: Column) -> Column:
    """Parameters on one die of a stage; `layer_params` are those of one layer on one die.

    Tied embeddings are stored on the last stage again where it is not the first (Megatron-LM).
    """
    tied = embedding_params(model) * model.tied_embeddings * (stage.index > 0)
    last = stage.has_head * (head_params(model) + tied)
    params: Column = stage.layers * layer_params
    return params + (stage.has_embedding * embedding_params(model) + last) / tp


def state_bytes(params: Column, plans: Plans) -> Column:
    """Weights, gradients and optimizer states; ZeRO-1 splits the last over the replicas."""
    optimizer = OPTIMIZER_BYTES / plans.optimizer_split
    total: Column = params * (WEIGHT_BYTES + GRADIENT_BYTES + optimizer)
    return total


def in_flight(plans: Plans, n_microbatches: Ints, stage: StageKind) -> Ints:
    """Microbatches whose activations a stage holds under 1F1B: min(m, p - s)."""
    microbatches: Ints = np.minimum(n_microbatches, plans.pp - stage.index)
    return microbatches
