"""Stages of a pipeline: their layers and what stands at the ends, and their parameters.

A pipeline of L layers on p stages has q = L // p layers a stage; the L mod p stages just before the
last have one more. So only three stages can be the fullest or the slowest: the first (most
microbatches in flight, and the embedding), the first with an extra layer, and the last (the head).
Where the model's bottom layers differ from those above, a stage has its own share of them, and the
first stage that has none can be it too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from star_watos.cost import Column
from star_watos.watos.columns import Sizes, T
from star_watos.watos.plans import Ints, Plans
from star_watos.workload import Model, embedding_params, head_params


@dataclass(frozen=True, slots=True)
class StageKind:
    """One of the stages that can be the fullest or the slowest, as columns."""

    exists: NDArray[np.bool_]
    index: Ints
    """Which stage it is, from 0."""
    layers: Ints
    bottom: Ints
    """Of these, how many are of the model's bottom ones that differ from those above."""
    has_embedding: NDArray[np.bool_]
    has_head: NDArray[np.bool_]


def stage_kinds(model: Model, pp: Ints, v: Ints) -> tuple[StageKind, ...]:
    """Return the first stage, the first of those with an extra layer, and the last.

    Each has its layers in v chunks. Where bottom layers differ, the first stage above them is the
    fourth.
    """
    least, extra = model.n_layers // pp, model.n_layers % pp
    no, yes = np.zeros(pp.shape, dtype=bool), np.ones(pp.shape, dtype=bool)
    heavy, last = pp - 1 - extra, model.n_layers - least
    first_is_heavy = (extra > 0) & (heavy == 0)
    first_layers = least + first_is_heavy
    own = (
        bottom_layers(model, 0 * pp, first_layers, v),
        bottom_layers(model, heavy * least, least + 1, v),
        bottom_layers(model, last, least, v),
    )
    kinds = (
        StageKind(yes, np.zeros_like(pp), first_layers, own[0], yes, pp == 1),
        StageKind(extra > 0, heavy, least + 1, own[1], first_is_heavy, no),
        StageKind(pp > 1, pp - 1, least, own[2], no, yes),
    )
    return (*kinds, _above(model, pp, v)) if model.n_bottom_layers else kinds


def _above(model: Model, pp: Ints, v: Ints) -> StageKind:
    """Return the first stage that has no bottom layers; stages before it may have an extra one."""
    least, heavy = model.n_layers // pp, pp - 1 - model.n_layers % pp
    rest = model.n_bottom_layers - heavy * least // v
    index = np.where(
        rest > 0, heavy + -(-rest // (least + 1)), -(-model.n_bottom_layers // (least // v))
    )
    layers = least + ((heavy <= index) & (index < pp - 1))
    exists, has_head = (index > 0) & (index < pp), index == pp - 1
    return StageKind(exists, index, layers, np.zeros_like(pp), np.zeros_like(exists), has_head)


def bottom_layers(model: Model, before: Ints, layers: Ints, v: Ints) -> Ints:
    """Return how many of a stage's layers are of the model's bottom ones.

    `before` are on the stages before it. A round of L / v layers passes all stages v times: of each
    the stage has `layers` / v, after `before` / v of others.

    >>> from star_watos.workload import load_model
    >>> deepseek = load_model("deepseek_v3")  # 3 of 61 layers are dense
    >>> bottom_layers(deepseek, np.array([0, 2, 4]), np.array([2, 2, 2]), np.array([1, 1, 1]))
    array([2, 1, 0])
    """
    if not model.n_bottom_layers:
        return np.zeros_like(layers)
    rounds, rest = np.divmod(model.n_bottom_layers, model.n_layers // v)
    own: Ints = rounds * (layers // v) + np.clip(rest - before // v, 0, layers // v)
    return own


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
            bottom=np.where(larger, stage.bottom, best.bottom),
            has_embedding=np.where(larger, stage.has_embedding, best.has_embedding),
            has_head=np.where(larger, stage.has_head, best.has_head),
        )
    return best, place


def every_stage(model: Model, pp: int, v: int = 1, layers: Ints | None = None) -> StageKind:
    """Return all stages of one pipeline, one row a stage, with their layers in v chunks.

    `layers` are those of each; left out, as many as can be equal.
    """
    index = np.arange(pp)
    if layers is None:
        extra = model.n_layers % pp
        layers = model.n_layers // pp + ((index >= pp - 1 - extra) & (index < pp - 1))
    before = np.cumsum(layers) - layers
    return StageKind(
        exists=np.ones(pp, dtype=bool),
        index=index,
        layers=layers,
        bottom=bottom_layers(model, before, layers, np.full(pp, v)),
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
class Stages(Generic[T]):
    """The stages of each pipeline that can be the fullest or the slowest."""

    kinds: tuple[StageKind, ...]
    layers: tuple[T, ...]
    """What each one's layers hold, and do, on average."""
    params: tuple[Params, ...]
    """On one device of each."""

    @classmethod
    def of(cls, model: Model, plans: Plans, layer: T) -> "Stages[T]":
        """Return the stages of all plans; `layer` is the mean of the whole model."""
        kinds = stage_kinds(model, plans.pp, plans.virtual_stages)
        layers = tuple(layer.mixed(kind.bottom, kind.layers) for kind in kinds)
        both = zip(kinds, layers, strict=True)
        return cls(kinds, layers, tuple(stage_params(model, k, plans.tp, own) for k, own in both))


def stage_params(model: Model, stage: StageKind, tp: Ints, sizes: Sizes) -> Params:
    """Parameters on one device of a stage, whose layers have `sizes`.

    Tied embeddings are stored on the last stage again where it is not the first (Megatron-LM).
    """
    tied = model.vocab * model.d_model * model.tied_embeddings * (stage.index > 0)
    last = stage.has_head * (head_params(model) + tied)
    ends = (stage.has_embedding * embedding_params(model) + last) / tp
    experts = stage.layers * sizes.expert_params
    return Params(stage.layers * sizes.params - experts + ends, experts)
