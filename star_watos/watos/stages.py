"""Stages of a pipeline: their layers and what stands at the ends, and their parameters.

A pipeline of L layers on p stages has q = L // p layers a stage; the L mod p stages just before the
last have one more. So only three stages can be the fullest or the slowest: the first (most
microbatches in flight, and the embedding), the first with an extra layer, and the last (the head).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.watos.columns import Sizes
from star_watos.watos.plans import Ints, Plans
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


def largest_stage(stages: Sequence[StageKind], sizes: Sequence[Column]) -> tuple[StageKind, Ints]:
    """Return for each plan the stage that has most of those that exist, and its place in `stages`.

    Of equals it is the first.
    """
    best, most = stages[0], np.asarray(sizes[0])
    place = np.zeros(stages[0].index.shape, dtype=np.int64)
    for at, (stage, size) in enumerate(zip(stages[1:], sizes[1:], strict=True), start=1):
        larger = stage.exists & (size > most)
        most, place = np.where(larger, size, most), np.where(larger, at, place)
        best = StageKind(
            exists=best.exists,
            index=np.where(larger, stage.index, best.index),
            layers=np.where(larger, stage.layers, best.layers),
            has_embedding=np.where(larger, stage.has_embedding, best.has_embedding),
            has_head=np.where(larger, stage.has_head, best.has_head),
        )
    return best, place


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


@dataclass(frozen=True, slots=True)
class Stages:
    """The three stages of each pipeline that can be the fullest or the slowest."""

    kinds: tuple[StageKind, StageKind, StageKind]
    params: tuple[Params, ...]
    """On one device of each."""

    @classmethod
    def of(cls, model: Model, plans: Plans, sizes: Sizes) -> "Stages":
        """Return the stages of all plans."""
        kinds = stage_kinds(model, plans.pp)
        return cls(kinds, tuple(stage_params(model, kind, plans.tp, sizes) for kind in kinds))


def stage_params(model: Model, stage: StageKind, tp: Ints, sizes: Sizes) -> Params:
    """Parameters on one device of a stage.

    Tied embeddings are stored on the last stage again where it is not the first (Megatron-LM).
    """
    tied = model.vocab * model.d_model * model.tied_embeddings * (stage.index > 0)
    last = stage.has_head * (head_params(model) + tied)
    ends = (stage.has_embedding * embedding_params(model) + last) / tp
    experts = stage.layers * sizes.expert_params
    return Params(stage.layers * sizes.params - experts + ends, experts)
